/**
 * The machine's face: everything that the replica may ask of the state. `Machine` implements it.
 * Nothing here throws, whatever was applied before; reads see all that was applied and nothing
 * else.
 */
import type { GrantRef, RangeQuery } from "./command/command.js";
import type {
  EndReason,
  EntryEndedResult,
  EntryView,
  GrantedResult,
  RangeResult,
  RecordView,
  Refusal,
  RuleView,
  WaitingResult,
} from "./command/result.js";
import type { Blame } from "./lock/ended.js";
import type { LeaseView, MachineOutput } from "./output.js";
import type { Change } from "./watch/change.js";

/** The state cannot go on with this program: the process must stop and say so. */
export interface StateStop {
  readonly code: "STATE_FORMAT_TOO_NEW";
  readonly message: string;
}

export interface GetResult {
  readonly kind: "record";
  readonly record: RecordView | null;
  readonly revision: number;
}

export interface LeaseDetails {
  readonly lease: LeaseView;
  readonly keyCount: number;
}

export interface LeaseList {
  readonly leases: readonly LeaseDetails[];
  readonly more: boolean;
}

export interface LeaseKeyList {
  /** The first of them, in order of bytes. */
  readonly keys: readonly string[];
  readonly keyCount: number;
}

/** How a grant stands. `entry` only when it holds. */
export type GrantStanding =
  | {
      readonly held: true;
      readonly name: string;
      readonly entry: EntryView;
      readonly ttlMs: number;
    }
  | {
      readonly held: false;
      /** `waiting`: it is in line; `never`: there was no such grant. */
      /** `ambiguous`: by name and token only, and readers may share that token. */
      readonly reason: EndReason | "waiting" | "never" | "ambiguous";
      /** Of the present exclusive holder of that line, if there is one. */
      readonly currentToken?: number;
      /** Who ended it, and why, where somebody else did and said so. */
      readonly blame?: { readonly by: string; readonly why: string };
    };

/** A past stay in a line. Times of the cluster's clock. */
export interface PastEntry {
  readonly key: string;
  readonly token: number;
  readonly lease: string;
  readonly owner: string;
  readonly reason: EndReason;
  /** False: it only waited. */
  readonly held: boolean;
  /** When it was granted, or else when it entered the line. */
  readonly sinceMs: number;
  readonly endedMs: number;
  readonly endedWallMs: number;
  /** Who ended it, where somebody else did, and why. */
  readonly blame?: Blame;
}

export interface LineView {
  readonly name: string;
  readonly rule: RuleView;
  /** The first of those who hold. */
  readonly holders: readonly EntryView[];
  /** All who hold. */
  readonly holderCount: number;
  /** The first of those who wait, in order. */
  readonly waiters: readonly EntryView[];
  /** All who wait. */
  readonly waiterCount: number;
  /** Newest first. */
  readonly recent: readonly PastEntry[];
  /** Keys directly below the name that are no entries: the first few, by a bounded search. */
  readonly ignored: readonly string[];
}

export interface LineList {
  readonly lines: readonly {
    readonly name: string;
    readonly rule: RuleView;
    /** The first of them. */
    readonly holders: readonly EntryView[];
    readonly holderCount: number;
    readonly waiterCount: number;
  }[];
  readonly more: boolean;
  /** With `more`: the last that was looked at. */
  readonly next?: string;
}

/**
 * Walks the window of history forward, over changes that match; stays valid while apply goes on.
 */
export interface HistoryCursor {
  /**
   * The next matching changes in (revision, sub) order, never a part of a revision: stops after
   * the revision with which `maxChanges` is reached. Looks at no more than a bounded number of
   * changes a call, so an empty answer does not mean the end: `caughtUp` does. `HISTORY_GONE`
   * when the window has slid past it.
   */
  next(maxChanges: number): readonly Change[] | Refusal;
  /** True when everything that was applied has been looked at. */
  readonly caughtUp: boolean;
  /** Changes looked at so far, whether they matched or not: what it has cost. */
  readonly looks: number;
  /** The first revision not looked at yet. */
  readonly position: number;
}

export interface StateCounters {
  readonly keys: number;
  readonly leases: number;
  /** Lines that are not empty. */
  readonly lines: number;
  readonly entries: number;
  readonly stateBytes: number;
  readonly maxStateBytes: number;
  readonly historyChanges: number;
  readonly historyBytes: number;
  readonly requestClients: number;
  readonly idempotencyKeys: number;
}

/** The state as of one moment; holds it in memory until dropped. */
export interface StateView {
  readonly appliedIndex: number;
  /**
   * The next part of the canonical bytes, at most `maxBytes` (1 or more) of it; null after the
   * last.
   */
  next(maxBytes: number): Uint8Array | null;
}

export interface StateMachine {
  readonly appliedIndex: number;
  /** 1 when nothing was ever written. */
  readonly revision: number;
  readonly clusterTimeMs: number;
  readonly wallTimeMs: number;
  /** The first revision whose changes are all still in the window. */
  readonly oldestRevision: number;

  /**
   * Applies one committed entry. Total; see README for order. An empty payload only moves the
   * index. A stop is returned before anything was changed, and every later call returns it again.
   */
  apply(index: number, payload: Uint8Array, out: MachineOutput): StateStop | null;

  get(key: string, atRevision?: number): GetResult | Refusal;
  range(query: RangeQuery): RangeResult | Refusal;
  /** Changes from `fromRevision` (inclusive) on, of one key, a range, or all (null). */
  history(fromRevision: number, from: string, to: string | null): HistoryCursor | Refusal;

  lease(id: string): LeaseView | undefined;
  /** Why it ended, while that is remembered. */
  endedLease(id: string): EndReason | undefined;
  /** In order of bytes; at most `limit`. */
  leaseKeys(id: string, limit: number): readonly string[];
  /** As many of them as an answer may show (`maxRangeBytes`, like all lists here). */
  listLeaseKeys(id: string): LeaseKeyList;
  leases(after: string, limit: number): LeaseList;
  /** Every live lease once, in order of id: for a new leader's clocks. */
  eachLease(visit: (lease: LeaseView) => void): void;

  /** The present truth about an entry, by its key. */
  entry(key: string): GrantedResult | WaitingResult | EntryEndedResult;
  /** Where it stands, 1 being next; 0: it holds; undefined: not in line. */
  position(key: string): number | undefined;
  check(grant: GrantRef): GrantStanding;
  inspect(name: string, maxWaiters: number): LineView;
  /** Lines that are not empty, by name. */
  /** With an owner: only those that it holds. */
  lines(prefix: string, after: string, limit: number, owner?: string | null): LineList;
  /** The holder of an exclusive line: an election's leader. */
  head(name: string): EntryView | undefined;
  /** The same of the line in which the entry of that key waits; of several, where it is furthest back. */
  headBefore(key: string): EntryView | undefined;
  /** Cluster time at which something ends by itself: whoever leads proposes an entry then. */
  nextDeadlineMs(): number;

  /** O(1). Streams while apply goes on. */
  snapshot(): StateView;
  /** 16 hex digits over the canonical bytes. Takes time in proportion to the state. */
  hash(): string;
  counters(): StateCounters;
}

/**
 * Builds a machine from a snapshot's bytes, in pieces of any size, in order. `add` and `finish`
 * throw `DecodeError` on bytes that are no snapshot, and return a stop for a format newer than
 * this program.
 */
export interface StateLoader {
  add(slice: Uint8Array): StateStop | null;
  finish(): StateMachine;
}
