/** Bugs in the write-ahead log. */
import { type Bug, told } from "./bug.js";

export const STORAGE: readonly Bug[] = [
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
    name: "the batch's trailer is not checked",
    file: "dist/storage/batch.js",
    find: "return trailer.getUint32(8, true) === crc ? crc : null;",
    replace: "return crc;",
    withinSeeds: 12,
    why: "a torn batch is read as if it were whole",
    // Where only a sector in the middle is missing does nothing but the checksum tell.
    overrides: {
      ...told("powerStorm"),
      workloads: ["bulk", "bulk", "bulk", "bulk", "bulk", "bulk", "appender"],
    },
  },
];
