/** Reads that one barrier confirmed, when each takes its time: the node does other things between. */
import { expect, test } from "vitest";
import type { Failure } from "../../src/replica/coordinator/index.js";
import { REPLICA_LIMITS } from "../../src/replica/limits.js";
import { Reads } from "../../src/replica/reads.js";
import { NodeTime } from "../../src/replica/time.js";
import { Turn } from "../../src/replica/turn.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { FakeCluster } from "./fake-log.js";
import { Setting } from "./setting.js";

/** A hundred reads of 4 ms each, asked for in one turn. */
function scene() {
  const loop = new TurnedLoop();
  const turn = new Turn(loop);
  let spentMs = 0;
  const clock = {
    monotonicMs: () => loop.monotonicMs() + spentMs,
    wallMs: () => 0,
    after: () => () => {},
  };
  let confirm: ((confirmed: boolean) => void) | null = null;
  const [log] = new FakeCluster(loop, 1).logs;
  if (log === undefined) throw new Error("a cluster of one has a log");
  log.barrier = done => {
    confirm = done;
  };
  const reads = new Reads(log, REPLICA_LIMITS, new NodeTime(clock), turn);
  turn.define([() => reads.flush()]);
  const ran: number[] = [];
  const failed: Failure[] = [];
  const task = (i: number) => ({
    run: () => {
      ran.push(i);
      spentMs += 4;
    },
    fail: (failure: Failure) => failed.push(failure),
  });
  for (let i = 0; i < 100; i++) reads.read(task(i));
  loop.turn();
  const own = (i: number) => reads.readOwn(task(i));
  return { loop, reads, ran, failed, confirm: () => confirm?.(true), own };
}

test("reads that take long run a few in a turn, in their order, and all of them", () => {
  const { loop, reads, ran, failed, confirm } = scene();
  confirm();
  expect(ran).toEqual([0, 1, 2]);
  loop.turn();
  expect(ran).toEqual([0, 1, 2, 3, 4, 5]);
  while (loop.turn()) expect(ran.length % 3 === 0 || ran.length === 100).toBe(true);
  expect(ran).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(failed).toEqual([]);
  expect(reads.served).toBe(100);
});

test("reads of what a node has run at once, a few in a turn, behind those that came before", () => {
  const { loop, reads, ran, confirm, own } = scene();
  const first = Array.from({ length: 5 }, (_, i) => 1_000 + i);
  for (const i of first) own(i);
  expect(ran).toEqual(first.slice(0, 3));
  loop.turn();
  expect(ran).toEqual(first);
  confirm();
  own(2_000);
  while (loop.turn()) {}
  expect(ran).toEqual([...first, ...Array.from({ length: 100 }, (_, i) => i), 2_000]);
  expect(reads.served).toBe(106);
});

test("a node that stops fails the confirmed reads that have not run yet, each once", () => {
  const { loop, reads, ran, failed, confirm } = scene();
  confirm();
  reads.stop();
  while (loop.turn()) {}
  expect(ran.length + failed.length).toBe(100);
  expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(["SHUTTING_DOWN"]));
});

test("a node's own reads have their place among its reads, so that a frame of them is no exception", () => {
  const s = new Setting(1, { maxPendingReads: 0 });
  const read = { key: "k", consistency: "serializable" } as const;
  expect(s.code(s.client().call("kv.get", read))).toBe("OVERLOADED");
});
