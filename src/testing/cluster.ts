/**
 * `startTestCluster()`: a whole cluster and its clients in one thread, for users' own tests. The
 * parts are the product's; the clock, the disks and the network are this room's. What moves the
 * clock, and when, is told in the README beside this file and decided in pace.ts.
 */
import type { Client, ConnectOptions } from "holdfast-client";
import { TestClient } from "./client.js";
import { Hint } from "./hint.js";
import { MemoryNetwork } from "./memory-network.js";
import { TestNode } from "./node.js";
import { Pace } from "./pace.js";
import { TurnedLoop } from "./turned-loop.js";

export interface TestClusterOptions {
  /** How many nodes, 1 … 7; default 3. */
  readonly nodes?: number;
  /** All that is drawn is drawn from it: an integer from 0 to 2^53-1; default 1. */
  readonly seed?: number;
}

/** A cluster in this process, whose time passes only as its tests want it. */
export interface TestCluster extends AsyncDisposable {
  /** Turned time since the cluster began to serve. */
  readonly nowMs: number;
  /** The real client, over a connection in memory and on the cluster's clock. */
  connect(options?: ConnectOptions): Client;
  /**
   * Turns the clock, step by step. When it resolves, all that comes due within `ms` has happened,
   * and the promises that hang on it have run. Where several are under way, time passes for all.
   */
  advance(ms: number): Promise<void>;
  /**
   * Turns the clock until `promise` is settled, and no further; what it becomes is the outcome.
   * Rejects when it is not settled within `limitMs`, default 60,000.
   */
  until<T>(promise: PromiseLike<T>, limitMs?: number): Promise<T>;
  /**
   * The client's process stands still, as by SIGSTOP: its clocks go on, but no timer fires and no
   * message comes in or leaves. What is called on it meanwhile waits.
   */
  pause(client: Client): void;
  /** It goes on. Whether it still holds what it held, it must find out from its clocks. */
  resume(client: Client): void;
  /**
   * The leader's process dies. Resolves when another leads and serves, the dead one has come back
   * on its disk as a follower, and clients have found their way: some seconds of turned time.
   */
  dropLeader(): Promise<void>;
  /** While on, the client's keep-alives get lost on their way; all else goes through. */
  loseKeepAlives(client: Client, on: boolean): void;
  /** Closes all clients, paused ones too, and ends the nodes. Nothing is left behind. */
  close(): Promise<void>;
}

const MOST_NODES = 7;
const LONGEST_ELECTION_MS = 60_000;
const UNTIL_MS = 60_000;
/** Clients give up saying goodbye before that. */
const CLOSE_WITHIN_MS = 10_000;
/** The longest that anybody waits before it asks a new leader again. */
const ASKED_AGAIN_WITHIN_MS = 250;

/**
 * Resolves when a leader serves. Throws a `RangeError` for options that cannot be.
 */
export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const { nodes = 3, seed = 1 } = options;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MOST_NODES)
    throw new RangeError(`nodes must be an integer from 1 to ${MOST_NODES}, and is ${nodes}`);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new RangeError(`seed must be an integer from 0 to 2^53-1, and is ${seed}`);
  const cluster = new Cluster(nodes, seed);
  await cluster.begin();
  return cluster;
}

class Cluster implements TestCluster {
  readonly #seed: number;
  readonly #loop = new TurnedLoop();
  readonly #network = new MemoryNetwork(this.#loop);
  readonly #pace: Pace;
  readonly #hint = new Hint();
  readonly #nodes: readonly TestNode[];
  readonly #clients = new Map<Client, TestClient>();
  #beganMs = 0;
  /** One drop after the other. */
  #dropping: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;

  constructor(nodes: number, seed: number) {
    this.#seed = seed;
    this.#pace = new Pace(
      this.#loop,
      () => this.#isOwed(),
      rests => this.#rested(rests),
    );
    const names = Array.from({ length: nodes }, (_, at) => `n${at + 1}`);
    const surroundings = {
      loop: this.#loop,
      network: this.#network,
      seed,
      names,
      onFatal: (message: string) => {
        throw new Error(message);
      },
    };
    this.#nodes = names.map(name => new TestNode(name, surroundings));
  }

  async begin(): Promise<void> {
    for (const node of this.#nodes) node.start();
    await this.#turnUntil("a first leader serves", () => this.#isWell());
    this.#beganMs = this.#loop.monotonicMs();
  }

  get nowMs(): number {
    return this.#loop.monotonicMs() - this.#beganMs;
  }

  connect(options: ConnectOptions = {}): Client {
    if (this.#closing !== null) throw closedError();
    const surroundings = {
      loop: this.#loop,
      network: this.#network,
      pace: this.#pace,
      seed: this.#seed,
      nodes: this.#nodes.map(({ name }) => name),
    };
    const made = new TestClient(`c${this.#clients.size + 1}`, surroundings, options);
    this.#clients.set(made.client, made);
    return made.client;
  }

  async advance(ms: number): Promise<void> {
    await this.#pace.advance(checkedMs("ms", ms));
  }

  async until<T>(promise: PromiseLike<T>, limitMs = UNTIL_MS): Promise<T> {
    checkedMs("limitMs", limitMs);
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    if (await this.#pace.advance(limitMs, () => isSettled)) return promise;
    throw new Error(`the promise is not settled after ${limitMs} ms of turned time`);
  }

  pause(client: Client): void {
    this.#of(client).process.pause();
  }

  resume(client: Client): void {
    this.#of(client).process.resume();
    this.#pace.kick();
  }

  loseKeepAlives(client: Client, on: boolean): void {
    this.#of(client).losesKeepAlives = on;
  }

  dropLeader(): Promise<void> {
    const dropped = this.#dropping.then(() => this.#dropLeader());
    this.#dropping = dropped.catch(() => {});
    return dropped;
  }

  async #dropLeader(): Promise<void> {
    await this.#turnUntil("somebody leads", () => this.#leader !== undefined);
    const dropped = this.#leader;
    if (dropped === undefined) throw new Error("who led a moment ago leads no more");
    dropped.kill();
    const canElect = this.#nodes.length > 2;
    if (canElect) await this.#turnUntil("another leads", () => this.#leader !== undefined);
    dropped.start();
    await this.#turnUntil("the dropped one is back", () => this.#isWell() && !this.#isOwed());
    await this.#pace.advance(ASKED_AGAIN_WITHIN_MS);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#pace.clear(closedError());
    const clients = [...this.#clients.values()];
    for (const { process } of clients) process.resume();
    let open = clients.length;
    for (const { client } of clients)
      void client.close().finally(() => {
        open -= 1;
      });
    await this.#pace.advance(CLOSE_WITHIN_MS, () => open === 0);
    this.#pace.stop(closedError());
    this.#hint.disarm();
    for (const { process } of clients) process.end();
    for (const node of this.#nodes) node.kill();
  }

  #rested(rests: boolean): void {
    this.#hint.disarm();
    if (rests && [...this.#clients.values()].some(({ waits }) => waits)) this.#hint.arm(this.nowMs);
  }

  get #leader(): TestNode | undefined {
    return this.#nodes.find(({ serves }) => serves);
  }

  /** Somebody serves, and all others follow with all that it has applied. */
  #isWell(): boolean {
    const leader = this.#leader;
    if (leader === undefined) return false;
    const { appliedIndex } = leader;
    return this.#nodes.every(node => node.knowsLeader && node.appliedIndex >= appliedIndex);
  }

  #isOwed(): boolean {
    const nowMs = this.#loop.monotonicMs();
    for (const client of this.#clients.values()) if (client.isOwed(nowMs)) return true;
    return false;
  }

  async #turnUntil(what: string, condition: () => boolean): Promise<void> {
    if (await this.#pace.advance(LONGEST_ELECTION_MS, condition)) return;
    throw new Error(`it never came, within ${LONGEST_ELECTION_MS} ms of turned time, that ${what}`);
  }

  #of(client: Client): TestClient {
    const found = this.#clients.get(client);
    if (found !== undefined) return found;
    throw new TypeError("this client is none of this cluster's: it was not made by its connect()");
  }
}

function closedError(): Error {
  return new Error("this test cluster is closed; start another one");
}

function checkedMs(name: string, ms: number): number {
  if (Number.isFinite(ms) && ms >= 0) return ms;
  throw new RangeError(`${name} must be a number of milliseconds, 0 or more, and is ${ms}`);
}
