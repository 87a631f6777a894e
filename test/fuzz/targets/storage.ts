/**
 * Recovery of a data directory to which something happened. It either gives what was durable, or
 * stops by name and changes nothing:
 *
 * - Where a batch that was acknowledged still stands as it was written, all up to it is there, or
 *   the node stops: a later one is proof that those before it were durable.
 * - What is there beyond is what some acknowledged moment held, entry by entry.
 * - What recovery gave is given again by the next one, and the log goes on after it.
 *
 * Under good checksums anything may be written (`sealed`): then only that it stops or opens, twice
 * alike, and sets aside no more than the files could fill.
 */
import type { Entry, SnapshotMetadata } from "../../../src/raft/message/entry.js";
import { nodeChecksum } from "../../../src/server/ports/index.js";
import type { OpenResult, Recovered, Storage } from "../../../src/storage/contract.js";
import { openStorage } from "../../../src/storage/open.js";
import { DIRECTORY, entry, IDENTITY, SMALL, World } from "../../storage/world.js";
import { boundedBytes } from "../bounds.js";
import { type FuzzTarget, hold } from "../target.js";
import { type Faults, faults, faulty } from "./storage-faults.js";
import {
  contentAt,
  type Files,
  filesOf,
  type Moment,
  SAMPLE_NAMES,
  type Sample,
  sampleOf,
} from "./storage-sample.js";

/** Beyond what the files hold: arenas, pieces, heads. */
const OWN_BYTES = 64 * 1024;
/** Past it a log cannot go on; only forged ones come there. */
const LAST_INDEX = 2 ** 52;

/** A disk that holds these files, and what opens them. */
class Directory extends World {
  readonly #mostBytes: number;

  constructor(files: Files) {
    super(3, SMALL);
    this.#mostBytes = OWN_BYTES + Math.max(0, ...[...files.values()].map(({ length }) => length));
    const disk = this.disk.mount();
    this.wait(done => disk.makeDirectory(DIRECTORY, done));
    for (const [path, bytes] of files) {
      this.wait(done =>
        disk.open(path, "create", (_error, file) =>
          file?.writeAndSync([bytes], 0, () => file.close(() => done(null))),
        ),
      );
    }
    this.wait(done => disk.syncDirectory(DIRECTORY, done));
    this.disk.kill();
  }

  override start(done: (result: OpenResult) => void): void {
    openStorage(
      {
        disk: this.disk.mount(),
        directory: DIRECTORY,
        clock: this.loop,
        bytes: boundedBytes(() => this.#mostBytes),
        checksum: nodeChecksum,
        random: this.random,
        limits: SMALL,
        onFatal: stop => this.fatal.push(stop),
      },
      done,
    );
  }
}

/** What recovery gave, as text to compare. */
function told({ hardState, snapshot, entries, peers }: Recovered): string {
  const log = entries.map(({ index, term, kind, payload }) => [
    index,
    term,
    kind,
    nodeChecksum.crc32(payload),
  ]);
  return JSON.stringify([hardState, [...peers], snapshot, log]);
}

export const storage: FuzzTarget<Faults> = {
  name: "storage",
  promise: "recovery gives what was durable, or stops by name and changes nothing",
  reaches: ["all of it", "a part", "DAMAGED", "sealed: opened", "sealed: DAMAGED"],
  shortRuns: 700,

  samples: () =>
    Object.fromEntries(SAMPLE_NAMES.map(sample => [sample, { sample, faults: [], sealed: false }])),

  inputs: (_corpus, size) => faults(SAMPLE_NAMES, size),

  fuzz: input => {
    const sample = sampleOf(input.sample);
    const files = faulty(sample, input);
    const directory = new Directory(files);
    const result = directory.tryOpen();
    const outcome = result.ok
      ? opened(directory, result, sample, files, input.sealed)
      : stopped(directory, result, files);
    hold(directory.fatal.length === 0, `the storage fails: ${directory.fatal[0]?.message}`);
    return input.sealed ? `sealed: ${outcome}` : outcome;
  },
};

function stopped(
  directory: Directory,
  { stop }: Extract<OpenResult, { ok: false }>,
  files: Files,
): string {
  const { code, message, remedy, file } = stop;
  hold(code === "DAMAGED" || code === "FORMAT_TOO_NEW", `${code} is no stop of recovery`);
  hold(message.includes(file) && remedy !== "", "a stop names the file and a remedy");
  const now = filesOf(directory);
  hold(
    now.size === files.size &&
      [...files].every(([path, bytes]) => same(bytes, now.get(path) ?? null)),
    `${code} has changed a file`,
  );
  const again = directory.tryOpen();
  hold(!again.ok && again.stop.message === message, "a stop comes again as it was");
  return code;
}

const same = (a: Uint8Array, b: Uint8Array | null): boolean =>
  b !== null && Buffer.compare(a, b) === 0;

function opened(
  directory: Directory,
  { storage: first, recovered }: Extract<OpenResult, { ok: true }>,
  sample: Sample,
  files: Files,
  sealed: boolean,
): string {
  const before = told(recovered);
  let outcome = "opened";
  if (!sealed) outcome = judge(recovered, sample, files);
  if (recovered.snapshot !== null) readSnapshot(directory, first, recovered.snapshot, sealed);
  directory.close(first);
  const second = directory.open();
  hold(told(second.recovered) === before, "the next recovery gives what this one gave");
  if (recovered.identity !== null) goOn(directory, second.storage, second.recovered);
  else directory.close(second.storage);
  return outcome;
}

function readSnapshot(
  directory: Directory,
  from: Storage,
  { index }: SnapshotMetadata,
  sealed: boolean,
): void {
  const content = directory.readSnapshot(from);
  hold(sealed || same(content, contentAt(index)), `the snapshot at ${index} is what was written`);
}

/** One entry more is there after one start more. */
function goOn(directory: Directory, from: Storage, { hardState, entries }: Recovered): void {
  const { lastIndex, lastTerm } = from;
  if (lastIndex >= LAST_INDEX) {
    directory.close(from);
    return;
  }
  const next = entry(lastIndex + 1, Math.max(hardState.term, lastTerm));
  directory.append(from, { entries: [next] });
  directory.close(from);
  const { recovered, storage: last } = directory.open();
  directory.close(last);
  const found = recovered.entries.at(-1);
  hold(
    found !== undefined &&
      sameEntry(found, next) &&
      recovered.entries.length === entries.length + 1,
    "the log goes on after what was recovered",
  );
}

/** What was recovered, held against the moments that were acknowledged. */
function judge(recovered: Recovered, sample: Sample, files: Files): string {
  const { moments } = sample;
  const floor = standing(sample, files);
  if (recovered.identity === null) {
    hold(floor < 0, "a node's data are not taken for an empty directory");
    return "empty";
  }
  hold(JSON.stringify(recovered.identity) === JSON.stringify(IDENTITY), "the node is who it was");
  for (let at = moments.length - 1; at >= Math.max(0, floor); at -= 1)
    if (fits(recovered, moments[at] as Moment))
      return at === moments.length - 1 ? "all of it" : "a part";
  const { hardState, snapshot, entries } = recovered;
  const what = `term ${hardState.term}, snapshot ${snapshot?.index}, ${entries.length} entries`;
  hold(false, `${what} up to ${entries.at(-1)?.index} were never durable from moment ${floor} on`);
}

/** The last moment whose batch stands as it was written; -1: none does. */
function standing({ moments }: Sample, files: Files): number {
  const last = moments.length - 1;
  for (let at = last; at >= 0; at -= 1) {
    const { batch, files: then } = moments[at] as Moment;
    if (batch === null) continue;
    const { path, from, to } = batch;
    const written = then.get(path)?.subarray(from, to) ?? null;
    const found = files.get(path)?.subarray(from, to);
    if (found !== undefined && same(found, written)) return at;
  }
  return -1;
}

/** A snapshot may be newer than the log that lies beside it; then the log is dropped. */
function fits({ hardState, peers, snapshot, entries }: Recovered, moment: Moment): boolean {
  const { term, votedFor } = moment.hardState;
  if (hardState.term !== term || hardState.votedFor !== votedFor) return false;
  if (JSON.stringify([...peers]) !== JSON.stringify([...moment.peers])) return false;
  const base = snapshot?.index ?? 0;
  const isPast = base > moment.lastIndex;
  const wanted = isPast ? 0 : moment.lastIndex - base;
  return (
    entries.length === wanted &&
    entries.every((one, n) => {
      const truth = moment.log.get(base + 1 + n);
      return truth !== undefined && sameEntry(one, truth);
    })
  );
}

const sameEntry = (a: Entry, b: Entry): boolean =>
  a.index === b.index && a.term === b.term && a.kind === b.kind && same(a.payload, b.payload);
