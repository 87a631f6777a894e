/** Receiving and reading snapshots, each alone, where an order of events is hard to come by. */
import { describe, expect, test, vi } from "vitest";
import { logIndex, nodeId, term } from "../../src/base/ids.js";
import { type Decide, IncomingSnapshots } from "../../src/log/snapshot-incoming.js";
import { encodeOffer } from "../../src/log/snapshot-offer.js";
import { FileSource } from "../../src/log/snapshot-reading.js";
import type { BulkSink } from "../../src/peer/index.js";
import type { Snapshot } from "../../src/raft/message/index.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import type { SnapshotReader, Storage, StorageDone } from "../../src/storage/contract.js";

const CONTENT = Uint8Array.from({ length: 100 }, (_, at) => at);
const METADATA = {
  index: logIndex(9),
  term: term(2),
  configuration: { members: [], outgoingVoters: [], removed: [] },
};

function offer(from: number, content = CONTENT): Uint8Array {
  const message: Snapshot = {
    type: "snapshot",
    from: nodeId(from),
    to: nodeId(1),
    term: term(3),
    metadata: METADATA,
  };
  const crc32 = nodeChecksum.crc32(content);
  return encodeOffer({ message, content: { sizeBytes: content.length, crc32 } }, nodeBytes);
}

/** A receiver whose disk answers when told to. */
function receiver() {
  const sinks: { taken: number; aborted: boolean }[] = [];
  const pending: (() => void)[] = [];
  const installSnapshot: Storage["installSnapshot"] = () => {
    const sink = { taken: 0, aborted: false };
    sinks.push(sink);
    return {
      get taken() {
        const { taken } = sink;
        return { sizeBytes: taken, crc32: nodeChecksum.crc32(CONTENT.subarray(0, taken)) };
      },
      write: (bytes: Uint8Array, done: StorageDone) => {
        pending.push(() => {
          sink.taken += bytes.length;
          done(null);
        });
      },
      finish: (done: StorageDone) => pending.push(() => done(null)),
      abort: () => {
        sink.aborted = true;
      },
    };
  };
  const judge = vi.fn((): "wanted" | "held" => "wanted");
  const alreadyHeld = vi.fn();
  const thaw = vi.fn();
  const incoming = new IncomingSnapshots({ installSnapshot } as Storage, nodeBytes, 100, {
    judge,
    alreadyHeld,
    mismatched: vi.fn(),
    freeze: drained => drained(),
    thaw,
  });
  const decisions: (number | "declined")[] = [];
  const streams: BulkSink[] = [];
  const decide: Decide = (sink, resumeAt) => {
    decisions.push(sink === null ? "declined" : resumeAt);
    if (sink !== null) streams.push(sink);
  };
  const answer = (): void => pending.splice(0).forEach(each => void each());
  return { incoming, decide, decisions, streams, sinks, judge, alreadyHeld, thaw, answer };
}

describe("a snapshot being received", () => {
  test("is not displaced by another offer while its stream stands", () => {
    const { incoming, decide, decisions, streams, sinks } = receiver();
    incoming.offered(offer(2), decide);
    incoming.offered(offer(3), decide);
    incoming.offered(offer(3, CONTENT.subarray(1)), decide);
    expect(decisions).toEqual([0, "declined", "declined"]);
    streams[0]?.abort();
    incoming.offered(offer(3, CONTENT.subarray(1)), decide);
    expect(decisions).toEqual([0, "declined", "declined", 0]);
    expect(sinks.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  test("answers the next offer when the write that the break left under way has ended", () => {
    const { incoming, decide, decisions, streams, answer } = receiver();
    incoming.offered(offer(2), decide);
    const next = vi.fn();
    streams[0]?.write(CONTENT.slice(0, 40), next);
    streams[0]?.abort();
    incoming.offered(offer(3), decide);
    expect(decisions).toEqual([0]);
    answer();
    expect(decisions).toEqual([0, 40]);
    expect(next).not.toHaveBeenCalled();
  });

  test("of two that wait for that write one is taken", () => {
    const { incoming, decide, decisions, streams, answer } = receiver();
    incoming.offered(offer(2), decide);
    streams[0]?.write(CONTENT.slice(0, 40), vi.fn());
    streams[0]?.abort();
    incoming.offered(offer(3), decide);
    incoming.offered(offer(4), decide);
    answer();
    expect(decisions).toEqual([0, 40, "declined"]);
  });

  test("whose stream breaks while it is installed is installed, and the next offer hears so", () => {
    const { incoming, decide, decisions, streams, sinks, judge, alreadyHeld, thaw, answer } =
      receiver();
    incoming.offered(offer(2), decide);
    streams[0]?.write(CONTENT.slice(), vi.fn());
    answer();
    const done = vi.fn();
    streams[0]?.finish(done);
    streams[0]?.abort();
    incoming.offered(offer(2), decide);
    expect(decisions).toEqual([0]);
    thaw.mockImplementation(() => judge.mockReturnValue("held"));
    answer();
    expect(done).toHaveBeenCalledWith(true);
    expect(thaw).toHaveBeenCalledTimes(1);
    expect(alreadyHeld).toHaveBeenCalledTimes(1);
    expect(decisions).toEqual([0, "declined"]);
    expect(sinks.map(({ aborted }) => aborted)).toEqual([false]);
  });

  test("is kept while time passes with a stream, and so long without one", () => {
    const { incoming, decide, streams, sinks } = receiver();
    incoming.offered(offer(2), decide);
    incoming.tick(1_000);
    streams[0]?.abort();
    incoming.tick(99);
    expect(sinks[0]?.aborted).toBe(false);
    incoming.tick(1);
    expect(sinks[0]?.aborted).toBe(true);
  });

  test("is dropped at the next tick once the log has caught up without it", () => {
    const { incoming, decide, streams, sinks, judge } = receiver();
    incoming.offered(offer(2), decide);
    streams[0]?.abort();
    judge.mockReturnValue("held");
    incoming.tick(1);
    expect(sinks[0]?.aborted).toBe(true);
  });

  test("whatever is no offer is declined", () => {
    const { incoming, decide, decisions } = receiver();
    incoming.offered(new Uint8Array(0), decide);
    incoming.offered(offer(2).subarray(0, 30), decide);
    incoming.offered(new Uint8Array(40), decide);
    expect(decisions).toEqual(["declined", "declined", "declined"]);
  });
});

test("what was being read when the place changed is not answered as what stands there", () => {
  const reads: { offset: number; answer: () => void }[] = [];
  const reader: SnapshotReader = {
    metadata: METADATA,
    content: { sizeBytes: CONTENT.length, crc32: nodeChecksum.crc32(CONTENT) },
    read: (offset, done) => {
      reads.push({ offset, answer: () => done(null, CONTENT.slice(offset, offset + 10)) });
    },
    close: vi.fn(),
  };
  const source = new FileSource(reader, vi.fn());
  const early = vi.fn();
  source.read(early);
  source.seek(50);
  const slices: (number | undefined)[] = [];
  source.read(slice => slices.push(slice?.[0]));
  expect(reads).toHaveLength(1);
  reads[0]?.answer();
  expect(slices).toEqual([]);
  reads[1]?.answer();
  expect([early.mock.calls.length, slices, reads[1]?.offset]).toEqual([0, [50], 50]);
  source.read(() => undefined);
  source.close();
  expect(reader.close).not.toHaveBeenCalled();
  reads[2]?.answer();
  expect(reader.close).toHaveBeenCalledTimes(1);
});
