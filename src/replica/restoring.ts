/** Reading a snapshot: slices from the log into a fresh machine, one after the other. */
import { DecodeError } from "../base/codec.js";
import type { Bytes } from "../base/ports.js";
import type { LogFailure, SnapshotSource } from "../log/port/index.js";
import { SnapshotLoader, type StateMachine, type StateStop } from "../state/index.js";

/** Exactly one of `done` and `failed` is called, once. */
export function readSnapshot(
  source: SnapshotSource,
  bytes: Bytes,
  done: (machine: StateMachine) => void,
  failed: (failure: LogFailure) => void,
): void {
  const loader = new SnapshotLoader(bytes);
  const fail = (failure: LogFailure): void => {
    source.close();
    failed(failure);
  };
  const take = (slice: Uint8Array | null): void => {
    try {
      if (slice === null) {
        const machine = loader.finish();
        source.close();
        done(machine);
        return;
      }
      const stop = loader.add(slice);
      if (stop === null) source.read(take);
      else fail(stopped(stop));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      fail({
        code: "SNAPSHOT_DAMAGED",
        message:
          `the snapshot at index ${source.index} cannot be read (${error.message}); ` +
          "remove this member and add it again with an empty directory",
      });
    }
  };
  source.read(take);
}

export const stopped = (stop: StateStop): LogFailure => ({
  code: stop.code,
  message: stop.message,
});
