/**
 * Data directories as real storage wrote them, with their whole history: after each step that was
 * acknowledged, what the node knew, and what every file held. Small limits, so that rotation,
 * cutting and snapshots of several pieces are in them.
 */
import type { LogIndex, NodeId } from "../../../src/base/ids.js";
import type { Entry, HardState } from "../../../src/raft/message/entry.js";
import type { AppendRequest, Storage } from "../../../src/storage/contract.js";
import { SECTOR_BYTES } from "../../../src/storage/layout.js";
import { entries, entry, metadata, payload, SMALL, vote, World } from "../../storage/world.js";

export type Files = ReadonlyMap<string, Uint8Array>;

/** What was durable at one moment. */
export interface Moment {
  readonly hardState: HardState;
  readonly peers: ReadonlyMap<NodeId, string>;
  /** Every entry that stands, by index; those a snapshot holds as well. */
  readonly log: ReadonlyMap<number, Entry>;
  readonly lastIndex: number;
  readonly files: Files;
  /** Where the batch of this moment was written; null where none was. */
  readonly batch: Place | null;
}

export interface Place {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

export interface Sample {
  /** In order; the last is what lies on the disk. */
  readonly moments: readonly Moment[];
}

/** What the snapshot at an index holds, whoever wrote it. */
export const contentAt = (index: number): Uint8Array => payload(index, 1, 2600);

/** Drives a storage and writes down what it acknowledged. */
class Scribe {
  readonly world = new World(7, SMALL);
  readonly storage: Storage = this.world.fresh();
  readonly moments: Moment[] = [];
  #hardState: HardState = vote(0, null);
  readonly #peers = new Map<NodeId, string>();
  readonly #log = new Map<number, Entry>();
  #lastIndex = 0;

  constructor() {
    this.#note();
  }

  append(request: AppendRequest): void {
    this.world.append(this.storage, request);
    if (request.hardState !== undefined) this.#hardState = request.hardState;
    const first = request.truncateFrom ?? request.entries[0]?.index;
    if (first !== undefined) this.#dropFrom(first);
    for (const each of request.entries) this.#log.set(each.index, each);
    this.#lastIndex = Math.max(this.#lastIndex, ...request.entries.map(({ index }) => index));
    this.#note();
  }

  peer(id: number, incarnation: string): void {
    this.world.peer(this.storage, id, incarnation);
    this.#peers.set(id as NodeId, incarnation);
    this.#note();
  }

  snapshot(index: number, atTerm: number): void {
    this.world.fill(this.storage.beginSnapshot(metadata(index, atTerm)), contentAt(index));
    this.#note();
  }

  install(index: number, atTerm: number): void {
    this.world.fill(this.storage.installSnapshot(metadata(index, atTerm)), contentAt(index));
    this.#log.clear();
    this.#lastIndex = index;
    this.#note();
  }

  end(): Sample {
    this.world.close(this.storage);
    this.world.settle();
    return { moments: this.moments };
  }

  #dropFrom(first: LogIndex): void {
    for (const index of this.#log.keys()) if (index >= first) this.#log.delete(index);
    this.#lastIndex = Math.min(this.#lastIndex, first - 1);
  }

  #note(): void {
    this.world.settle();
    const files = filesOf(this.world);
    this.moments.push({
      hardState: this.#hardState,
      peers: new Map(this.#peers),
      log: new Map(this.#log),
      lastIndex: this.#lastIndex,
      files,
      batch: writtenBetween(this.moments.at(-1)?.files ?? new Map(), files),
    });
  }
}

export function filesOf(world: World): Files {
  const { disk } = world;
  return new Map(disk.paths().map(path => [path, disk.bytes(path) ?? new Uint8Array()]));
}

const fresh = (): Sample => new Scribe().end();

/** The last segment that changed, and where; a fresh one that is still empty has not. */
function writtenBetween(before: Files, after: Files): Place | null {
  let place: Place | null = null;
  for (const [path, now] of after) {
    if (!/segment-\d+$/.test(path)) continue;
    const then = before.get(path) ?? new Uint8Array();
    const end = endOfData(now);
    let from = SECTOR_BYTES;
    while (from < end && now[from] === then[from]) from += 1;
    if (from < end) place = { path, from: from - (from % SECTOR_BYTES), to: end };
  }
  return place;
}

/** Zeros at the end are space that was not used yet. */
function endOfData(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

function young(): Sample {
  const scribe = new Scribe();
  scribe.append({ hardState: vote(1, 7), entries: [entry(1, 1)] });
  scribe.peer(3, "00000000000000aa");
  scribe.append({ entries: entries(2, 3, 1) });
  scribe.append({ entries: [entry(4, 1)] });
  // Room is left behind the last batch, for one that comes twice.
  scribe.append({ entries: [entry(5, 1)] });
  return scribe.end();
}

function rotated(): Sample {
  const scribe = new Scribe();
  scribe.append({ hardState: vote(1, 7), entries: [entry(1, 1, 600)] });
  for (let n = 2; n <= 8; n += 1) scribe.append({ entries: [entry(n, 1, 700)] });
  scribe.peer(3, "00000000000000aa");
  // Another leader's entries in place of the tail, and a batch with zero sectors of its own.
  scribe.append({ hardState: vote(3, null), entries: entries(7, 9, 3, 200) });
  scribe.append({ entries: [{ ...entry(10, 3), payload: new Uint8Array(1700) }] });
  scribe.append({ hardState: vote(4, 3), entries: [] });
  scribe.append({ entries: [entry(11, 4, 900)] });
  return scribe.end();
}

function cut(): Sample {
  const scribe = new Scribe();
  scribe.append({ hardState: vote(1, 7), entries: entries(1, 2, 1, 700) });
  for (let n = 3; n <= 8; n += 1) scribe.append({ entries: [entry(n, 1, 800)] });
  scribe.snapshot(5, 1);
  for (let n = 9; n <= 14; n += 1) scribe.append({ entries: [entry(n, 1, 800)] });
  scribe.snapshot(11, 1);
  scribe.append({ hardState: vote(2, 7), entries: [entry(15, 2, 100)] });
  scribe.append({ entries: [entry(16, 2, 100)] });
  return scribe.end();
}

function installed(): Sample {
  const scribe = new Scribe();
  scribe.append({ hardState: vote(1, 3), entries: entries(1, 3, 1, 400) });
  scribe.append({ hardState: vote(5, null), entries: [] });
  scribe.install(40, 5);
  for (let n = 41; n <= 45; n += 1) scribe.append({ entries: [entry(n, 5, 500)] });
  return scribe.end();
}

const MAKERS: Readonly<Record<string, () => Sample>> = {
  fresh,
  young,
  rotated,
  cut,
  installed,
};
export const SAMPLE_NAMES = Object.keys(MAKERS);

const made = new Map<string, Sample>();

/** Made once; nobody changes it. */
export function sampleOf(name: string): Sample {
  const known = made.get(name);
  if (known !== undefined) return known;
  const make = MAKERS[name];
  if (make === undefined) throw new Error(`there is no sample ${name}`);
  const sample = make();
  made.set(name, sample);
  return sample;
}
