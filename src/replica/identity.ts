/** Of a call's context, the identity that the state knows requests by. */
import type { RequestIdentity } from "../state/index.js";
import type { CallContext } from "./coordinator/index.js";

/**
 * `params` stand for the request where only an Idempotency-Key names it; of them `pollMs` does not
 * count. `sessionLease` keeps the client's answers while it lives.
 */
export function identityOf(
  context: CallContext,
  operation: string,
  params: object,
  sessionLease: string | null,
): RequestIdentity | null {
  const { request, idempotencyKey } = context;
  if (request !== undefined) {
    const { client, number, low } = request;
    return sessionLease === null
      ? { client, number, low }
      : { client, number, low, lease: sessionLease };
  }
  if (idempotencyKey === undefined) return null;
  return { key: idempotencyKey, fingerprint: fingerprint(operation + canonical(params)) };
}

/** One text for equal values, whatever the order of fields. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  const fields = Object.entries(value)
    .filter(([name, field]) => name !== "pollMs" && field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
}

/**
 * 64 bits in hex. Guards against a mistake, not against an attacker, who would only fool himself.
 */
function fingerprint(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x1b873593;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(((b << 5) | (b >>> 27)) ^ unit, 0x9e3779b1);
  }
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
  return hex(a) + hex(b);
}
