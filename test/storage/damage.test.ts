/** The torn-or-damaged rule, by brute force over a small log. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Entry } from "../../src/raft/message/entry.js";
import {
  DIRECTORY,
  entries,
  entry,
  SEGMENT_1,
  SMALL,
  shape,
  stairs,
  vote,
  World,
} from "./world.js";

const HEAD = 512;
const LIMITS = { ...SMALL, segmentBytes: 8192 };
const FIRST = "1:1 2:1 3:1";
const SEGMENT_2 = `${DIRECTORY}/segment-0000000000000002`;

const zeroEntry = (index: number, length: number): Entry => ({
  ...entry(index, 1),
  payload: new Uint8Array(length),
});

interface LogAtRest {
  readonly world: World;
  /** Where the last batch stands: a batch larger than a segment has one of its own. */
  readonly path: string;
  readonly from: number;
  readonly end: number;
}

/** A log of three batches and a last one with `last` in it, at rest. */
function logWith(last: readonly Entry[]): LogAtRest {
  const world = new World(1, LIMITS);
  const storage = world.fresh();
  world.append(storage, { hardState: vote(1, 7), entries: [entry(1, 1)] });
  world.append(storage, { entries: [entry(2, 1)] });
  world.append(storage, { entries: [entry(3, 1)] });
  world.append(storage, { entries: last });
  world.close(storage);
  world.settle();
  const isNext = world.disk.bytes(SEGMENT_2)?.some((byte, at) => at >= HEAD && byte !== 0) === true;
  const path = isNext ? SEGMENT_2 : SEGMENT_1;
  const from = isNext ? HEAD : HEAD + 3 * 512;
  const bytes = world.disk.bytes(path) as Uint8Array;
  let end = bytes.length;
  while (end > from && bytes.subarray(end - 512, end).every(byte => byte === 0)) end -= 512;
  return { world, path, from, end };
}

function opened(world: World): { text: string; notes: readonly string[] } {
  const result = world.tryOpen();
  if (!result.ok) {
    return { text: `${result.stop.code} ${result.stop.file} ${result.stop.offset}`, notes: [] };
  }
  const { entries: found, notes } = result.recovered;
  return { text: shape(found), notes };
}

describe("a torn last batch", () => {
  it("the log file cut at every byte of the last batch recovers what was before it", () => {
    const { world, from, end } = logWith(entries(4, 6, 1, 400));
    for (let size = from; size < end; size += 1) {
      const copy = world.copy();
      copy.disk.cut(SEGMENT_1, size);
      const { text, notes } = opened(copy);
      expect(`${size}: ${text}`).toBe(`${size}: ${FIRST}`);
      // Cut exactly between two batches there is nothing to tell.
      expect(notes.length).toBe(size === from ? 0 : 1);
    }
    expect(opened(world.copy()).text).toBe(`${FIRST} 4:1 5:1 6:1`);
  });

  it("its sectors zeroed in every combination are cut when no later batch stands", () => {
    for (const sectors of [1, 2, 3, 5, 8]) {
      const { world, from, end } = logWith([entry(4, 1, sectors * 512 - 90)]);
      expect(end - from).toBe(sectors * 512);
      for (let lost = 1; lost < 1 << sectors; lost += 1) {
        const copy = world.copy();
        copy.disk.rot(SEGMENT_1, bytes => zeroSectors(bytes, from, sectors, lost));
        expect(`${sectors}/${lost}: ${opened(copy).text}`).toBe(`${sectors}/${lost}: ${FIRST}`);
      }
    }
  });

  it("a batch of zeros is cut for any sectors that are lost, as any other", () => {
    for (const zeros of [512, 1000, 1500, 2500]) {
      const { world, from, end } = logWith([zeroEntry(4, zeros)]);
      const sectors = (end - from) / 512;
      expect(opened(world.copy()).text).toBe(`${FIRST} 4:1`);
      for (let lost = 1; lost < 1 << sectors; lost += 1) {
        const copy = world.copy();
        copy.disk.rot(SEGMENT_1, bytes => zeroSectors(bytes, from, sectors, lost));
        expect(`${zeros}/${lost}: ${opened(copy).text}`).toBe(`${zeros}/${lost}: ${FIRST}`);
      }
    }
  });

  it("values of zeros beside others, up to 20 KiB, are cut for each one sector that is lost", () => {
    for (const zeros of [3000, 8192, 20_480]) {
      const shift = zeros % 491;
      const { world, from, end, path } = logWith([
        entry(4, 1, shift),
        zeroEntry(5, zeros),
        entry(6, 1, 700),
      ]);
      expect(opened(world.copy()).text).toBe(`${FIRST} 4:1 5:1 6:1`);
      for (let at = from; at < end; at += 512) {
        const copy = world.copy();
        copy.disk.rot(path, bytes => bytes.fill(0, at, at + 512));
        expect(`${zeros}/${at}: ${opened(copy).text}`).toBe(`${zeros}/${at}: ${FIRST}`);
      }
    }
  });

  it("a batch with a sector of every byte finds no mask, and is cut only by header or trailer", () => {
    const every = { ...entry(4, 1), payload: stairs(256 * 1024, 1024) };
    const { world, from, end, path } = logWith([every]);
    expect(opened(world.copy()).text).toBe(`${FIRST} 4:1`);
    const whole = world.disk.bytes(path) as Uint8Array;
    const own = new Set<number>();
    for (let at = from; at < end; at += 512) {
      if (whole.subarray(at, at + 512).every(byte => byte === 0)) own.add(at);
    }
    expect(own.size).toBe(1);
    for (const at of [from, from + 512, ...own, from + 5120, end - 1024, end - 512]) {
      const copy = world.copy();
      copy.disk.rot(path, bytes => bytes.fill(0, at, at + 512));
      const isTorn = at === from || at === end - 512;
      // Its zero sector lost is its zero sector found; another one lost beside it proves nothing.
      const want = own.has(at) ? `${FIRST} 4:1` : isTorn ? FIRST : `DAMAGED ${path} ${from}`;
      expect(`${at}: ${opened(copy).text}`).toBe(`${at}: ${want}`);
    }
  });

  it("the same losses with a later batch behind them are damage, in the same segment or the next", () => {
    const world = new World(1, LIMITS);
    const storage = world.fresh();
    for (let n = 1; n <= 8; n += 1) world.append(storage, { entries: [entry(n, 1, 1000)] });
    world.close(storage);
    world.settle();
    expect(world.segments().length).toBeGreaterThanOrEqual(2);
    const size = 3 * 512;
    const inFirst = Math.floor((LIMITS.segmentBytes - HEAD) / size);
    for (let batch = 0; batch < inFirst; batch += 1) {
      const from = HEAD + batch * size;
      for (let lost = 1; lost < 8; lost += 1) {
        const copy = world.copy();
        copy.disk.rot(SEGMENT_1, bytes => zeroSectors(bytes, from, 3, lost));
        expect(opened(copy).text).toBe(`DAMAGED ${SEGMENT_1} ${from}`);
      }
    }
  });

  it("with the later batch in the same segment and nothing after it, too", () => {
    const world = new World(1, LIMITS);
    const storage = world.fresh();
    for (let n = 1; n <= 3; n += 1) world.append(storage, { entries: [entry(n, 1, 1000)] });
    world.close(storage);
    world.settle();
    for (let lost = 1; lost < 8; lost += 1) {
      const copy = world.copy();
      copy.disk.rot(SEGMENT_1, bytes => zeroSectors(bytes, HEAD + 3 * 512, 3, lost));
      const stop = copy.stopped();
      expect(stop).toMatchObject({ code: "DAMAGED", offset: HEAD + 3 * 512 });
      expect(stop.message).toContain(
        `a later batch stands in ${SEGMENT_1} at offset ${HEAD + 3072}`,
      );
    }
  });

  it("a payload that copies a whole batch does not pass for a later one", () => {
    const { world, from } = logWith([entry(4, 1)]);
    const forged = (world.disk.bytes(SEGMENT_1) as Uint8Array).slice(from, from + 512);
    const body = new Uint8Array(512 * 4).fill(1);
    // Placed so that the copy begins on a sector of the file.
    body.set(forged, 512 - 64);
    const other = new World(2, LIMITS);
    const storage = other.fresh();
    other.append(storage, { entries: [entry(1, 1)] });
    other.append(storage, { entries: [{ ...entry(2, 1), payload: body }] });
    other.close(storage);
    other.settle();
    other.disk.rot(SEGMENT_1, bytes => bytes.fill(0, HEAD + 512, HEAD + 1024));
    expect(opened(other).text).toBe("1:1");
  });
});

function zeroSectors(bytes: Uint8Array, from: number, sectors: number, which: number): void {
  for (let n = 0; n < sectors; n += 1) {
    if ((which & (1 << n)) !== 0) bytes.fill(0, from + n * 512, from + (n + 1) * 512);
  }
}

describe("a flipped bit", () => {
  let rest: LogAtRest;
  let whole: string;
  beforeAll(() => {
    rest = logWith(entries(4, 5, 1, 300));
    whole = opened(rest.world.copy()).text;
  });

  it("in any byte of any batch stops the node with the file and the batch's offset", () => {
    for (let at = HEAD; at < rest.end; at += 1) {
      const copy = rest.world.copy();
      copy.disk.rot(SEGMENT_1, bytes => {
        bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      });
      const batch = at < rest.from ? at - ((at - HEAD) % 512) : rest.from;
      expect(`${at}: ${opened(copy).text}`).toBe(`${at}: DAMAGED ${SEGMENT_1} ${batch}`);
    }
  });

  it("in any byte of a masked batch, too", () => {
    const { world, from, end } = logWith([zeroEntry(4, 1600), entry(5, 1, 30)]);
    for (let at = from; at < end; at += 1) {
      const copy = world.copy();
      copy.disk.rot(SEGMENT_1, bytes => {
        bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      });
      expect(`${at}: ${opened(copy).text}`).toBe(`${at}: DAMAGED ${SEGMENT_1} ${from}`);
    }
  });

  it("in a header's flags or mask is damage, whichever it is, in a masked batch and in others", () => {
    for (const last of [zeroEntry(4, 1600), entry(4, 1, 1600)]) {
      const { world, from } = logWith([last]);
      for (const field of [4, 32]) {
        for (let bit = 0; bit < 32; bit += 1) {
          const copy = world.copy();
          copy.disk.rot(SEGMENT_1, bytes => {
            const at = from + field + (bit >> 3);
            bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
          });
          expect(opened(copy).text).toBe(`DAMAGED ${SEGMENT_1} ${from}`);
        }
      }
    }
  });

  it("in a header's length is damage, whatever it becomes", () => {
    for (let bit = 0; bit < 32; bit += 1) {
      const copy = rest.world.copy();
      copy.disk.rot(SEGMENT_1, bytes => {
        const at = rest.from + 16 + (bit >> 3);
        bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
      });
      expect(opened(copy).text).toBe(`DAMAGED ${SEGMENT_1} ${rest.from}`);
    }
  });

  it("in unused space is damage where the next batch would stand, and harmless behind that", () => {
    for (let at = rest.end; at < LIMITS.segmentBytes; at += 97) {
      const copy = rest.world.copy();
      copy.disk.rot(SEGMENT_1, bytes => {
        bytes[at] = 64;
      });
      const want = at < rest.end + 512 ? `DAMAGED ${SEGMENT_1} ${rest.end}` : whole;
      expect(`${at}: ${opened(copy).text}`).toBe(`${at}: ${want}`);
    }
  });

  it("in the head of a segment or in the identity is damage at the start of that file", () => {
    for (const path of [SEGMENT_1, `${DIRECTORY}/identity`]) {
      for (let at = 0; at < HEAD; at += 1) {
        const copy = rest.world.copy();
        copy.disk.rot(path, bytes => {
          bytes[at] = (bytes[at] as number) ^ 4;
        });
        expect(`${at}: ${opened(copy).text}`).toBe(`${at}: DAMAGED ${path} 0`);
      }
    }
  });

  it("stops the node without changing any file, so that the operator can look", () => {
    const copy = rest.world.copy();
    copy.disk.rot(SEGMENT_1, bytes => {
      bytes[HEAD + 60] = 0xaa;
    });
    const before = copy.names().map(name => copy.disk.bytes(`${DIRECTORY}/${name}`));
    const stop = copy.stopped();
    expect(stop.message).toContain(`${SEGMENT_1}, offset 512`);
    expect(stop.remedy).toMatch(/remove this member/);
    expect(copy.names().map(name => copy.disk.bytes(`${DIRECTORY}/${name}`))).toEqual(before);
    expect(copy.stopped().code).toBe("DAMAGED");
  });
});

describe("files that are not what they should be", () => {
  function several(): World {
    const world = new World(3, LIMITS);
    const storage = world.fresh();
    for (let n = 1; n <= 20; n += 1) world.append(storage, { entries: [entry(n, 1, 1000)] });
    world.close(storage);
    world.settle();
    return world;
  }

  it("a newer format version is told from a flipped bit, by name", async () => {
    const { nodeChecksum } = await import("../../src/server/ports/index.js");
    for (const name of ["identity", "segment-0000000000000002"]) {
      const world = several();
      world.disk.rot(`${DIRECTORY}/${name}`, bytes => {
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        view.setUint32(8, 2, true);
        view.setUint32(12, nodeChecksum.crc32(bytes.subarray(0, 12)), true);
      });
      const stop = world.stopped();
      expect(stop.code).toBe("FORMAT_TOO_NEW");
      expect(stop.file).toBe(`${DIRECTORY}/${name}`);
      expect(stop.message).toContain("version 2");
    }
  });

  it("a missing segment in the middle or at the beginning is damage", () => {
    const middle = several();
    middle.disk.lose(`${DIRECTORY}/segment-0000000000000002`);
    expect(opened(middle).text).toBe(`DAMAGED ${DIRECTORY}/segment-0000000000000002 null`);
    const first = several();
    first.disk.lose(SEGMENT_1);
    expect(first.stopped().message).toContain("the log begins after entry");
  });

  it("segments that changed places are damage", () => {
    const world = several();
    const [one, two] = [SEGMENT_1, `${DIRECTORY}/segment-0000000000000002`];
    const first = world.disk.bytes(one) as Uint8Array;
    const second = world.disk.bytes(two) as Uint8Array;
    // Not all are of one length.
    world.disk.rot(one, bytes => bytes.set(second.subarray(0, bytes.length)));
    world.disk.rot(two, bytes => bytes.set(first.subarray(0, bytes.length)));
    expect(world.stopped().message).toContain("another segment, renamed");
  });

  it("a log without identity, or an identity without log, is damage and not a new node", () => {
    const noIdentity = several();
    noIdentity.disk.lose(`${DIRECTORY}/identity`);
    expect(opened(noIdentity).text).toBe(`DAMAGED ${DIRECTORY}/identity null`);
    const noLog = several();
    for (const name of noLog.segments()) noLog.disk.lose(`${DIRECTORY}/${name}`);
    expect(opened(noLog).text).toBe(`DAMAGED ${SEGMENT_1} null`);
  });

  it("another node's segment in this directory is damage", () => {
    const mine = several();
    const other = new World(4, LIMITS);
    const { storage } = other.open();
    const stranger = { ...mine.open().storage.identity, incarnation: "ffffffffffffffff" };
    other.ok(done => storage.initialize(stranger as never, done));
    other.close(storage);
    mine.disk.kill();
    const foreign = other.disk.bytes(SEGMENT_1) as Uint8Array;
    mine.disk.rot(SEGMENT_1, bytes => bytes.set(foreign.subarray(0, bytes.length)));
    expect(mine.stopped().message).toContain("another cluster, node or incarnation");
  });

  it("files of no known name are left alone", () => {
    const world = several();
    world.disk.crash();
    const disk = world.disk.mount();
    world.wait(done => disk.open(`${DIRECTORY}/notes.txt`, "create", done));
    world.disk.kill();
    expect(world.open().recovered.entries.length).toBe(20);
    expect(world.names()).toContain("notes.txt");
  });
});
