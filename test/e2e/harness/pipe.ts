/**
 * One direction of a connection through a proxy: takes what the source sends, and its end, into a
 * queue, and lets it out to the sink as the present flow allows. Made by proxy.ts, which also says
 * when the flow has changed.
 */
import type { Socket } from "node:net";
import type { Flow } from "./flow.js";

/** What a kernel would hold back for a receiver that does not read; past it the source waits. */
const HELD_BYTES = 256 * 1024;

export type End = "fin" | "reset";

interface Piece {
  readonly dueMs: number;
  bytes: Buffer;
}

export class Pipe {
  readonly #source: Socket;
  /** Made when the first byte passes, so that nothing is dialled for what never arrives. */
  readonly #sink: () => Socket;
  readonly #flow: () => Flow;
  readonly #reset: () => void;
  #pieces: Piece[] = [];
  #heldBytes = 0;
  #end: End | null = null;
  #isOver = false;
  #hasLost = false;
  #timer: NodeJS.Timeout | null = null;
  #nextTrickleMs = 0;

  constructor(source: Socket, sink: () => Socket, flow: () => Flow, reset: () => void) {
    this.#source = source;
    this.#sink = sink;
    this.#flow = flow;
    this.#reset = reset;
    source.on("data", bytes => this.#take(bytes));
    source.once("end", () => this.#ended("fin"));
    source.once("close", () => this.#ended("reset"));
    source.on("error", () => {});
  }

  /** Bytes that are held back. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Lets out what may go now. To be called when the flow has changed. */
  turn(): void {
    if (this.#isOver) return;
    const flow = this.#flow();
    if (flow.kind === "stall") return;
    if (flow.kind === "lose") {
      this.#lose();
      return;
    }
    if (this.#hasLost) {
      this.#reset();
      return;
    }
    if (flow.kind === "trickle") this.#trickle(flow.bytes, flow.everyMs);
    else this.#passDue(flow.kind === "delay");
    if (this.#pieces.length === 0) this.#passEnd();
  }

  stop(): void {
    this.#isOver = true;
    this.#pieces = [];
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #take(bytes: Buffer): void {
    const flow = this.#flow();
    const nowMs = performance.now();
    const lateMs = flow.kind === "delay" ? flow.ms + Math.random() * (flow.jitterMs ?? 0) : 0;
    const dueMs = Math.max(nowMs + lateMs, this.#pieces.at(-1)?.dueMs ?? 0);
    this.#pieces.push({ dueMs, bytes });
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > HELD_BYTES) this.#source.pause();
    this.turn();
  }

  #ended(end: End): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.turn();
  }

  #lose(): void {
    if (this.#pieces.length > 0 || this.#end !== null) this.#hasLost = true;
    this.#pieces = [];
    this.#released(this.#heldBytes);
  }

  #passDue(byTime: boolean): void {
    const nowMs = performance.now();
    for (let first = this.#pieces[0]; first !== undefined; first = this.#pieces[0]) {
      if (byTime && first.dueMs > nowMs) {
        this.#lookAgain(first.dueMs - nowMs);
        return;
      }
      this.#pieces.shift();
      this.#write(first.bytes);
    }
  }

  #trickle(most: number, everyMs: number): void {
    const nowMs = performance.now();
    const first = this.#pieces[0];
    if (first === undefined) return;
    if (nowMs < this.#nextTrickleMs) {
      this.#lookAgain(this.#nextTrickleMs - nowMs);
      return;
    }
    this.#nextTrickleMs = nowMs + everyMs;
    this.#write(first.bytes.subarray(0, most));
    if (first.bytes.length > most) first.bytes = first.bytes.subarray(most);
    else this.#pieces.shift();
    if (this.#pieces.length > 0) this.#lookAgain(everyMs);
  }

  #write(bytes: Buffer): void {
    const sink = this.#sink();
    if (!sink.destroyed && sink.writable) sink.write(bytes);
    this.#released(bytes.length);
  }

  #released(bytes: number): void {
    this.#heldBytes -= bytes;
    if (this.#heldBytes <= HELD_BYTES && this.#source.isPaused()) this.#source.resume();
  }

  #passEnd(): void {
    if (this.#end === null) return;
    this.stop();
    if (this.#end === "fin") this.#sink().end();
    else this.#reset();
  }

  #lookAgain(afterMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.turn(), Math.ceil(afterMs));
  }
}
