/**
 * A key's record, and what it knows beyond that when it is an entry of a line. Immutable, shared
 * by the live map, the history and snapshots. A class with one shape, since there are millions.
 */
import type { Labels } from "../command/command.js";
import type { RecordView } from "../command/result.js";
import type { Moment } from "../moment.js";

/** What makes a record an entry: set at its creation only, save for the grant. */
export class EntryDetail {
  /** The line it stands in. */
  readonly name: string;
  /** Place within the write that created it. */
  readonly sub: number;
  readonly owner: string;
  readonly labels: Labels | null;
  readonly actor: string;
  /** True: its lease was made for it and ends with it. */
  readonly ownsLease: boolean;
  /** When it was created. */
  readonly entered: Moment;
  /** The state's revision at its grant; 0 while it waits. */
  readonly grantRevision: number;
  /** NEVER while it waits. */
  readonly grantedAt: Moment;

  constructor(
    name: string,
    sub: number,
    owner: string,
    labels: Labels | null,
    actor: string,
    ownsLease: boolean,
    entered: Moment,
    grantRevision: number,
    grantedAt: Moment,
  ) {
    this.name = name;
    this.sub = sub;
    this.owner = owner;
    this.labels = labels;
    this.actor = actor;
    this.ownsLease = ownsLease;
    this.entered = entered;
    this.grantRevision = grantRevision;
    this.grantedAt = grantedAt;
  }

  get granted(): boolean {
    return this.grantRevision > 0;
  }

  get enteredMs(): number {
    return this.entered.ms;
  }
  get enteredWallMs(): number {
    return this.entered.wallMs;
  }
  get grantedMs(): number {
    return this.grantedAt.ms;
  }
  get grantedWallMs(): number {
    return this.grantedAt.wallMs;
  }

  /** The same entry, holding since now. */
  holding(revision: number, now: Moment): EntryDetail {
    return new EntryDetail(
      this.name,
      this.sub,
      this.owner,
      this.labels,
      this.actor,
      this.ownsLease,
      this.entered,
      revision,
      now,
    );
  }
}

export class KvRecord {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** How often it was written since it was created: 1 at its creation. */
  readonly version: number;
  /** "" when it has none. */
  readonly lease: string;
  /** Up to 16 opaque bytes. */
  readonly tag: string;
  /** Not null: the record is an entry of a line. */
  readonly entry: EntryDetail | null;

  constructor(
    key: string,
    value: string,
    createRevision: number,
    modRevision: number,
    version: number,
    lease: string,
    tag: string,
    entry: EntryDetail | null,
  ) {
    this.key = key;
    this.value = value;
    this.createRevision = createRevision;
    this.modRevision = modRevision;
    this.version = version;
    this.lease = lease;
    this.tag = tag;
    this.entry = entry;
  }
}

const RECORD_BYTES = 160;
const ENTRY_BYTES = 240;

/** What a record counts for in the state's byte limit. */
export function recordBytes(record: KvRecord): number {
  const own = RECORD_BYTES + record.key.length + record.tag.length + textBytes(record);
  return record.entry === null ? own : own + ENTRY_BYTES;
}

/** What callers may make long in a record, beside its key: its value, and what an entry shows. */
export function textBytes(record: KvRecord): number {
  const { entry, value } = record;
  if (entry === null) return value.length;
  const { owner, actor, labels } = entry;
  const shown = owner.length + actor.length + (labels === null ? 0 : labelBytes(labels));
  return value.length + shown;
}

/** Names and values of labels. */
export function labelBytes(labels: Labels): number {
  let bytes = 0;
  for (const name of Object.keys(labels)) bytes += name.length + (labels[name]?.length ?? 0);
  return bytes;
}

export function viewOf(record: KvRecord, keysOnly = false): RecordView {
  const { key, value, createRevision, modRevision, version, lease } = record;
  if (keysOnly) {
    if (lease === "") return { key, createRevision, modRevision, version };
    return { key, createRevision, modRevision, version, lease };
  }
  if (lease === "") return { key, value, createRevision, modRevision, version };
  return { key, value, createRevision, modRevision, version, lease };
}
