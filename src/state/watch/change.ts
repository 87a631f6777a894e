/** One change of one key, as history keeps it and watchers hear of it. Immutable. */
import { type KvRecord, textBytes } from "../kv/record.js";

/** What made the change: for a deletion, why the key is gone. */
export type Cause =
  | "put"
  | "deleted"
  | "released"
  | "cancelled"
  | "expired"
  | "revoked"
  | "broken"
  | "overdue"
  | "moved";

const CHANGE_BYTES = 96;

export class Change {
  readonly revision: number;
  /** Order within the revision, from 0. */
  readonly sub: number;
  readonly cause: Cause;
  readonly key: string;
  /** As it is after the change; null when the key is gone. */
  readonly record: KvRecord | null;
  /** As it was before; null when there was none. */
  readonly prev: KvRecord | null;
  /** What it counts for in the window of history; known so that forgetting it need not look. */
  readonly bytes: number;

  constructor(
    revision: number,
    sub: number,
    cause: Cause,
    key: string,
    record: KvRecord | null,
    prev: KvRecord | null,
  ) {
    this.revision = revision;
    this.sub = sub;
    this.cause = cause;
    this.key = key;
    this.record = record;
    this.prev = prev;
    const after = record === null ? 0 : textBytes(record);
    const before = prev === null ? 0 : textBytes(prev);
    this.bytes = CHANGE_BYTES + key.length + after + before;
  }
}
