/**
 * The Network port in memory, for any number of hosts in one thread, with faults to choose: delay,
 * one-way silence, breaks between two hosts or in the middle of what is under way, hosts that die.
 * Bytes arrive in order or not at all, as with TCP; with a Random they arrive in odd pieces. Time
 * and turns come from the loop it is given, so a run repeats exactly.
 */
import type { Address, Connection, Listener, Network, NetworkError } from "../base/network.js";
import { NETWORK_ERROR_CODE } from "../base/network.js";
import type { Cancel, Clock, Random } from "../base/ports.js";
import { MemoryConnection } from "./memory-connection.js";

const FIRST_FREE_PORT = 20_000;

interface Dial {
  readonly from: string;
  readonly to: Address;
  readonly done: (error: NetworkError | null, connection: Connection | null) => void;
  readonly cancelTimeout: Cancel;
}

export interface MemoryNetworkOptions {
  /** With it, what is written arrives in random pieces. Without, as it was written. */
  readonly random?: Random;
}

export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #random: Random | null;
  readonly #listeners = new Map<string, (connection: Connection) => void>();
  readonly #dials = new Set<Dial>();
  readonly #connections = new Set<MemoryConnection>();
  readonly #silent = new Set<string>();
  /** How often each host has crashed. */
  readonly #lives = new Map<string, number>();
  #delayMs = 0;
  #nextPort = FIRST_FREE_PORT;

  constructor(clock: Clock, options: MemoryNetworkOptions = {}) {
    this.#clock = clock;
    this.#random = options.random ?? null;
  }

  /**
   * The network as a process on the host `name` sees it; `name` is also its address's host. After a
   * crash it is dead, as that process is: whoever starts again asks for it anew.
   */
  host(name: string): Network {
    const life = this.#lifeOf(name);
    return {
      listen: (address, accepted, done) => {
        if (life === this.#lifeOf(name)) this.#listen(name, address, accepted, done);
      },
      connect: (to, timeoutMs, done) => {
        if (life !== this.#lifeOf(name)) return () => undefined;
        return this.#connect(name, to, timeoutMs, done);
      },
    };
  }

  /** What is sent from now on takes so long. */
  setDelay(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** Nothing gets from one host to the other, ends and resets included, until `heal`. */
  silence(from: string, to: string): void {
    this.#silent.add(`${from}>${to}`);
  }

  /** No host hears `name`, and it hears none. */
  isolate(name: string, others: readonly string[]): void {
    for (const other of others) {
      this.silence(name, other);
      this.silence(other, name);
    }
  }

  /** Ends all silence. What was held back arrives. */
  heal(): void {
    this.#silent.clear();
    this.release();
  }

  /** What was held back arrives, where it is not silent any more. */
  protected release(): void {
    for (const connection of this.#connections) connection.pump();
    for (const dial of this.#dials) this.#clock.after(0, () => this.#reach(dial));
  }

  /** Breaks all connections between two hosts; both sides see a reset. */
  reset(a: string, b: string): void {
    for (const connection of [...this.#connections]) {
      if (connection.joins(a, b)) connection.broken();
    }
  }

  /** Breaks each connection from `from` to `to` once so many more bytes have got through. */
  cutAfter(from: string, to: string, bytes: number): void {
    for (const connection of this.#connections) {
      if (connection.local === from && connection.remote.host === to) connection.cutAfter(bytes);
    }
  }

  /** The host's process dies: others see the end of its connections, it sees nothing any more. */
  crash(name: string): void {
    this.#lives.set(name, this.#lifeOf(name) + 1);
    for (const key of [...this.#listeners.keys()]) {
      if (key.startsWith(`${name}:`)) this.#listeners.delete(key);
    }
    for (const dial of [...this.#dials]) if (dial.from === name) this.#forget(dial);
    for (const connection of [...this.#connections]) {
      if (connection.local === name) connection.die();
    }
  }

  /** The host loses its power: as `crash`, but others are not told that its connections end. */
  vanish(name: string): void {
    for (const connection of [...this.#connections]) {
      if (connection.local === name) connection.vanish();
    }
    this.crash(name);
  }

  /** How many connections are open, each side counted. */
  get openConnections(): number {
    let open = 0;
    for (const connection of this.#connections) if (!connection.isOver) open++;
    return open;
  }

  get delayMs(): number {
    return this.#delayMs;
  }

  /** What is sent now from one host to the other takes so long. To be overridden. */
  delayBetween(_from: string, _to: string): number {
    return this.delayMs;
  }

  /** So many bytes of a connection get through in a millisecond; null: all. To be overridden. */
  bytesEachMs(_from: string, _to: string): number | null {
    return null;
  }

  get clock(): Clock {
    return this.#clock;
  }

  isSilent(from: string, to: string): boolean {
    return this.#silent.has(`${from}>${to}`);
  }

  /** How much of `length` bytes arrives, or leaves, in one piece: 1…length. */
  piece(length: number): number {
    return this.#random === null ? length : 1 + this.#random.below(length);
  }

  /** Called by a connection that is over and has nothing under way any more. */
  gone(connection: MemoryConnection): void {
    this.#connections.delete(connection);
  }

  #lifeOf(name: string): number {
    return this.#lives.get(name) ?? 0;
  }

  #listen(
    name: string,
    asked: Address,
    accepted: (connection: Connection) => void,
    done: (error: NetworkError | null, listener: Listener | null) => void,
  ): void {
    const address = { host: name, port: asked.port === 0 ? this.#nextPort++ : asked.port };
    const key = `${address.host}:${address.port}`;
    const life = this.#lifeOf(name);
    this.#clock.after(0, () => {
      if (life !== this.#lifeOf(name)) return;
      if (this.#listeners.has(key)) {
        done({ code: NETWORK_ERROR_CODE.inUse, address, message: `${key} is taken` }, null);
        return;
      }
      this.#listeners.set(key, accepted);
      const close = (closed: () => void): void => {
        if (this.#listeners.get(key) === accepted) this.#listeners.delete(key);
        this.#clock.after(0, closed);
      };
      done(null, { address, close });
    });
  }

  #connect(from: string, to: Address, timeoutMs: number, done: Dial["done"]): Cancel {
    const cancelTimeout = this.#clock.after(timeoutMs, () => {
      this.#forget(dial);
      done({ code: NETWORK_ERROR_CODE.timeout, address: to, message: "no answer" }, null);
    });
    const dial: Dial = { from, to, done, cancelTimeout };
    this.#dials.add(dial);
    this.#clock.after(this.delayBetween(from, to.host), () => this.#reach(dial));
    return () => this.#forget(dial);
  }

  #reach(dial: Dial): void {
    const { from, to, done } = dial;
    if (!this.#dials.has(dial) || this.isSilent(from, to.host) || this.isSilent(to.host, from)) {
      return;
    }
    this.#forget(dial);
    const accepted = this.#listeners.get(`${to.host}:${to.port}`);
    if (accepted === undefined) {
      done({ code: NETWORK_ERROR_CODE.refused, address: to, message: "nobody listens" }, null);
      return;
    }
    const near = new MemoryConnection(this, from, to);
    const far = new MemoryConnection(this, to.host, { host: from, port: this.#nextPort++ });
    near.joinTo(far);
    this.#connections.add(near).add(far);
    const fromLife = this.#lifeOf(from);
    const toLife = this.#lifeOf(to.host);
    this.#clock.after(0, () => {
      if (toLife === this.#lifeOf(to.host)) accepted(far);
    });
    this.#clock.after(0, () => {
      if (fromLife === this.#lifeOf(from)) done(null, near);
    });
  }

  #forget(dial: Dial): void {
    dial.cancelTimeout();
    this.#dials.delete(dial);
  }
}
