/**
 * What clients do in the simulated world, each a loop that goes on until the world says that no
 * more work is to be begun; what they are answered is held against the truth. A workload may be
 * ended at any point by its process's death.
 */
import { ERRORS } from "holdfast-protocol";
import {
  type Change,
  type Held,
  HoldfastError,
  type Lock,
  LockLostError,
} from "../../clients/typescript/core/index.js";
import type { Outcome } from "../../src/replica/coordinator/index.js";
import type { SimClient } from "./client.js";
import type { PlainGrant, Recorder } from "./history.js";
import { sometimes } from "./sometimes.js";
import type { Told } from "./truth.js";
import { Violation } from "./truth.js";

/** What workloads of one run share. */
export interface Work {
  /** No new work: finish what was begun. */
  readonly isOver: () => boolean;
  readonly fenced: Resource;
  readonly unfenced: Resource;
  /** What is asked and answered, for the checker. */
  readonly history: Recorder;
  nextNumber(): number;
  /** Counts what came of what, so that a run that did nothing is found out. */
  count(what: string): void;
}

/** Something outside of the cluster, guarded by a lock. */
export class Resource {
  value = 0;
  lostUpdates = 0;
  #newest = 0;
  readonly #checks: boolean;

  constructor(checks: boolean) {
    this.#checks = checks;
  }

  /** null: the token is older than one that was seen. */
  read(token: number): number | null {
    if (this.#checks && token < this.#newest) return null;
    this.#newest = Math.max(this.#newest, token);
    return this.value;
  }

  write(token: number, value: number): boolean {
    if (this.#checks && token < this.#newest) return false;
    this.#newest = Math.max(this.#newest, token);
    if (value !== this.value + 1) this.lostUpdates += 1;
    this.value = value;
    return true;
  }
}

export type Workload = (me: SimClient, work: Work) => Promise<void>;

/** Expected failures are counted, everything else ends the run. */
export function tolerate(error: unknown, work: Work, value: string | null, me: SimClient): void {
  if (error instanceof Violation || !(error instanceof HoldfastError)) {
    if (error === ABORTED) {
      work.count("aborted");
      return;
    }
    throw error;
  }
  work.count(error.code);
  if (error instanceof LockLostError && error.reason === "unproven")
    sometimes("client believed to its very end");
  if (error.code === "OUTCOME_UNKNOWN") {
    sometimes("outcome unknown");
    if (value !== null) me.cluster.truth.mayBe(value);
  }
  if (error.code === "HISTORY_GONE") sometimes("history gone for a watcher");
  if (error.code === "INTERNAL" || error.code === "INVALID_FRAME") throw error;
  if (value !== null && error.outcome === "not-applied")
    me.cluster.truth.mustNotBe(value, `${error.code} (${error.message})`);
}

export const ABORTED = new Error("the caller has had enough");

function abortAfter(me: SimClient, ms: number): AbortSignal {
  const controller = new AbortController();
  me.process.after(ms, () => controller.abort(ABORTED));
  return controller.signal;
}

const LOCKS = ["lock/a", "lock/b"];

export const pick = <T>(me: SimClient, from: readonly T[]): T =>
  from[me.random.below(from.length)] as T;

/** Takes locks in every way there is, works under them, and lets go or does not. */
export const lockCycles: Workload = async (me, work) => {
  const session = me.random.below(2) === 0 ? me.client : me.client.session({ ttlMs: 1_500 });
  let coordination: Pick<typeof session, "lock"> = session;
  while (!work.isOver()) {
    const lock = coordination.lock(pick(me, LOCKS));
    let held: Held | null = null;
    try {
      held = await work.history.acquire(me, lock.name, inSomeWay(lock, me));
    } catch (error) {
      if (error instanceof LockLostError) coordination = me.client;
      tolerate(error, work, null, me);
    }
    if (held === null) await me.sleep(me.random.below(50));
    else await workUnder(held, me, work);
  }
};

function inSomeWay(lock: Lock, me: SimClient): Promise<Held | null> {
  const how = me.random.below(4);
  if (how === 0) return lock.tryAcquire();
  if (how === 1) return lock.acquire({ waitMs: me.random.below(3_000) });
  if (how === 2) return lock.acquire({ signal: abortAfter(me, me.random.below(3_000)) });
  return lock.acquire();
}

async function workUnder(held: Held, me: SimClient, work: Work): Promise<void> {
  work.count("held");
  const forget = me.believe(held);
  try {
    await guardedWork(held, me, work);
    if (me.random.below(4) === 0) await me.sleep(me.random.below(400));
    const { heldToTheEnd } = await work.history.release(me, held, () => held.release());
    work.count(heldToTheEnd ? "released" : "ended before");
    // False also where the client had given the lease up, and the cluster has yet to hear of it.
    if (heldToTheEnd && me.cluster.truth.holder(held.name) === held.key)
      me.cluster.truth.fail(`${held.key} was answered as released and holds`);
  } catch (error) {
    tolerate(error, work, null, me);
  } finally {
    forget();
  }
}

async function guardedWork(held: Held, me: SimClient, work: Work): Promise<void> {
  for (const resource of [work.fenced, work.unfenced]) {
    const before = resource.read(held.token);
    await me.sleep(me.random.below(40));
    try {
      held.assertHeld();
    } catch (error) {
      work.count("lost in time");
      if (resource === work.unfenced) throw error;
    }
    if (before !== null && !resource.write(held.token, before + 1)) {
      work.count("fenced off");
      sometimes("fenced off");
    }
  }
  if (me.random.below(3) > 0) return;
  const value = `once:${me.name}:${work.nextNumber()}:${held.key}`;
  const { truth } = me.cluster;
  const askedAt = truth.revision;
  const key = `guarded/${held.name.slice(-1)}`;
  try {
    const { revision } = await me.client.kv.put(key, value, { heldBy: held });
    truth.acknowledged(key, value, revision, askedAt);
    work.count("guarded write");
  } catch (error) {
    tolerate(error, work, value, me);
  }
}

/** A register by compare-and-swap, plain puts and reads. */
export const registers: Workload = async (me, work) => {
  const { truth } = me.cluster;
  const { kv } = me.client;
  while (!work.isOver()) {
    await me.sleep(me.random.below(60));
    const key = pick(me, ["reg/a", "reg/b", "reg/c"]);
    const value = `once:${me.name}:${work.nextNumber()}`;
    const signal = me.random.below(6) === 0 ? { signal: abortAfter(me, me.random.below(200)) } : {};
    const patience = { timeoutMs: pick(me, [100, 1_000, 10_000]), ...signal };
    const askedAt = truth.revision;
    try {
      const before = await work.history.get(me, key, kv.get(key, patience));
      truth.read(key, before, askedAt);
      work.count("read");
      const then = truth.revision;
      if (me.random.below(3) === 0) {
        const put = kv.put(key, value, patience);
        const { revision } = await work.history.put(me, { key, value }, put);
        truth.acknowledged(key, value, revision, then);
      } else {
        const ifRevision = before?.modRevision ?? "absent";
        const swap = { key, expect: before, value };
        const put = kv.put(key, value, { ifRevision, ...patience });
        const { revision } = await work.history.swap(me, swap, put);
        truth.acknowledged(key, value, revision, then);
        const history = truth.history(key);
        const at = history.findIndex(one => one.revision === revision);
        if (history[at - 1]?.revision !== before?.modRevision)
          truth.fail(`${value}: swapped ${String(history[at - 1]?.revision)}, not ${ifRevision}`);
      }
      work.count("written");
    } catch (error) {
      tolerate(error, work, value, me);
    }
    if (me.random.below(4) === 0) await serializableRead(me, work, key);
  }
};

async function serializableRead(me: SimClient, work: Work, key: string): Promise<void> {
  try {
    const found = await me.client.kv.get(key, { consistency: "serializable" });
    me.cluster.truth.read(key, found, 0);
  } catch (error) {
    tolerate(error, work, null, me);
  }
}

/** Sequenced keys, several at once, in the order of the calls. */
export const appends: Workload = async (me, work) => {
  const { truth } = me.cluster;
  while (!work.isOver()) {
    await me.sleep(me.random.below(150));
    const askedAt = truth.revision;
    const many = 1 + me.random.below(4);
    const patience = { timeoutMs: pick(me, [150, 2_000, 10_000]) };
    await Promise.all(
      Array.from({ length: many }, async () => {
        // Some fill several sectors of a disk and messages of their own.
        const padding = me.random.below(4) === 0 ? `:${"x".repeat(me.random.below(3_000))}` : "";
        const value = `once:${me.name}:${work.nextNumber()}${padding}`;
        try {
          const { key, revision } = await me.client.kv.append("log", value, patience);
          truth.acknowledged(key, value, revision, askedAt);
          work.count("appended");
        } catch (error) {
          tolerate(error, work, value, me);
        }
      }),
    );
  }
};

/** Watches from a past revision; every change must come once, in order. */
export const watches: Workload = async (me, work) => {
  const { truth } = me.cluster;
  const prefix = pick(me, ["reg/", "log/", "guarded/", "lock/"]);
  for (;;) {
    const fromNow = me.random.below(3) === 0;
    const from = Math.max(2, truth.revision - me.random.below(30));
    const matching = (told: Told): boolean =>
      told.key.startsWith(prefix) && (fromNow || told.revision >= from);
    let at = 0;
    let known = 0;
    let connections = me.connections;
    /** It goes on from there; what is remembered reaches back farther than that, mostly. */
    let next = fromNow ? truth.revision : from;
    let expected: Told[] = [];
    const refill = (): void => {
      for (; known < truth.changes.length; known += 1) {
        const told = truth.changes[known] as Told;
        if (matching(told)) expected.push(told);
      }
    };
    const controller = new AbortController();
    const options = { prefix, signal: controller.signal };
    const changes = me.client.kv.watch(fromNow ? options : { ...options, from });
    const caughtUp = (): boolean => {
      refill();
      // From when one from now on begins is only known once something has come.
      return at >= expected.length || (fromNow && at === 0);
    };
    const giveUp = endWhen(me, work, caughtUp, () => controller.abort(ABORTED));
    try {
      for await (const change of changes) {
        refill();
        if (fromNow && at === 0 && expected.length > 0) {
          const first = expected.findIndex(told => same(told, change));
          if (first > 0) expected = expected.slice(first);
        }
        const told = expected[at];
        if (told === undefined || !same(told, change))
          truth.fail(
            `${me.name}'s watch of ${prefix} from ${fromNow ? "now" : from}: ` +
              `${describe(change)} came, expected ${told === undefined ? "nothing" : describe(told)}`,
          );
        if (at > 0 && me.connections > connections) sometimes("a watch went on elsewhere");
        connections = me.connections;
        next = change.revision + 1;
        at += 1;
        work.count("watched");
        if (me.random.below(80) === 0) break;
        if (me.random.below(20) === 0) await me.sleep(me.random.below(300));
      }
      giveUp();
    } catch (error) {
      giveUp();
      if (error instanceof HoldfastError && error.code === "HISTORY_GONE")
        mustBeGone(me, prefix, next);
      tolerate(error, work, null, me);
      if (error === ABORTED) return;
    }
    if (work.isOver()) return;
    await me.sleep(me.random.below(100));
  }
};

function mustBeGone({ cluster, name }: SimClient, prefix: string, from: number): void {
  const { historyRevisions } = cluster.settings.stateLimits;
  const { revision } = cluster.truth;
  if (from > revision - historyRevisions + 1)
    cluster.truth.fail(`${name}'s watch of ${prefix}: ${from} is said to be gone at ${revision}`);
}

/** Calls `end` when work is over and `done` holds; returns what takes it back. */
function endWhen(me: SimClient, work: Work, done: () => boolean, end: () => void): () => void {
  let over = false;
  const look = (): void => {
    if (over) return;
    if (work.isOver() && done()) end();
    else me.process.after(100, look);
  };
  me.process.after(100, look);
  return () => {
    over = true;
  };
}

const same = (told: Told, change: Change): boolean =>
  told.revision === change.revision &&
  told.key === change.key &&
  told.kind === change.kind &&
  (told.kind === "delete" || told.value === change.value);

const describe = (one: Told | Change): string => `${one.kind} ${one.key}@${one.revision}`;

/** Stands for election, proclaims, resigns. */
export const elections: Workload = async (me, work) => {
  const election = me.client.election("boss");
  while (!work.isOver()) {
    try {
      const signal = abortAfter(me, 500 + me.random.below(4_000));
      const campaign = { key: election.name, value: `campaign:${me.name}:${work.nextNumber()}` };
      const standing = election.campaign(campaign.value, { signal });
      const leadership = await work.history.lead(me, campaign, standing);
      const forget = me.believe(leadership);
      work.count("elected");
      try {
        await me.sleep(me.random.below(200));
        const value = `once:${me.name}:${work.nextNumber()}`;
        await leadership.proclaim(value).catch(error => tolerate(error, work, value, me));
        await work.history.resign(me, leadership, () => leadership.release());
      } finally {
        forget();
      }
    } catch (error) {
      tolerate(error, work, null, me);
    }
    await me.sleep(me.random.below(100));
  }
};

/** Sees every leader once, in order. */
export const observers: Workload = async (me, work) => {
  const { truth } = me.cluster;
  while (!work.isOver()) {
    const controller = new AbortController();
    const giveUp = endWhen(
      me,
      work,
      () => true,
      () => controller.abort(ABORTED),
    );
    let token = 0;
    try {
      for await (const leader of me.client
        .election("boss")
        .observe({ signal: controller.signal })) {
        if (leader === null) continue;
        const reigns = truth.grants.filter(grant => grant.name === "boss");
        const at = reigns.findIndex(grant => grant.token === leader.token);
        const before = reigns.findIndex(grant => grant.token === token);
        if (at < 0) truth.fail(`${me.name} observes ${leader.key}, who never led`);
        if (token > 0 && at !== before && at !== before + 1)
          truth.fail(`${me.name} observes ${leader.key} after token ${token}`);
        token = leader.token;
        work.count("observed");
      }
      giveUp();
    } catch (error) {
      giveUp();
      tolerate(error, work, null, me);
    }
    await me.sleep(me.random.below(100));
  }
};

/** Locks with leases of their own, call by call, as over HTTP; asks on with a key, or not. */
export const plainLocks: Workload = async (me, work) => {
  const { truth } = me.cluster;
  while (!work.isOver()) {
    const name = pick(me, LOCKS);
    const ttlMs = 1_000 + me.random.below(1_000);
    const key = me.random.below(3) > 0 ? `${me.name}-${work.nextNumber()}` : undefined;
    const waitMs = me.random.below(4_000);
    const polls = key !== undefined && me.random.below(2) === 0 && waitMs > 0;
    const owner = `${me.name}/${work.nextNumber()}`;
    const params = { name, ttlMs, waitMs, owner, ...(polls ? { pollMs: 200 } : {}) };
    const call = { op: "lock.acquire" as const, params, ...(key === undefined ? {} : { key }) };
    const acquire = work.history.plainAcquire(me, name, owner);
    let granted: PlainGrant | null = null;
    for (let tries = 0; tries < (key === undefined ? 1 : 30); tries += 1) {
      const sentMs = me.process.monotonicMs();
      const sentWallMs = me.process.wallMs();
      const withinMs = me.random.below(4) === 0 ? me.random.below(500) : waitMs + 6_000;
      // Where members change, it may be asking one of the past, who keeps nothing alive.
      if (me.cluster.spareNames.length === 0) truth.kept.add(owner);
      const outcome = await me.plainCall(pick(me, me.cluster.names), call, withinMs);
      truth.kept.delete(owner);
      acquire.answered(outcome);
      const result = resultOf(outcome, work);
      if (typeof result?.token === "number") {
        const provenMs = Number(result.remainingMs) * 0.99;
        // Both clocks, since the monotonic one stands still while the machine sleeps.
        const remainingMs = (): number =>
          provenMs - Math.max(me.process.monotonicMs() - sentMs, me.process.wallMs() - sentWallMs);
        granted = { name, key: String(result.key), token: result.token, remainingMs };
        acquire.granted(granted);
        break;
      }
      if (outcome !== null && !outcome.ok && outcome.failure.code === "WAIT_TIMEOUT")
        mustNotHold(me, name, owner);
      if (outcome !== null && !outcome.ok && !isTransient(outcome)) break;
      await me.sleep(me.random.below(100));
    }
    if (granted === null) acquire.over();
    else {
      const grant = granted;
      work.count("plain grant");
      let given = false;
      const forget = me.believeIn(name, granted.key, () => !given && grant.remainingMs() > 0);
      await me.sleep(me.random.below(300));
      given = true;
      for (let tries = 0; tries < 20 && me.random.below(8) > 0; tries += 1) {
        const release = { op: "lock.release" as const, params: { key: granted.key } };
        const node = pick(me, me.cluster.names);
        const outcome = await work.history.plainRelease(me, grant, () =>
          me.plainCall(node, release, 5_000),
        );
        const result = resultOf(outcome, work);
        if (result === null) continue;
        if (truth.holder(name) === granted.key) truth.fail(`${granted.key} released, and holds`);
        break;
      }
      forget();
    }
    if (granted !== null) await lateWrite(me, work, name, granted.key);
    await me.sleep(me.random.below(200));
  }
};

/** Whoever comes late writes all the same, if nobody looks at what it was granted. */
async function lateWrite(me: SimClient, work: Work, name: string, grant: string): Promise<void> {
  if (me.random.below(3) > 0) return;
  const value = `once:${me.name}:${work.nextNumber()}:${grant}`;
  const params = { key: `guarded/${name.slice(-1)}`, value, heldBy: { key: grant } };
  const outcome = await me.plainCall(pick(me, me.cluster.names), { op: "kv.put", params }, 20_000);
  notDone(me, outcome, value);
  if (resultOf(outcome, work) !== null) work.count("late write");
}

/** What is answered as not applied never may be. */
export function notDone(me: SimClient, outcome: Outcome | null, value: string): void {
  if (outcome === null || outcome.ok) return;
  const { code, message } = outcome.failure;
  if (ERRORS[code].outcome === "not-applied")
    me.cluster.truth.mustNotBe(value, `${code} (${message})`);
}

/** Told that the wait is over without a grant, nobody would ever release one. */
function mustNotHold({ cluster: { truth } }: SimClient, name: string, owner: string): void {
  const { holders } = truth.machine.inspect(name, 0);
  if (holders.some(holder => holder.owner === owner))
    truth.fail(`${owner} was told that its wait for ${name} is over, and holds it`);
  truth.gaveUp.add(owner);
}

export const isTransient = (outcome: Outcome): boolean =>
  !outcome.ok &&
  ["UNAVAILABLE", "NO_QUORUM", "OVERLOADED", "SHUTTING_DOWN", "OUTCOME_UNKNOWN"].includes(
    outcome.failure.code,
  );

export function resultOf(outcome: Outcome | null, work: Work): Record<string, unknown> | null {
  if (outcome === null) {
    work.count("plain: no answer");
    return null;
  }
  if (outcome.ok) return outcome.result as unknown as Record<string, unknown>;
  work.count(`plain: ${outcome.failure.code}`);
  if (outcome.failure.code === "INTERNAL") throw new Error(outcome.failure.message);
  return null;
}
