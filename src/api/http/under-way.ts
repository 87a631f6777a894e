/**
 * HTTP requests without their whole answer, over all listeners of a node, and what of their
 * answers waits to be sent. Node tells a response of its caller's hanging up only if it is the
 * first in line on its connection; those behind it (pipelined requests) hear of it here. Called by
 * the server for every request, and by whoever must know when one is over.
 *
 * Of answers, each connection has so many bytes in memory and no more: Node stops reading requests
 * off one whose answers are not read, but does those that it has read already. Past a limit reads
 * are refused (exchange.ts); past twice that, the connection is cut. Event streams gather nothing
 * here: they have a rule of their own (backlog.ts).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export interface UnderWayLimits {
  /** As many may be under way on one connection. */
  readonly maxPendingPerConnection: number;
  readonly maxConnectionBacklogBytes: number;
}

/** Smaller answers count nothing: their number is bounded. */
const COUNTED_BYTES = 1_024;

/** One connection: its responses in the order of their requests. */
interface Line {
  readonly socket: Socket;
  readonly responses: Set<ServerResponse>;
  /** Of answers that were given and have not left. */
  unsentBytes: number;
  whenIdle: (() => void) | null;
}

interface Pending {
  readonly line: Line;
  readonly callbacks: (() => void)[];
  bytes: number;
}

export class UnderWay {
  readonly #limits: UnderWayLimits;
  readonly #pending = new Map<ServerResponse, Pending>();
  readonly #lines = new WeakMap<Socket, Line>();

  #stopping = false;
  #tellEmpty: () => void = () => {};

  constructor(limits: UnderWayLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** The node stops: nothing new is taken. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Takes nothing new from now on; settles when all that was taken is over. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.size === 0) return;
    await new Promise<void>(resolve => {
      this.#tellEmpty = resolve;
    });
  }

  /** False when the answer has left, or nobody is there to take it. */
  has(response: ServerResponse): boolean {
    return this.#pending.has(response);
  }

  /** False, and not counted, if the connection has too many. */
  begin({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const line = this.#on(socket);
    if (line.responses.size >= this.#limits.maxPendingPerConnection) return false;
    if (socket.destroyed) return true;
    line.responses.add(response);
    this.#pending.set(response, { line, callbacks: [], bytes: 0 });
    response.once("close", () => this.#over(response));
    return true;
  }

  /** An answer's body is given to the response, to leave in its turn. */
  given(response: ServerResponse, bytes: number): void {
    const pending = bytes < COUNTED_BYTES ? undefined : this.#pending.get(response);
    if (pending === undefined) return;
    const { line } = pending;
    pending.bytes += bytes;
    line.unsentBytes += bytes;
    // A single answer may be as large as it is: it says nothing of its reader.
    const isAlone = line.unsentBytes === pending.bytes;
    if (line.unsentBytes > 2 * this.#limits.maxConnectionBacklogBytes && !isAlone) this.#cut(line);
  }

  /** Whether so much waits on its connection that reads are refused. */
  isUnread(response: ServerResponse): boolean {
    const unsentBytes = this.#pending.get(response)?.line.unsentBytes ?? 0;
    return unsentBytes > this.#limits.maxConnectionBacklogBytes;
  }

  /** Calls back once when the answer has left or nobody is there to take it; at once if so. */
  whenOver(response: ServerResponse, callback: () => void): void {
    const pending = this.#pending.get(response);
    if (pending === undefined) callback();
    else pending.callbacks.push(callback);
  }

  /** Calls back when all on the request's connection is answered; never, if it ends before. */
  whenIdle({ socket }: IncomingMessage, callback: () => void): void {
    const line = this.#on(socket);
    if (line.responses.size === 0) callback();
    else
      line.whenIdle = () => {
        if (!socket.destroyed) callback();
      };
  }

  #on(socket: Socket): Line {
    const known = this.#lines.get(socket);
    if (known !== undefined) return known;
    const line: Line = { socket, responses: new Set(), unsentBytes: 0, whenIdle: null };
    this.#lines.set(socket, line);
    socket.once("close", () => this.#end(line));
    return line;
  }

  /** At once, so that nothing more is made for it before its socket says that it is closed. */
  #cut(line: Line): void {
    line.socket.destroy();
    this.#end(line);
  }

  #end(line: Line): void {
    for (const response of [...line.responses]) this.#over(response);
  }

  #over(response: ServerResponse): void {
    const pending = this.#pending.get(response);
    if (pending === undefined) return;
    const { line, callbacks, bytes } = pending;
    this.#pending.delete(response);
    line.responses.delete(response);
    line.unsentBytes -= bytes;
    for (const callback of callbacks) callback();
    if (line.responses.size === 0) this.#tellIdle(line);
    if (this.size === 0) this.#tellEmpty();
  }

  #tellIdle(line: Line): void {
    const { whenIdle } = line;
    line.whenIdle = null;
    whenIdle?.();
  }
}
