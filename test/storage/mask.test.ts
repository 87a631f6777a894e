/** No batch holds a zero sector on disk: its bytes. A whole log of such is in damage.test.ts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logIndex } from "../../src/base/ids.js";
import type { Entry } from "../../src/raft/message/entry.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import {
  BatchEncoder,
  type BatchHeader,
  batchRecords,
  copiedBytes,
  readBatchHeader,
  readWholeBatch,
} from "../../src/storage/batch.js";
import { RECORD_HEAD_BYTES, readRecords } from "../../src/storage/record.js";
import { scanSegment } from "../../src/storage/scan.js";
import { entry, stairs } from "./world.js";

const SECTOR = 512;
const SALT = 77;

function encode(entries: readonly Entry[], encoder = new BatchEncoder(nodeBytes, nodeChecksum)) {
  const copied = entries.map(each => RECORD_HEAD_BYTES + copiedBytes(each.payload.length));
  encoder.begin(copied.reduce((sum, each) => sum + each, 0));
  for (const each of entries) encoder.addEntry(each);
  encoder.seal(5, 0xdeadbeef, SALT);
  return new Uint8Array(Buffer.concat(encoder.parts));
}

function decode(batch: Uint8Array): { header: BatchHeader; entries: Entry[] } {
  const header = readBatchHeader(batch, 0, SALT, nodeChecksum);
  if (header === null) throw new Error("no header");
  expect(readWholeBatch(batch, 0, header, nodeChecksum)).not.toBeNull();
  const entries: Entry[] = [];
  const records = batchRecords(batch, 0, header, nodeBytes);
  const bad = readRecords(records, 0, records.length, each => {
    if (each.type === "entry") entries.push(each.entry);
  });
  expect(bad).toBeNull();
  return { header, entries };
}

/** The bytes that whole sectors of `batch` are made of. */
function sectorBytes(batch: Uint8Array): Set<number> {
  const found = new Set<number>();
  for (let at = 0; at < batch.length; at += SECTOR) {
    const kinds = new Set(batch.subarray(at, at + SECTOR));
    if (kinds.size === 1) for (const kind of kinds) found.add(kind);
  }
  return found;
}

const isSame = (one: Uint8Array, other: Uint8Array | undefined): boolean =>
  other !== undefined && Buffer.compare(one, other) === 0;

/** The batch as it would be without its mask. */
function plain(batch: Uint8Array, mask: number): Uint8Array {
  const inner = (at: number): boolean => at >= 40 && at < batch.length - 16;
  return batch.map((byte, at) => (inner(at) ? byte ^ mask : byte));
}

const zeros = (index: number, length: number): Entry => ({
  ...entry(index, 1),
  payload: new Uint8Array(length),
});

const run = fc.record({
  value: fc.constantFrom(0, 0, 0, 1, 2, 3, 255),
  length: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 500, max: 2600 })),
});
const payload = fc
  .array(run, { maxLength: 6 })
  .map(runs => Buffer.concat(runs.map(({ length, value }) => Buffer.alloc(length, value))));
const someEntries = fc
  .array(payload, { maxLength: 5 })
  .map(payloads =>
    payloads.map((each, n): Entry => ({ ...entry(n + 1, 1), payload: each as Uint8Array })),
  );

describe("a batch with zero sectors", () => {
  it("is masked, and only such a one, with the first byte that no sector is made of", () => {
    const encoder = new BatchEncoder(nodeBytes, nodeChecksum);
    const masks = new Map<number, number>();
    const check = (entries: readonly Entry[]): void => {
      const before = entries.map(each => Uint8Array.from(each.payload));
      const batch = encode(entries, encoder);
      expect(sectorBytes(batch)).not.toContain(0);
      const { entries: found, header } = decode(batch);
      expect(found.map(each => each.index)).toEqual(entries.map(each => each.index));
      for (const [n, payload] of before.entries()) {
        expect(isSame(payload, found[n]?.payload)).toBe(true);
        // Payloads are others', and stay as they are.
        expect(isSame(payload, entries[n]?.payload)).toBe(true);
      }
      const taken = sectorBytes(plain(batch, header.mask));
      let want = 0;
      while (taken.has(want)) want += 1;
      expect(header).toMatchObject({ mask: want, hasZeroSector: false });
      masks.set(want, (masks.get(want) ?? 0) + 1);
    };
    fc.assert(fc.property(someEntries, check), { numRuns: 400 });
    for (const mask of [0, 1, 2]) expect(masks.get(mask) ?? 0, `mask ${mask}`).toBeGreaterThan(5);
  });

  it("has none on disk at any length of its zeros, however they end in the last sectors", () => {
    const encoder = new BatchEncoder(nodeBytes, nodeChecksum);
    let masked = 0;
    for (let length = 400; length < 20_480; length += length < 3000 ? 1 : 127) {
      const batch = encode([zeros(1, length)], encoder);
      expect([length, sectorBytes(batch).has(0)]).toEqual([length, false]);
      const { entries, header } = decode(batch);
      expect(entries[0]?.payload.length).toBe(length);
      if (header.mask !== 0) masked += 1;
      // From 945 bytes on the second sector is nothing but payload, or payload and 15 of padding.
      expect([length, header.mask]).toEqual([length, length < 945 ? 0 : 1]);
    }
    expect(masked).toBeGreaterThan(2000);
  });

  it("has none where a sector of mask bytes ends in padding", () => {
    const encoder = new BatchEncoder(nodeBytes, nodeChecksum);
    const masks = new Set<number>();
    for (let length = 900; length < 1600; length += 1) {
      const ones = { ...entry(2, 1), payload: new Uint8Array(length).fill(1) };
      const batch = encode([zeros(1, 1500), ones], encoder);
      expect([length, sectorBytes(batch).has(0)]).toEqual([length, false]);
      masks.add(decode(batch).header.mask);
    }
    expect(masks).toEqual(new Set([1, 2]));
  });

  it("leaves nothing of its mask to the batch after it", () => {
    const encoder = new BatchEncoder(nodeBytes, nodeChecksum);
    encode([zeros(1, 1500), zeros(2, 4000)], encoder);
    const next = [entry(3, 1, 100), entry(4, 1, 3000)];
    expect(encode(next, encoder)).toEqual(encode(next));
  });

  it("that are of all bytes but one is masked with that one", () => {
    for (const free of [1, 2, 100, 254, 255]) {
      const bytes = stairs(256 * 1024, 1024);
      for (let at = 0; at < bytes.length; at += 1) if (bytes[at] === free) bytes[at] = 0;
      const batch = encode([{ ...entry(1, 1), payload: bytes }]);
      expect(sectorBytes(batch)).not.toContain(0);
      const { entries, header } = decode(batch);
      expect(header).toMatchObject({ mask: free, hasZeroSector: false });
      expect(isSame(bytes, entries[0]?.payload)).toBe(true);
    }
  });

  it("of all 256 bytes finds no mask: it stands as it is, and says so", () => {
    const payload = stairs(256 * 1024, 1024);
    const batch = encode([{ ...entry(1, 1), payload }]);
    const { entries, header } = decode(batch);
    expect(header).toMatchObject({ mask: 0, hasZeroSector: true });
    expect(sectorBytes(batch).size).toBe(256);
    expect(isSame(payload, entries[0]?.payload)).toBe(true);
  });

  it("that lost any one sector is torn, wherever in the batch its zeros begin", () => {
    const encoder = new BatchEncoder(nodeBytes, nodeChecksum);
    for (let shift = 0; shift < SECTOR; shift += 1) {
      const length = [512, 1000, 1024, 2048, 4096, 20_480][shift % 6] as number;
      const index = logIndex(2);
      const batch = encode([entry(1, 1, shift), { ...zeros(2, length), index }], encoder);
      const segment = new Uint8Array(SECTOR + batch.length + 2 * SECTOR);
      const ending = (): string => {
        const { ending } = scanSegment(segment, SALT, null, nodeChecksum, () => {});
        return `${ending.kind} at ${ending.at}`;
      };
      segment.set(batch, SECTOR);
      expect(ending()).toBe(`clean at ${SECTOR + batch.length}`);
      for (let at = SECTOR; at < SECTOR + batch.length; at += SECTOR) {
        segment.fill(0, at, at + SECTOR);
        expect([shift, at, ending()]).toEqual([shift, at, `torn at ${SECTOR}`]);
        segment.set(batch.subarray(at - SECTOR, at), at);
      }
    }
  });
});

describe("a header's flags and mask", () => {
  const batch = encode([zeros(1, 2000)]);

  function headerWith(flags: number, mask: number): BatchHeader | null {
    const copy = batch.slice();
    const view = new DataView(copy.buffer);
    view.setUint32(4, flags, true);
    view.setUint32(32, mask, true);
    view.setUint32(36, nodeChecksum.crc32(copy.subarray(0, 36), SALT), true);
    return readBatchHeader(copy, 0, SALT, nodeChecksum);
  }

  it("that nobody writes are no header, though its checksum is good", () => {
    const masks = [0, 1, 2, 128, 255, 256, 257, 0x100_0000, 0xffff_ffff];
    for (const flags of [0, 1, 2, 3, 4, 6, 0x100, 0x8000_0000, 0xffff_ffff]) {
      for (const mask of masks) {
        const isKnown = flags === 2 ? mask >= 1 && mask <= 255 : flags <= 1 && mask === 0;
        const found = headerWith(flags, mask);
        expect([flags, mask, found !== null]).toEqual([flags, mask, isKnown]);
        if (found !== null) {
          expect(found).toMatchObject({ hasZeroSector: flags === 1, mask });
        }
      }
    }
  });

  it("stay byte for byte what version 1 writes", () => {
    const text = (from: number, to: number) =>
      Buffer.from(batch.subarray(from, to)).toString("hex");
    expect(text(0, 24)).toBe("484642310200000005000000000000000" + "00a0000e8070000");
    expect(text(24, 40)).toBe("efbeadde0100000001000000" + "4e5f4ebb");
    // The first record: 01 00 00 00 d0 07 00 00, index and term 1.
    expect(text(40, 64)).toBe("00010101d106010100010101010101010001010101010101");
    expect(text(2528, 2544)).toBe("01".repeat(16));
    expect(text(2544, 2552)).toBe("0500000000000000");
    expect(text(2556, 2560)).toBe("48464531");
  });
});
