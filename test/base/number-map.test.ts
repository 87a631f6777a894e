import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NumberMap } from "../../src/base/number-map.js";

const keys = fc.oneof(
  fc.nat({ max: 40 }),
  // Same home in a small table, above and below 2^32.
  fc.nat({ max: 20 }).map(n => n * 65_536),
  fc.nat({ max: 20 }).map(n => n * 0x1_0000_0000 + 7),
  fc.constantFrom(0, Number.MAX_SAFE_INTEGER),
);
const steps = fc.array(
  fc.record({ what: fc.constantFrom("set", "set", "delete", "delete", "clear"), key: keys }),
  { maxLength: 300 },
);

describe("NumberMap", () => {
  it("answers as a Map does", () => {
    fc.assert(
      fc.property(steps, script => {
        const map = new NumberMap<number>();
        const twin = new Map<number, number>();
        const seen = new Set<number>();
        script.forEach(({ what, key }, at) => {
          seen.add(key);
          if (what === "set") {
            map.set(key, at);
            twin.set(key, at);
          } else if (what === "delete") {
            expect(map.delete(key)).toBe(twin.delete(key));
          } else if (at % 7 === 0) {
            map.clear();
            twin.clear();
          }
          expect(map.size).toBe(twin.size);
        });
        for (const key of seen) {
          expect(map.get(key)).toBe(twin.get(key));
          expect(map.has(key)).toBe(twin.has(key));
        }
      }),
    );
  });

  it("takes no key that is not an integer from 0", () => {
    const map = new NumberMap<string>();
    for (const key of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => map.set(key, "")).toThrow(/integers from 0/);
      expect(map.get(key)).toBeUndefined();
    }
  });
});
