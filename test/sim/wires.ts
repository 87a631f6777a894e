/**
 * The network as one process sees it, and frames over it: what WebSocket is in the product. Each
 * frame is its length in four bytes and its bytes.
 */
import type {
  Address,
  Connection,
  ConnectionEvents,
  Listener,
  Network,
} from "../../src/base/network.js";
import type { Process } from "./process.js";

/** Who looks on, and interferes, as a process sends. */
export interface Taps {
  /** Before a piece leaves. False: the process has come to its end, and nothing leaves. */
  sending(): boolean;
  sent(): void;
  /** A connection that the process dialled, as it is to be used. */
  dialled(connection: Connection, to: Address): Connection;
}

/** `network`, with all that it tells coming into `process`. */
export function networkOf(network: Network, process: Process, taps: Taps | null = null): Network {
  return {
    listen: (address, accepted, done) =>
      network.listen(
        address,
        connection => process.enter(() => accepted(new Guarded(connection, process, taps))),
        (error, listener: Listener | null) => process.enter(() => done(error, listener)),
      ),
    connect: (to: Address, timeoutMs, done) => {
      let cancelled = false;
      const guarded = (connection: Connection): Connection =>
        new Guarded(taps?.dialled(connection, to) ?? connection, process, taps);
      const cancel = network.connect(to, timeoutMs, (error, connection) =>
        process.enter(() => {
          if (!cancelled) done(error, connection === null ? null : guarded(connection));
          else connection?.destroy();
        }),
      );
      return () => {
        cancelled = true;
        cancel();
      };
    },
  };
}

/** A connection whose events wait while its process stands still. */
class Guarded implements Connection {
  readonly remote: Address;
  readonly #inner: Connection;
  readonly #process: Process;
  readonly #taps: Taps | null;
  #over = false;
  #paused = false;
  #waiting: (() => void)[] = [];

  constructor(inner: Connection, process: Process, taps: Taps | null) {
    this.#inner = inner;
    this.#process = process;
    this.#taps = taps;
    this.remote = inner.remote;
  }

  start(events: ConnectionEvents): void {
    const come = (callback: () => void): void => this.#process.enter(() => this.#come(callback));
    this.#inner.start({
      received: chunk =>
        come(() => {
          if (!this.#over) events.received(chunk);
        }),
      drained: () =>
        this.#process.enter(() => {
          if (!this.#over) events.drained();
        }),
      closed: reason =>
        reason === "ended" && !this.#over
          ? come(() => events.closed(this.#over ? "local" : reason))
          : this.#process.enter(() => events.closed(reason)),
    });
  }

  write(parts: readonly Uint8Array[]): boolean {
    const taps = this.#taps;
    if (taps === null) return this.#inner.write(parts);
    if (!taps.sending()) return true;
    const taken = this.#inner.write(parts);
    taps.sent();
    return taken;
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  pause(): void {
    this.#paused = true;
    this.#inner.pause();
  }

  resume(): void {
    this.#paused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length > 0)
      this.#process.after(0, () => {
        for (const each of waiting) this.#come(each);
      });
    this.#inner.resume();
  }

  close(): void {
    this.#over = true;
    this.#flushWaiting();
    this.#inner.close();
  }

  destroy(): void {
    this.#over = true;
    this.#flushWaiting();
    this.#inner.destroy();
  }

  /** An end that waited behind a pause is not forgotten when the connection is closed. */
  #flushWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#paused = false;
    if (waiting.length > 0)
      this.#process.after(0, () => {
        for (const each of waiting) each();
      });
  }

  #come(callback: () => void): void {
    if (this.#paused) this.#waiting.push(callback);
    else callback();
  }
}

export interface FrameEvents {
  frame(bytes: Uint8Array): void;
  drained(): void;
  closed(reason: string): void;
}

/** Frames over a connection that was just given. */
export class FrameWire {
  readonly #connection: Connection;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(connection: Connection, events: FrameEvents) {
    this.#connection = connection;
    connection.start({
      received: chunk => this.#received(chunk, events),
      drained: () => events.drained(),
      closed: reason => events.closed(reason),
    });
  }

  send(frame: Uint8Array): void {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, frame.length);
    this.#connection.write([head, frame]);
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes;
  }

  close(): void {
    this.#connection.close();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #received(chunk: Uint8Array, events: FrameEvents): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0);
      if (bytes.length - at - 4 < length) break;
      events.frame(bytes.slice(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#rest = bytes.slice(at);
  }
}
