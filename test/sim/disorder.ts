/**
 * Disorder among peers' messages. The protocol between nodes runs over streams that keep their
 * order, but Raft promises to bear loss, repetition and overtaking, so on the simulated wire the
 * frames of type "message" are lost, doubled, swapped and late. All other frames stay as they are.
 * Shows each message to whoever watches the wire, as it was sent. Knows nothing of what is in it.
 */
import type { Connection, ConnectionEvents } from "../../src/base/network.js";
import type { SeededRandom } from "../../src/base/random.js";
import { FRAME, FRAME_HEAD_BYTES, readU32 } from "../../src/peer/frame.js";
import type { TurnedLoop } from "../../src/testing/turned-loop.js";
import { asLater } from "./later.js";

/** What happens to messages on one way, in thousandths of them. */
export interface Disorder {
  readonly lost: number;
  readonly twice: number;
  /** Goes after the next message. */
  readonly swapped: number;
  /** Goes by itself, up to `mostLateMs` later. */
  readonly late: number;
  readonly mostLateMs: number;
}

/** A message that waits to be overtaken, and none comes, goes after so long. */
const MOST_SWAPPED_MS = 100;

export interface DisorderHost {
  readonly loop: TurnedLoop;
  readonly random: SeededRandom;
  disorder(from: string, to: string): Disorder | null;
  /** The payload of each message, before anything happens to it. */
  sent(payload: Uint8Array): void;
  /** A piece of a snapshot leaves for this host. */
  snapshotSent(to: string): void;
  count(what: keyof Disorder): void;
}

/** The dialled side of a connection between peers: the one that sends messages. */
export class DisorderedWire implements Connection {
  readonly remote: Connection["remote"];
  readonly #inner: Connection;
  readonly #host: DisorderHost;
  readonly #from: string;
  readonly #isLater: boolean;
  #rest: Uint8Array = new Uint8Array(0);
  #overtaken: Uint8Array | null = null;
  #over = false;

  /** `isLater`: `from` is of a version to come. */
  constructor(inner: Connection, from: string, host: DisorderHost, isLater: boolean) {
    this.#isLater = isLater;
    this.#inner = inner;
    this.#host = host;
    this.#from = from;
    this.remote = inner.remote;
  }

  start(events: ConnectionEvents): void {
    this.#inner.start(events);
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  close(): void {
    this.#over = true;
    this.#inner.close();
  }

  destroy(): void {
    this.#over = true;
    this.#inner.destroy();
  }

  write(parts: readonly Uint8Array[]): boolean {
    const bytes = Buffer.concat([this.#rest, ...parts]);
    const disorder = this.#host.disorder(this.#from, this.remote.host);
    const out: Uint8Array[] = [];
    let at = 0;
    while (bytes.length - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + readU32(bytes, at);
      if (end > bytes.length) break;
      this.#frame(bytes.subarray(at, end), disorder, out);
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return this.#inner.write(out);
  }

  #frame(frame: Uint8Array, disorder: Disorder | null, out: Uint8Array[]): void {
    const type = frame[FRAME_HEAD_BYTES] as number;
    if (type === FRAME.bulkBegin || type === FRAME.bulkChunk)
      this.#host.snapshotSent(this.remote.host);
    if (type !== FRAME.message) {
      out.push(this.#isLater ? asLater(frame) : frame);
      return;
    }
    this.#host.sent(frame.subarray(FRAME_HEAD_BYTES + 1));
    if (disorder === null) out.push(frame);
    else this.#disordered(frame, disorder, out);
    const overtaken = this.#overtaken;
    if (overtaken === null || overtaken === frame) return;
    this.#overtaken = null;
    out.push(overtaken);
  }

  #disordered(frame: Uint8Array, disorder: Disorder, out: Uint8Array[]): void {
    const { random, loop } = this.#host;
    const happens = (what: "lost" | "twice" | "swapped" | "late"): boolean => {
      if (random.below(1_000) >= disorder[what]) return false;
      this.#host.count(what);
      return true;
    };
    if (happens("lost")) return;
    if (happens("twice")) out.push(frame);
    if (this.#overtaken === null && happens("swapped")) {
      this.#overtaken = frame;
      loop.after(MOST_SWAPPED_MS, () => {
        if (this.#overtaken !== frame) return;
        this.#overtaken = null;
        this.#send(frame);
      });
    } else if (happens("late")) {
      loop.after(1 + random.below(disorder.mostLateMs), () => this.#send(frame));
    } else {
      out.push(frame);
    }
  }

  #send(frame: Uint8Array): void {
    if (!this.#over) this.#inner.write([frame]);
  }
}
