/**
 * What really happened: a state machine of the simulator's own, fed with each entry when the first
 * node hands it over as committed, and what can be told from that alone. Everything the world
 * claims, be it another node's log, a state's hash, an answer or a watch, is held against it.
 */
import { createHash } from "node:crypto";
import { nodeBytes } from "../../src/server/ports/index.js";
import type {
  Change,
  CommandResult,
  EndReason,
  EntryEnd,
  Grant,
  LeaseView,
  MachineOutput,
  Move,
  StateLimits,
} from "../../src/state/index.js";
import { Machine } from "../../src/state/index.js";
import { Audit } from "./audit.js";
import { Lines } from "./lines.js";
import { MOST_DRIFT_PPM } from "./process.js";
import { RunsOfJobs } from "./runs-of-jobs.js";
import { sometimes } from "./sometimes.js";

/** Clocks differ in rate by less. */
const CLOCK_RATE = 0.99;
/** So much of its time later may a lease run out by the slowest clock than by the quickest, … */
const LATE = 1 / CLOCK_RATE - CLOCK_RATE;
/** … and so long after that is its end in the log, while all is calm. */
const MOST_LATE_MS = 1_000;
/**
 * A client may come upon a former member that runs again and finds nobody who tells it that it was
 * taken out. It tries another after 1.5 s: a lease that is shorter than this may have run out then.
 */
const LONG_TTL_MS = 3_000;

export class Violation extends Error {
  override readonly name = "Violation";
}

/** One change of one key, in the order of the log. */
export interface Told {
  readonly revision: number;
  readonly kind: "put" | "delete";
  readonly key: string;
  readonly value: string;
  readonly cause: string;
}

interface Committed {
  readonly term: number;
  /** The term of whoever applied it first: no later than in that one was it committed. */
  readonly committedIn: number;
  readonly digest: string;
}

/** Somebody who says, from a clock of his own, whether he holds a grant. */
export interface Believer {
  readonly who: string;
  readonly name: string;
  readonly key: string;
  /** null while he stands still and so says nothing. */
  believes(): boolean | null;
}

export class Truth implements MachineOutput {
  readonly machine: Machine;
  readonly changes: Told[] = [];
  readonly believers = new Set<Believer>();
  readonly #entries: Committed[] = [];
  readonly #hashes = new Map<number, string>();
  readonly #byKey = new Map<string, Told[]>();
  readonly lines: Lines;
  readonly #runs: RunsOfJobs;
  readonly #grantsByName = new Map<string, Grant[]>();
  readonly #values = new Map<string, number>();
  readonly #forbidden = new Map<string, string>();
  readonly #leases = new Map<string, { readonly term: number; readonly atMs: number }>();
  /** When the newest term's first entry was applied: no earlier did its leader begin to serve. */
  #termBeganMs = 0;
  readonly #leaseGrants = new Map<string, number>();
  readonly #doubtful = new Set<string>();
  readonly #audit: Audit;
  /** Those who wait or live, and whose leases are kept: they must not run out while all is calm. */
  readonly kept = new Set<string>();
  /** There may be former members, who do not know that they are. */
  someWereRemoved = false;
  isCalm = false;
  /** False: bugs of the state are to be found by what clients are told. */
  comparesStates = true;
  /** Told that their wait is over without a grant: there must never be one. */
  readonly gaveUp = new Set<string>();
  /** Leases that somebody was told to last until then, by true time. */
  readonly #proven = new Map<string, number>();
  readonly #nowMs: () => number;
  #expiredFrom = "";
  /** The newest entry of each campaign's value. */
  readonly #campaigns = new Map<string, string>();
  /** Counts of what happened, so that a run which saw nothing is found out. */
  readonly counts: Record<string, number> = {};
  /** When each lease was granted, in true time. */
  readonly #grantedAtMs = new Map<string, number>();
  /** When each lease was last granted a turn. */
  readonly #turnBeganMs = new Map<string, number>();
  /** From then on nodes' clocks did what no promise covers. */
  clocksLieFromMs = Number.POSITIVE_INFINITY;
  /** Hears what is decided about leases and lines, as it is applied. */
  onNote: (what: string) => void = () => {};

  constructor(limits: StateLimits, nowMs: () => number) {
    this.machine = new Machine(nodeBytes, limits);
    this.#nowMs = nowMs;
    this.#audit = new Audit({
      nowMs: () => (this.clocksLie ? Number.POSITIVE_INFINITY : nowMs()),
      fail: what => this.fail(what),
      presentKey: key => this.lines.presentKey(key),
    });
    const fail = (what: string): never => this.fail(what);
    this.lines = new Lines(() => this.#audit, fail);
    this.#runs = new RunsOfJobs(fail);
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** No client's belief is held against the log. */
  get clocksLie(): boolean {
    return this.clocksLieFromMs < Number.POSITIVE_INFINITY;
  }

  /** The last index that is known to have been committed in a term before `term`. */
  lastIndexBefore(term: number): number {
    return this.#entries.findLastIndex(entry => entry.committedIn < term) + 1;
  }

  get index(): number {
    return this.#entries.length;
  }

  get revision(): number {
    return this.machine.revision;
  }

  fail(what: string): never {
    throw new Violation(what);
  }

  /**
   * A node whose term is `committedIn` hands an entry over. The first one to do so decides what it
   * is. An older leader's entry may have been committed by a newer one only.
   */
  committed(
    node: string,
    index: number,
    term: number,
    payload: Uint8Array,
    committedIn: number,
  ): void {
    const digest = createHash("md5").update(payload).digest("base64");
    const known = this.#entries[index - 1];
    if (known !== undefined) {
      if (known.term !== term || known.digest !== digest)
        this.fail(`${node} applies another entry at ${index}: term ${term}, not ${known.term}`);
      return;
    }
    if (index !== this.#entries.length + 1)
      this.fail(`${node} applies ${index} before anyone applied ${this.#entries.length + 1}`);
    const last = this.#entries.at(-1);
    if (last !== undefined && last.term > term) this.fail(`term ${term} after ${last.term}`);
    if (last?.term !== term) this.#termBeganMs = this.#nowMs();
    this.#entries.push({ term, committedIn, digest });
    this.#audit.entry(index, payload);
    this.#expiredFrom = "";
    this.machine.apply(index, payload.slice(), this);
    this.lines.entryOver();
  }

  /** Believers of that line, or grant, who run and whose clocks can be held to their promise. */
  #believes(one: Believer): boolean {
    return !this.clocksLie && one.believes() === true;
  }

  get #term(): number {
    return this.#entries.at(-1)?.term ?? 0;
  }

  /** `node` has this state at `index`; all others must have the same. */
  hash(node: string, index: number, hash: string, why: string): void {
    if (!this.comparesStates) return;
    this.count("hashes");
    if (index > this.index) this.fail(`${node} is at ${index}, where nobody was`);
    if (index === this.index && !this.#hashes.has(index))
      this.#hashes.set(index, this.machine.hash());
    const known = this.#hashes.get(index);
    if (known === undefined) this.#hashes.set(index, hash);
    else if (known !== hash) this.fail(`${node}'s state differs at ${index} (${why})`);
  }

  // What the machine tells.

  answer(_boot: number, _number: number, result: CommandResult): void {
    const { command, again } = this.#audit.answered(result);
    this.lines.answered(command, result, again);
    this.#runs.answered(command, result, again);
  }

  wrote(change: Change): void {
    const { revision, key, record, prev, cause } = change;
    const kind = record === null ? "delete" : "put";
    const told = { revision, kind, key, value: record?.value ?? "", cause } as const;
    this.count("writes");
    this.changes.push(told);
    const known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, [told]);
    else known.push(told);
    if (kind === "put") this.#value(told.value);
    if (kind === "put" && key.startsWith("guarded/")) this.#guarded(told.value);
    const entry = record?.entry ?? null;
    if (record !== null && entry !== null && prev === null) this.#standsAnew(record.value, key);
    this.lines.wrote(change);
    this.#runs.wrote(change);
  }

  #value(value: string): void {
    if (value === "") return;
    const times = (this.#values.get(value) ?? 0) + 1;
    this.#values.set(value, times);
    const why = this.#forbidden.get(value);
    if (why !== undefined) this.fail(`${value} took effect after it was answered ${why}`);
    if (this.#doubtful.has(value)) sometimes("unknown, and it was done");
    if (times > 1 && value.startsWith("once:")) this.fail(`${value} took effect ${times} times`);
  }

  /** A candidate's value may stand in line again only when its lease took the entry before. */
  #standsAnew(value: string, key: string): void {
    if (!value.startsWith("campaign:")) return;
    const before = this.#campaigns.get(value);
    this.#campaigns.set(value, key);
    if (before === undefined) return;
    const end = this.last(before);
    if (end?.cause !== "expired" && end?.cause !== "revoked" && end?.cause !== "moved")
      this.fail(`${value} stands in line as ${key}, and ${before} was ${String(end?.cause)}`);
  }

  /** A write that names the grant it was made under must have been made while that stood. */
  #guarded(value: string): void {
    const grant = value.slice(value.lastIndexOf(":") + 1);
    const name = grant.slice(0, grant.lastIndexOf("/"));
    if (!this.lines.holds(grant))
      this.fail(`${value} was written while ${String(this.holder(name))} holds`);
  }

  leaseGranted(lease: LeaseView): void {
    this.#leases.set(lease.id, { term: this.#term, atMs: this.#nowMs() });
    this.#leaseGrants.set(lease.id, this.leaseGrants(lease.id) + 1);
    this.#grantedAtMs.set(lease.id, this.#nowMs());
  }

  hasLease(id: string): boolean {
    return this.#leases.has(id);
  }

  /** How often a lease of this id was granted. */
  leaseGrants(id: string): number {
    return this.#leaseGrants.get(id) ?? 0;
  }

  leaseEnded(lease: LeaseView, reason: EndReason): void {
    const granted = this.#leases.get(lease.id);
    if (granted === undefined) this.fail(`the lease ${lease.id} ended twice`);
    this.#audit.leaseEnded();
    if (this.#term >= granted.term + 2) sometimes("lease survived three leaders");
    if (reason === "expired") this.#expired(lease, granted.atMs);
    this.#leases.delete(lease.id);
    this.#proven.delete(lease.id);
    this.#turnBeganMs.delete(lease.id);
    this.onNote(`lease ${lease.id} ended (${reason})`);
  }

  /** An answer said so of the lease that was granted as the `grant`th of this id. */
  provenUntil(lease: string, grant: number, atMs: number): void {
    if (!this.#leases.has(lease) || this.leaseGrants(lease) !== grant) return;
    this.#proven.set(lease, Math.max(atMs, this.#proven.get(lease) ?? 0));
  }

  #expired(lease: LeaseView, grantedAtMs: number): void {
    // Each leader gives every lease its full time, and so does the grant.
    const fullMs = Math.max(grantedAtMs, this.#termBeganMs) + lease.ttlMs * CLOCK_RATE;
    if (!this.clocksLie && this.#nowMs() < fullMs)
      this.fail(`the lease ${lease.id} ran out at ${this.#nowMs()}, before ${fullMs}: too early`);
    const untilMs = this.#proven.get(lease.id) ?? 0;
    if (!this.clocksLie && this.#nowMs() < untilMs)
      this.fail(`the lease ${lease.id} ran out at ${this.#nowMs()}, and was to last to ${untilMs}`);
    this.count("expired");
    // Whatever became of its keep-alives, its first full time by the leader's clock has passed.
    const lastedMs = this.#nowMs() - (this.#grantedAtMs.get(lease.id) ?? 0);
    if (!this.clocksLie && lastedMs * (1 + MOST_DRIFT_PPM / 1_000_000) < lease.ttlMs)
      this.fail(`the lease ${lease.id} of ${lease.ttlMs} ms ran out after ${lastedMs} ms`);
    sometimes("lease expired");
    // Who is nobody's is kept by nobody but whom its end was proven to, and by the node that waits
    // for it until a grant.
    const keptMs = (this.#turnBeganMs.get(lease.id) ?? 0) + lease.ttlMs * CLOCK_RATE;
    const lastMs = Math.max(fullMs, untilMs, keptMs) + LATE * lease.ttlMs + MOST_LATE_MS;
    if (this.isCalm && !this.clocksLie && lease.owner === "" && this.#nowMs() > lastMs)
      this.fail(
        `the lease ${lease.id} ran out at ${this.#nowMs()}, and not by ${lastMs}: too late`,
      );
    const isSafe = !this.someWereRemoved || lease.ttlMs >= LONG_TTL_MS;
    if (this.isCalm && isSafe && this.kept.has(lease.owner))
      this.fail(`the lease ${lease.id} of ${lease.owner} ran out while all was calm`);
  }

  granted(grant: Grant): void {
    this.lines.granted(grant);
    this.#turnBeganMs.set(grant.lease, this.#nowMs());
    if (!this.#leases.has(grant.lease)) this.fail(`${grant.key} granted on an ended lease`);
    const owner = this.machine.lease(grant.lease)?.owner ?? "";
    if (this.gaveUp.has(owner))
      this.fail(`${grant.key} granted to ${owner}, who was told that the wait is over`);
    if (grant.waitedMs > 0) this.count("handOvers");
    if (this.#expiredFrom === grant.name) sometimes("waiter granted by an expiry");
    const known = this.#grantsByName.get(grant.name);
    if (known === undefined) this.#grantsByName.set(grant.name, [grant]);
    else known.push(grant);
    for (const one of this.believers)
      if (one.name === grant.name && !this.lines.holds(one.key) && this.#believes(one))
        this.fail(`${one.who} believes it holds ${one.key} while ${grant.key} is granted`);
    this.onNote(`granted ${grant.key} ${grant.token} on ${grant.lease}`);
  }

  grantEnded(end: EntryEnd): void {
    this.lines.grantEnded(end);
    if (end.reason === "expired") this.#expiredFrom = end.name;
    this.onNote(`ended ${end.key} (${end.reason})`);
    for (const one of this.believers)
      if (one.key === end.key && this.#believes(one))
        this.fail(`${one.who} believes it holds ${end.key}, which ended (${end.reason})`);
  }

  /** Also between two events of a line: who stood still at the last one speaks now. */
  checkBeliefs(): void {
    for (const one of this.believers)
      if (!this.lines.holds(one.key) && this.#believes(one)) {
        const { who, name, key } = one;
        this.fail(`${who} believes it holds ${key}, and ${String(this.holder(name))} does`);
      }
  }

  waitEnded(end: EntryEnd): void {
    if (end.reason === "expired") sometimes("wait ended with its lease");
    this.lines.waitEnded(end);
  }

  yieldAsked(): void {}

  moved(move: Move): void {
    this.lines.moved(move);
    this.onNote(`moved ${move.key} to ${move.newKey}`);
  }

  // What workloads ask.

  /** The first of those who hold it. */
  holder(name: string): string | null {
    return this.lines.holder(name);
  }

  /** How a run of a job ended, if it is over. */
  outcomeOf(run: string): string | undefined {
    return this.#runs.outcomeOf(run);
  }

  holds(key: string): boolean {
    return this.lines.holds(key);
  }

  /** All grants of a name so far, in order. */
  grantsOf(name: string): readonly Grant[] {
    return this.#grantsByName.get(name) ?? [];
  }

  /** All changes of a key so far. */
  history(key: string): readonly Told[] {
    return this.#byKey.get(key) ?? [];
  }

  last(key: string): Told | undefined {
    return this.#byKey.get(key)?.at(-1);
  }

  /** `value` was answered as not applied: it never may be. */
  mustNotBe(value: string, why: string): void {
    if (this.#values.has(value)) this.fail(`${value} had taken effect when answered ${why}`);
    this.#forbidden.set(value, why);
  }

  /** Nobody knows what became of `value`. */
  mayBe(value: string): void {
    this.#doubtful.add(value);
    if (this.#values.has(value)) sometimes("unknown, and it was done");
  }

  /** A write of `value` was answered with `revision`, having been asked for at `askedAt`. */
  acknowledged(key: string, value: string, revision: number, askedAt: number): void {
    const told = this.history(key).find(one => one.revision === revision);
    if (told?.value !== value)
      this.fail(`${value} at ${key} was acknowledged at ${revision} and is not there`);
    if (revision <= askedAt) this.fail(`${value} at ${revision} was asked for after ${askedAt}`);
  }

  /** A linearizable read of `key`, asked for at revision `askedAt`, answered with this. */
  read(key: string, found: { value: string; modRevision: number } | null, askedAt: number): void {
    const history = this.history(key);
    const newest = history.findLast(one => one.revision <= askedAt);
    if (found === null) {
      const isGone = history.some(
        one => one.kind === "delete" && newest !== undefined && one.revision > newest.revision,
      );
      if (newest?.kind === "put" && !isGone)
        this.fail(`${key} was read as absent after ${newest.revision}`);
      return;
    }
    const told = history.find(one => one.revision === found.modRevision);
    if (told === undefined || told.value !== found.value)
      this.fail(`${key} was read as ${found.value}@${found.modRevision}, which never was`);
    if (newest !== undefined && found.modRevision < newest.revision)
      this.fail(`${key} was read at ${found.modRevision} after ${newest.revision} was committed`);
  }

  get leases(): number {
    return this.#leases.size;
  }
}
