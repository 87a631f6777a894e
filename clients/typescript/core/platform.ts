/**
 * All that the client asks of the world: two clocks, a timer, the end of a turn, randomness and a
 * way to dial. `node/` and `browser/` give real ones; a simulator or a test kit gives clocks that
 * it turns and connections that it cuts. Nothing else in core reads a clock or sets a timer.
 */

/** Cancels what it was returned for. Calling it again, or too late, does nothing. */
export type Cancel = () => void;

/** One connection, as the client drives it. */
export interface Wire {
  /** Sends one frame. Never throws; a frame sent to a connection that is gone is lost. */
  send(frame: Uint8Array): void;
  /** Ends it. `onClose` need not follow. */
  close(): void;
}

/** One connection, as it tells of itself. Nothing may be called from within `dial`. */
export interface WireEvents {
  /** It stands, with the subprotocol `holdfast.v1.msgpack` agreed. */
  onOpen(): void;
  /** One frame came in. The bytes may be reused by the platform after the call. */
  onFrame(frame: Uint8Array): void;
  /** It is gone, or never stood; the last call. `reason` is for people. */
  onClose(reason: string): void;
}

export interface Platform {
  /** Milliseconds since any start; never goes back. May stand still while the machine sleeps. */
  monotonicMs(): number;
  /** Milliseconds since 1970. Used only to notice that the machine slept. */
  wallMs(): number;
  /** Calls back once, not before `delayMs` (0 … 2^31-1) have passed. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls back once, when what is ready in this turn of the event loop has been handled. */
  schedule(callback: () => void): void;
  /** A random integer from 0 to bound-1; `bound` from 1 to 2^32. */
  below(bound: number): number;
  /** Dials `url` (`ws://host:port/v1/ws`). */
  dial(url: string, events: WireEvents): Wire;
}
