/** Bugs in the write-ahead log. */
import { type Bug, told } from "./bug.js";

/** Batches of many sectors, and power that goes while they are written. */
const STORMY_BULK = {
  ...told("powerStorm"),
  workloads: ["bulk", "bulk", "bulk", "bulk", "bulk", "bulk", "appender"],
};

export const STORAGE: readonly Bug[] = [
  {
    name: "a log that cannot be read is taken for its end",
    file: "dist/storage/segment-file.js",
    find: "const read = yield* value(end => file.read(bytes, 0, end));",
    replace: `let read = 0;
        try {
            read = yield* value(end => file.read(bytes, 0, end));
        } catch {}`,
    withinSeeds: 80,
    why: "a node whose disk has an error once goes on without what it has acknowledged, or calls it damaged",
  },
  {
    name: "segments never go",
    file: "dist/storage/wal.js",
    find: "return second !== undefined && second.startIndex <= index ? (this.#places[0] ?? null) : null;",
    replace: "return null;",
    withinSeeds: 10,
    why: "the disk fills up with what snapshots have taken over",
    overrides: { settings: { segmentKiB: 16, snapshotAfterBytes: 3_000 } },
  },
  {
    name: "the last batch is cut at every start",
    file: "dist/storage/scan.js",
    find: "return { chain, end: at, ending: judge(bytes, at, header) };\n        }",
    replace: `return { chain, end: at, ending: judge(bytes, at, header) };
        }
        if (at > HEAD_BYTES + 4096 && isZero(bytes, at + header.length, bytes.length)) {
            const ending = { kind: "torn", at, searchFrom: bytes.length, why: "planted" };
            return { chain, end: at, ending };
        }`,
    withinSeeds: 10,
    why: "what was acknowledged last is gone after a start",
    overrides: told("powerStorm"),
  },
  {
    name: "a torn tail is cut one batch too early",
    file: "dist/storage/scan.js",
    find: `let at = HEAD_BYTES;
    for (;;) {
        const header = readBatchHeader(bytes, at, salt, checksum);
        const crc = header === null ? null : readWholeBatch(bytes, at, header, checksum);
        if (header === null || crc === null) {
            return { chain, end: at, ending: judge(bytes, at, header) };
        }`,
    replace: `let at = HEAD_BYTES;
    let last = null;
    const taken = take;
    take = (at, header) => {
        if (last !== null) taken(last.at, last.header);
        last = { at, header, chain };
    };
    for (;;) {
        const header = readBatchHeader(bytes, at, salt, checksum);
        const crc = header === null ? null : readWholeBatch(bytes, at, header, checksum);
        if (header === null || crc === null) {
            const ending = judge(bytes, at, header);
            if (last !== null && ending.kind === "torn")
                return { chain: last.chain, end: last.at, ending: { ...ending, at: last.at } };
            if (last !== null) taken(last.at, last.header);
            return { chain, end: at, ending };
        }`,
    withinSeeds: 40,
    why: "what was acknowledged before the power went is cut with what was not",
    overrides: STORMY_BULK,
  },
  {
    name: "the batch's trailer is not checked",
    file: "dist/storage/batch.js",
    find: "return trailer.getUint32(8, true) === crc ? crc : null;",
    replace: "return crc;",
    withinSeeds: 40,
    why: "a torn batch is read as if it were whole",
    // Where only a sector in the middle is missing does nothing but the checksum tell.
    overrides: STORMY_BULK,
  },
  {
    name: "the trailer of a batch for which the caller waits is not checked",
    file: "dist/storage/batch.js",
    find: "return trailer.getUint32(8, true) === crc ? crc : null;",
    replace: "return crc;",
    withinSeeds: 40,
    why: "a batch that was torn within the caller's turn is read as if it were whole",
    overrides: { ...STORMY_BULK, settings: { synchronousBytes: 64 * 1024 } },
  },
];
