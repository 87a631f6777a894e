/**
 * Everything the state holds, in one place: what is state and goes into a snapshot, what is an
 * index over it, and what belongs to the entry being applied. No rules here; those are in the
 * rooms beside.
 */
import { assert } from "../base/assert.js";
import { DeadlineHeap } from "../base/deadline-heap.js";
import type { Bytes } from "../base/ports.js";
import { KeyMap } from "./kv/key-map.js";
import { ALONE, type KvRecord } from "./kv/record.js";
import { SequencedKeys } from "./kv/sequence.js";
import { EndedLeases, LeaseKeys } from "./lease/lease.js";
import { LiveLeases } from "./lease/live-leases.js";
import type { StateLimits } from "./limits.js";
import { Actors } from "./lock/actors.js";
import { type Blame, EndedEntries } from "./lock/ended.js";
import type { Line } from "./lock/line.js";
import { Lines } from "./lock/lines.js";
import type { LineRule } from "./lock/rule.js";
import { Moment, NEVER } from "./moment.js";
import { type MachineOutput, SILENT } from "./output.js";
import { Requests } from "./request/requests.js";
import { type ClaimOutcome, Slots } from "./slot/slots.js";
import { History } from "./watch/history.js";

export class World {
  // State.
  limits: StateLimits;
  appliedIndex = 0;
  revision = 1;
  clusterTimeMs = 0;
  wallTimeMs = 0;
  readonly kv = new KeyMap<KvRecord>();
  readonly leases = new LiveLeases();
  readonly endedLeases = new EndedLeases();
  readonly endedEntries = new EndedEntries();
  readonly history = new History();
  readonly requests = new Requests();
  /** What was configured for lines, by name. */
  readonly rules = new KeyMap<LineRule>();
  readonly slots = new Slots();

  // Indexes over it.
  readonly leaseKeys = new LeaseKeys();
  readonly lines = new Lines();
  readonly actors = new Actors();
  /** Keys of entries at whose time something ends. */
  readonly deadlines = new DeadlineHeap<string>();
  /** Of entries that have another key than at first: the one they have, by the first. */
  readonly moved = new Map<string, string>();
  /** Of records, leases and kept answers; history has its own count. */
  bytes = 0;

  // Of the entry being applied.
  /** The format that it was written in. */
  format = 0;
  out: MachineOutput = SILENT;
  /** So much has been looked at for circles (circle.ts). */
  searched = 0;
  /** The next change's place within the present write. */
  sub = 0;
  /** Who ends another's grant, while that is done. */
  blame: Blame | null = null;
  /** The key under which the entry that is being removed enters anew. */
  movingTo = "";
  /** How the claim ended that is being removed. */
  outcome: ClaimOutcome | null = null;
  /** Lines whose head may have to be admitted when the command ends. */
  readonly touched: Line[] = [];
  #now = NEVER;

  // Not of the state at all.
  readonly keys: SequencedKeys;

  constructor(bytes: Bytes, limits: StateLimits) {
    this.limits = limits;
    this.keys = new SequencedKeys(bytes);
  }

  /** The present entry's time: the same object for all that it does. */
  get now(): Moment {
    const { clusterTimeMs, wallTimeMs } = this;
    const now = this.#now;
    if (now.ms === clusterTimeMs && now.wallMs === wallTimeMs) return now;
    this.#now = new Moment(clusterTimeMs, wallTimeMs);
    return this.#now;
  }

  /** Begins a write: every change until the next call belongs to this revision. */
  beginWrite(): number {
    this.revision++;
    this.sub = 0;
    return this.revision;
  }

  /** The key that an entry has now, by the one with which it came or by this one. */
  presentKey(key: string): string {
    return this.moved.size === 0 ? key : (this.moved.get(key) ?? key);
  }

  /** Keys of all entries of its request, in their order; none when it came by itself. */
  groupOf({ entry }: KvRecord): readonly string[] {
    const group = entry === null ? ALONE : entry.extra.group;
    const [first] = group;
    if (first === undefined || group.length > 1) return group;
    const leading = this.kv.get(first);
    assert(leading !== undefined && leading.entry !== null, "entries of one request go together");
    return leading.entry.extra.group;
  }

  /** What was configured for the line of that name. */
  ruleOf(name: string): LineRule | undefined {
    return this.rules.size === 0 ? undefined : this.rules.get(name);
  }

  touch(line: Line): void {
    if (line.touched) return;
    line.touched = true;
    this.touched.push(line);
  }
}
