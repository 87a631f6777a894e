/**
 * Majorities, of one set of voters or of two at once (joint consensus, thesis section 4.3). Knows
 * no roles, no terms, no messages: numbers and answers per node id come in, a verdict goes out.
 */
import type { NodeId } from "../../base/ids.js";

/** Who decides. Both ascending; `outgoing` is empty unless the configuration is joint. */
export interface Voters {
  readonly incoming: readonly NodeId[];
  readonly outgoing: readonly NodeId[];
}

export type Verdict = "won" | "lost" | "pending";
export type NumberOf = (id: NodeId) => number;
/** True and false are answers, null is none yet. */
export type AnswerOf = (id: NodeId) => boolean | null;

/** The greatest number that a quorum has reached. Nobody's quorum reaches infinity. */
export function reachedByQuorum(voters: Voters, numberOf: NumberOf): number {
  const incoming = reachedByMajority(voters.incoming, numberOf);
  if (voters.outgoing.length === 0) return incoming;
  return Math.min(incoming, reachedByMajority(voters.outgoing, numberOf));
}

/** Of no voters: infinity, so that an empty half of a joint configuration decides nothing. */
export function reachedByMajority(voters: readonly NodeId[], numberOf: NumberOf): number {
  const size = voters.length;
  if (size === 0) return Number.POSITIVE_INFINITY;
  // Insertion into descending order: sets are small, and nothing is allocated but the array.
  const sorted: number[] = [];
  for (const id of voters) {
    const value = numberOf(id);
    let at = sorted.length;
    for (; at > 0; at--) {
      const left = sorted[at - 1];
      if (left === undefined || left >= value) break;
      sorted[at] = left;
    }
    sorted[at] = value;
  }
  return sorted[size >> 1] ?? 0;
}

/** The state of a vote: lost as soon as no outstanding answer could still win it. */
export function verdict(voters: Voters, answerOf: AnswerOf): Verdict {
  const incoming = majorityVerdict(voters.incoming, answerOf);
  const outgoing = majorityVerdict(voters.outgoing, answerOf);
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return incoming === "won" && outgoing === "won" ? "won" : "pending";
}

export function majorityVerdict(voters: readonly NodeId[], answerOf: AnswerOf): Verdict {
  if (voters.length === 0) return "won";
  const needed = (voters.length >> 1) + 1;
  let yes = 0;
  let open = 0;
  for (const id of voters) {
    const answer = answerOf(id);
    if (answer === null) open += 1;
    else if (answer) yes += 1;
  }
  if (yes >= needed) return "won";
  return yes + open >= needed ? "pending" : "lost";
}
