import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logIndex, nodeId, term } from "../../src/base/ids.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import {
  BatchEncoder,
  batchRecords,
  copiedBytes,
  readBatchHeader,
  readWholeBatch,
} from "../../src/storage/batch.js";
import { type LogRecord, RECORD_HEAD_BYTES, readRecords } from "../../src/storage/record.js";
import { TermRuns } from "../../src/storage/term-runs.js";
import { entry } from "./world.js";

const count = fc.maxSafeNat();
const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const hex = fc.stringMatching(/^[0-9a-f]{16}$/);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.integer({ min: 0, max: 6000 }).map(length => new Uint8Array(length)),
  fc.integer({ min: 2000, max: 6000 }).map(length => new Uint8Array(length).fill(3)),
);

const record: fc.Arbitrary<LogRecord> = fc.oneof(
  fc.record({
    type: fc.constant("entry" as const),
    entry: fc.record({
      term: count.map(term),
      index: count.map(logIndex),
      kind: fc.constantFrom(0 as const, 1 as const),
      payload: bytes,
    }),
  }),
  fc.record({
    type: fc.constant("hardState" as const),
    hardState: fc.record({ term: count.map(term), votedFor: fc.option(id.map(nodeId)) }),
  }),
  fc.record({ type: fc.constant("truncate" as const), from: count.map(logIndex) }),
  fc.record({ type: fc.constant("peer" as const), peer: id.map(nodeId), incarnation: hex }),
  fc.record({
    type: fc.constantFrom("position" as const, "reset" as const),
    index: count.map(logIndex),
    term: count.map(term),
  }),
);

function add(encoder: BatchEncoder, each: LogRecord): void {
  if (each.type === "entry") encoder.addEntry(each.entry);
  else if (each.type === "hardState") encoder.addHardState(each.hardState);
  else if (each.type === "truncate") encoder.addTruncate(each.from);
  else if (each.type === "peer") encoder.addPeer(each.peer, each.incarnation);
  else if (each.type === "reset") encoder.addReset(each.index, each.term);
  else encoder.addPosition(each.index, each.term);
}

const encoder = new BatchEncoder(nodeBytes, nodeChecksum);

function encode(records: readonly LogRecord[], number = 5, salt = 77): Uint8Array {
  let copied = 0;
  for (const each of records) {
    copied += RECORD_HEAD_BYTES;
    if (each.type === "entry") copied += copiedBytes(each.entry.payload.length);
  }
  encoder.begin(copied);
  for (const each of records) add(encoder, each);
  encoder.seal(number, 0xdeadbeef, salt);
  return Uint8Array.from(encoder.parts.flatMap(part => [...part]));
}

describe("the batch's format", () => {
  it("gives back the records that went in, whatever they are", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), records => {
        const batch = encode(records);
        expect(batch.length % 512).toBe(0);
        expect(batch.length).toBe(encoder.length);
        const header = readBatchHeader(batch, 0, 77, nodeChecksum);
        if (header === null) throw new Error("no header");
        expect(header).toMatchObject({ number: 5, length: batch.length, previousCrc: 0xdeadbeef });
        expect(header.records).toBe(records.length);
        expect(readWholeBatch(batch, 0, header, nodeChecksum)).toBe(encoder.crc);
        const found: LogRecord[] = [];
        const plain = batchRecords(batch, 0, header, nodeBytes);
        expect(readRecords(plain, 0, plain.length, each => found.push(each))).toBeNull();
        expect(found).toEqual(records);
      }),
      { numRuns: 150 },
    );
  });

  it("is not read with another segment's salt", () => {
    expect(readBatchHeader(encode([]), 0, 78, nodeChecksum)).toBeNull();
  });

  it("has one checksum over header and records: no other good header makes it whole", () => {
    const batch = encode([{ type: "entry", entry: entry(9, 3, 100) }]);
    const view = new DataView(batch.buffer);
    const crcs = new Set<number | null>();
    for (const [field, value] of [
      [24, 1],
      [28, 2],
      [4, 1],
    ] as const) {
      const was = view.getUint32(field, true);
      view.setUint32(field, value, true);
      view.setUint32(36, nodeChecksum.crc32(batch.subarray(0, 36), 77), true);
      const header = readBatchHeader(batch, 0, 77, nodeChecksum);
      if (header === null) throw new Error("no header");
      crcs.add(readWholeBatch(batch, 0, header, nodeChecksum));
      view.setUint32(field, was, true);
    }
    expect([...crcs]).toEqual([null]);
  });

  it("arbitrary bytes are read as no record, or as some, and never throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), junk => {
        const bad = readRecords(junk, 0, junk.length, () => {});
        expect(bad === null || (bad >= 0 && bad <= junk.length)).toBe(true);
      }),
    );
  });

  it("stays byte for byte what version 1 wrote", () => {
    const batch = encode([
      { type: "hardState", hardState: { term: term(3), votedFor: nodeId(258) } },
      { type: "entry", entry: entry(9, 3, 4) },
      { type: "peer", peer: nodeId(2), incarnation: "0123456789abcdef" },
    ]);
    const text = (from: number, to: number) =>
      Buffer.from(batch.subarray(from, to)).toString("hex");
    expect(text(0, 40)).toBe(
      "4846423100000000050000000000000000020000" + "4c000000efbeadde0300000000000000d2fa4174",
    );
    expect(text(40, 64)).toBe("020100000000000003000000000000000201000000000000");
    expect(text(64, 92)).toBe("0100000004000000090000000000000003000000000000002e2f3031");
    expect(text(92, 116)).toBe("040000000000000002000000000000000123456789abcdef");
    expect(text(496, 504)).toBe("0500000000000000");
    expect(text(504, 512)).toBe("e72b8ead48464531");
  });
});

describe("the runs of terms", () => {
  it("answer like a plain list of terms", () => {
    const step = fc.record({
      kind: fc.constantFrom("push", "push", "push", "truncate", "cut", "reset"),
      at: fc.nat(1000),
      up: fc.nat(2),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const runs = new TermRuns();
        let base = 0;
        let terms: number[] = [0];
        for (const { at, kind, up } of steps) {
          const last = base + terms.length - 1;
          const within = base + 1 + (terms.length > 1 ? at % (terms.length - 1) : 0);
          if (kind === "push") {
            const next = (terms.at(-1) as number) + (up === 2 ? 1 : 0);
            runs.push(logIndex(last + 1), term(next));
            terms.push(next);
          } else if (kind === "truncate") {
            runs.truncate(logIndex(within));
            terms.length = Math.min(terms.length, within - base);
          } else if (kind === "cut" && terms.length > 1) {
            runs.cut(logIndex(within));
            terms = terms.slice(within - base);
            base = within;
          } else if (kind === "reset") {
            base = last + up;
            terms = [(terms.at(-1) as number) + up];
            runs.reset(logIndex(base), term(terms[0] as number));
          }
          expect([runs.baseIndex, runs.lastIndex]).toEqual([base, base + terms.length - 1]);
          for (let n = -1; n <= terms.length; n += 1) {
            const want = terms[n] ?? null;
            if (base + n >= 0) expect(runs.termAt(logIndex(base + n))).toBe(want);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
