/** The runner before targets that break on purpose: a fuzzer that finds nothing must be able to. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { replay, search } from "./runner.js";
import type { FuzzTarget } from "./target.js";

const target = (fuzz: (input: number) => string | Promise<string>): FuzzTarget<number> => ({
  name: "made",
  promise: "it holds",
  reaches: [],
  shortRuns: 1,
  samples: () => ({}),
  inputs: () => fc.nat(1_000),
  fuzz,
});
const SEARCH = { seed: 1, runs: 500, size: 1 };

test("what throws is found and shrunk to the least that throws", async () => {
  const broken = target(input => {
    if (input >= 100) throw new Error("broken");
    return "fine";
  });
  const { finding, outcomes } = await search(broken, [], SEARCH);
  expect(finding).toMatchObject({ input: 100, error: new Error("broken") });
  expect([...outcomes.keys()]).toEqual(["fine"]);
});

test("a rejection that nobody hears is the input's, and so is one that is heard", async () => {
  const unheard = target(async input => {
    if (input > 5) void Promise.reject(new Error("unheard"));
    return "fine";
  });
  expect((await search(unheard, [], SEARCH)).finding?.input).toBe(6);
  const heard = target(() => Promise.reject(new Error("heard")));
  expect((await search(heard, [], SEARCH)).finding?.input).toBe(0);
});

test("memory past the bound is found", async () => {
  let kept = new Uint8Array();
  const greedy = target(input => {
    if (input > 900) kept = new Uint8Array(300 * 1024 * 1024);
    return kept.length > 0 ? "large" : "small";
  });
  const { finding } = await search(greedy, [], SEARCH);
  expect(String(finding?.error)).toMatch(/it set aside \d+ KiB/);
});

test("nothing found is no finding, and the same seed is the same run", async () => {
  const seen: number[][] = [];
  for (const _ of [1, 2]) {
    const inputs: number[] = [];
    seen.push(inputs);
    const fine = target(input => {
      inputs.push(input);
      return input > 10 ? "large" : "small";
    });
    expect((await search(fine, [], SEARCH)).finding).toBeNull();
  }
  expect(seen[0]).toEqual(seen[1]);
  expect(seen[0]).toHaveLength(500);
});

test("a file of the corpus must come to its outcome again", async () => {
  const fine = target(() => "fine");
  const file = { name: "x", why: [], outcome: "fine", input: 1 };
  expect(await replay(fine, file)).toBeNull();
  expect(await replay(fine, { ...file, outcome: "other" })).toMatch(/instead of "other"/);
  expect(await replay(fine, { ...file, outcome: null })).toMatch(/without its outcome: fine/);
  const broken = target(() => {
    throw new Error("broken");
  });
  expect(await replay(broken, file)).toMatch(/broken/);
});
