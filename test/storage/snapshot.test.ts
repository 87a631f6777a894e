import { describe, expect, it } from "vitest";
import { nodeChecksum } from "../../src/server/ports/index.js";
import type { SnapshotReader, SnapshotSink, Storage } from "../../src/storage/contract.js";
import { checkPiece, PIECE_HEADER_BYTES, sealPiece } from "../../src/storage/snapshot-format.js";
import {
  DIRECTORY,
  entries,
  entry,
  metadata,
  payload,
  SMALL,
  shape,
  vote,
  World,
} from "./world.js";

const name = (index: number, atTerm: number): string =>
  `snapshot-${String(index).padStart(16, "0")}-${String(atTerm).padStart(16, "0")}`;
const path = (index: number, atTerm: number): string => `${DIRECTORY}/${name(index, atTerm)}`;
const content = (index: number): Uint8Array => payload(index, 1, 3000 + index);

function snapshots(world: World): string[] {
  return world.names().filter(each => each.startsWith("snapshot-"));
}

/** 90 entries over many segments, with snapshots at 30, 60 and 80. */
function long(seed = 1): { world: World; storage: Storage } {
  const world = new World(seed);
  const storage = world.fresh();
  world.append(storage, { hardState: vote(1, 7), entries: [] });
  for (let n = 1; n <= 90; n += 1) {
    world.append(storage, { entries: [entry(n, 1, 300)] });
    if (n === 30 || n === 60 || n === 80) {
      world.fill(storage.beginSnapshot(metadata(n, 1)), content(n));
    }
  }
  world.settle();
  return { world, storage };
}

function rot(world: World, file: string, at: number): void {
  world.disk.rot(file, bytes => {
    bytes[at] = (bytes[at] as number) ^ 0x10;
  });
}

describe("snapshots", () => {
  it("is read back as written, in whatever pieces it was written", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 5, 1) });
    const sink = storage.beginSnapshot(metadata(4, 1));
    const whole = payload(4, 1, 5000);
    for (const [from, to] of [
      [0, 0],
      [0, 1],
      [1, 1016],
      [1016, 4064],
      [4064, 5000],
    ] as const) {
      world.ok(done => sink.write(whole.subarray(from, to), done));
    }
    world.ok(done => sink.finish(done));
    expect(world.readSnapshot(storage)).toEqual(whole);
    expect(storage.snapshot).toEqual(metadata(4, 1));
    world.disk.crash();
    const { recovered, storage: again } = world.open();
    expect(recovered.snapshot).toEqual(metadata(4, 1));
    expect(shape(recovered.entries)).toBe("5:1");
    expect(world.readSnapshot(again)).toEqual(whole);
  });

  it("an empty state is a snapshot too", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 1, 1) });
    world.fill(storage.beginSnapshot(metadata(1, 1)), new Uint8Array(0));
    world.disk.crash();
    expect(world.readSnapshot(world.open().storage).length).toBe(0);
  });

  it("the last two are kept, and the log back to the older one", () => {
    const { world } = long();
    expect(snapshots(world)).toEqual([name(60, 1), name(80, 1)]);
    world.disk.crash();
    expect(world.segments()[0]).not.toBe("segment-0000000000000001");
    const { recovered } = world.open();
    expect(recovered.snapshot?.index).toBe(80);
    expect(recovered.entries).toEqual(entries(81, 90, 1, 300));
    expect(recovered.hardState).toEqual(vote(1, 7));
  });

  it("two are kept as well when the third settles while the log is still being cut for the second", () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const world = new World(seed);
      const storage = world.fresh();
      for (let n = 1; n <= 90; n += 1) {
        world.append(storage, { entries: [entry(n, 1, 300)] });
        if (n === 50) world.fill(storage.beginSnapshot(metadata(n, 1)), content(n));
      }
      const sinks = [60, 80].map(n => {
        const sink = storage.beginSnapshot(metadata(n, 1));
        world.ok(done => sink.write(content(n), done));
        return sink;
      });
      const [second, third] = sinks as [SnapshotSink, SnapshotSink];
      second.finish(() => {});
      world.ok(done => third.finish(done));
      const [oldest = ""] = world.segments();
      world.settle();
      expect(world.segments()).not.toContain(oldest);
      expect(snapshots(world)).toEqual([name(60, 1), name(80, 1)]);
      world.disk.crash();
      expect(world.open().recovered.entries).toEqual(entries(81, 90, 1, 300));
    }
  });

  it("a damaged newest one is passed over for the older one and the log, and kept aside", () => {
    for (const at of [0, 60, 600, 1500, 3000, -100]) {
      const { world } = long();
      world.disk.crash();
      const size = world.disk.bytes(path(80, 1))?.length ?? 0;
      rot(world, path(80, 1), at < 0 ? size + at : at);
      const { recovered, storage } = world.open();
      expect(recovered.snapshot?.index).toBe(60);
      expect(recovered.entries).toEqual(entries(61, 90, 1, 300));
      expect(recovered.notes[0]).toContain(path(80, 1));
      expect(world.readSnapshot(storage)).toEqual(content(60));
      world.disk.crash();
      expect(world.open().recovered.snapshot?.index).toBe(60);
      expect(snapshots(world)).toEqual([name(60, 1), `${name(80, 1)}.damaged`]);
    }
  });

  it("both damaged, or one damaged that the log does not reach over, stops the node", () => {
    const both = long().world;
    both.disk.crash();
    rot(both, path(80, 1), 1700);
    rot(both, path(60, 1), 1700);
    expect(both.stopped()).toMatchObject({ code: "DAMAGED", file: path(60, 1) });

    const beyond = long();
    beyond.world.fill(beyond.storage.installSnapshot(metadata(500, 3)), content(1));
    beyond.world.disk.crash();
    rot(beyond.world, path(500, 3), 2000);
    const stop = beyond.world.stopped();
    expect(stop).toMatchObject({ code: "DAMAGED", file: path(500, 3), offset: 1024 });
    expect(snapshots(beyond.world)).toContain(name(500, 3));
  });

  it("a missing newest snapshot is damage once the log was cut over it", () => {
    const { world } = long();
    world.disk.crash();
    world.disk.lose(path(80, 1));
    world.disk.lose(path(60, 1));
    expect(world.stopped().message).toContain("the log begins after entry");
  });

  it("a flipped byte anywhere in one is found, in padding is harmless", () => {
    const world = new World(1, { ...SMALL, segmentBytes: 1024, pieceBytes: 512 });
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 5, 1) });
    world.fill(storage.beginSnapshot(metadata(4, 1)), payload(4, 1, 600));
    world.close(storage);
    world.settle();
    const file = path(4, 1);
    const bytes = world.disk.bytes(file) as Uint8Array;
    let harmless = 0;
    for (let at = 0; at < bytes.length; at += 3) {
      const copy = world.copy();
      rot(copy, file, at);
      const result = copy.tryOpen();
      if (result.ok) {
        expect(bytes[at]).toBe(0);
        harmless += 1;
        expect(copy.readSnapshot(result.storage)).toEqual(payload(4, 1, 600));
      } else {
        expect(result.stop.code).toBe("DAMAGED");
        expect(result.stop.file).toBe(file);
        expect(result.stop.offset).not.toBeNull();
      }
    }
    expect(harmless).toBeLessThan(300);
  });

  it("a sink given up leaves nothing behind, also in the middle of a write", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 5, 1) });
    const quiet = storage.beginSnapshot(metadata(3, 1));
    world.ok(done => quiet.write(payload(1, 1, 2000), done));
    quiet.abort();
    const busy = storage.beginSnapshot(metadata(4, 1));
    const answer = world.wait<unknown>(done => {
      busy.write(payload(1, 1, 5000), done);
      busy.abort();
    });
    expect(answer).toMatchObject({ code: "CLOSED" });
    world.settle();
    expect(world.names().filter(each => /snapshot/.test(each))).toEqual([]);
    expect(world.fatal).toEqual([]);
    world.append(storage, { entries: entries(6, 6, 1) });
  });

  it("an own one that ends below a newer installed one is dropped without error", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 5, 1) });
    const own = storage.beginSnapshot(metadata(4, 1));
    world.ok(done => own.write(content(4), done));
    world.fill(storage.installSnapshot(metadata(9, 2)), content(9));
    world.ok(done => own.finish(done));
    expect(snapshots(world)).toEqual([name(9, 2)]);
    expect(storage.snapshot?.index).toBe(9);
  });

  /** Pieces written and the milliseconds from the first to the last, while `use` is called between. */
  function pace(
    kind: "beginSnapshot" | "installSnapshot",
    use: (storage: Storage) => void,
  ): number[] {
    const world = new World(1, { ...SMALL, pauseMs: 20 });
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 5, 1) });
    world.settle();
    const times: number[] = [];
    world.disk.fault = ({ kind: operation, path: file }) => {
      if (operation !== "writeAndSync" || !file.includes("snapshot")) return null;
      times.push(world.loop.monotonicMs());
      world.loop.after(0, () => use(storage));
      return null;
    };
    const index = kind === "beginSnapshot" ? 4 : 9;
    const sink = storage[kind](metadata(index, 1));
    world.ok(done => sink.write(payload(4, 1, 20_000), done));
    return [times.length, (times.at(-1) as number) - (times[0] as number)];
  }

  it("while the log is in use its pieces are small, one at a time, with pauses", () => {
    let next = 6;
    const [pieces, tookMs] = pace("beginSnapshot", storage => {
      storage.append({ entries: [entry(next++, 1)] }, () => undefined);
    }) as [number, number];
    expect(pieces).toBe(20);
    expect(tookMs).toBeGreaterThanOrEqual(19 * 20);
  });

  it("of its own on an idle log, and an installed one always, is written without pauses", () => {
    const [pieces, tookMs] = pace("beginSnapshot", () => undefined) as [number, number];
    expect(pieces).toBe(20);
    expect(tookMs).toBeLessThan(19 * 5);
    let next = 6;
    const [installed, installMs] = pace("installSnapshot", storage => {
      storage.append({ entries: [entry(next++, 1)] }, () => undefined);
    }) as [number, number];
    expect(installed).toBe(1 + Math.floor(20_000 / (SMALL.installPieceBytes - 8)));
    expect(installMs).toBeLessThan(19 * 5);
  });

  it("may rest between two writes, for as long as others come and go", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 5, 1) });
    const whole = payload(9, 1, 7_000);
    const sink = storage.installSnapshot(metadata(9, 1));
    world.ok(done => sink.write(whole.subarray(0, 3_333), done));
    expect(sink.taken.sizeBytes).toBe(3_333);
    world.fill(storage.beginSnapshot(metadata(3, 1)), content(3));
    world.append(storage, { entries: entries(6, 7, 1) });
    world.loop.advance(100_000);
    world.ok(done => sink.write(whole.subarray(3_333), done));
    expect(sink.taken).toEqual({ sizeBytes: 7_000, crc32: nodeChecksum.crc32(whole) });
    world.ok(done => sink.finish(done));
    expect(world.readSnapshot(storage)).toEqual(whole);
    world.disk.crash();
    expect(world.open().recovered.snapshot).toEqual(metadata(9, 1));
  });

  it("whose pieces are right, each for itself, and not together the content is damaged", () => {
    const { world, storage } = long();
    world.close(storage);
    world.settle();
    world.disk.rot(path(80, 1), bytes => {
      // The second of three and a rest gets another byte, and a checksum that fits it.
      const at = bytes.length - 512 - 512 - 2 * 1024;
      bytes[at + 100] = (bytes[at + 100] as number) ^ 1;
      const piece = bytes.subarray(at, at + 1024);
      expect(checkPiece(piece, 1, nodeChecksum)).toBe(-1);
      sealPiece(piece, 1, 1024 - PIECE_HEADER_BYTES, nodeChecksum);
    });
    const { recovered } = world.open();
    expect(recovered.snapshot?.index).toBe(60);
    expect(recovered.notes.join()).toMatch(/the content fails its checksum/);
  });

  it("a reader goes on although its snapshot was removed since", () => {
    const { world, storage } = long();
    const reader = world.wait<SnapshotReader | null>(done =>
      storage.openSnapshot((_stop, opened) => done(opened)),
    );
    for (const n of [85, 88, 90]) world.fill(storage.beginSnapshot(metadata(n, 1)), content(n));
    expect(snapshots(world)).toEqual([name(88, 1), name(90, 1)]);
    const first = world.wait<Uint8Array | null>(done =>
      reader?.read(0, (_stop, bytes) => done(bytes)),
    );
    expect(first).toEqual(content(80).subarray(0, first?.length));
  });
});

describe("a snapshot that takes long to open", () => {
  it("is not removed before it is open, though others come; then it is", () => {
    const { world, storage } = long();
    world.takesMs = ({ kind, path: of }) => (kind === "open" && of === path(80, 1) ? 100_000 : 1);
    let reader: SnapshotReader | null = null;
    storage.openSnapshot((stop, opened) => {
      if (stop !== null) throw new Error(stop.message);
      reader = opened;
    });
    for (const n of [85, 88, 90]) world.fill(storage.beginSnapshot(metadata(n, 1)), content(n));
    expect(reader).toBeNull();
    expect(snapshots(world)).toContain(name(80, 1));
    world.loop.advance(100_000);
    world.settle();
    expect(reader).not.toBeNull();
    expect(snapshots(world)).toEqual([name(88, 1), name(90, 1)]);
    expect(world.readSnapshot(storage)).toEqual(content(90));
  });
});

describe("an installed snapshot", () => {
  it("beyond the log's end empties the log, which goes on after it", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { hardState: vote(2, 7), entries: entries(1, 5, 1) });
    world.fill(storage.installSnapshot(metadata(100, 2)), content(100));
    expect([storage.lastIndex, storage.lastTerm]).toEqual([100, 2]);
    world.append(storage, { entries: entries(101, 103, 2) });
    world.disk.crash();
    const { recovered } = world.open();
    expect(recovered.snapshot).toEqual(metadata(100, 2));
    expect(shape(recovered.entries)).toBe("101:2 102:2 103:2");
    expect(recovered.hardState).toEqual(vote(2, 7));
  });

  it("within the log, of the same term, keeps the entries behind it", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 9, 1) });
    world.fill(storage.installSnapshot(metadata(6, 1)), content(6));
    expect(storage.lastIndex).toBe(9);
    world.disk.crash();
    expect(shape(world.open().recovered.entries)).toBe("7:1 8:1 9:1");
  });

  it("within the log, of another term, drops all entries as conflicting", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 9, 1) });
    world.fill(storage.installSnapshot(metadata(6, 2)), content(6));
    expect([storage.lastIndex, storage.lastTerm]).toEqual([6, 2]);
    world.disk.crash();
    const { recovered, storage: again } = world.open();
    expect(recovered.entries).toEqual([]);
    expect([again.lastIndex, again.lastTerm]).toEqual([6, 2]);
  });

  it("into an initialised directory without a log is its beginning", () => {
    const world = new World();
    const storage = world.fresh();
    world.fill(storage.installSnapshot(metadata(50, 4)), content(50));
    world.append(storage, { entries: entries(51, 51, 4) });
    world.disk.crash();
    expect(shape(world.open().recovered.entries)).toBe("51:4");
  });
});
