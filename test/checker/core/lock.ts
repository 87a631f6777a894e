/** The lock: held by one or by nobody, each grant with a token above the last. */
import type { Entry } from "./entries.js";
import type { Model } from "./model.js";
import type { Move } from "./operation.js";
import {
  allowsMoreTenant,
  describeToken,
  give,
  identifyTenant,
  kinOfTenant,
  sightOfTenure,
  type Tenant,
  take,
  VACANT,
} from "./tenure.js";

function step(state: Tenant, move: Move, latestMs: number): Tenant | null {
  switch (move.kind) {
    case "acquire":
      return take(state, move, latestMs);
    case "release": {
      const released = move.answer === "unknown" ? null : move.answer.released;
      return give(state, move.token, released, latestMs);
    }
    case "expire":
      return give(state, move.token, null, latestMs);
    default:
      return null;
  }
}

function reads({ kind, answer }: Move): boolean {
  if (answer === "unknown") return false;
  if (kind === "release") return !answer.released;
  return kind === "acquire" && "refused" in answer;
}

function rank(move: Move): number | null {
  const { kind, answer } = move;
  if (answer === "unknown") return null;
  if (kind === "acquire") return "token" in answer ? answer.token : null;
  return kind === "release" && answer.released ? move.token : null;
}

/** Nobody can ask who holds it: attempts of different holders are alike. */
const withoutHolder = (entry: Entry): Entry =>
  entry.move.kind === "acquire" ? { ...entry, move: { ...entry.move, holder: "" } } : entry;

export const lock: Model<Tenant> = {
  name: "lock",
  kinds: ["acquire", "release", "expire"],
  initial: VACANT,
  step,
  identify: identifyTenant,
  describe: state => (state.held ? `held with ${describeToken(state)}` : "free"),
  reads,
  allowsMore: allowsMoreTenant,
  kin: kinOfTenant,
  rank,
  sight: sightOfTenure,
  prepare: entries => entries.map(withoutHolder),
};
