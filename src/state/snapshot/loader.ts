/**
 * Canonical bytes back to a machine. Takes pieces of any size; whatever is derived (lines, lists
 * of leases' keys, counts of bytes) is built as they come, and the lines at the end.
 */
import { DecodeError, Reader } from "../../base/codec.js";
import type { Bytes } from "../../base/ports.js";
import { fingerprintWord } from "../command/fingerprint.js";
import type { StateLoader, StateStop } from "../face.js";
import { type KvRecord, recordBytes } from "../kv/record.js";
import { indexEntry, leaseBytes } from "../kv/write.js";
import { EndedLease, Lease } from "../lease/lease.js";
import { STATE_LIMITS, type StateLimits } from "../limits.js";
import { EndedEntry } from "../lock/ended.js";
import { ruleBytes } from "../lock/rule.js";
import { Machine } from "../machine.js";
import { Moment } from "../moment.js";
import { answerBytes } from "../request/answer-bytes.js";
import { KeptAnswer } from "../request/answers.js";
import { IdempotentAnswer } from "../request/requests.js";
import type { ClientWindow } from "../request/window.js";
import { Change } from "../watch/change.js";
import { World } from "../world.js";
import { readAnswer } from "./answer.js";
import {
  CAUSES,
  END_REASONS,
  ITEM,
  MODES,
  OUTCOMES,
  readLabels,
  readRecord,
  readWord,
  SHARED,
  STATE_FORMAT,
  STATE_MAGIC,
  text,
} from "./format.js";

const MAX_FRAME_BYTES = 8;

export class SnapshotLoader implements StateLoader {
  readonly #bytes: Bytes;
  readonly #world: World;
  readonly #reader: Reader;
  #rest: Uint8Array;
  #items = 0;
  #ended = false;
  #format = STATE_FORMAT;
  #stop: StateStop | null = null;
  readonly #entries: KvRecord[] = [];
  readonly #last = new Map<string, KvRecord>();
  #window: ClientWindow | null = null;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
    this.#world = new World(bytes, STATE_LIMITS);
    this.#rest = bytes.allocate(0);
    this.#reader = new Reader(bytes, this.#rest);
  }

  add(slice: Uint8Array): StateStop | null {
    if (this.#stop !== null) return this.#stop;
    const all = this.#rest.length === 0 ? slice : this.#joined(slice);
    let at = 0;
    for (;;) {
      const end = this.#readFrame(all, at);
      if (end < 0 || this.#stop !== null) break;
      at = end;
    }
    this.#rest = all.slice(at);
    return this.#stop;
  }

  finish(): Machine {
    if (!this.#ended || this.#rest.length > 0) {
      throw new DecodeError("snapshot", this.#items, "cut short");
    }
    this.#enterLines();
    this.#last.clear();
    return new Machine(this.#bytes, this.#world.limits, this.#world);
  }

  #joined(slice: Uint8Array): Uint8Array {
    const all = this.#bytes.allocate(this.#rest.length + slice.length);
    all.set(this.#rest);
    all.set(slice, this.#rest.length);
    return all;
  }

  /** Reads the item at `at`; its end, or -1 when it is not all here. */
  #readFrame(all: Uint8Array, at: number): number {
    const reader = this.#reader;
    const headEnd = lengthEnd(all, at);
    if (headEnd < 0) return -1;
    reader.reset(all, at, headEnd);
    const length = reader.count("item", 0x4000_0000);
    if (all.length - headEnd < length) return -1;
    reader.reset(all, headEnd, headEnd + length);
    if (this.#ended) throw reader.error("snapshot", "goes on after its end");
    this.#readItem(reader);
    if (this.#stop === null) reader.end("item");
    this.#items++;
    return headEnd + length;
  }

  #readItem(from: Reader): void {
    const tag = from.u8("item");
    if ((this.#items === 0) !== (tag === ITEM.header))
      throw from.error("snapshot", "has no header");
    if (tag !== ITEM.answer) this.#closeWindow();
    switch (tag) {
      case ITEM.header:
        this.#readHeader(from);
        return;
      case ITEM.meta:
        this.#readMeta(from);
        return;
      case ITEM.record:
        this.#readRecord(from);
        return;
      case ITEM.lease:
        this.#readLease(from);
        return;
      case ITEM.endedLease:
        this.#readEndedLease(from);
        return;
      case ITEM.endedEntry:
        this.#readEndedEntry(from);
        return;
      case ITEM.change:
        this.#readChange(from);
        return;
      case ITEM.window:
        this.#readWindow(from);
        return;
      case ITEM.answer:
        this.#readAnswer(from);
        return;
      case ITEM.idempotent:
        this.#readIdempotent(from);
        return;
      case ITEM.rule:
        this.#readRule(from);
        return;
      case ITEM.job:
        this.#readJob(from);
        return;
      case ITEM.slot:
        this.#readSlot(from);
        return;
      case ITEM.end:
        if (from.count("items") !== this.#items) throw from.error("snapshot", "lacks items");
        this.#ended = true;
        return;
      default:
        throw from.error("item", `is of unknown kind ${tag}`);
    }
  }

  #readHeader(from: Reader): void {
    if (from.string("magic", 16) !== STATE_MAGIC) throw from.error("magic", "is not a state's");
    const format = from.count("format");
    this.#format = format;
    if (format <= STATE_FORMAT) return;
    const message = `the snapshot has format ${format}; this program reads up to ${STATE_FORMAT}: start a newer version of it`;
    this.#stop = { code: "STATE_FORMAT_TOO_NEW", message };
  }

  #readMeta(from: Reader): void {
    const world = this.#world;
    world.appliedIndex = from.count("appliedIndex");
    world.revision = from.count("revision");
    world.clusterTimeMs = from.count("clusterTimeMs");
    world.wallTimeMs = from.count("wallTimeMs");
    world.endedEntries.forgottenToken = from.count("forgottenToken");
    world.history.startAt(from.count("oldestRevision"));
    const limits: Record<string, number> = { ...STATE_LIMITS };
    const size = from.items("limits", 1_000, 2);
    for (let i = 0; i < size; i++) {
      const name = text(from, "limit");
      if (!Object.hasOwn(STATE_LIMITS, name))
        throw from.error("limit", "is unknown to this format");
      limits[name] = from.count("limit");
    }
    world.limits = limits as StateLimits;
  }

  #readRecord(from: Reader): void {
    const world = this.#world;
    const record = readRecord(from, this.#format);
    world.kv.set(record.key, record);
    world.bytes += recordBytes(record);
    if (record.lease !== "") world.leaseKeys.add(record.lease, record.key);
    if (record.entry !== null) this.#entries.push(record);
  }

  #readLease(from: Reader): void {
    const id = text(from, "lease");
    const ttlMs = from.count("ttlMs");
    const owner = text(from, "owner");
    const labels = readLabels(from);
    const belongsTo = text(from, "belongsTo");
    const lease = new Lease(id, ttlMs, owner, labels, belongsTo, from.count("sinceIndex"));
    this.#world.leases.set(id, lease);
    this.#world.bytes += leaseBytes(lease);
  }

  #readEndedLease(from: Reader): void {
    const id = text(from, "lease");
    const reason = readWord(from, END_REASONS, "reason");
    this.#world.endedLeases.push(new EndedLease(id, reason, from.count("endedMs")));
  }

  #readEndedEntry(from: Reader): void {
    const name = text(from, "name");
    const key = text(from, "key");
    const token = from.count("token");
    const lease = text(from, "lease");
    const owner = text(from, "owner");
    const reason = readWord(from, END_REASONS, "reason");
    const held = from.boolean("held");
    const since = new Moment(from.count("sinceMs"), 0);
    const endedMs = from.count("endedMs");
    const at = new Moment(endedMs, from.count("endedWallMs"));
    const isOld = this.#format < 2;
    const mode = isOld ? "exclusive" : readWord(from, MODES, "mode");
    const fence = isOld ? 0 : from.count("fence");
    const isBlamed = !isOld && from.boolean("blame");
    const blame = isBlamed ? { by: text(from, "by"), why: text(from, "why") } : null;
    const ended = new EndedEntry(
      name,
      key,
      token,
      lease,
      owner,
      reason,
      held,
      since,
      at,
      mode,
      fence,
      blame,
      isOld ? "" : text(from, "was"),
      isOld ? "" : text(from, "movedTo"),
    );
    this.#world.endedEntries.push(ended);
    this.#world.lines.remember(ended, this.#world.limits.recentPerLine);
  }

  #readRule(from: Reader): void {
    const name = text(from, "name");
    const permits = from.count("permits");
    const declared = from.count("declared");
    const lockDelayMs = from.count("lockDelayMs");
    const rule = { name, permits, declared, lockDelayMs, maxHoldMs: from.count("maxHoldMs") };
    this.#world.rules.set(name, rule);
    this.#world.bytes += ruleBytes(rule);
  }

  #readJob(from: Reader): void {
    const name = text(from, "job");
    const floor = from.count("floor");
    this.#world.slots.setJob({ name, floor, closed: from.count("closed") });
  }

  #readSlot(from: Reader): void {
    const job = text(from, "job");
    const slot = from.count("slot");
    const outcome = readWord(from, OUTCOMES, "outcome");
    const note = text(from, "note");
    const token = from.count("token");
    const owner = text(from, "owner");
    const endedWallMs = from.count("endedWallMs");
    this.#world.slots.add({ job, slot, outcome, note, token, owner, endedWallMs });
  }

  #readChange(from: Reader): void {
    const revision = from.count("revision");
    const sub = from.count("sub");
    const cause = readWord(from, CAUSES, "cause");
    const key = text(from, "key");
    const record = this.#readShared(from, key);
    const prev = this.#readShared(from, key);
    if (record !== null) this.#last.set(key, record);
    else this.#last.delete(key);
    this.#world.history.push(new Change(revision, sub, cause, key, record, prev));
  }

  #readShared(from: Reader, key: string): KvRecord | null {
    const shared = from.u8("record");
    if (shared === SHARED.none) return null;
    if (shared === SHARED.full) return readRecord(from, this.#format);
    const known = shared === SHARED.live ? this.#world.kv.get(key) : this.#last.get(key);
    if (known === undefined) throw from.error("record", "names one that is not there");
    return known;
  }

  #readWindow(from: Reader): void {
    const client = text(from, "client");
    const lease = text(from, "lease");
    const lastUsedMs = from.count("lastUsedMs");
    const floor = from.count("floor");
    const window = this.#world.requests.newWindow(client, from.count("overflowAt"));
    window.lease = lease;
    window.lastUsedMs = lastUsedMs;
    window.floor = floor;
    this.#window = window;
  }

  #readAnswer(from: Reader): void {
    if (this.#window === null) throw from.error("answer", "belongs to no client");
    const number = from.count("number");
    const fingerprint = text(from, "fingerprint");
    if (fingerprint.length !== 8) throw from.error("fingerprint", "must have 8 bytes");
    if (this.#window.answers.get(number) !== undefined) throw from.error("answer", "comes twice");
    const a = fingerprintWord(fingerprint, 0);
    const b = fingerprintWord(fingerprint, 1);
    const result = readAnswer(from);
    this.#window.keep(new KeptAnswer(number, a, b, result, answerBytes(result)));
  }

  #closeWindow(): void {
    if (this.#window === null) return;
    this.#world.requests.addWindow(this.#window, this.#world.limits);
    this.#window = null;
  }

  #readIdempotent(from: Reader): void {
    const key = text(from, "idempotency key");
    const fingerprint = text(from, "fingerprint");
    const lastUsedMs = from.count("lastUsedMs");
    const answer = new IdempotentAnswer(key, fingerprint, readAnswer(from), lastUsedMs);
    this.#world.requests.addKey(answer, this.#world.limits);
  }

  #enterLines(): void {
    const world = this.#world;
    for (const record of this.#entries) {
      const { entry, lease } = record;
      // One whose lease has run out only keeps its line shut.
      const stays = lease === "" && entry?.granted === true && entry.extra.deadlineMs > 0;
      if (entry === null || !(stays || world.leases.has(lease))) {
        throw new DecodeError("entry", this.#items, "has no live lease");
      }
      indexEntry(world, record, entry);
    }
  }
}

/** Where the length at `at` ends; -1 when it is not all here. */
function lengthEnd(all: Uint8Array, at: number): number {
  for (let i = at; i < all.length && i < at + MAX_FRAME_BYTES; i++) {
    if ((all[i] as number) < 0x80) return i + 1;
  }
  return all.length - at >= MAX_FRAME_BYTES ? at + MAX_FRAME_BYTES : -1;
}
