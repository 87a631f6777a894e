/** What becomes of the bytes of one direction of a connection, on their way through a proxy. */

export type Flow =
  | { readonly kind: "pass" }
  /** Late by `ms`, and by up to `jitterMs` more; the order stays. */
  | { readonly kind: "delay"; readonly ms: number; readonly jitterMs?: number }
  /**
   * As a broken network does to TCP: nothing arrives, not even the end of a connection, and what
   * was sent arrives when it is whole again, if both ends still stand.
   */
  | { readonly kind: "stall" }
  /**
   * Taken and gone. A connection that lost bytes is reset as soon as something passes again, since
   * TCP never leaves out a part.
   */
  | { readonly kind: "lose" }
  /** At most `bytes` every `everyMs`. */
  | { readonly kind: "trickle"; readonly bytes: number; readonly everyMs: number };

export const PASS: Flow = { kind: "pass" };
export const STALL: Flow = { kind: "stall" };
export const LOSE: Flow = { kind: "lose" };
