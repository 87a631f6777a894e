/** The names of sequenced keys, and which names make a key an entry of a line. */
import type { Bytes } from "../../base/ports.js";

export const DIGITS = 20;
const SLASH = 0x2f;

/** A revision as the last segment of a sequenced key: 20 digits. */
export function twentyDigits(revision: number): string {
  return revision.toString().padStart(DIGITS, "0");
}

export function sequencedKey(prefix: string, revision: number): string {
  return `${prefix}/${twentyDigits(revision)}`;
}

const PREFIX = 512;

/** Makes sequenced keys as strings of one piece, which are compared and kept at less cost. */
export class SequencedKeys {
  readonly #bytes: Bytes;
  readonly #room: Uint8Array;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
    this.#room = bytes.allocate(PREFIX + 1 + DIGITS);
  }

  of(prefix: string, revision: number): string {
    const { length } = prefix;
    if (length > PREFIX) return sequencedKey(prefix, revision);
    const room = this.#room;
    for (let i = 0; i < length; i++) room[i] = prefix.charCodeAt(i);
    room[length] = SLASH;
    const end = length + 1 + DIGITS;
    let rest = revision;
    for (let i = end - 1; i > length; i--) {
      const left = Math.floor(rest / 10);
      room[i] = rest - 10 * left + 0x30;
      rest = left;
    }
    return this.#bytes.latin1Read(room, 0, end);
  }
}

/** Where the last segment begins: after the last slash; 0 when there is no slash. */
export function lastSegment(key: string): number {
  return key.lastIndexOf("/") + 1;
}

/** True when the key has a slash and 20 digits after the last one. */
export function isSequencedForm(key: string): boolean {
  const start = key.length - DIGITS;
  if (start < 1 || key.charCodeAt(start - 1) !== SLASH) return false;
  for (let i = start; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    if (unit < 0x30 || unit > 0x39) return false;
  }
  return true;
}

/**
 * The line that a key becomes an entry of when it is created at `revision` with `lease`: its last
 * segment is that revision in 20 digits, or the lease's id (etcd's own recipe). "" when it is
 * none.
 */
export function lineOfNewKey(key: string, revision: number, lease: string): string {
  if (lease === "") return "";
  const start = lastSegment(key);
  if (start < 2) return "";
  const length = key.length - start;
  const byLease = length === lease.length && key.endsWith(lease);
  if (byLease || (length === DIGITS && key.endsWith(twentyDigits(revision)))) {
    return key.slice(0, start - 1);
  }
  return "";
}
