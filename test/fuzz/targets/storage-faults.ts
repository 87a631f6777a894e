/**
 * What may happen to the files of a data directory that nobody has open: what disks do (bits flip,
 * sectors are zero or those of another place or time), what operators do (files lost, swapped,
 * copied, cut), and, with `sealed`, what only a program could: contents changed under good
 * checksums. Faults are data; places wrap around, so that every fault fits every directory.
 */
import fc from "fast-check";
import { HEAD_BYTES, SECTOR_BYTES } from "../../../src/storage/layout.js";
import { DIRECTORY } from "../../storage/world.js";
import { extreme, type Mutation, mutate, mutations } from "../mutator.js";
import type { Sample } from "./storage-sample.js";
import { BATCH_MAGIC, sealAll } from "./storage-seal.js";

export type Fault =
  | { readonly fault: "bytes"; readonly file: number; readonly changes: readonly Mutation[] }
  /** Changes only in what a batch may hold: from some sector's beginning on, near it. */
  | {
      readonly fault: "sector";
      readonly file: number;
      readonly sector: number;
      readonly changes: readonly Mutation[];
    }
  /** A number in a head or a header, where the format has them: on four bytes. */
  | {
      readonly fault: "field";
      readonly file: number;
      readonly sector: number;
      readonly word: number;
      readonly value: number;
    }
  | {
      readonly fault: "zero";
      readonly file: number;
      readonly sector: number;
      readonly sectors: number;
    }
  /** Sectors of one file come to stand in another, or elsewhere in the same. */
  | {
      readonly fault: "copy";
      readonly file: number;
      readonly sector: number;
      readonly sectors: number;
      readonly to: number;
      readonly toSector: number;
    }
  /** A whole batch comes again, where another begins or behind the last: lost or repeated writes. */
  | {
      readonly fault: "batch";
      readonly file: number;
      readonly batch: number;
      readonly to: number;
      readonly toBatch: number;
    }
  /** A whole batch was never written. */
  | { readonly fault: "loseBatch"; readonly file: number; readonly batch: number }
  | { readonly fault: "swap"; readonly file: number; readonly other: number }
  | { readonly fault: "lose"; readonly file: number }
  | { readonly fault: "cut"; readonly file: number; readonly size: number }
  | { readonly fault: "cutAtSector"; readonly file: number; readonly sector: number }
  /** The file as it was at an earlier moment: writes that the disk lost. */
  | { readonly fault: "stale"; readonly file: number; readonly moment: number }
  /** A copy of a file under a name that is, or looks like, one of storage's own. */
  | { readonly fault: "extra"; readonly file: number; readonly name: string };

export interface Faults {
  readonly sample: string;
  readonly faults: readonly Fault[];
  /** All checksums are made to fit afterwards. */
  readonly sealed: boolean;
}

const file = fc.nat(9);
// Heads and first batches come more often than what lies behind.
const sector = fc.oneof(fc.constant(0), fc.nat(3), fc.nat(24));
const sectors = fc.integer({ min: 1, max: 4 });

const NAMES = [
  ...["identity", "segment-0000000000000000", "segment-0000000000000001"],
  ...["segment-0000000000000007", "segment-0000000000000099", "segment-9999999999999999"],
  ...["segment-00000000000001", "segment-0000000000000002.part", "notes.txt"],
  ...["snapshot-0000000000000005-0000000000000001", "snapshot-0000000000000099-0000000000000001"],
  ...["snapshot-9999999999999999-0000000000000001", "snapshot-0000000000000005-000000000000000x"],
  "snapshot-0000000000000011-0000000000000001.damaged",
];

function fault(size: number): fc.Arbitrary<Fault> {
  const changes = mutations(size);
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ fault: fc.constant("bytes"), file, changes }) },
    { weight: 6, arbitrary: fc.record({ fault: fc.constant("sector"), file, sector, changes }) },
    {
      weight: 4,
      arbitrary: fc.record({
        fault: fc.constant("field"),
        file,
        sector,
        word: fc.nat(24),
        value: fc.oneof(fc.nat(4), fc.nat(2048), extreme),
      }),
    },
    { weight: 3, arbitrary: fc.record({ fault: fc.constant("zero"), file, sector, sectors }) },
    {
      weight: 3,
      arbitrary: fc.record({
        fault: fc.constant("copy"),
        file,
        sector,
        sectors,
        to: file,
        toSector: sector,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        fault: fc.constant("batch"),
        file,
        batch: fc.nat(6),
        to: file,
        toBatch: fc.nat(6),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ fault: fc.constant("loseBatch"), file, batch: fc.nat(6) }),
    },
    { weight: 1, arbitrary: fc.record({ fault: fc.constant("swap"), file, other: file }) },
    { weight: 2, arbitrary: fc.record({ fault: fc.constant("lose"), file }) },
    { weight: 1, arbitrary: fc.record({ fault: fc.constant("cut"), file, size: fc.nat(9000) }) },
    { weight: 1, arbitrary: fc.record({ fault: fc.constant("cutAtSector"), file, sector }) },
    { weight: 3, arbitrary: fc.record({ fault: fc.constant("stale"), file, moment: fc.nat(20) }) },
    {
      weight: 1,
      arbitrary: fc.record({ fault: fc.constant("extra"), file, name: fc.constantFrom(...NAMES) }),
    },
  );
}

export const faults = (names: readonly string[], size: number): fc.Arbitrary<Faults> =>
  fc.record({
    sample: fc.constantFrom(...names),
    faults: fc.array(fault(size), { maxLength: 1 + size }),
    sealed: fc.boolean(),
  });

/** The files of `sample` after all of it. */
export function faulty(sample: Sample, { faults: all, sealed }: Faults): Map<string, Uint8Array> {
  const last = sample.moments.at(-1)?.files ?? new Map();
  const files = new Map([...last].map(([path, bytes]) => [path, bytes.slice()]));
  for (const one of all) apply(files, sample, one);
  if (sealed) for (const [path, bytes] of files) files.set(path, sealAll(bytes));
  return files;
}

function apply(files: Map<string, Uint8Array>, sample: Sample, one: Fault): void {
  const paths = [...files.keys()].sort();
  const path = paths[one.file % Math.max(1, paths.length)];
  const bytes = path === undefined ? undefined : files.get(path);
  if (path === undefined || bytes === undefined) return;
  switch (one.fault) {
    case "bytes":
      files.set(path, mutate(bytes, one.changes));
      return;
    case "sector":
      files.set(path, mutateSector(bytes, one.sector, one.changes));
      return;
    case "field": {
      const at = place(bytes, one.sector) + 4 * one.word;
      const change = { do: "number", at, width: 4, value: one.value, little: true } as const;
      if (at < bytes.length) files.set(path, mutate(bytes, [change]));
      return;
    }
    case "zero":
      bytes.fill(
        0,
        place(bytes, one.sector),
        place(bytes, one.sector) + one.sectors * SECTOR_BYTES,
      );
      return;
    case "copy": {
      const target = files.get(paths[one.to % paths.length] ?? "") ?? bytes;
      const from = place(bytes, one.sector);
      const piece = bytes.slice(from, from + one.sectors * SECTOR_BYTES);
      const at = place(target, one.toSector);
      target.set(piece.subarray(0, target.length - at), at);
      return;
    }
    case "batch": {
      const all = batchesOf(bytes);
      const [from, end] = all[one.batch % Math.max(1, all.length)] ?? [0, 0];
      // Mostly within one segment: in another one the checksums begin otherwise.
      const target =
        one.to % 2 === 0 ? bytes : (files.get(paths[one.to % paths.length] ?? "") ?? bytes);
      const places = batchesOf(target);
      const behind = places.at(-1)?.[1] ?? HEAD_BYTES;
      const at = places[one.toBatch % (places.length + 1)]?.[0] ?? behind;
      const piece = bytes.slice(from, end);
      if (at < target.length) target.set(piece.subarray(0, target.length - at), at);
      return;
    }
    case "loseBatch": {
      const all = batchesOf(bytes);
      const [from, end] = all[one.batch % Math.max(1, all.length)] ?? [0, 0];
      bytes.fill(0, from, end);
      return;
    }
    case "swap": {
      const other = paths[one.other % paths.length] ?? path;
      files.set(path, files.get(other) ?? bytes).set(other, bytes);
      return;
    }
    case "lose":
      files.delete(path);
      return;
    case "cut":
      files.set(path, bytes.slice(0, one.size % (bytes.length + 1)));
      return;
    case "cutAtSector":
      files.set(path, bytes.slice(0, place(bytes, one.sector)));
      return;
    case "stale": {
      const then = sample.moments[one.moment % sample.moments.length]?.files.get(path);
      if (then === undefined) files.delete(path);
      else files.set(path, then.slice());
      return;
    }
    case "extra":
      files.set(`${DIRECTORY}/${one.name}`, bytes.slice());
  }
}

/** Where each batch of a segment begins and ends, as far as they stand one behind the other. */
function batchesOf(bytes: Uint8Array): (readonly [number, number])[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all: (readonly [number, number])[] = [];
  for (let at = HEAD_BYTES; at + SECTOR_BYTES <= bytes.length; ) {
    if (view.getUint32(at, true) !== BATCH_MAGIC) break;
    const end = at + Math.max(SECTOR_BYTES, view.getUint32(at + 16, true));
    all.push([at, end]);
    at = end;
  }
  return all;
}

/** Where a sector begins; it wraps around at the file's end. */
function place(bytes: Uint8Array, number: number): number {
  const all = Math.ceil(bytes.length / SECTOR_BYTES);
  return all === 0 ? 0 : (number % all) * SECTOR_BYTES;
}

/** Only the first bytes of a sector are changed: a head, a batch's header, its first records. */
function mutateSector(bytes: Uint8Array, number: number, changes: readonly Mutation[]): Uint8Array {
  const at = place(bytes, number);
  const piece = bytes.slice(at, at + HEAD_BYTES / 4);
  const changed = mutate(piece, changes).subarray(0, piece.length);
  bytes.set(changed, at);
  return bytes;
}
