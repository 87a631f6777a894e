/**
 * The ports through which pure and port rooms touch the world. The server gives real ones, the
 * simulator and the tests their own. Disk and Network stand in files of their own beside this one.
 */

/** Cancels what it was returned for. Calling it again, or too late, does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds since an arbitrary start of this process; never goes back; may be fractional. */
  monotonicMs(): number;
  /**
   * Milliseconds since 1970 by the machine's wall clock. For display and schedules; decides
   * nothing.
   */
  wallMs(): number;
  /** Calls back once, not before `delayMs` (0 … 2^31-1) have passed, in a turn of its own. */
  after(delayMs: number, callback: () => void): Cancel;
}

/** A stream of random integers. One stream per concern, so that draws do not shift each other. */
export interface Random {
  /** An integer from 0 to bound-1; `bound` from 1 to 2^48. */
  below(bound: number): number;
}

/**
 * Text and bytes. A *byte string* is a JavaScript string of code units 0–255, one per byte: that is
 * how keys and values are held (a million 32-byte values cost a third of what byte arrays cost).
 */
export interface Bytes {
  /** A zeroed array with memory of its own, never a view of a pool. */
  allocate(length: number): Uint8Array;
  /** The bytes from `start` to `end` as a byte string. */
  latin1Read(from: Uint8Array, start: number, end: number): string;
  /** Writes a byte string at `offset`; the caller has made sure that it fits. */
  latin1Write(into: Uint8Array, offset: number, text: string): void;
  /** Text to the byte string of its UTF-8 form. Lone surrogates become U+FFFD. */
  utf8Encode(text: string): string;
  /** The byte string's text, or null when it is not valid UTF-8. */
  utf8Decode(bytes: string): string | null;
}

export interface Checksum {
  /** CRC-32 (IEEE) of `bytes`, continued from `seed` (default 0); an unsigned 32-bit integer. */
  crc32(bytes: Uint8Array, seed?: number): number;
}

export interface EndOfTurn {
  /** Calls back once when all input that is ready in this turn of the loop has been handled. */
  schedule(callback: () => void): void;
}
