/** The election: a lock of which everybody can read who holds it, and what he says. */
import type { Model } from "./model.js";
import type { Move } from "./operation.js";
import {
  allowsMoreTenant,
  describeToken,
  give,
  identifyTenant,
  kinOfTenant,
  mayBe,
  seenVacant,
  sightOfTenure,
  type Tenant,
  take,
  VACANT,
} from "./tenure.js";

function observe(state: Tenant, move: Move & { kind: "leader" }, latestMs: number): Tenant | null {
  const { answer } = move;
  if (answer === "unknown") return state;
  const { candidate, token, value } = answer;
  if (candidate === null) return seenVacant(state, latestMs);
  if (!state.held || state.candidate !== candidate) return null;
  if (value !== undefined && value !== state.value) return null;
  if (token === undefined) return state;
  if (!mayBe(state, token)) return null;
  return state.exact ? state : { ...state, token, exact: true };
}

function step(state: Tenant, move: Move, latestMs: number): Tenant | null {
  switch (move.kind) {
    case "lead":
      return take(state, move, latestMs);
    case "leader":
      return observe(state, move, latestMs);
    case "resign": {
      const resigned = move.answer === "unknown" ? null : move.answer.resigned;
      return give(state, move.token, resigned, latestMs);
    }
    case "expire":
      return give(state, move.token, null, latestMs);
    default:
      return null;
  }
}

function reads({ kind, answer }: Move): boolean {
  if (kind === "leader") return true;
  if (answer === "unknown") return false;
  if (kind === "resign") return !answer.resigned;
  return kind === "lead" && "refused" in answer;
}

function rank(move: Move): number | null {
  const { kind, answer } = move;
  if (answer === "unknown") return null;
  if (kind === "lead") return "token" in answer ? answer.token : null;
  if (kind === "leader") return answer.candidate === null ? null : (answer.token ?? null);
  return kind === "resign" && answer.resigned ? move.token : null;
}

export const election: Model<Tenant> = {
  name: "election",
  kinds: ["lead", "leader", "resign", "expire"],
  initial: VACANT,
  step,
  identify: identifyTenant,
  describe: state =>
    state.held ? `led by ${state.candidate} with ${describeToken(state)}` : "without a leader",
  reads,
  allowsMore: allowsMoreTenant,
  kin: kinOfTenant,
  rank,
  sight: sightOfTenure,
  prepare: entries => entries,
};
