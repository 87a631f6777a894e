/** The names of sequenced keys, and which names make a key an entry of a line. */
const DIGITS = 20;
const SLASH = 0x2f;

/** A revision as the last segment of a sequenced key: 20 digits. */
export function twentyDigits(revision: number): string {
  return revision.toString().padStart(DIGITS, "0");
}

export function sequencedKey(prefix: string, revision: number): string {
  return `${prefix}/${twentyDigits(revision)}`;
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
