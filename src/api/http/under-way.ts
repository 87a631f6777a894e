/**
 * HTTP requests without their whole answer, over all listeners of a node. Node tells a response of
 * its caller's hanging up only if it is the first in line on its connection; those behind it
 * (pipelined requests) hear of it here. Called by the server for every request, and by whoever must
 * know when one is over.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export class UnderWay {
  readonly #limit: number;
  readonly #callbacks = new Map<ServerResponse, (() => void)[]>();
  readonly #ofSocket = new WeakMap<Socket, Set<ServerResponse>>();
  readonly #whenIdle = new WeakMap<Set<ServerResponse>, () => void>();

  #stopping = false;
  #tellEmpty: () => void = () => {};

  /** `limit`: as many may be under way on one connection. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#callbacks.size;
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

  has(response: ServerResponse): boolean {
    return this.#callbacks.has(response);
  }

  /** False, and not counted, if the connection has too many. */
  begin({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const others = this.#on(socket);
    if (others.size >= this.#limit) return false;
    if (socket.destroyed) return true;
    others.add(response);
    this.#callbacks.set(response, []);
    response.once("close", () => this.#over(response, others));
    return true;
  }

  /** Calls back once when the answer has left or nobody is there to take it; at once if so. */
  whenOver(response: ServerResponse, callback: () => void): void {
    const callbacks = this.#callbacks.get(response);
    if (callbacks === undefined) callback();
    else callbacks.push(callback);
  }

  /** Calls back when all on the request's connection is answered; never, if it ends before. */
  whenIdle({ socket }: IncomingMessage, callback: () => void): void {
    const others = this.#on(socket);
    if (others.size === 0) callback();
    else
      this.#whenIdle.set(others, () => {
        if (!socket.destroyed) callback();
      });
  }

  #on(socket: Socket): Set<ServerResponse> {
    const known = this.#ofSocket.get(socket);
    if (known !== undefined) return known;
    const responses = new Set<ServerResponse>();
    this.#ofSocket.set(socket, responses);
    socket.once("close", () => {
      for (const response of [...responses]) this.#over(response, responses);
    });
    return responses;
  }

  #over(response: ServerResponse, others: Set<ServerResponse>): void {
    others.delete(response);
    const callbacks = this.#callbacks.get(response) ?? [];
    this.#callbacks.delete(response);
    for (const callback of callbacks) callback();
    if (others.size === 0) this.#tellIdle(others);
    if (this.size === 0) this.#tellEmpty();
  }

  #tellIdle(others: Set<ServerResponse>): void {
    const callback = this.#whenIdle.get(others);
    this.#whenIdle.delete(others);
    callback?.();
  }
}
