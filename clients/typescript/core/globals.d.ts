/**
 * The few names that every JavaScript platform has and that the language's own library does not
 * declare. They are functions of their arguments alone; whatever touches the world (clocks, timers,
 * randomness, sockets) comes through `Platform` instead.
 */
interface AbortSignal {
  readonly aborted: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: as the platforms declare it.
  readonly reason: any;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

declare function queueMicrotask(callback: () => void): void;

declare class TextEncoder {
  encode(text: string): Uint8Array;
  /** `read`: how much of `text`, in units of its own, was written whole. */
  encodeInto(text: string, into: Uint8Array): { readonly read: number };
}

declare class TextDecoder {
  decode(bytes: Uint8Array): string;
}
