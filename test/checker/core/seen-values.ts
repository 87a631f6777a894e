/**
 * What a register's history tells beyond its lines. A value that only one write can have made and
 * that was seen proves that write: it took effect, and before the answer of who saw it. Values that
 * can make no difference are all made one, so that writes of them are equal.
 *
 * Part of the register's model; it changes no verdict.
 */
import { type Entry, isRequired } from "./entries.js";
import type { Move } from "./operation.js";

export function concludeFromSeen(entries: readonly Entry[]): readonly Entry[] {
  return forgetUnseen(proveWriters(entries));
}

/** The value that a move wrote, or may have. */
function written(move: Move): string | null {
  if (move.kind === "put") return move.value;
  if (move.kind !== "cas") return null;
  return move.answer === "unknown" || move.answer.swapped ? move.value : null;
}

/** The value that must have been there for the move to be answered so. */
function saw(move: Move): string | null {
  if (move.answer === "unknown") return null;
  if (move.kind === "get") return move.answer.value;
  return move.kind === "cas" && move.answer.swapped ? move.expect : null;
}

/** Each value that one entry alone may have written, with that entry's place. */
function soleWriters(entries: readonly Entry[]): Map<string, number> {
  const writers = new Map<string, number>();
  const several = new Set<string>();
  entries.forEach(({ move }, at) => {
    const value = written(move);
    if (value === null) return;
    if (writers.has(value)) several.add(value);
    else writers.set(value, at);
  });
  for (const value of several) writers.delete(value);
  return writers;
}

/** A write that was seen is a write that took effect. What proved it may be proved itself by it. */
function proveWriters(entries: readonly Entry[]): readonly Entry[] {
  const proved = [...entries];
  const writers = soleWriters(entries);
  const open = entries.flatMap((entry, at) => (isRequired(entry) ? [at] : []));
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const witness = proved[at];
    const value = witness === undefined ? null : saw(witness.move);
    const place = value === null ? undefined : writers.get(value);
    const writer = place === undefined ? undefined : proved[place];
    if (witness === undefined || place === undefined || writer === undefined) continue;
    const better = provedBy(writer, witness);
    if (better === writer) continue;
    proved[place] = better;
    if (better.dueMs !== writer.dueMs) open.push(place);
  }
  return proved;
}

function provedBy(writer: Entry, witness: Entry): Entry {
  const dueMs = Math.min(writer.dueMs, witness.dueMs);
  const move = answeredAs(writer.move, witness.move);
  return dueMs === writer.dueMs && move === writer.move ? writer : { ...writer, dueMs, move };
}

/** A write of unknown outcome, with the answer that the move that saw its value gives away. */
function answeredAs(write: Move, witness: Move): Move {
  const { kind, answer } = write;
  if (kind !== "put" && kind !== "cas") return write;
  const revision = seenRevision(witness);
  if (answer !== "unknown" && (revision === null || answer.revision !== undefined)) return write;
  const told = revision === null ? {} : { revision };
  return kind === "put"
    ? { ...write, answer: told }
    : { ...write, answer: { swapped: true, ...told } };
}

const seenRevision = ({ kind, answer }: Move): number | null =>
  kind === "get" && answer !== "unknown" ? (answer.revision ?? null) : null;

/**
 * The values that can make a difference: those that a definite answer shows to have been there, or
 * not to have been; and those from which a swap of unknown outcome may have made one of them.
 */
function valuesThatMatter(entries: readonly Entry[]): Set<string> {
  const matter = new Set<string>();
  const swaps = new Map<string, string[]>();
  for (const entry of entries) {
    const { move } = entry;
    if (move.kind === "cas" && move.expect !== null) {
      if (isRequired(entry)) matter.add(move.expect);
      else swaps.set(move.value, [...(swaps.get(move.value) ?? []), move.expect]);
    }
    const value = saw(move);
    if (value !== null) matter.add(value);
  }
  // A set's loop also comes to what is added on the way.
  for (const value of matter) for (const before of swaps.get(value) ?? []) matter.add(before);
  return matter;
}

function forgetUnseen(entries: readonly Entry[]): readonly Entry[] {
  const matter = valuesThatMatter(entries);
  let unseen = "unseen";
  while (matter.has(unseen)) unseen += "'";
  return entries.map(entry => {
    const { move } = entry;
    const writes = move.kind === "put" || move.kind === "cas";
    if (!writes || matter.has(move.value)) return entry;
    return { ...entry, move: { ...move, value: unseen } };
  });
}
