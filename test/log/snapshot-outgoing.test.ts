/** Sending snapshots: what raft asks for meanwhile, and how long a broken one is tried again. */
import { describe, expect, test, vi } from "vitest";
import { type LogIndex, logIndex, nodeId, term } from "../../src/base/ids.js";
import { OutgoingSnapshots, type SendEvents } from "../../src/log/snapshot-outgoing.js";
import type { SnapshotMetadata } from "../../src/raft/message/index.js";
import type { Storage } from "../../src/storage/contract.js";

const TO = nodeId(2);
const TIMING = { retryTicks: 3, patienceTicks: 100 };

/** A sender whose newest snapshot is at `newest`, on links that do what they are told. */
function sender(newest: number) {
  const metadata = (index: LogIndex): SnapshotMetadata => ({
    index,
    term: term(1),
    configuration: { members: [], outgoingVoters: [], removed: [] },
  });
  const storage = {
    snapshot: metadata(logIndex(newest)),
    openSnapshot: (done: Parameters<Storage["openSnapshot"]>[0]) =>
      done(null, {
        metadata: storage.snapshot,
        content: { sizeBytes: 1_000, crc32: 5 },
        read: vi.fn(),
        close: closed,
      }),
  };
  const closed = vi.fn();
  const streams: (SendEvents & { readonly index: number })[] = [];
  const cancelled = vi.fn();
  const isUp = vi.fn(() => true);
  const sent = vi.fn();
  const wanted = vi.fn();
  const outgoing = new OutgoingSnapshots(nodeId(1), storage as Storage, TIMING, {
    send: (offer, _, events) => {
      streams.push({ ...events, index: offer.message.metadata.index });
      return cancelled;
    },
    isUp,
    sent,
    wanted,
    failed: vi.fn(),
  });
  const request = (atLeast: number): void =>
    outgoing.request({ to: TO, term: term(1), atLeast: logIndex(atLeast) });
  const takes = (index: number): void => {
    storage.snapshot = metadata(logIndex(index));
  };
  return { outgoing, request, takes, streams, isUp, sent, wanted, cancelled, closed };
}

describe("a snapshot on its way", () => {
  test("goes on when raft asks again for what it is good enough for", () => {
    const { request, takes, streams, sent, cancelled } = sender(10);
    request(5);
    takes(20);
    request(10);
    expect(streams.map(({ index }) => index)).toEqual([10]);
    expect(cancelled).not.toHaveBeenCalled();
    streams[0]?.ended("taken");
    expect(sent.mock.calls).toEqual([[TO, true]]);
  });

  test("too old for what raft asks now gives way; raft hears of the later one alone", () => {
    const { outgoing, request, takes, streams, sent, wanted, cancelled, closed } = sender(10);
    request(5);
    request(15);
    expect([cancelled, closed, wanted].map(each => each.mock.calls.length)).toEqual([1, 1, 1]);
    expect(sent).not.toHaveBeenCalled();
    takes(15);
    outgoing.serve();
    expect(streams.map(({ index }) => index)).toEqual([10, 15]);
    streams[1]?.ended("refused");
    expect(sent.mock.calls).toEqual([[TO, false]]);
  });

  test("that breaks is tried again after a while, with the same one, once there is a link", () => {
    const { outgoing, request, takes, streams, isUp, sent } = sender(10);
    request(5);
    streams[0]?.ended("broken");
    takes(20);
    outgoing.tick(2);
    isUp.mockReturnValue(false);
    outgoing.tick(50);
    expect(streams).toHaveLength(1);
    isUp.mockReturnValue(true);
    outgoing.tick(1);
    outgoing.tick(1);
    expect(streams.map(({ index }) => index)).toEqual([10, 10]);
    expect(sent).not.toHaveBeenCalled();
  });

  test("is given up after so long without progress: without more than was there before", () => {
    const { outgoing, request, streams, sent, closed } = sender(10);
    request(5);
    const breakAt = (offset: number, ticks: number): void => {
      streams.at(-1)?.begun(offset);
      streams.at(-1)?.ended("broken");
      outgoing.tick(ticks);
    };
    breakAt(0, 60);
    breakAt(400, 60);
    breakAt(500, 60);
    expect(sent).not.toHaveBeenCalled();
    // The laggard has lost what it had, and loses it again.
    breakAt(0, 30);
    breakAt(0, 30);
    expect(sent.mock.calls).toEqual([[TO, false]]);
    expect(closed).toHaveBeenCalledTimes(1);
    outgoing.tick(1_000);
    expect(sent).toHaveBeenCalledTimes(1);
  });

  test("ends with the leadership, broken or not, and raft hears so once", () => {
    const { outgoing, request, streams, sent, cancelled } = sender(10);
    request(5);
    streams[0]?.ended("broken");
    outgoing.abandon();
    request(5);
    outgoing.abandon();
    streams[1]?.ended("broken");
    outgoing.tick(1_000);
    expect(sent.mock.calls).toEqual([
      [TO, false],
      [TO, false],
    ]);
    expect(cancelled).toHaveBeenCalledTimes(1);
    expect(streams).toHaveLength(2);
  });
});
