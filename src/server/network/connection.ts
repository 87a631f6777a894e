/** One TCP socket as a Connection. Made by the Network beside this, for either side. */
import type { Socket } from "node:net";
import { assert } from "../../base/assert.js";
import type { Address, CloseReason, Connection, ConnectionEvents } from "../../base/network.js";

export class SocketConnection implements Connection {
  readonly remote: Address;
  readonly #socket: Socket;
  #events: ConnectionEvents | null = null;
  #reason: CloseReason | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remote = { host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 };
    socket.setNoDelay(true);
    // Without a listener an error would stop the process; what it was is in the reason.
    socket.on("error", () => this.#ending("reset"));
  }

  start(events: ConnectionEvents): void {
    assert(this.#events === null, "a connection is started once");
    this.#events = events;
    const socket = this.#socket;
    socket.on("data", (chunk: Uint8Array) => this.#received(chunk));
    socket.on("drain", () => events.drained());
    socket.on("end", () => this.#ended());
    socket.on("close", () => events.closed(this.#reason ?? "reset"));
    if (socket.closed) setImmediate(() => events.closed(this.#reason ?? "reset"));
  }

  write(parts: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (this.#reason !== null || socket.destroyed) return true;
    if (parts.length === 1 && parts[0] !== undefined) return socket.write(parts[0]);
    socket.cork();
    let welcome = true;
    for (const part of parts) welcome = socket.write(part);
    socket.uncork();
    return welcome;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    if (this.#reason !== null) return;
    this.#reason = "local";
    this.#socket.resume();
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#reason ??= "local";
    this.#socket.destroy();
  }

  #received(chunk: Uint8Array): void {
    if (this.#reason === null) this.#events?.received(chunk);
  }

  /** The other side is gone or going: it reads no more, so there is nothing left to say. */
  #ended(): void {
    this.#ending("ended");
    this.#socket.destroy();
  }

  #ending(reason: CloseReason): void {
    this.#reason ??= reason;
  }
}
