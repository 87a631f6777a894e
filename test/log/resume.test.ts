/** Snapshots whose streams break: gone on with and not begun again, and never spliced. */
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { DEFAULT_LOG_LIMITS } from "../../src/log/index.js";
import { IncomingSnapshots } from "../../src/log/snapshot-incoming.js";
import { BulkWire, type Stream } from "./bulk-wire.js";
import { TEST_LIMITS, TestCluster, type TestNode } from "./cluster.js";

const WINDOW_BYTES = 4_096;
const SLICE_BYTES = 1_024;
/** What may be sent in vain in one break. */
const LOST_BYTES = WINDOW_BYTES + SLICE_BYTES;
const ENTRIES = 400;

const LIMITS = {
  raft: { ...DEFAULT_LOG_LIMITS.raft, tailBytes: 1_000 },
  peer: { ...DEFAULT_LOG_LIMITS.peer, bulkWindowBytes: WINDOW_BYTES },
  storage: { ...TEST_LIMITS.storage, pieceBytes: SLICE_BYTES, installPieceBytes: 2_048 },
};

interface World {
  readonly cluster: TestCluster;
  readonly wire: BulkWire;
  readonly away: TestNode;
  /** Length of the snapshot that the others have and the laggard needs. */
  readonly sizeBytes: number;
}

/** Three nodes, one of them away since before the others' snapshot. */
function lagging(seed: number, limits: Partial<typeof DEFAULT_LOG_LIMITS> = {}): World {
  const cluster = new TestCluster(["a", "b", "c"], seed, { ...LIMITS, ...limits });
  const wire = new BulkWire(cluster);
  cluster.startAll();
  cluster.append("first");
  cluster.untilAllHave("first");
  const away = cluster.followers()[0] as TestNode;
  cluster.sendAway(away);
  const leader = cluster.leader();
  for (let at = 0; at < ENTRIES; at++) leader.append(`entry ${at}`);
  cluster.untilAllHave(`entry ${ENTRIES - 1}`);
  for (const node of cluster.up) {
    cluster.until(node.snapshot(), "a snapshot");
    node.host.onWanted = () => node.snapshot();
  }
  const sizeBytes = JSON.stringify(leader.host.applied).length;
  return { cluster, wire, away, sizeBytes };
}

function untilCaughtUp({ cluster, away }: World, text = `entry ${ENTRIES - 1}`): void {
  cluster.untilAllHave(text, [away]);
  cluster.append("end");
  cluster.untilAllHave("end");
  cluster.assertAgreement();
}

const partsOf = (node: TestNode): string[] =>
  node.disk.paths().filter(path => /snapshot-.*\.part$/.test(path));

/** Starts the laggard and lets so many bytes of the snapshot be sent. */
function underWay({ cluster, wire, away }: World, bytes: number): Stream {
  away.start();
  cluster.until(() => wire.sentBytes >= bytes, `${bytes} bytes on their way`);
  return wire.streams.at(-1) as Stream;
}

afterEach(() => vi.restoreAllMocks());

describe("a stream that breaks", () => {
  test("again and again after so many bytes is gone on with: little is sent twice", () => {
    for (let cutBytes = 2_500; cutBytes < 15_000; cutBytes += 1_277) {
      const world = lagging(cutBytes);
      const { wire, away, sizeBytes } = world;
      wire.onStream = ({ connection }) => connection.cutAfter(cutBytes);
      away.start();
      untilCaughtUp(world);
      const breaks = wire.streams.length - 1;
      expect(breaks).toBeGreaterThan(0);
      expect(wire.sentBytes).toBeLessThanOrEqual(sizeBytes + breaks * LOST_BYTES);
      expect(away.host.restores).toBe(1);
      // Where one begins is never before where the one before it began.
      const begun = wire.streams.flatMap(({ begunAt }) => begunAt ?? []);
      expect(begun).toEqual([...begun].sort((a, b) => a - b));
      expect(partsOf(away)).toEqual([]);
    }
  });

  test("at any byte offset, also in the middle of a piece, goes on from what was taken", () => {
    const world = lagging(3);
    const { cluster, wire, sizeBytes } = world;
    const first = underWay(world, 9_000);
    first.connection.broken();
    cluster.until(() => wire.streams.at(-1)?.begunAt != null && wire.streams.length > 1, "resumed");
    const resumed = wire.streams.at(-1)?.begunAt as number;
    expect(resumed).toBeGreaterThan(9_000 - LOST_BYTES);
    // The sender's slices are 1,016 bytes of content; the laggard's pieces are not.
    expect(resumed % (SLICE_BYTES - 8)).toBe(0);
    untilCaughtUp(world);
    expect(wire.sentBytes).toBeLessThanOrEqual(sizeBytes + LOST_BYTES);
  });

  test("in both directions, silently, is found out and gone on with", () => {
    const world = lagging(4);
    const { cluster, wire, away, sizeBytes } = world;
    underWay(world, 9_000);
    cluster.network.isolate(
      away.name,
      ["a", "b", "c"].filter(name => name !== away.name),
    );
    cluster.advance(5_000);
    cluster.network.heal();
    untilCaughtUp(world);
    expect(wire.streams.length).toBeGreaterThan(1);
    expect(wire.sentBytes).toBeLessThanOrEqual(sizeBytes + 2 * LOST_BYTES);
  });

  test("newer snapshots that come meanwhile change nothing: the old one arrives whole", () => {
    const world = lagging(5);
    const { cluster, wire, away, sizeBytes } = world;
    const index = cluster.leader().running.status().snapshotIndex;
    let breaks = 0;
    wire.onStream = ({ connection }) => {
      connection.cutAfter(4_000);
      breaks += 1;
    };
    away.start();
    let appended = 0;
    let restoredAt = 0;
    away.host.onCommitted = entry => {
      restoredAt ||= entry.index - 1;
    };
    cluster.until(() => {
      if (breaks > appended / 10) {
        for (let n = 0; n < 10; n++) cluster.serving()?.append(`newer ${appended++}`);
        cluster.serving()?.snapshot();
      }
      return away.host.restores > 0;
    }, "the old one");
    expect(breaks).toBeGreaterThan(4);
    expect(cluster.leader().running.status().snapshotIndex).toBeGreaterThan(index);
    expect(wire.sentBytes).toBeLessThanOrEqual(sizeBytes + breaks * LOST_BYTES);
    wire.onStream = () => undefined;
    untilCaughtUp(world, `newer ${appended - 1}`);
    expect(restoredAt).toBe(index);
  });

  test("snapshots that are taken faster than one travels do not keep the laggard out", () => {
    const world = lagging(6);
    const { cluster, away } = world;
    cluster.network.setDelay(20);
    away.start();
    const leader = cluster.leader();
    const taken = new Set<number>();
    cluster.until(() => {
      const { snapshotIndex, lastIndex } = leader.running.status();
      taken.add(snapshotIndex);
      if (snapshotIndex === lastIndex) leader.append("live");
      else leader.snapshot();
      return away.host.restores > 0;
    }, "the laggard's restore");
    expect(taken.size).toBeGreaterThan(3);
    cluster.network.setDelay(1);
    untilCaughtUp(world);
  });
});

describe("what came of a broken stream", () => {
  test("is gone on with by the next leader, if its snapshot has the same content", () => {
    const world = lagging(7);
    const { cluster, wire, sizeBytes } = world;
    const leader = cluster.leader();
    const first = underWay(world, 9_000);
    expect(first.from).toBe(leader.name);
    leader.crash();
    cluster.until(() => wire.streams.some(({ from }) => from !== leader.name), "the next leader's");
    cluster.append("by the next");
    cluster.untilAllHave("by the next");
    const next = wire.streams.filter(({ from }) => from !== leader.name);
    expect(next[0]?.begunAt).toBeGreaterThan(9_000 - LOST_BYTES);
    expect(wire.sentBytes).toBeLessThanOrEqual(sizeBytes + LOST_BYTES);
    leader.start();
    untilCaughtUp(world);
  });

  test("is dropped for another content, and no two are on the disk at once", () => {
    const world = lagging(8);
    const { cluster, wire, away, sizeBytes } = world;
    const leader = cluster.leader();
    const other = cluster.followers()[0] as TestNode;
    cluster.append("more");
    cluster.untilAllHave("more", [leader, other]);
    cluster.until(other.snapshot(), "a snapshot that only the other has");
    underWay(world, 9_000);
    expect(partsOf(away)).toHaveLength(1);
    leader.crash();
    cluster.until(() => {
      expect(partsOf(away).length).toBeLessThanOrEqual(1);
      return away.host.restores > 0;
    }, "the other's snapshot");
    const next = wire.streams.find(({ from }) => from === other.name);
    expect(next?.begunAt).toBe(0);
    expect(wire.sentBytes).toBeGreaterThan(sizeBytes + 4_000);
    leader.start();
    untilCaughtUp(world);
  });

  test("is dropped for another form of the same state at the same index", () => {
    const world = lagging(18);
    const { cluster, wire, away } = world;
    const leader = cluster.leader();
    const other = cluster.followers()[0] as TestNode;
    // Newer than the leader's next, which is then of the same index.
    cluster.append("more");
    cluster.untilAllHave("more", [leader, other]);
    cluster.until(other.snapshot(JSON.stringify(other.host.applied, null, 1)), "the other's");
    cluster.until(leader.snapshot(), "the leader's");
    const { snapshotIndex } = leader.running.status();
    expect(other.running.status().snapshotIndex).toBe(snapshotIndex);
    underWay(world, 9_000);
    leader.crash();
    cluster.until(() => away.host.restores > 0, "the other's snapshot");
    expect(wire.streams.find(({ from }) => from === other.name)?.begunAt).toBe(0);
    expect(away.notes.join()).not.toMatch(/not what it offered/);
    leader.start();
    untilCaughtUp(world);
  });

  test("is dropped when nobody goes on with it for long, and the log does without", () => {
    const keptTicks = 100;
    const world = lagging(9, { snapshotKeptTicks: keptTicks });
    const { cluster, away } = world;
    underWay(world, 9_000);
    cluster.network.isolate(
      away.name,
      ["a", "b", "c"].filter(name => name !== away.name),
    );
    cluster.advance(4_000 + keptTicks * 20);
    expect(partsOf(away)).toEqual([]);
    cluster.network.heal();
    untilCaughtUp(world);
  });

  test("goes with an orderly stop, and with the next start after a crash", () => {
    const stopped = lagging(10);
    underWay(stopped, 9_000).connection.broken();
    expect(partsOf(stopped.away)).toHaveLength(1);
    stopped.cluster.until(stopped.away.stop(), "an orderly stop");
    expect(partsOf(stopped.away)).toEqual([]);

    const crashed = lagging(11);
    underWay(crashed, 9_000);
    crashed.away.crash();
    crashed.away.start();
    crashed.cluster.until(() => crashed.away.started?.failure === null, "its next start");
    untilCaughtUp(crashed);
    expect(partsOf(crashed.away)).toEqual([]);
  });

  test("survives a sender that gives up and begins anew with the same snapshot", () => {
    const world = lagging(12, { snapshotPatienceTicks: 10 });
    const { cluster, wire, away, sizeBytes } = world;
    underWay(world, 9_000);
    cluster.network.isolate(
      away.name,
      ["a", "b", "c"].filter(name => name !== away.name),
    );
    cluster.advance(5_000);
    cluster.network.heal();
    untilCaughtUp(world);
    expect(wire.sentBytes).toBeLessThanOrEqual(sizeBytes + 2 * LOST_BYTES);
  });
});

describe("killed at any operation of its disk while it receives", () => {
  test("the laggard starts again and catches up", () => {
    let cuts = 0;
    for (let operation = 1; ; operation += 3) {
      const world = lagging(operation);
      const { cluster, wire, away } = world;
      let operations = 0;
      away.start();
      cluster.until(() => wire.sentBytes > 0, "a first chunk");
      away.disk.fault = () => {
        operations += 1;
        return null;
      };
      cluster.until(() => operations >= operation || away.host.restores > 0, "the operation");
      if (away.host.restores > 0) break;
      cuts += 1;
      // Sometimes in the middle of a resumed stream.
      if (operation % 2 === 0) wire.streams.at(-1)?.connection.broken();
      if (operation % 4 < 2) away.crash();
      else away.kill();
      away.disk.fault = () => null;
      cluster.advance(operation % 50);
      away.start();
      untilCaughtUp(world);
      expect(partsOf(away)).toEqual([]);
    }
    expect(cuts).toBeGreaterThan(5);
  });
});

describe("content that is not what was offered", () => {
  test("in a chunk that fails its checksum only breaks the stream", () => {
    const world = lagging(13);
    const { wire, away, sizeBytes } = world;
    let altered = 0;
    wire.onChunk = (_, offset, content) => {
      if (offset < 9_000 || altered > 0) return;
      altered += 1;
      content[5] = (content[5] as number) ^ 1;
    };
    away.start();
    untilCaughtUp(world);
    expect(altered).toBe(1);
    expect(wire.streams).toHaveLength(2);
    expect(wire.sentBytes).toBeLessThanOrEqual(sizeBytes + LOST_BYTES);
  });

  test("spliced in over a break is refused as a whole, noted, and sent again", () => {
    const world = lagging(14);
    const { wire, away } = world;
    wire.seals = true;
    wire.onStream = ({ connection }) => {
      if (wire.streams.length === 1) connection.cutAfter(12_000);
    };
    // The second stream goes on with something else: digits of other digits.
    wire.onChunk = (stream, _, content) => {
      if (stream !== wire.streams[1]) return;
      for (const [at, byte] of content.entries()) if (byte === 0x31) content[at] = 0x32;
    };
    away.start();
    untilCaughtUp(world);
    expect(wire.streams[1]?.begunAt).toBeGreaterThan(0);
    expect(wire.streams[2]?.begunAt).toBe(0);
    expect(away.host.restores).toBe(1);
    expect(away.notes.filter(note => /is not what it offered/.test(note))).toHaveLength(1);
  });

  test("longer than offered is not written beyond that, and refused", () => {
    const world = lagging(15);
    const { cluster, wire, away, sizeBytes } = world;
    const { offered } = IncomingSnapshots.prototype;
    let largest = 0;
    vi.spyOn(IncomingSnapshots.prototype, "offered").mockImplementationOnce(function (
      this: IncomingSnapshots,
      encoded,
      decide,
    ) {
      const smaller = encoded.slice();
      new DataView(smaller.buffer).setBigUint64(0, 7_000n, true);
      offered.call(this, smaller, decide);
    });
    away.start();
    cluster.until(() => {
      if (wire.streams.length < 2) {
        for (const path of partsOf(away)) {
          largest = Math.max(largest, away.disk.bytes(path)?.length ?? 0);
        }
      }
      return wire.streams.length === 2;
    }, "another try");
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(10_000);
    expect(sizeBytes).toBeGreaterThan(10_000);
    untilCaughtUp(world);
  });

  test("a receiver that wants it from beyond its end is not sent anything, and stops nobody", () => {
    const world = lagging(16);
    const { cluster, wire, away } = world;
    const sink = { write: vi.fn(), finish: vi.fn(), abort: vi.fn() };
    vi.spyOn(IncomingSnapshots.prototype, "offered").mockImplementationOnce((_, decide) =>
      decide(sink, 2 ** 40),
    );
    away.start();
    cluster.until(() => sink.abort.mock.calls.length > 0, "the sender's end of it");
    expect(sink.write).not.toHaveBeenCalled();
    untilCaughtUp(world);
    expect(wire.streams.length).toBeGreaterThan(1);
  });
});

describe("whatever happens on the way", () => {
  type Step = "break" | "cut" | "silence" | "append" | "snapshot" | "laggard" | "leader" | "wait";
  const step = fc.record({
    what: fc.constantFrom<Step>(
      "break",
      "break",
      "cut",
      "silence",
      "append",
      "snapshot",
      "laggard",
      "leader",
      "wait",
    ),
    amount: fc.integer({ min: 0, max: 8_000 }),
  });

  function act({ cluster, wire, away }: World, what: Step, amount: number): void {
    if (what === "break") wire.streams.at(-1)?.connection.broken();
    if (what === "cut") wire.streams.at(-1)?.connection.cutAfter(amount);
    if (what === "append") cluster.serving()?.append(`live ${amount}`);
    if (what === "snapshot") for (const node of cluster.up) node.snapshot();
    if (what === "silence") {
      const stream = wire.streams.at(-1);
      if (stream !== undefined) cluster.network.silence(stream.from, stream.to);
      cluster.advance(amount / 2);
      cluster.network.heal();
    }
    if (what === "laggard") {
      if (amount % 2 === 0) away.crash();
      else away.kill();
      cluster.advance(amount / 100);
      away.start();
    }
    if (what === "leader") {
      const leader = cluster.serving();
      if (leader === null || leader === away) return;
      leader.crash();
      cluster.advance(amount / 10);
      leader.start();
      leader.host.onWanted = () => leader.snapshot();
    }
    cluster.advance(amount / 200);
  }

  test("the laggard holds in the end what the others hold, and no part stays behind", () => {
    const property = fc.property(
      fc.array(step, { maxLength: 20 }),
      fc.nat({ max: 1_000 }),
      (steps, seed) => {
        const world = lagging(seed);
        const { cluster, away } = world;
        away.start();
        for (const { what, amount } of steps) act(world, what, amount);
        for (const node of cluster.nodes) expect(node.host.failures).toEqual([]);
        untilCaughtUp(world);
        cluster.until(() => partsOf(away).length === 0, "no part is left");
      },
    );
    fc.assert(property, { numRuns: 40 });
  });
});
