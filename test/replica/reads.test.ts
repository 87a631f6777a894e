/** Reads that one barrier confirmed, when each takes its time: the node does other things between. */
import { expect, test } from "vitest";
import type { Failure } from "../../src/replica/coordinator/index.js";
import { REPLICA_LIMITS } from "../../src/replica/limits.js";
import { Reads } from "../../src/replica/reads.js";
import { NodeTime } from "../../src/replica/time.js";
import { Turn } from "../../src/replica/turn.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { FakeCluster } from "./fake-log.js";

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
  for (let i = 0; i < 100; i++) {
    const run = () => {
      ran.push(i);
      spentMs += 4;
    };
    reads.read({ run, fail: failure => failed.push(failure) });
  }
  loop.turn();
  return { loop, reads, ran, failed, confirm: () => confirm?.(true) };
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

test("a node that stops fails the confirmed reads that have not run yet, each once", () => {
  const { loop, reads, ran, failed, confirm } = scene();
  confirm();
  reads.stop();
  while (loop.turn()) {}
  expect(ran.length + failed.length).toBe(100);
  expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(["SHUTTING_DOWN"]));
});
