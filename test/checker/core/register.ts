/**
 * The register: one key with a value or none, and the revision of its last write. A write whose
 * revision was not told took one at least one above the last; what is seen later may tell it.
 */
import type { Model, Sight } from "./model.js";
import type { Move } from "./operation.js";
import { concludeFromSeen } from "./seen-values.js";

export interface Register {
  readonly value: string | null;
  /** Of the last write: exactly, or at least. What nobody can read is never exact. */
  readonly revision: number;
  readonly exact: boolean;
}

const ABSENT: Register = { value: null, revision: 0, exact: false };

function write(
  state: Register,
  value: string | null,
  revision: number | undefined,
): Register | null {
  if (revision === undefined) return { value, revision: state.revision + 1, exact: false };
  return revision > state.revision ? { value, revision, exact: value !== null } : null;
}

function read(
  state: Register,
  value: string | null,
  revision: number | undefined,
): Register | null {
  if (state.value !== value) return null;
  if (revision === undefined) return state;
  if (state.exact) return state.revision === revision ? state : null;
  return revision >= state.revision ? { value, revision, exact: true } : null;
}

function remove(state: Register, move: Move & { kind: "delete" }): Register | null {
  const { answer } = move;
  if (answer === "unknown")
    return state.value === null ? null : { ...state, value: null, exact: false };
  if (!answer.deleted) return state.value === null ? state : null;
  if (state.value === null) return null;
  // A store may or may not count a delete as a write: only one that says so is held to it.
  return answer.revision === undefined
    ? { ...state, value: null, exact: false }
    : write(state, null, answer.revision);
}

function swap(state: Register, move: Move & { kind: "cas" }): Register | null {
  const { answer, expect, value } = move;
  const matches = state.value === expect;
  if (answer === "unknown") return matches ? write(state, value, undefined) : null;
  if (answer.swapped) return matches ? write(state, value, answer.revision) : null;
  return matches ? null : state;
}

function step(state: Register, move: Move): Register | null {
  switch (move.kind) {
    case "put":
      return write(state, move.value, move.answer === "unknown" ? undefined : move.answer.revision);
    case "get":
      if (move.answer === "unknown") return state;
      return read(state, move.answer.value, move.answer.revision);
    case "cas":
      return swap(state, move);
    case "delete":
      return remove(state, move);
    default:
      return null;
  }
}

/** Does it leave the register as it is, whatever that is? */
function reads({ kind, answer }: Move): boolean {
  if (kind === "get") return true;
  if (answer === "unknown") return false;
  return (kind === "cas" && !answer.swapped) || (kind === "delete" && !answer.deleted);
}

const seen = (value: string | null): string => (value === null ? "nothing" : `=${value}`);

const sight: Sight<Register> = {
  of: state => seen(state.value),
  needs(move) {
    const { kind, answer } = move;
    if (kind === "get") return answer === "unknown" ? null : seen(answer.value);
    if (kind === "cas") return answer === "unknown" || answer.swapped ? seen(move.expect) : null;
    const foundNothing = kind === "delete" && answer !== "unknown" && !answer.deleted;
    return foundNothing ? seen(null) : null;
  },
  gives(move) {
    if (reads(move)) return null;
    if (move.kind === "put" || move.kind === "cas") return seen(move.value);
    return move.kind === "delete" ? seen(null) : null;
  },
};

function rank({ kind, answer }: Move): number | null {
  if (answer === "unknown") return null;
  const told = kind === "put" || kind === "get" || kind === "cas" || kind === "delete";
  return told ? (answer.revision ?? null) : null;
}

export const register: Model<Register> = {
  name: "register",
  kinds: ["put", "get", "cas", "delete"],
  initial: ABSENT,
  step,
  identify: ({ value, revision, exact }) => `${revision}${exact ? "!" : "+"}${seen(value)}`,
  describe({ value, revision, exact }) {
    if (value === null) return "nothing";
    if (!exact) return JSON.stringify(value);
    return `${JSON.stringify(value)} at revision ${revision}`;
  },
  reads,
  allowsMore: (more, less) =>
    more.value === less.value &&
    (more.exact ? less.exact && more.revision === less.revision : more.revision <= less.revision),
  kin: ({ value }) => seen(value),
  rank,
  sight,
  prepare: concludeFromSeen,
};
