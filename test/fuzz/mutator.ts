/**
 * Mutation: a good input made a little bad. What was changed is data, so that it shrinks and can
 * be read; places wrap around at the end of what is mutated, so that every mutation fits all bytes.
 * Pure. Used by every target whose input is bytes.
 */
import fc from "fast-check";

export type Mutation =
  | { readonly do: "flip"; readonly at: number; readonly bit: number }
  | { readonly do: "set"; readonly at: number; readonly byte: number }
  /** A number of `width` bytes at its extremes: where it is a length, it lies. */
  | {
      readonly do: "number";
      readonly at: number;
      readonly width: number;
      readonly value: number;
      readonly little: boolean;
    }
  | { readonly do: "cut"; readonly at: number }
  | { readonly do: "drop"; readonly at: number; readonly length: number }
  | { readonly do: "zero"; readonly at: number; readonly length: number }
  | { readonly do: "insert"; readonly at: number; readonly bytes: Uint8Array }
  /** What stands at `at` comes a second time, at `to`. */
  | {
      readonly do: "repeat";
      readonly at: number;
      readonly length: number;
      readonly to: number;
    }
  /** Two pieces change places. */
  | { readonly do: "swap"; readonly at: number; readonly to: number; readonly length: number };

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

/** `bytes` after all of `mutations`, in their order; `bytes` itself stays as it is. */
export function mutate(bytes: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  return mutations.reduce<Uint8Array>(mutateOnce, new Uint8Array(bytes));
}

function mutateOnce(bytes: Uint8Array, mutation: Mutation): Uint8Array {
  const size = bytes.length;
  if (mutation.do === "insert") {
    const at = mutation.at % (size + 1);
    return joined(bytes.subarray(0, at), mutation.bytes, bytes.subarray(at));
  }
  if (size === 0) return bytes;
  const at = mutation.at % size;
  switch (mutation.do) {
    case "flip":
      bytes[at] = (bytes[at] as number) ^ (1 << mutation.bit);
      return bytes;
    case "set":
      bytes[at] = mutation.byte;
      return bytes;
    case "number":
      return writeNumber(bytes, at, mutation);
    case "cut":
      return bytes.slice(0, at);
    case "drop":
      return joined(bytes.subarray(0, at), bytes.subarray(at + mutation.length));
    case "zero":
      return bytes.fill(0, at, at + mutation.length);
    case "repeat": {
      const to = mutation.to % (size + 1);
      const piece = bytes.slice(at, at + mutation.length);
      return joined(bytes.subarray(0, to), piece, bytes.subarray(to));
    }
    case "swap":
      return swap(bytes, at, mutation.to % size, mutation.length);
  }
}

function writeNumber(
  bytes: Uint8Array,
  at: number,
  { width, value, little }: Extract<Mutation, { do: "number" }>,
): Uint8Array {
  for (let n = 0; n < width && at + n < bytes.length; n += 1) {
    const power = little ? n : width - 1 - n;
    bytes[at + n] = Math.floor(value / 2 ** (8 * power)) % 256;
  }
  return bytes;
}

function swap(bytes: Uint8Array, a: number, b: number, most: number): Uint8Array {
  const [first, second] = a < b ? [a, b] : [b, a];
  const length = Math.min(most, second - first, bytes.length - second);
  const piece = bytes.slice(first, first + length);
  bytes.copyWithin(first, second, second + length);
  bytes.set(piece, second);
  return bytes;
}

const place = fc.nat(0xffff);
const length = fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 2048 }));
/** Numbers at which lengths, counts and signs go wrong. */
export const extreme = fc.constantFrom(
  ...[0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000],
  ...[0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER, 2 ** 53, 2 ** 63],
);

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("flip"), at: place, bit: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("set"), at: place, byte: fc.nat(255) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("number"),
      at: place,
      width: fc.constantFrom(1, 2, 4, 8),
      value: extreme,
      little: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cut"), at: place }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("drop"), at: place, length }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("zero"), at: place, length }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("insert"),
      at: place,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 24 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("repeat"), at: place, length, to: place }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("swap"), at: place, to: place, length }) },
);

/** From nothing changed to some `size` changes. */
export const mutations = (size: number): fc.Arbitrary<Mutation[]> =>
  fc.array(mutation, { maxLength: 1 + 2 * size });

/** One of `samples`, mutated; or, now and then, bytes that are nothing at all. */
export function mutated(samples: readonly Uint8Array[], size: number): fc.Arbitrary<Uint8Array> {
  const noise = fc.uint8Array({ maxLength: 16 * size });
  if (samples.length === 0) return noise;
  const changed = fc
    .tuple(fc.constantFrom(...samples), mutations(size))
    .map(([sample, changes]) => mutate(sample, changes));
  return fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: noise });
}
