import fc from "fast-check";
import { expect, test } from "vitest";
import { type Mutation, mutate, mutated, mutation } from "./mutator.js";

const ABC = Uint8Array.from([1, 2, 3, 4, 5, 6]);
const after = (...mutations: Mutation[]): number[] => [...mutate(ABC, mutations)];

test("each mutation does what its name says", () => {
  expect(after({ do: "flip", at: 0, bit: 3 })).toEqual([9, 2, 3, 4, 5, 6]);
  expect(after({ do: "set", at: 5, byte: 255 })).toEqual([1, 2, 3, 4, 5, 255]);
  expect(after({ do: "cut", at: 2 })).toEqual([1, 2]);
  expect(after({ do: "drop", at: 1, length: 2 })).toEqual([1, 4, 5, 6]);
  expect(after({ do: "drop", at: 4, length: 99 })).toEqual([1, 2, 3, 4]);
  expect(after({ do: "zero", at: 4, length: 99 })).toEqual([1, 2, 3, 4, 0, 0]);
  expect(after({ do: "insert", at: 6, bytes: Uint8Array.of(7) })).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(after({ do: "repeat", at: 1, length: 2, to: 0 })).toEqual([2, 3, 1, 2, 3, 4, 5, 6]);
  expect(after({ do: "swap", at: 0, to: 3, length: 2 })).toEqual([4, 5, 3, 1, 2, 6]);
  // Pieces that would overlap, or pass the end, are as short as they must be.
  expect(after({ do: "swap", at: 4, to: 2, length: 9 })).toEqual([1, 2, 5, 6, 3, 4]);
  expect(after({ do: "swap", at: 3, to: 3, length: 9 })).toEqual([...ABC]);
});

test("a number is written in either order of its bytes, as far as there is room", () => {
  const number = { do: "number", width: 4, value: 0x0102_0304 } as const;
  expect(after({ ...number, at: 0, little: true })).toEqual([4, 3, 2, 1, 5, 6]);
  expect(after({ ...number, at: 0, little: false })).toEqual([1, 2, 3, 4, 5, 6]);
  expect(after({ ...number, at: 4, little: true })).toEqual([1, 2, 3, 4, 4, 3]);
  const wide = { do: "number", at: 0, width: 8, value: 2 ** 53 - 1, little: true } as const;
  expect([...mutate(new Uint8Array(8), [wide])]).toEqual([255, 255, 255, 255, 255, 255, 31, 0]);
});

test("any mutations fit any bytes, are the same every time, and leave the sample alone", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.array(mutation), (sample, mutations) => {
      const before = [...sample];
      const once = mutate(sample, mutations);
      expect([...mutate(sample, mutations)]).toEqual([...once]);
      expect([...sample]).toEqual(before);
    }),
    { numRuns: 1_000 },
  );
});

test("a Buffer is copied as well, though its own slice would not copy", () => {
  const buffer = Buffer.from(ABC);
  mutate(buffer, [{ do: "set", at: 0, byte: 9 }]);
  expect(buffer[0]).toBe(1);
});

test("what is made of samples is mostly near one of them, and sometimes the sample itself", () => {
  const made = fc.sample(mutated([ABC], 1), { seed: 1, numRuns: 300 });
  const isSample = (bytes: Uint8Array): boolean => Buffer.compare(bytes, ABC) === 0;
  expect(made.filter(isSample).length).toBeGreaterThan(10);
  expect(made.filter(bytes => !isSample(bytes)).length).toBeGreaterThan(150);
});
