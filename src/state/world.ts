/**
 * Everything the state holds, in one place: what is state and goes into a snapshot, what is an
 * index over it, and what belongs to the entry being applied. No rules here; those are in the
 * rooms beside.
 */
import type { Bytes } from "../base/ports.js";
import { KeyMap } from "./kv/key-map.js";
import type { KvRecord } from "./kv/record.js";
import { SequencedKeys } from "./kv/sequence.js";
import { EndedLeases, LeaseKeys } from "./lease/lease.js";
import { LiveLeases } from "./lease/live-leases.js";
import type { StateLimits } from "./limits.js";
import { EndedEntries } from "./lock/ended.js";
import type { Line } from "./lock/line.js";
import { Lines } from "./lock/lines.js";
import { Moment, NEVER } from "./moment.js";
import type { MachineOutput } from "./output.js";
import { Requests } from "./request/requests.js";
import { History } from "./watch/history.js";

/** Drops everything: the output outside of apply. */
export const SILENT: MachineOutput = {
  answer() {},
  wrote() {},
  leaseGranted() {},
  leaseEnded() {},
  granted() {},
  grantEnded() {},
  waitEnded() {},
};

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

  // Indexes over it.
  readonly leaseKeys = new LeaseKeys();
  readonly lines = new Lines();
  /** Of records, leases and kept answers; history has its own count. */
  bytes = 0;

  // Of the entry being applied.
  out: MachineOutput = SILENT;
  /** The next change's place within the present write. */
  sub = 0;
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

  touch(line: Line): void {
    if (line.touched) return;
    line.touched = true;
    this.touched.push(line);
  }
}
