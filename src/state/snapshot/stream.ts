/**
 * The state as of one moment, as canonical bytes in slices. Taking it costs a few clones in
 * constant time; each slice costs work in proportion to its size, while apply goes on beside it.
 */
import { Writer } from "../../base/codec.js";
import type { Bytes } from "../../base/ports.js";
import { fingerprintText } from "../command/fingerprint.js";
import type { StateView } from "../face.js";
import type { KeyMap } from "../kv/key-map.js";
import type { KvRecord } from "../kv/record.js";
import type { EndedLease, Lease } from "../lease/lease.js";
import { LIMIT_NAMES, type StateLimits } from "../limits.js";
import type { EndedEntry } from "../lock/ended.js";
import type { LineRule } from "../lock/rule.js";
import type { IdempotentAnswer, RequestsView } from "../request/requests.js";
import type { ClientWindow } from "../request/window.js";
import type { ClosedSlot, SlotJob } from "../slot/slots.js";
import type { TrailWalk } from "../trail.js";
import type { Change } from "../watch/change.js";
import type { World } from "../world.js";
import {
  CAUSES,
  END_REASONS,
  ITEM,
  MODES,
  OUTCOMES,
  SHARED,
  STATE_FORMAT,
  STATE_MAGIC,
  writeLabels,
  writeRecord,
  writeWord,
} from "./format.js";
import { writeValue } from "./value.js";

/** The parts in their order. */
type Part =
  | "start"
  | "records"
  | "leases"
  | "rules"
  | "jobs"
  | "slots"
  | "endedLeases"
  | "endedEntries"
  | "changes"
  | "windows"
  | "idempotent"
  | "finish"
  | "done";

export class SnapshotStream implements StateView {
  readonly appliedIndex: number;
  readonly #revision: number;
  readonly #clusterTimeMs: number;
  readonly #wallTimeMs: number;
  readonly #forgottenToken: number;
  readonly #oldestRevision: number;
  readonly #limits: StateLimits;
  readonly #kv: KeyMap<KvRecord>;
  readonly #leases: KeyMap<Lease>;
  readonly #rules: KeyMap<LineRule>;
  readonly #jobs: KeyMap<SlotJob>;
  readonly #slots: KeyMap<ClosedSlot>;
  readonly #endedLeases: TrailWalk<EndedLease>;
  readonly #endedEntries: TrailWalk<EndedEntry>;
  readonly #changes: TrailWalk<Change>;
  readonly #requests: RequestsView;

  readonly #item: Writer;
  readonly #out: Writer;
  #part: Part = "start";
  /** Where the map of the present part goes on. */
  #from = "";
  #items = 0;
  /** The client whose answers are being written, and which of them are left. */
  #window: ClientWindow | null = null;
  #numbers: readonly number[] = [];
  #nextNumber = 0;
  /** Bytes made but not handed out yet. */
  #ready: Uint8Array;
  #handedOut = 0;
  /** The last record of each key that a change has brought, while changes are written. */
  readonly #last = new Map<string, KvRecord>();

  constructor(bytes: Bytes, world: World) {
    this.appliedIndex = world.appliedIndex;
    this.#revision = world.revision;
    this.#clusterTimeMs = world.clusterTimeMs;
    this.#wallTimeMs = world.wallTimeMs;
    this.#forgottenToken = world.endedEntries.forgottenToken;
    this.#oldestRevision = world.history.oldestRevision;
    this.#limits = world.limits;
    this.#kv = world.kv.clone();
    this.#leases = world.leases.clone();
    this.#rules = world.rules.clone();
    this.#jobs = world.slots.jobs.clone();
    this.#slots = world.slots.closed.clone();
    this.#endedLeases = world.endedLeases.walk();
    this.#endedEntries = world.endedEntries.walk();
    this.#changes = world.history.walk();
    this.#requests = world.requests.view();
    this.#item = new Writer(bytes, 1024);
    this.#out = new Writer(bytes, 4096);
    this.#ready = bytes.allocate(0);
  }

  next(maxBytes: number): Uint8Array | null {
    if (this.#handedOut === this.#ready.length) {
      while (this.#part !== "done" && this.#out.length < maxBytes) this.#fill(maxBytes);
      this.#ready = this.#out.finish();
      this.#handedOut = 0;
    }
    const left = this.#ready.length - this.#handedOut;
    if (left === 0) return null;
    if (this.#handedOut === 0 && left <= maxBytes) {
      this.#handedOut = left;
      return this.#ready;
    }
    const end = this.#handedOut + Math.min(left, maxBytes);
    const slice = this.#ready.slice(this.#handedOut, end);
    this.#handedOut = end;
    return slice;
  }

  /** Writes items of the present part until there are `maxBytes`, or the part ends. */
  #fill(maxBytes: number): void {
    if (this.#window !== null) {
      this.#writeAnswers(this.#window, maxBytes);
      return;
    }
    switch (this.#part) {
      case "start":
        this.#writeStart();
        this.#enter("records");
        return;
      case "records":
        this.#fillFrom(this.#kv, "leases", maxBytes, r => this.#writeRecord(r));
        return;
      case "leases":
        this.#fillFrom(this.#leases, "rules", maxBytes, l => this.#writeLease(l));
        return;
      case "rules":
        this.#fillFrom(this.#rules, "jobs", maxBytes, r => this.#writeRule(r));
        return;
      case "jobs":
        this.#fillFrom(this.#jobs, "slots", maxBytes, j => this.#writeJob(j));
        return;
      case "slots":
        this.#fillFrom(this.#slots, "endedLeases", maxBytes, s => this.#writeSlot(s));
        return;
      case "endedLeases":
        this.#drain(this.#endedLeases, "endedEntries", maxBytes, e => this.#writeEndedLease(e));
        return;
      case "endedEntries":
        this.#drain(this.#endedEntries, "changes", maxBytes, e => this.#writeEndedEntry(e));
        return;
      case "changes":
        this.#drain(this.#changes, "windows", maxBytes, c => this.#writeChange(c));
        return;
      case "windows":
        this.#fillFrom(this.#requests.windows, "idempotent", maxBytes, w =>
          this.#writeWindow(w, maxBytes),
        );
        return;
      case "idempotent":
        this.#fillFrom(this.#requests.idempotent, "finish", maxBytes, i =>
          this.#writeIdempotent(i),
        );
        return;
      case "finish":
        this.#item.count(this.#items);
        this.#emit(ITEM.end);
        this.#enter("done");
        return;
      case "done":
        return;
    }
  }

  #enter(part: Part): void {
    this.#part = part;
    this.#from = "";
    if (part === "windows") this.#last.clear();
  }

  #fillFrom<T>(map: KeyMap<T>, next: Part, maxBytes: number, write: (value: T) => void): void {
    let ended = true;
    map.scan(this.#from, null, (key, value) => {
      if (this.#out.length >= maxBytes) {
        this.#from = key;
        ended = false;
        return false;
      }
      write(value);
      return true;
    });
    if (ended) this.#enter(next);
  }

  #drain<T>(walk: TrailWalk<T>, next: Part, maxBytes: number, write: (value: T) => void): void {
    while (this.#out.length < maxBytes) {
      const value = walk.next();
      if (value === undefined) {
        this.#enter(next);
        return;
      }
      write(value);
    }
  }

  /** Frames what stands in `#item`. */
  #emit(tag: number): void {
    this.#out.count(this.#item.length + 1);
    this.#out.u8(tag);
    this.#out.raw(this.#item.view());
    this.#item.reset();
    this.#items++;
  }

  #writeStart(): void {
    const item = this.#item;
    item.string(STATE_MAGIC);
    item.count(STATE_FORMAT);
    this.#emit(ITEM.header);
    item.count(this.appliedIndex);
    item.count(this.#revision);
    item.count(this.#clusterTimeMs);
    item.count(this.#wallTimeMs);
    item.count(this.#forgottenToken);
    item.count(this.#oldestRevision);
    item.count(LIMIT_NAMES.length);
    for (const name of LIMIT_NAMES) {
      item.string(name);
      item.count(this.#limits[name]);
    }
    this.#emit(ITEM.meta);
  }

  #writeRecord(record: KvRecord): void {
    writeRecord(this.#item, record);
    this.#emit(ITEM.record);
  }

  #writeLease(lease: Lease): void {
    const item = this.#item;
    item.string(lease.id);
    item.count(lease.ttlMs);
    item.string(lease.owner);
    writeLabels(item, lease.labels);
    item.string(lease.belongsTo);
    item.count(lease.sinceIndex);
    this.#emit(ITEM.lease);
  }

  #writeRule(rule: LineRule): void {
    const item = this.#item;
    item.string(rule.name);
    item.count(rule.permits);
    item.count(rule.declared);
    item.count(rule.lockDelayMs);
    item.count(rule.maxHoldMs);
    this.#emit(ITEM.rule);
  }

  #writeJob(job: SlotJob): void {
    const item = this.#item;
    item.string(job.name);
    item.count(job.floor);
    item.count(job.closed);
    this.#emit(ITEM.job);
  }

  #writeSlot(slot: ClosedSlot): void {
    const item = this.#item;
    item.string(slot.job);
    item.count(slot.slot);
    writeWord(item, OUTCOMES, slot.outcome);
    item.string(slot.note);
    item.count(slot.token);
    item.string(slot.owner);
    item.count(slot.endedWallMs);
    this.#emit(ITEM.slot);
  }

  #writeEndedLease(ended: EndedLease): void {
    const item = this.#item;
    item.string(ended.id);
    writeWord(item, END_REASONS, ended.reason);
    item.count(ended.endedMs);
    this.#emit(ITEM.endedLease);
  }

  #writeEndedEntry(ended: EndedEntry): void {
    const item = this.#item;
    item.string(ended.name);
    item.string(ended.key);
    item.count(ended.token);
    item.string(ended.lease);
    item.string(ended.owner);
    writeWord(item, END_REASONS, ended.reason);
    item.boolean(ended.held);
    item.count(ended.sinceMs);
    item.count(ended.endedMs);
    item.count(ended.endedWallMs);
    writeWord(item, MODES, ended.mode);
    item.count(ended.fence);
    item.boolean(ended.blame !== null);
    if (ended.blame !== null) {
      item.string(ended.blame.by);
      item.string(ended.blame.why);
    }
    item.string(ended.was);
    item.string(ended.movedTo);
    this.#emit(ITEM.endedEntry);
  }

  #writeChange(change: Change): void {
    const item = this.#item;
    item.count(change.revision);
    item.count(change.sub);
    writeWord(item, CAUSES, change.cause);
    item.string(change.key);
    this.#writeShared(change.key, change.record);
    this.#writeShared(change.key, change.prev);
    if (change.record !== null) this.#last.set(change.key, change.record);
    else this.#last.delete(change.key);
    this.#emit(ITEM.change);
  }

  /** A record that the stream has had already is not written again. */
  #writeShared(key: string, record: KvRecord | null): void {
    if (record === null) {
      this.#item.u8(SHARED.none);
    } else if (this.#last.get(key) === record) {
      this.#item.u8(SHARED.last);
    } else if (this.#kv.get(key) === record) {
      this.#item.u8(SHARED.live);
    } else {
      this.#item.u8(SHARED.full);
      writeRecord(this.#item, record);
    }
  }

  /**
   * A window's answers may be many slices: what does not fit comes before anything else of the next
   * one.
   */
  #writeWindow(window: ClientWindow, maxBytes: number): void {
    const item = this.#item;
    item.string(window.client);
    item.string(window.lease);
    item.count(window.lastUsedMs);
    item.count(window.floor);
    item.count(window.overflowAt);
    this.#emit(ITEM.window);
    this.#window = window;
    this.#numbers = window.answers.numbers();
    this.#nextNumber = 0;
    this.#writeAnswers(window, maxBytes);
  }

  #writeAnswers(window: ClientWindow, maxBytes: number): void {
    const item = this.#item;
    while (this.#out.length < maxBytes) {
      const number = this.#numbers[this.#nextNumber++];
      if (number === undefined) {
        this.#window = null;
        return;
      }
      const kept = window.answers.get(number);
      if (kept === undefined) continue;
      item.count(number);
      item.string(fingerprintText(kept.a, kept.b));
      writeValue(item, kept.result);
      this.#emit(ITEM.answer);
    }
  }

  #writeIdempotent(answer: IdempotentAnswer): void {
    const item = this.#item;
    item.string(answer.key);
    item.string(answer.fingerprint);
    item.count(answer.lastUsedMs);
    writeValue(item, answer.result);
    this.#emit(ITEM.idempotent);
  }
}
