import { describe, expect, it } from "vitest";
import { logIndex } from "../../src/base/ids.js";
import type { Entry } from "../../src/raft/message/entry.js";
import { DIRECTORY, entries, entry, IDENTITY, SMALL, shape, vote, World } from "./world.js";

/** What stands in the segments, without the zeros at their ends. */
function segmentsOf(world: World): string[] {
  return world
    .segments()
    .map(name => Buffer.from(world.disk.bytes(`${DIRECTORY}/${name}`) as Uint8Array))
    .map(bytes => bytes.subarray(0, bytes.findLastIndex(byte => byte !== 0) + 1))
    .filter(bytes => bytes.length > 512)
    .map(bytes => bytes.toString("hex"));
}

describe("the log", () => {
  it("an empty directory has no identity and nothing in it", () => {
    const { recovered, storage } = new World().open();
    expect(recovered.identity).toBeNull();
    expect(recovered.entries).toEqual([]);
    expect(recovered.hardState).toEqual({ term: 0, votedFor: null });
    expect(storage.lastIndex).toBe(0);
  });

  it("what was answered is there after a power loss, byte for byte", () => {
    const world = new World();
    const storage = world.fresh();
    const large = entry(3, 2, 5000);
    const empty = entry(4, 2, 0);
    world.append(storage, { hardState: vote(2, 7), entries: entries(1, 2, 2) });
    world.append(storage, { entries: [large, empty, { ...entry(5, 2), kind: 1 }] });
    world.peer(storage, 8, "00000000000000ff");
    world.disk.crash();
    const { recovered, storage: again } = world.open();
    expect(recovered.identity).toEqual(IDENTITY);
    expect(recovered.hardState).toEqual(vote(2, 7));
    expect(recovered.entries).toEqual([
      ...entries(1, 2, 2),
      large,
      empty,
      { ...entry(5, 2), kind: 1 },
    ]);
    expect([...recovered.peers]).toEqual([[8, "00000000000000ff"]]);
    expect([again.lastIndex, again.lastTerm]).toEqual([5, 2]);
    expect(recovered.notes).toEqual([]);
  });

  for (const synchronousBytes of [0, 64 * 1024]) {
    const way = synchronousBytes === 0 ? "through the pool" : "at once";
    it(`values of zeros, written ${way}, are there byte for byte, and what follows them`, () => {
      const world = new World(1, { ...SMALL, segmentBytes: 8192, synchronousBytes });
      let storage = world.fresh();
      const wanted: Entry[] = [];
      for (let n = 1; n <= 24; n += 1) {
        // Copied and uncopied, zeros at the front, at the end, all through, and none.
        const made = entry(n, 1, n % 2 === 0 ? 1800 : 5000);
        made.payload.fill(0, n % 3 === 0 ? 900 : 0, n % 5 === 0 ? 1700 : undefined);
        if (n % 4 === 0) made.payload.fill(7);
        wanted.push({ ...made, payload: made.payload.slice() });
        world.append(storage, { entries: [made] });
        expect(made.payload).toEqual(wanted.at(-1)?.payload);
        if (n % 7 !== 0) continue;
        world.disk.crash();
        const before = segmentsOf(world);
        const again = world.open();
        expect(again.recovered.entries).toEqual(wanted);
        expect(again.recovered.notes).toEqual([]);
        // The fresh copy of the last segment holds the masked bytes as they were.
        expect(segmentsOf(world)).toEqual(before);
        storage = again.storage;
      }
      world.disk.crash();
      expect(world.open().recovered.entries).toEqual(wanted);
    });
  }

  it("an entry at or below the last replaces the tail, also after recovery", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: entries(1, 6, 1) });
    world.append(storage, { entries: entries(4, 5, 3) });
    expect([storage.lastIndex, storage.lastTerm]).toEqual([5, 3]);
    world.append(storage, { truncateFrom: logIndex(5), entries: [] });
    expect([storage.lastIndex, storage.lastTerm]).toEqual([4, 3]);
    world.disk.crash();
    expect(shape(world.open().recovered.entries)).toBe("1:1 2:1 3:1 4:3");
  });

  it("appends made while a sync is under way share the next one, answered in order", () => {
    const world = new World();
    const storage = world.fresh();
    world.settle();
    let syncs = 0;
    world.disk.fault = operation => {
      if (operation.kind === "writeAndSync") syncs += 1;
      return null;
    };
    const answered: number[] = [];
    for (let n = 1; n <= 20; n += 1) {
      storage.append({ entries: [entry(n, 1, 1)] }, stop => {
        expect(stop).toBeNull();
        answered.push(n);
      });
    }
    world.settle();
    expect(answered).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(syncs).toBe(2);
  });

  it("a lone small append can be written at once, and still in order", () => {
    const world = new World(1, { ...SMALL, synchronousBytes: 512 });
    const storage = world.fresh();
    const answered: string[] = [];
    storage.append({ entries: [entry(1, 1)] }, () => answered.push("first"));
    expect(answered).toEqual(["first"]);
    storage.append({ entries: [entry(2, 1, 1500)] }, () => answered.push("large"));
    storage.append({ entries: [entry(3, 1)] }, () => answered.push("behind it"));
    expect(answered).toEqual(["first"]);
    world.settle();
    expect(answered).toEqual(["first", "large", "behind it"]);
    world.disk.crash();
    expect(shape(world.open().recovered.entries)).toBe("1:1 2:1 3:1");
  });

  it("a disk that was slow once is not waited for again at once", () => {
    const world = new World(1, { ...SMALL, synchronousBytes: 512, synchronousMs: 2 });
    const storage = world.fresh();
    let answered = 0;
    const append = (index: number) =>
      storage.append({ entries: [entry(index, 1)] }, () => {
        answered += 1;
      });
    world.disk.fault = () => {
      world.loop.stall(3);
      return null;
    };
    append(1);
    expect(answered).toBe(1);
    world.disk.fault = () => null;
    append(2);
    expect(answered).toBe(1);
    world.settle();
    expect(answered).toBe(2);
  });

  it("goes over many segments, none of them cut while there is no second snapshot", () => {
    const world = new World();
    const storage = world.fresh();
    for (let n = 1; n <= 60; n += 1) world.append(storage, { entries: [entry(n, 1, 400)] });
    expect(world.segments().length).toBeGreaterThan(8);
    world.disk.crash();
    expect(world.open().recovered.entries).toEqual(entries(1, 60, 1, 400));
  });

  it("large appends on a slow disk do not wait until a whole segment is filled with zeros", () => {
    const world = new World(1, { ...SMALL, segmentBytes: 512 * 1024, pieceBytes: 4 * 1024 });
    const storage = world.fresh();
    const syncMs = 20;
    world.takesMs = () => syncMs;
    const waits: number[] = [];
    for (let index = 1; index <= 12; index += 1) {
      const begunMs = world.loop.monotonicMs();
      world.append(storage, { entries: [entry(index, 1, 200_000)] });
      waits.push(world.loop.monotonicMs() - begunMs);
    }
    // Its own, and what it takes to make the beginning of a segment: not 128 pieces.
    expect(Math.max(...waits)).toBeLessThanOrEqual(30 * syncMs);
    world.disk.crash();
    expect(world.copy().open().recovered.entries.length).toBe(12);
  });

  it("an append larger than a segment gets a segment of its own size", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: [entry(1, 1)] });
    world.append(storage, { entries: entries(2, 5, 1, 4000) });
    world.append(storage, { entries: [entry(6, 1)] });
    world.disk.crash();
    const { recovered } = world.open();
    expect(shape(recovered.entries)).toBe("1:1 2:1 3:1 4:1 5:1 6:1");
    expect(recovered.entries.slice(1, 5)).toEqual(entries(2, 5, 1, 4000));
  });

  it("a torn write that the page cache shows whole after a kill is made durable before it is shown", () => {
    for (let seed = 0; seed < 40; seed += 1) {
      const world = new World(seed);
      const storage = world.fresh();
      world.append(storage, { entries: [entry(1, 1)] });
      world.settle();
      storage.append({ entries: entries(2, 4, 1, 400) }, () => {});
      world.disk.kill();
      const shown = shape(world.open().recovered.entries);
      world.disk.crash();
      expect(shape(world.open().recovered.entries)).toBe(shown);
    }
  });

  it("hard state going back is refused by an assertion", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { hardState: vote(5, 1), entries: [] });
    expect(() => storage.append({ hardState: vote(4, null), entries: [] }, () => {})).toThrow(
      /does not go back/,
    );
    expect(() => storage.append({ hardState: vote(5, 2), entries: [] }, () => {})).toThrow(
      /not changed within its term/,
    );
  });

  it("closing waits for what is under way, frees the directory and refuses the rest", () => {
    const world = new World();
    const storage = world.fresh();
    const answers: (string | null)[] = [];
    storage.append({ entries: [entry(1, 1)] }, stop => answers.push(stop?.code ?? null));
    world.close(storage);
    storage.append({ entries: [entry(2, 1)] }, stop => answers.push(stop?.code ?? null));
    expect(answers).toEqual([null, "CLOSED"]);
    expect(world.fatal).toEqual([]);
    expect(shape(world.open().recovered.entries)).toBe("1:1");
  });

  it("a second opening of a directory in use is LOCKED", () => {
    const world = new World();
    world.fresh();
    const stop = world.stopped();
    expect(stop.code).toBe("LOCKED");
    expect(stop.remedy).toMatch(/other process/);
  });
});

describe("failures", () => {
  it("a failed sync answers nothing as durable, is told once, and ends everything", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: [entry(1, 1)] });
    world.settle();
    world.disk.fault = ({ kind }) => (kind === "writeAndSync" ? "IO" : null);
    const answers: (string | null)[] = [];
    const answer = (stop: { code: string } | null) => answers.push(stop?.code ?? null);
    storage.append({ entries: [entry(2, 1)] }, answer);
    storage.append({ entries: [entry(3, 1)] }, answer);
    world.settle();
    world.disk.fault = () => null;
    storage.append({ entries: [entry(4, 1)] }, answer);
    world.settle();
    expect(answers).toEqual(["DISK_ERROR", "DISK_ERROR", "DISK_ERROR"]);
    expect(world.fatal.map(stop => stop.code)).toEqual(["DISK_ERROR"]);
    expect(world.fatal[0]?.file).toMatch(/segment-0000000000000001$/);
    world.close(storage);
    world.disk.crash();
    expect(shape(world.open().recovered.entries)).toMatch(/^1:1( 2:1)?$/);
  });

  it("closing ends although the batch that it waits for fails, and frees the directory", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { entries: [entry(1, 1)] });
    world.settle();
    const answers: (string | null)[] = [];
    const answer = (stop: { code: string } | null) => answers.push(stop?.code ?? null);
    world.disk.fault = ({ kind }) => (kind === "writeAndSync" ? "IO" : null);
    storage.append({ entries: [entry(2, 1)] }, answer);
    storage.append({ entries: [entry(3, 1)] }, answer);
    world.close(storage);
    expect(answers).toEqual(["DISK_ERROR", "DISK_ERROR"]);
    expect(world.fatal.map(stop => stop.code)).toEqual(["DISK_ERROR"]);
    world.disk.fault = () => null;
    expect(shape(world.open().recovered.entries)).toMatch(/^1:1( 2:1)?$/);
  });

  it("a full disk is named, and what was answered is still there", () => {
    const world = new World();
    const storage = world.fresh();
    world.disk.capacityBytes = 20_000;
    let durable = 0;
    for (let n = 1; world.fatal.length === 0; n += 1) {
      storage.append({ entries: [entry(n, 1, 400)] }, stop => {
        if (stop === null) durable = n;
      });
      world.settle();
      expect(n).toBeLessThan(100);
    }
    expect(world.fatal.map(stop => stop.code)).toEqual(["DISK_FULL"]);
    world.disk.crash();
    world.disk.capacityBytes = 1_000_000;
    expect(world.open().recovered.entries.length).toBeGreaterThanOrEqual(durable);
  });

  it("a disk that fails while it is opened is the answer to the opening", () => {
    const world = new World();
    world.close(world.fresh());
    world.disk.fault = ({ kind }) => (kind === "rename" ? "IO" : null);
    expect(world.stopped().code).toBe("DISK_ERROR");
    expect(world.fatal).toEqual([]);
    world.disk.fault = () => null;
    expect(world.open().recovered.identity).toEqual(IDENTITY);
  });
});
