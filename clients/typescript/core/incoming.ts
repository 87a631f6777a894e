/**
 * What a node says, held against what it may say. Only shapes that code here depends on are looked
 * at; fields that are merely passed on to callers are not.
 */
import type { OperationName } from "holdfast-protocol";
import type { Answer } from "./call.js";
import { HoldfastError } from "./errors.js";

/** A message that is none of the protocol's. The connection that brought it is of no use any more. */
export class MessageError extends Error {
  override readonly name = "MessageError";
}

export const isFields = (value: unknown): value is Answer =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array);

/** `value` as an object. Throws {@link MessageError}. */
export function fieldsOf(value: unknown, what: string): Answer {
  if (isFields(value)) return value;
  throw new MessageError(`${what} is no object`);
}

/** A list of objects; one that is absent is empty. Throws {@link MessageError}. */
export function listOf(value: unknown, what: string): readonly Answer[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(isFields)) return value;
  throw new MessageError(`${what} is no list of objects`);
}

/** One page of a list, of which there may be more. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** The page as it came. */
  readonly ok: Answer;
}

/** Reads an answer whose field `list` holds the page. */
export const pageOf =
  <Item>(list: string, itemOf: (one: Answer) => Item) =>
  (ok: Answer): Page<Item> => ({ items: listOf(ok[list], list).map(itemOf), ok });

/** An answer that cannot be read is the call's failure, by name. */
export function unreadable(op: OperationName, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const why = error instanceof Error ? error.message : String(error);
  const message = `${op}: the node's answer cannot be read: ${why}`;
  return new HoldfastError({ code: "INTERNAL", message, cause: error });
}

const LONGEST_TTL_MS = 86_400_000;

/** A time that leases can have: deadlines and timers are made of it. */
export const isTtlMs = (value: unknown): value is number =>
  typeof value === "number" && value >= 1 && value <= LONGEST_TTL_MS;

/** " by ops (stuck)": who broke a grant and why, as far as they said. */
export function blameOf({ by, why }: Answer): string {
  const who = typeof by === "string" ? ` by ${by}` : "";
  return typeof why === "string" ? `${who} (${why})` : who;
}
