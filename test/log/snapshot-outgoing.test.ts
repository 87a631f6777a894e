/** Raft's requests for snapshots, and what becomes of transfers when it asks again. */
import { describe, expect, it } from "vitest";
import { logIndex, nodeId, term } from "../../src/base/ids.js";
import { OutgoingSnapshots } from "../../src/log/snapshot-outgoing.js";
import type { SnapshotReader, Storage } from "../../src/storage/contract.js";
import { metadata } from "../storage/world.js";

const LAGGARD = nodeId(9);

function made(index: number) {
  let newest = index;
  const told: string[] = [];
  const ends: ((ok: boolean) => void)[] = [];
  const reader = (): SnapshotReader => ({
    metadata: metadata(newest, 1),
    sizeBytes: 0,
    read: () => {},
    close: () => told.push("closed"),
  });
  const storage = {
    get snapshot() {
      return metadata(newest, 1);
    },
    openSnapshot: (done: Parameters<Storage["openSnapshot"]>[0]) => done(null, reader()),
  } as unknown as Storage;
  const outgoing = new OutgoingSnapshots(nodeId(7), storage, {
    send: (message, _source, done) => {
      told.push(`sends ${message.metadata.index} in term ${message.term}`);
      ends.push(done);
      return () => told.push("cancelled");
    },
    sent: (_to, ok) => told.push(ok ? "arrived" : "failed"),
    wanted: () => told.push("wants a newer one"),
    failed: stop => told.push(stop.code),
  });
  const request = (atLeast: number, inTerm = 1): void =>
    outgoing.request({ to: LAGGARD, term: term(inTerm), atLeast: logIndex(atLeast) });
  const take = (): string[] => told.splice(0);
  const grow = (to: number): void => {
    newest = to;
    outgoing.serve();
  };
  return { request, take, ends, grow };
}

describe("a laggard's snapshot", () => {
  it("goes on when raft asks again for what is on its way", () => {
    const { request, take, ends } = made(20);
    request(10);
    request(15);
    expect(take()).toEqual(["sends 20 in term 1"]);
    ends[0]?.(true);
    expect(take()).toEqual(["cancelled", "closed", "arrived"]);
  });

  it("gives way to a newer one without a word that raft would take for the newer one's end", () => {
    const { request, take, ends, grow } = made(20);
    request(10);
    request(30);
    expect(take()).toEqual(["sends 20 in term 1", "cancelled", "closed", "wants a newer one"]);
    grow(40);
    expect(take()).toEqual(["sends 40 in term 1"]);
    ends[0]?.(false);
    expect(take()).toEqual([]);
    ends[1]?.(true);
    expect(take()).toEqual(["cancelled", "closed", "arrived"]);
  });

  it("is sent anew in another term, and its failure is told", () => {
    const { request, take, ends } = made(20);
    request(10);
    request(10, 2);
    expect(take()).toEqual(["sends 20 in term 1", "cancelled", "closed", "sends 20 in term 2"]);
    ends[1]?.(false);
    expect(take()).toEqual(["cancelled", "closed", "failed"]);
  });
});
