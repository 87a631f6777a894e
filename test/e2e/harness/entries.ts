/**
 * Who entered which line and who left it, in the order of the cluster itself: a watch of the
 * keyspace below a prefix, put together to entries. It says nothing of grants, which are no writes;
 * whoever judges compares with what clients were told.
 */
import type { Change, Client } from "holdfast-client";
import { until } from "./until.js";

const SEQUENCED = /^(.*)\/(\d{20})$/;

export interface Entry {
  readonly key: string;
  /** Of the line. */
  readonly name: string;
  /** Its place: the revision at which it entered. */
  readonly number: number;
  /** At which it left; Infinity while it stands. */
  readonly endRevision: number;
  readonly cause?: string;
}

export class Entries {
  /** In the order in which they entered. */
  readonly #lines = new Map<string, Map<string, Entry>>();
  /** What no keyspace may say, in words. */
  readonly contradictions: string[] = [];
  readonly #client: Client;
  readonly #prefix: string;
  readonly #abort = new AbortController();
  #end: string | undefined;
  #over: Promise<unknown> = Promise.resolve();

  private constructor(client: Client, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  /** From now on. */
  static async watch(client: Client, prefix: string): Promise<Entries> {
    const made = new Entries(client, prefix);
    const { revision } = await client.kv.put(`${prefix}begin`, "");
    made.#over = made.#read(revision).catch(error => made.contradictions.push(String(error)));
    return made;
  }

  /** All lines, by name: entries in the order of their places. */
  get lines(): ReadonlyMap<string, readonly Entry[]> {
    return new Map([...this.#lines].map(([name, line]) => [name, [...line.values()]]));
  }

  /** Ends it when everything up to now has been seen. */
  async finish(): Promise<void> {
    const end = `${this.#prefix}end`;
    await this.#client.kv.put(end, "");
    await until("the watch to tell all", () => this.#end === end, 60_000);
    await this.close();
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error("closed"));
    await this.#over;
  }

  async #read(from: number): Promise<void> {
    const { signal } = this.#abort;
    try {
      for await (const change of this.#client.kv.watch({ prefix: this.#prefix, from, signal }))
        this.#take(change);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #take(change: Change): void {
    const { key, kind, revision, cause } = change;
    const [, name, digits] = SEQUENCED.exec(key) ?? [];
    if (name === undefined) {
      this.#end = key;
      return;
    }
    const line = this.#lines.get(name) ?? new Map<string, Entry>();
    this.#lines.set(name, line);
    const known = line.get(key);
    if (kind === "put" && known === undefined) {
      const number = Number(digits);
      if (number !== revision) this.contradictions.push(`${key} entered at ${revision}`);
      line.set(key, { key, name, number, endRevision: Number.POSITIVE_INFINITY });
    } else if (known === undefined || known.endRevision < revision) {
      this.contradictions.push(`${key}: ${kind} at ${revision} of what did not stand`);
    } else if (kind === "delete") {
      line.set(key, { ...known, endRevision: revision, ...(cause === undefined ? {} : { cause }) });
    }
  }
}
