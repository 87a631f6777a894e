import { describe, expect, it } from "vitest";
import type { LineTally } from "../../src/replica/coordinator/index.js";
import { Tallies } from "../../src/replica/lines/tallies.js";
import { Setting } from "./setting.js";

const LEADER = 1;
const TTL = 10_000;

function held(s: Setting, at: number, name: string) {
  const result = s.result(s.client(at).call("lock.acquire", { name, ttlMs: TTL }));
  if (!("key" in result)) throw new Error("not granted");
  return result;
}

const talliesOf = (s: Setting, at: number): readonly LineTally[] =>
  s.replicas[at - 1]?.coordinator.tallies() ?? [];
const countOf = ({ counts }: LineTally["held"]): number =>
  Array.from(counts).reduce((sum, count) => sum + count, 0);

describe("what became of locks", () => {
  it("is counted by the first segment of their names, by the node that leads", () => {
    const s = new Setting(3);
    const { key } = held(s, 2, "jobs/1");
    const waits = s.client(3).call("lock.acquire", { name: "jobs/1", ttlMs: TTL, waitMs: -1 });
    held(s, 2, "rows/7/a");
    s.loop.advance(3_000);
    s.result(s.client(2).call("lock.release", { key }));
    s.result(waits);
    const [jobs, rows, ...more] = talliesOf(s, LEADER);
    expect(more).toEqual([]);
    expect([jobs?.group, rows?.group]).toEqual(["jobs", "rows"]);
    expect([jobs?.waited, rows?.waited].map(one => one && countOf(one))).toEqual([2, 1]);
    expect([jobs?.held, rows?.held].map(one => one && countOf(one))).toEqual([1, 0]);
    expect(jobs?.waited.sumMs).toBeGreaterThanOrEqual(2_900);
    expect(jobs?.held.sumMs).toBeGreaterThanOrEqual(3_000);
    const within5s = jobs?.held.boundsMs.indexOf(5_000) ?? -1;
    expect(jobs?.held.counts[within5s]).toBe(1);
    expect([...(jobs?.ends ?? [])]).toEqual([["released", 1]]);
    for (const follower of [2, 3]) expect(talliesOf(s, follower)).toEqual([]);
  });

  it("of several names counts for each", () => {
    const s = new Setting(1);
    const call = s.client(1).call("lock.acquire", { names: ["a/1", "b/1"], ttlMs: TTL });
    const granted = s.result(call);
    if (!("key" in granted)) throw new Error("not granted");
    s.result(s.client(1).call("lock.release", { key: granted.key }));
    for (const { waited, held: holds } of talliesOf(s, LEADER))
      expect([countOf(waited), countOf(holds)]).toEqual([1, 1]);
    expect(talliesOf(s, LEADER).map(({ group }) => group)).toEqual(["a", "b"]);
  });

  it("of more groups than a hundred is counted together", () => {
    const s = new Setting(1);
    for (let n = 0; n < 103; n++) held(s, 1, `name${n}`);
    const tallies = talliesOf(s, LEADER);
    expect(tallies.length).toBe(101);
    expect(tallies.at(-1)?.group).toBeNull();
    expect(tallies.at(-1) && countOf(tallies.at(-1)?.waited as LineTally["held"])).toBe(3);
  });

  it("is told of the rest also when only ends were counted there", () => {
    const s = new Setting(1);
    const grant = { ...held(s, 1, "first"), waitedMs: 0 };
    const tallies = new Tallies(() => true);
    for (let n = 0; n < 100; n++) tallies.granted({ ...grant, name: `name${n}` });
    const end = { name: "one/more", heldMs: 5, reason: "released", revision: 9 } as const;
    tallies.ended({ ...grant, ...end });
    expect(tallies.all().at(-1)?.group).toBeNull();
  });
});
