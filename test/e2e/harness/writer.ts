/** One client that writes a key after the other until told, and keeps what was acknowledged. */
import { type Client, connect } from "holdfast-client";
import { Acknowledged } from "./record.js";
import { until } from "./until.js";
import { PATIENT } from "./workers.js";

export class Writer {
  readonly acknowledged = new Acknowledged();
  readonly failures: string[] = [];
  readonly #client: Client;
  readonly #prefix: string;
  readonly #running: Promise<void>;
  #stopping = false;

  constructor(endpoints: readonly string[], prefix: string) {
    this.#client = connect(endpoints, PATIENT);
    this.#prefix = prefix;
    this.#running = this.#run();
  }

  get count(): number {
    return this.acknowledged.writes.size;
  }

  /** Waits until `count` more writes than now were acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.count + count;
    await until(`${count} more writes`, () => this.count >= goal, 60_000);
  }

  /** Stops, and lists what was acknowledged and is not there (a linearizable read). */
  async stop(): Promise<string[]> {
    this.#stopping = true;
    await this.#running;
    const stored = new Map<string, string>();
    for await (const { key, value } of this.#client.kv.list({ prefix: this.#prefix })) {
      stored.set(key, value);
    }
    await this.#client.close();
    return [...this.failures, ...this.acknowledged.missingFrom(stored)];
  }

  async #run(): Promise<void> {
    for (let i = 0; !this.#stopping; i++) {
      const key = `${this.#prefix}${i}`;
      try {
        await this.#client.kv.put(key, String(i), { ifRevision: "absent" });
        this.acknowledged.add(key, String(i));
      } catch (error) {
        this.failures.push(`${key}: ${String(error)}`);
      }
    }
  }
}
