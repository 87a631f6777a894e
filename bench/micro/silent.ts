/** What a state machine says, to nobody: of benches that time the machine alone. */
import type { MachineOutput } from "#src/state/index.js";

export const silent: MachineOutput = {
  answer() {},
  wrote() {},
  leaseGranted() {},
  leaseEnded() {},
  granted() {},
  grantEnded() {},
  waitEnded() {},
  yieldAsked() {},
  moved() {},
};
