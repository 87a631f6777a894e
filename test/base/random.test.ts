import { describe, expect, test } from "vitest";
import { randomStream, SeededRandom } from "../../src/base/random.js";

describe("SeededRandom", () => {
  test("the same seed draws the same, on every machine", () => {
    const random = new SeededRandom(42);
    const draws = Array.from({ length: 5 }, () => random.u32());
    expect(draws).toMatchInlineSnapshot(`
      [
        2357303435,
        3307241920,
        3305622521,
        2163275857,
        3319943233,
      ]
    `);
    const again = new SeededRandom(42);
    expect(Array.from({ length: 5 }, () => again.u32())).toEqual(draws);
  });

  test("streams of other names and seeds are other streams", () => {
    const firsts = new Set<number>();
    for (const name of ["raft", "network", "disk", ""]) {
      for (let seed = 0; seed < 50; seed++) firsts.add(randomStream(seed, name).below(2 ** 48));
      firsts.add(randomStream(2 ** 40, name).below(2 ** 48));
    }
    expect(firsts.size).toBe(4 * 51);
  });

  test("draws are below their bound and fill it evenly", () => {
    const random = new SeededRandom(7);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const draw = random.below(10);
      counts[draw] = (counts[draw] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(250);
    for (let i = 0; i < 1000; i++) expect(random.below(2 ** 40 + 7)).toBeLessThan(2 ** 40 + 7);
    expect(random.below(1)).toBe(0);
    expect(() => random.below(0)).toThrow("bound");
  });
});
