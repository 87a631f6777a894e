/**
 * Workers that take turns: each acquires one of the locks, counts up the registers while it holds,
 * has one write acknowledged, releases, and goes on. They run until told, through whatever happens.
 */
import { type Client, connect, HoldfastError } from "holdfast-client";
import { Acknowledged, Holds, Register } from "./record.js";

/** Neither calls nor sessions end because a busy machine takes long to start three nodes. */
export const PATIENT = { timeoutMs: 60_000, ttlMs: 60_000 } as const;

export interface WorkersOptions {
  readonly endpoints: readonly string[];
  readonly clients: number;
  readonly workersPerClient: number;
  readonly locks: number;
  /** Makes the keys and locks of two runs on one cluster different. */
  readonly run: string;
}

export class Workers {
  readonly holds = new Holds();
  readonly acknowledged = new Acknowledged();
  readonly fenced: Register[] = [];
  readonly unfenced: Register[] = [];
  /** Grants that were lost before they were released. */
  readonly lost: string[] = [];
  /** Writes whose outcome the client could not tell, and any other error. */
  readonly failures: string[] = [];
  readonly #options: WorkersOptions;
  readonly #clients: Client[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #stopping = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
    for (let i = 0; i < options.locks; i++) {
      this.fenced.push(new Register(true));
      this.unfenced.push(new Register(false));
    }
  }

  get prefix(): string {
    return `${this.#options.run}/acknowledged/`;
  }

  start(): void {
    const { clients, workersPerClient, endpoints } = this.#options;
    const workers: Promise<void>[] = [];
    for (let c = 0; c < clients; c++) {
      // Each begins elsewhere, so that every node has clients of its own.
      const turned = endpoints.map((_, i) => endpoints[(i + c) % endpoints.length] ?? "");
      const client = connect(turned, PATIENT);
      this.#clients.push(client);
      for (let w = 0; w < workersPerClient; w++) {
        workers.push(this.#work(client, c * workersPerClient + w));
      }
    }
    this.#running = Promise.all(workers);
  }

  /** Lets everyone finish the turn they are in. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    await Promise.all(this.#clients.map(client => client.close()));
  }

  /** All keys that the workers wrote, as the cluster has them now (a linearizable read). */
  async stored(): Promise<Map<string, string>> {
    const client = connect(this.#options.endpoints, PATIENT);
    const stored = new Map<string, string>();
    for await (const entry of client.kv.list({ prefix: this.prefix })) {
      stored.set(entry.key, entry.value);
    }
    await client.close();
    return stored;
  }

  async #work(client: Client, worker: number): Promise<void> {
    for (let turn = 0; !this.#stopping; turn++) {
      try {
        await this.#turn(client, worker, turn);
      } catch (error) {
        const code = error instanceof HoldfastError ? error.code : "no HoldfastError";
        this.failures.push(`worker ${worker}, turn ${turn}: ${code}: ${String(error)}`);
      }
    }
  }

  async #turn(client: Client, worker: number, turn: number): Promise<void> {
    const at = (worker + turn) % this.#options.locks;
    const held = await client.lock(`${this.#options.run}/lock-${at}`).acquire();
    const ends = this.holds.began(held);
    const registers = [this.fenced[at], this.unfenced[at]];
    const read = registers.map(register => register?.read(held.token) ?? 0);
    const key = `${this.prefix}${worker}-${turn}`;
    await client.kv.put(key, String(held.token), { ifRevision: "absent" });
    this.acknowledged.add(key, String(held.token));
    registers.forEach((register, i) => {
      register?.write(held.token, (read[i] ?? 0) + 1);
    });
    if (held.signal.aborted) this.lost.push(`${held.key}: ${String(held.signal.reason)}`);
    ends();
    await held.release();
  }
}
