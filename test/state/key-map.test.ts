/** The keyspace's map against a sorted array, clones included. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyMap } from "../../src/state/kv/key-map.js";

function upward(map: KeyMap<number>, from = "", to: string | null = null): string[] {
  const seen: string[] = [];
  map.scan(from, to, (key, value) => {
    seen.push(`${key}=${value}`);
    return true;
  });
  return seen;
}

function downward(map: KeyMap<number>, from = "", to: string | null = null): string[] {
  const seen: string[] = [];
  map.scanBackward(from, to, (key, value) => {
    seen.push(`${key}=${value}`);
    return true;
  });
  return seen.reverse();
}

function listing(twin: ReadonlyMap<string, number>, from = "", to: string | null = null): string[] {
  const keys = [...twin.keys()].filter(key => key >= from && (to === null || key < to));
  return keys.sort().map(key => `${key}=${twin.get(key)}`);
}

const key = fc.nat(600).map(n => n.toString(7));

test("finds, counts, walks and forgets as a sorted array does, and its clones stand still", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(9), key), { maxLength: 600, size: "max" }),
      fc.boolean(),
      key,
      key,
      (steps, sorted, from, to) => {
        const map = new KeyMap<number>();
        const twin = new Map<string, number>();
        const clones: [KeyMap<number>, string[]][] = [];
        const order = sorted ? [...steps].sort((a, b) => (a[1] < b[1] ? -1 : 1)) : steps;
        order.forEach(([dice, name], i) => {
          // A look before a change leaves its path behind, here at times another key's.
          if (i % 3 > 0) {
            const looked = i % 3 === 1 ? name : from;
            expect(map.get(looked)).toBe(twin.get(looked));
          }
          if (dice < 6) {
            expect(map.set(name, i)).toBe(!twin.has(name));
            twin.set(name, i);
          } else if (dice < 9) {
            expect(map.delete(name)).toBe(twin.delete(name));
          } else if (clones.length < 5) {
            clones.push([map.clone(), listing(twin)]);
          }
        });
        expect(map.size).toBe(twin.size);
        expect(upward(map)).toEqual(listing(twin));
        expect(upward(map, from, to)).toEqual(listing(twin, from, to));
        expect(downward(map, from, to)).toEqual(listing(twin, from, to));
        expect(map.count(from, to)).toBe(listing(twin, from, to).length);
        expect(map.count(from, null)).toBe(listing(twin, from).length);
        for (const [name, value] of twin) expect(map.get(name)).toBe(value);
        for (const [clone, content] of clones) expect(upward(clone)).toEqual(content);
        for (const name of twin.keys()) expect(map.delete(name)).toBe(true);
        expect(map.size).toBe(0);
        for (const [clone, content] of clones) expect(downward(clone)).toEqual(content);
      },
    ),
    { numRuns: 60 },
  );
});

test("a change in a clone does not touch the map it came from", () => {
  const map = new KeyMap<number>();
  for (let i = 0; i < 1_000; i++) map.set(`k${i}`, i);
  const clone = map.clone();
  for (let i = 0; i < 1_000; i++) clone.set(`k${i}`, -1);
  for (let i = 0; i < 1_000; i += 2) clone.delete(`k${i}`);
  expect(map.get("k1")).toBe(1);
  expect(map.size).toBe(1_000);
  expect(clone.size).toBe(500);
});

test("many deletes leave no trail: what is left is found and walked", () => {
  const map = new KeyMap<number>();
  const name = (i: number) => String(i).padStart(6, "0");
  for (let i = 0; i < 50_000; i++) map.set(name(i), i);
  for (let i = 0; i < 50_000; i++) if (i % 1_000 !== 0) map.delete(name(i));
  expect(map.size).toBe(50);
  expect(upward(map).length).toBe(50);
  expect(map.count(name(10_000), name(20_000))).toBe(10);
});
