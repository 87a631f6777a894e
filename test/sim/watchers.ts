/** A workload: watches from a past revision or from now; every change must come once, in order. */
import { type Change, HoldfastError } from "../../clients/typescript/core/index.js";
import { Beginning } from "./beginning.js";
import type { SimClient } from "./client.js";
import { sometimes } from "./sometimes.js";
import type { Told } from "./truth.js";
import { ABORTED, endWhen, pick, tolerate, type Workload } from "./work.js";

export const watches: Workload = async (me, work) => {
  const prefix = pick(me, ["reg/", "log/", "guarded/", "lock/"]);
  for (;;) {
    const isFromNow = me.random.below(3) === 0;
    const from = Math.max(2, me.cluster.truth.revision - me.random.below(30));
    const watch = new Watch(me, prefix, isFromNow ? null : from);
    const controller = new AbortController();
    const isDone = (): boolean => watch.isCaughtUp;
    const giveUp = endWhen(me, work, isDone, () => controller.abort(ABORTED));
    try {
      const options = { prefix, signal: controller.signal };
      for await (const change of me.client.kv.watch(isFromNow ? options : { ...options, from })) {
        watch.came(change);
        work.count("watched");
        if (me.random.below(80) === 0) break;
        if (me.random.below(20) === 0) await me.sleep(me.random.below(300));
      }
    } catch (error) {
      if (error instanceof HoldfastError && error.code === "HISTORY_GONE") watch.mustBeGone();
      tolerate(error, work, null, me, ["HISTORY_GONE"]);
      if (error === ABORTED) return;
    } finally {
      giveUp();
      watch.end();
    }
    if (work.isOver()) return;
    await me.sleep(me.random.below(100));
  }
};

/** One watch, and all that it has to tell. */
class Watch {
  readonly #me: SimClient;
  readonly #prefix: string;
  /** Of a watch from now. */
  readonly #beginning: Beginning | null;
  readonly #from: number;
  /** What is remembered reaches back farther than that, mostly. */
  #next: number;
  readonly #expected: Told[] = [];
  /** So many of all changes were looked at. */
  #known = 0;
  #at = 0;
  #first = 0;
  #connections: number;

  /** `from` null: from now, and that is to be asked for now. */
  constructor(me: SimClient, prefix: string, from: number | null) {
    this.#me = me;
    this.#prefix = prefix;
    this.#beginning = from === null ? new Beginning(me) : null;
    this.#from = from ?? me.cluster.truth.revision;
    this.#next = this.#from;
    this.#connections = me.connections;
  }

  /** It stands, and has told all that was to be told. */
  get isCaughtUp(): boolean {
    this.#refill();
    if (this.#beginning?.revision === null) return false;
    return this.#at >= this.#expected.length;
  }

  came(change: Change): void {
    const { cluster, connections, name } = this.#me;
    this.#refill();
    const told = this.#expected[this.#at];
    if (told === undefined || !same(told, change))
      cluster.truth.fail(
        `${name}'s watch of ${this.#prefix} ${this.#describe()}: ` +
          `${describe(change)} came, expected ${told === undefined ? "nothing" : describe(told)}`,
      );
    if (this.#at > 0 && connections > this.#connections) sometimes("a watch went on elsewhere");
    this.#connections = connections;
    this.#next = change.revision + 1;
    this.#at += 1;
    this.end();
  }

  mustBeGone(): void {
    const { historyRevisions } = this.#me.cluster.settings.stateLimits;
    const { truth } = this.#me.cluster;
    if (this.#next > truth.revision - historyRevisions + 1)
      truth.fail(
        `${this.#me.name}'s watch of ${this.#prefix}: ` +
          `${this.#next} is said to be gone at ${truth.revision}`,
      );
  }

  end(): void {
    this.#beginning?.end();
  }

  #refill(): void {
    if (this.#beginning?.revision === null) return;
    const first = this.#beginning === null ? this.#from : this.#beginning.revision + 1;
    if (first !== this.#first) {
      // Its client had no use for the answer before.
      this.#first = first;
      this.#expected.length = 0;
      this.#known = 0;
    }
    const { changes } = this.#me.cluster.truth;
    for (; this.#known < changes.length; this.#known += 1) {
      const told = changes[this.#known] as Told;
      if (told.revision >= first && told.key.startsWith(this.#prefix)) this.#expected.push(told);
    }
  }

  #describe(): string {
    return this.#beginning === null
      ? `from ${this.#from}`
      : `from now (${this.#beginning.revision})`;
  }
}

const same = (told: Told, change: Change): boolean =>
  told.revision === change.revision &&
  told.key === change.key &&
  told.kind === change.kind &&
  (told.kind === "delete" || told.value === change.value);

const describe = (one: Told | Change): string => `${one.kind} ${one.key}@${one.revision}`;
