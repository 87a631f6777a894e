/**
 * A key's record, and what it knows beyond that when it is an entry of a line. Immutable, shared
 * by the live map, the history and snapshots. A class with one shape, since there are millions.
 */
import type { Labels } from "../command/command.js";
import type { RecordView } from "../command/result.js";
import type { Moment } from "../moment.js";

/** How an entry wants to hold: alone, beside other readers, or with one of a semaphore's permits. */
export type EntryMode = "exclusive" | "shared" | "permit";

/** Someone wants the lock, and asked its holder to hand it over. */
export interface Asked {
  /** Shown to people. */
  readonly by: string;
  readonly why: string;
  /** Cluster time until when the holder was given. */
  readonly untilMs: number;
  /** The key of the entry in line that is to be next; "": whoever stands first. */
  readonly to: string;
  /** Its grant ends then, if it stands until then. */
  readonly breaks: boolean;
}

/** The run of a job that an entry claims. */
export interface SlotClaim {
  readonly job: string;
  /** Which run: an integer, by custom the time it was scheduled for, in milliseconds since 1970. */
  readonly slot: number;
  /** What becomes of it when the claim ends without an outcome. */
  readonly onAbandon: "reclaim" | "close";
}

/** What few entries have, apart, so that the many are small. Immutable. */
export interface EntryExtra {
  /** How many may hold at once, as the request named it; 0 in a line that is no semaphore. */
  readonly permits: number;
  /**
   * The token of a shared grant: the create revision of the entry that opened the present run of
   * readers. 0: it is the entry's own create revision.
   */
  readonly fence: number;
  /**
   * Of a request for several names: in its first entry the keys of them all, in their order; in
   * the others the first one's key alone (`groupOf` in world.ts finds all). Empty in all others.
   */
  readonly group: readonly string[];
  /**
   * Cluster time: when a grant has been held for as long as it may; or, of an entry without its
   * lease, when the lock's delay ends and it goes. 0: never.
   */
  readonly deadlineMs: number;
  /** What its holder says of its work. */
  readonly progress: string;
  readonly asked: Asked | null;
  /**
   * The key under which it first entered the line, when another was let go before it since; "":
   * this one. Whoever asks by that key is answered of this entry.
   */
  readonly was: string;
  /** Not null: the entry is a claim. */
  readonly claim: SlotClaim | null;
  /** It came as a plain key, from a client that reckons by its create revision. */
  readonly isForeign: boolean;
}

/** The group of an entry that came by itself. */
export const ALONE: readonly string[] = [];
/** Of an entry that has nothing of all that. */
export const PLAIN: EntryExtra = {
  permits: 0,
  fence: 0,
  group: ALONE,
  deadlineMs: 0,
  progress: "",
  asked: null,
  was: "",
  claim: null,
  isForeign: false,
};
/** Of an entry that came as a plain key. */
export const FOREIGN: EntryExtra = { ...PLAIN, isForeign: true };

/** What makes a record an entry: set at its creation only, save for the grant and what is extra. */
export class EntryDetail {
  /** The line it stands in. */
  readonly name: string;
  /** Place within the write that created it. */
  readonly sub: number;
  readonly mode: EntryMode;
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
  readonly extra: EntryExtra;

  constructor(
    name: string,
    sub: number,
    mode: EntryMode,
    owner: string,
    labels: Labels | null,
    actor: string,
    ownsLease: boolean,
    entered: Moment,
    grantRevision: number,
    grantedAt: Moment,
    extra: EntryExtra,
  ) {
    this.name = name;
    this.sub = sub;
    this.mode = mode;
    this.owner = owner;
    this.labels = labels;
    this.actor = actor;
    this.ownsLease = ownsLease;
    this.entered = entered;
    this.grantRevision = grantRevision;
    this.grantedAt = grantedAt;
    this.extra = extra;
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
  holding(revision: number, now: Moment, extra: EntryExtra): EntryDetail {
    return this.#changed(revision, now, extra);
  }

  /** The same entry; only what is extra is other. */
  having(extra: EntryExtra): EntryDetail {
    return this.#changed(this.grantRevision, this.grantedAt, extra);
  }

  /** The same entry once its lease has run out: in line until `deadlineMs`, and nobody's any more. */
  staying(deadlineMs: number): EntryDetail {
    const { name, sub, mode, owner, labels, entered, grantRevision, grantedAt } = this;
    const { permits, fence } = this.extra;
    const extra = { ...PLAIN, permits, fence, deadlineMs };
    return new EntryDetail(
      name,
      sub,
      mode,
      owner,
      labels,
      "",
      false,
      entered,
      grantRevision,
      grantedAt,
      extra,
    );
  }

  #changed(grantRevision: number, grantedAt: Moment, extra: EntryExtra): EntryDetail {
    const { name, sub, mode, owner, labels, actor, ownsLease, entered } = this;
    return new EntryDetail(
      name,
      sub,
      mode,
      owner,
      labels,
      actor,
      ownsLease,
      entered,
      grantRevision,
      grantedAt,
      extra,
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

/** An entry whose lease lives. */
export type LiveEntry = KvRecord & { readonly entry: EntryDetail };

/**
 * Whether it is an entry that holds or waits. One whose lease ran out may stay in line for a while,
 * so that nobody is granted in its place at once; it does not hold any more.
 */
export function isLiveEntry(record: KvRecord | null | undefined): record is LiveEntry {
  if (record === undefined || record === null) return false;
  return record.entry !== null && record.lease !== "";
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
  return value.length + shown + extraBytes(entry.extra);
}

const EXTRA_BYTES = 120;
const CLAIM_BYTES = 60;

function extraBytes(extra: EntryExtra): number {
  if (extra === PLAIN || extra === FOREIGN) return 0;
  let bytes = EXTRA_BYTES + extra.progress.length + extra.was.length;
  for (const key of extra.group) bytes += key.length;
  if (extra.claim !== null) bytes += CLAIM_BYTES + extra.claim.job.length;
  const { asked } = extra;
  return asked === null ? bytes : bytes + asked.by.length + asked.why.length + asked.to.length;
}

/** Equal to PLAIN or FOREIGN: that very object, so that equal states count equal bytes. */
export function compactExtra(extra: EntryExtra): EntryExtra {
  const { permits, fence, group, deadlineMs, progress, asked, was, claim, isForeign } = extra;
  const isBare = permits === 0 && fence === 0 && group.length === 0 && deadlineMs === 0;
  const isSilent = progress === "" && asked === null && was === "" && claim === null;
  if (!isBare || !isSilent) return extra;
  return isForeign ? FOREIGN : PLAIN;
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
