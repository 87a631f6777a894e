import { expect, test } from "vitest";
import { Repeats } from "../../src/log/repeats.js";

test("what is said again within a minute is no news; afterwards it is", () => {
  let nowMs = 0;
  const repeats = new Repeats({ monotonicMs: () => nowMs });
  expect([repeats.isNews("a"), repeats.isNews("b"), repeats.isNews("a")]).toEqual([
    true,
    true,
    false,
  ]);
  nowMs = 59_999;
  expect(repeats.isNews("a")).toBe(false);
  nowMs = 60_000;
  expect(repeats.isNews("a")).toBe(true);
});

test("of more texts than it remembers, those said longest ago are news again", () => {
  const repeats = new Repeats({ monotonicMs: () => 0 });
  for (let n = 0; n < 257; n += 1) expect(repeats.isNews(`${n}`)).toBe(true);
  expect(repeats.isNews("256")).toBe(false);
  expect(repeats.isNews("0")).toBe(true);
});
