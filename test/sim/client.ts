/**
 * A client's process: the product's client over the simulated network, and what user code needs to
 * wait in simulated time. It can stall, sleep, die without a word, and be started anew.
 */
import { connectOver } from "../../clients/typescript/core/client.js";
import {
  type Client,
  type ConnectOptions,
  type Held,
  LockLostError,
  type Platform,
} from "../../clients/typescript/core/index.js";
import { randomStream, type SeededRandom } from "../../src/base/random.js";
import type { Outcome } from "../../src/replica/coordinator/index.js";
import type { SimCluster } from "./cluster.js";
import { CALL_PORT, type PlainCall, WEBSOCKET_PORT } from "./doors.js";
import { drawDrift, type Process } from "./process.js";
import { type Believer, Violation } from "./truth.js";
import { FrameWire, networkOf } from "./wires.js";

/** Not less: what a clock drifts in a lease's time against the wall's must not look like a sleep. */
const SHORT_MARGIN_MS = 30;

export class SimClient {
  readonly cluster: SimCluster;
  readonly name: string;
  readonly process: Process;
  readonly random: SeededRandom;
  readonly client: Client;
  /** So often a connection came to stand. */
  connections = 0;
  framesSent = 0;
  /** Hears the frames, where somebody wants to. */
  onFrame: ((frame: Uint8Array, cameIn: boolean) => void) | null = null;
  /** The time to stop that its sessions leave whoever loses a grant. */
  readonly marginMs: number;
  readonly #network: ReturnType<typeof networkOf>;
  readonly #believers = new Set<Believer>();
  /** Grants that it has begun to give back. */
  readonly #givenBack = new WeakSet<Held>();

  constructor(cluster: SimCluster, name: string, life: number, options: ConnectOptions) {
    this.cluster = cluster;
    this.name = name;
    this.random = randomStream(cluster.seed, `${name}/${life}`);
    const { random } = this;
    this.process = cluster.process(name, random.below(1_000_000_000), drawDrift(random));
    this.#network = networkOf(cluster.network.host(name), this.process);
    const urls = cluster.namesTried.map(node => `http://${node}:${WEBSOCKET_PORT}`);
    const isShort = randomStream(cluster.seed, `${name}/${life}/margin`).below(2) === 0;
    const { ttlMs } = options;
    this.marginMs = isShort || ttlMs === undefined ? SHORT_MARGIN_MS : ttlMs / 5;
    const own = { owner: name, marginMs: this.marginMs };
    this.client = connectOver(this.#platform(), urls, { ...own, ...options });
  }

  #platform(): Platform {
    const { process, random } = this;
    return {
      monotonicMs: () => process.monotonicMs(),
      wallMs: () => process.wallMs(),
      after: (delayMs, callback) => process.after(delayMs, callback),
      schedule: callback => process.schedule(callback),
      below: bound => random.below(bound),
      dial: (url, events) => {
        const { hostname } = new URL(url);
        let wire: FrameWire | null = null;
        let closed = false;
        const to = { host: hostname, port: WEBSOCKET_PORT };
        const cancel = this.#network.connect(to, 20_000, (error, connection) => {
          if (connection === null) {
            events.onClose(error?.code ?? "failed");
            return;
          }
          wire = new FrameWire(connection, {
            frame: bytes => {
              if (closed) return;
              this.onFrame?.(bytes, true);
              events.onFrame(bytes);
            },
            drained: () => {},
            closed: reason => {
              if (!closed) events.onClose(reason);
            },
          });
          this.connections += 1;
          events.onOpen();
        });
        return {
          send: frame => {
            this.framesSent += 1;
            this.onFrame?.(frame, false);
            wire?.send(frame);
          },
          close: () => {
            closed = true;
            cancel();
            wire?.close();
          },
        };
      },
    };
  }

  /** In the client's own time. Never comes once it is dead. */
  sleep(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.process.after(ms, resolve);
    });
  }

  /** From now on the world may hear at any time whether this grant is believed in. */
  believe(held: Held): () => void {
    const { process } = this;
    let deadlineMs = Number.NEGATIVE_INFINITY;
    let lostAtMs = Number.POSITIVE_INFINITY;
    const { signal } = held;
    const lost = (): void => {
      lostAtMs = process.monotonicMs();
      this.#mustHaveEnded(held);
    };
    if (signal.aborted) lost();
    else signal.addEventListener("abort", lost, { once: true });
    const forget = this.believeIn(held.name, held.key, () => {
      const { remainingMs } = held;
      const nowMs = process.monotonicMs();
      if (remainingMs > 0) {
        deadlineMs = nowMs + remainingMs;
        return true;
      }
      if (!this.#mayStillStop(held)) return false;
      return nowMs < Math.min(lostAtMs, deadlineMs) + this.marginMs;
    });
    return () => {
      signal.removeEventListener("abort", lost);
      forget();
    };
  }

  /**
   * A grant that could not be proven any more is its holder's for another margin: that long he may
   * take to stop. A machine that slept has used its margin for that.
   */
  #mayStillStop(held: Held): boolean {
    const { aborted, reason } = held.signal;
    if (!aborted || this.process.hasSlept || this.#givenBack.has(held)) return false;
    return reason instanceof LockLostError && reason.reason === "unproven";
  }

  /** Gives a grant back, which nobody else does: from now on it is not believed in. */
  async release(held: Held): Promise<{ readonly heldToTheEnd: boolean }> {
    const { truth } = this.cluster;
    const { key } = held;
    this.#givenBack.add(held);
    const wasHeld = !held.signal.aborted;
    const told = await held.release();
    if (!this.process.isAlive) return told;
    // False also where the client had given the lease up, and the cluster has yet to hear of it.
    if (told.heldToTheEnd && truth.holds(key))
      truth.fail(`${key} was answered as released and holds`);
    if (!told.heldToTheEnd && wasHeld && truth.last(key)?.cause === "released")
      truth.fail(`${key} was released, and answered as ended before`);
    return told;
  }

  /** What the cluster is said to have ended has ended there; only a doubt is the client's own. */
  #mustHaveEnded(held: Held): void {
    const { reason } = held.signal;
    if (!(reason instanceof LockLostError) || reason.reason === "unproven") return;
    if (!this.cluster.truth.holds(held.key)) return;
    const what = `${this.name} was told that ${held.key} is ${reason.reason}, and it holds`;
    // Out of a listener nothing can be thrown.
    this.cluster.failure ??= new Violation(what);
  }

  believeIn(name: string, key: string, holds: () => boolean): () => void {
    const { process, cluster } = this;
    const believer: Believer = {
      who: this.name,
      name,
      key,
      believes: () => (process.isRunning && !process.clocksLie ? holds() : null),
    };
    cluster.truth.believers.add(believer);
    this.#believers.add(believer);
    return () => {
      cluster.truth.believers.delete(believer);
      this.#believers.delete(believer);
    };
  }

  /** One call as over HTTP; null: the connection broke, or nobody answered in time. */
  plainCall(node: string, call: PlainCall, withinMs: number): Promise<Outcome | null> {
    return new Promise(resolve => {
      let wire: FrameWire | null = null;
      let over = false;
      const finish = (outcome: Outcome | null): void => {
        if (over) return;
        over = true;
        cancelTimer();
        cancelDial();
        wire?.destroy();
        resolve(outcome);
      };
      const cancelTimer = this.process.after(withinMs, () => finish(null));
      const to = { host: node, port: CALL_PORT };
      const cancelDial = this.#network.connect(to, 2_000, (_error, connection) => {
        if (connection === null) return finish(null);
        wire = new FrameWire(connection, {
          frame: bytes => finish(JSON.parse(Buffer.from(bytes).toString()) as Outcome),
          drained: () => {},
          closed: () => finish(null),
        });
        wire.send(Buffer.from(JSON.stringify(call)));
      });
    });
  }

  /** It believes now that it holds something. */
  get holds(): boolean {
    for (const believer of this.#believers) if (believer.believes() === true) return true;
    return false;
  }

  /** It is gone without a word. */
  die(): void {
    this.process.end();
    this.cluster.network.crash(this.name);
    for (const believer of this.#believers) this.cluster.truth.believers.delete(believer);
  }
}
