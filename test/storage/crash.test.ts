/** Power lost, or the process killed, at every single operation of the disk. */
import { describe, expect, it } from "vitest";
import type { Recovered, Storage, StorageStop } from "../../src/storage/contract.js";
import {
  DIRECTORY,
  entries,
  entry,
  IDENTITY,
  metadata,
  payload,
  shape,
  vote,
  World,
} from "./world.js";

type Done = (stop: StorageStop | null) => void;
type Act = (storage: Storage, done: Done) => void;

/** Acts one after the other, each when the one before was answered; says how many were. */
function play(world: World, acts: readonly Act[], answered: (count: number) => void): void {
  world.start(opened => {
    if (!opened.ok) throw new Error(opened.stop.message);
    const next = (count: number): void => {
      answered(count);
      const act = acts[count];
      act?.(opened.storage, stop => {
        if (stop !== null) throw new Error(stop.message);
        next(count + 1);
      });
    };
    next(0);
  });
}

function turnUntil(world: World, operations: number): boolean {
  const until = world.operations + operations;
  return world.loop.runUntil(() => world.operations >= until, 10_000);
}

/** Plays `acts` on a copy of `base` and ends it after each number of operations in turn. */
function atEveryBoundary(
  base: World,
  acts: readonly Act[],
  check: (recovered: Recovered, answered: number, world: World, storage: Storage) => void,
): number {
  for (let cut = 1; ; cut += 1) {
    let isOver = false;
    for (let seed = 0; seed < 3; seed += 1) {
      const world = base.copy(cut * 10 + seed);
      let answered = -1;
      play(world, acts, count => {
        answered = count;
      });
      isOver = !turnUntil(world, cut);
      if (seed === 0) world.disk.kill();
      else world.disk.crash();
      // The next recovery is itself cut off, at a place that moves along.
      world.start(() => {});
      turnUntil(world, (cut * 7 + seed) % 45);
      if (seed === 1) world.disk.kill();
      else world.disk.crash();
      const { recovered, storage } = world.open();
      check(recovered, answered, world, storage);
    }
    if (isOver) return cut;
  }
}

const append =
  (from: number, to: number, atTerm: number, length?: number): Act =>
  (storage, done) =>
    storage.append({ entries: entries(from, to, atTerm, length) }, done);

const snapshot =
  (kind: "beginSnapshot" | "installSnapshot", index: number, atTerm: number): Act =>
  (storage, done) => {
    const sink = storage[kind](metadata(index, atTerm));
    sink.write(payload(index, atTerm, 2500), stop => {
      if (stop === null) sink.finish(done);
      else done(stop);
    });
  };

/** A directory at rest with what `acts` made of it. */
function rest(acts: readonly Act[]): World {
  const world = new World();
  const storage = world.fresh();
  for (const act of acts) world.ok(done => act(storage, done));
  world.settle();
  world.close(storage);
  world.settle();
  return world;
}

const first: Act = (storage, done) =>
  storage.append({ hardState: vote(3, 7), entries: entries(1, 4, 2) }, done);

describe("a crash at every operation", () => {
  it("of initialize leaves the directory empty, or this node's once it was answered", () => {
    const initialize: Act = (storage, done) => storage.initialize(IDENTITY, done);
    const seen = new Set<boolean>();
    atEveryBoundary(new World(), [initialize], (recovered, answered, world, storage) => {
      seen.add(recovered.identity !== null);
      expect(recovered.entries).toEqual([]);
      if (answered === 1) expect(recovered.identity).toEqual(IDENTITY);
      // An empty one can be made another node's.
      if (recovered.identity === null) {
        const other = { ...IDENTITY, incarnation: "00000000000000aa" };
        world.ok(done => storage.initialize(other, done));
        world.disk.crash();
        expect(world.open().recovered.identity).toEqual(other);
      }
    });
    expect(seen.size).toBe(2);
  });

  it("of a rotation keeps what was answered, the vote and the peers' incarnations", () => {
    const peer: Act = (storage, done) =>
      storage.recordPeer(IDENTITY.nodeId, "00000000000000ee", done);
    const acts = [5, 6, 7, 8, 9, 10].map(n => append(n, n, 3, 1200));
    atEveryBoundary(rest([first, peer]), acts, (recovered, answered) => {
      expect(recovered.hardState).toEqual(vote(3, 7));
      expect([...recovered.peers.values()]).toEqual(["00000000000000ee"]);
      const last = recovered.entries.length;
      expect(last).toBeGreaterThanOrEqual(4 + Math.max(0, answered));
      expect(last).toBeLessThanOrEqual(5 + Math.max(0, answered));
      expect(recovered.entries).toEqual([...entries(1, 4, 2), ...entries(5, last, 3, 1200)]);
    });
  });

  it("of snapshots and the cutting of the log after them loses no entry behind the newest", () => {
    const base = rest([first, ...[5, 6, 7, 8, 9, 10, 11, 12].map(n => append(n, n, 3, 1200))]);
    const pause: Act = (storage, done) => storage.append({ entries: [] }, done);
    const acts = [
      snapshot("beginSnapshot", 6, 3),
      snapshot("beginSnapshot", 9, 3),
      snapshot("beginSnapshot", 11, 3),
      ...Array.from({ length: 6 }, () => pause),
    ];
    const found = new Set<number>();
    atEveryBoundary(base, acts, (recovered, answered, world, storage) => {
      const index = recovered.snapshot?.index ?? 0;
      found.add(index);
      const steps = [0, 6, 9, 11];
      expect(steps.indexOf(index)).toBeGreaterThanOrEqual(Math.min(3, Math.max(0, answered)));
      expect(recovered.entries.map(each => each.index)).toEqual(
        Array.from({ length: 12 - index }, (_, n) => index + 1 + n),
      );
      expect(recovered.hardState).toEqual(vote(3, 7));
      if (index > 0) expect(world.readSnapshot(storage)).toEqual(payload(index, 3, 2500));
    });
    expect([...found].sort((a, b) => a - b)).toEqual([0, 6, 9, 11]);
  });

  it("of the cutting leaves a log that still reaches back to the older snapshot", () => {
    const base = rest([
      first,
      ...[5, 6, 7, 8, 9, 10, 11, 12].map(n => append(n, n, 3, 1200)),
      snapshot("beginSnapshot", 6, 3),
      snapshot("beginSnapshot", 9, 3),
    ]);
    const acts = [snapshot("beginSnapshot", 11, 3)];
    atEveryBoundary(base, acts, (recovered, _answered, world) => {
      world.settle();
      world.disk.crash();
      const newest = recovered.snapshot?.index ?? 0;
      const damaged = world.disk
        .paths()
        .find(path => path.includes(`snapshot-00000000000000${String(newest).padStart(2, "0")}`));
      world.disk.rot(damaged as string, bytes => {
        bytes[1800] = (bytes[1800] as number) ^ 1;
      });
      const again = world.open().recovered;
      expect(again.snapshot?.index).toBe(newest === 11 ? 9 : 6);
      expect(again.entries[0]?.index).toBe((again.snapshot?.index ?? 0) + 1);
      expect(again.entries.at(-1)?.index).toBe(12);
    });
  });

  it("of an installation beyond the log's end shows the log before it or the log after it", () => {
    const acts = [snapshot("installSnapshot", 50, 3), append(51, 52, 3)];
    const found = new Set<string>();
    atEveryBoundary(rest([first]), acts, (recovered, answered) => {
      const text = `${recovered.snapshot?.index ?? 0} ${shape(recovered.entries)}`.trim();
      found.add(text);
      if (answered >= 1) expect(recovered.snapshot?.index).toBe(50);
      if (answered >= 2) expect(text).toBe("50 51:3 52:3");
      expect(recovered.hardState).toEqual(vote(3, 7));
    });
    expect([...found].sort()).toEqual(["0 1:2 2:2 3:2 4:2", "50", "50 51:3 52:3"]);
  });

  it("of an installation over a conflicting log never mixes the two", () => {
    const acts = [snapshot("installSnapshot", 3, 3), append(4, 4, 3)];
    const found = new Set<string>();
    atEveryBoundary(rest([first]), acts, recovered => {
      found.add(`${recovered.snapshot?.index ?? 0} ${shape(recovered.entries)}`.trim());
    });
    expect([...found].sort()).toEqual(["0 1:2 2:2 3:2 4:2", "3", "3 4:3"]);
  });

  it("of recovery itself, after a torn batch, changes nothing that the first one would show", () => {
    const base = rest([first, append(5, 9, 3, 500)]);
    const world = base.copy(5);
    const segment = world.disk
      .paths()
      .filter(path => path.includes("segment-"))
      .at(-2) as string;
    world.disk.rot(segment, bytes => {
      const end = bytes.findLastIndex(byte => byte !== 0);
      bytes.fill(0, end - 511, end + 1);
    });
    const torn = world.copy(6);
    const want = shape(torn.open().recovered.entries);
    expect(want).toBe("1:2 2:2 3:2 4:2");
    atEveryBoundary(world, [], recovered => {
      expect(shape(recovered.entries)).toBe(want);
    });
  });

  it("of recovery with segments behind the log's end leaves no gap between segments", () => {
    const world = new World();
    const storage = world.fresh();
    world.append(storage, { hardState: vote(3, 7), entries: entries(1, 4, 2, 700) });
    // The batch that begins the second segment does not come back before the third is made.
    const second = `${DIRECTORY}/segment-0000000000000002`;
    world.takesMs = ({ kind, path }) => {
      const isBatch = path.startsWith(second) && world.disk.paths().includes(second);
      return kind === "writeAndSync" && isBatch ? 1_000_000 : 1;
    };
    storage.append({ entries: entries(5, 5, 3, 1200) }, () => {});
    world.settle();
    world.disk.kill();
    expect(world.segments().length).toBe(3);
    atEveryBoundary(world, [], recovered => {
      expect(recovered.entries).toEqual(entries(1, 4, 2, 700));
      expect(recovered.hardState).toEqual(vote(3, 7));
    });
  });

  it("of an own snapshot ahead of the durable log counts the entries in it as there", () => {
    // Others may have made an entry durable, and this node applied it, before its own disk has it.
    for (let seed = 0; seed < 60; seed += 1) {
      const world = new World(seed);
      const storage = world.fresh();
      world.append(storage, { entries: entries(1, 2, 1) });
      world.settle();
      let isDone = false;
      const sink = storage.beginSnapshot(metadata(2, 1));
      sink.write(payload(2, 1, 2500), () => sink.finish(() => (isDone = true)));
      storage.append({ entries: [entry(3, 1), entry(4, 1, 3000)] }, () => {});
      turnUntil(world, seed % 25);
      world.disk.crash();
      const { recovered, storage: again } = world.open();
      if (isDone) expect(recovered.snapshot?.index).toBe(2);
      const next = again.lastIndex + 1;
      world.append(again, { entries: [entry(next, 2)] });
      world.disk.crash();
      expect(world.open().storage.lastIndex).toBe(next);
    }
  });
});
