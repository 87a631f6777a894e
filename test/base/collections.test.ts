import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isByteString, prefixEnd } from "../../src/base/byte-string.js";
import { CountedTree } from "../../src/base/counted-tree.js";
import { DeadlineHeap } from "../../src/base/deadline-heap.js";
import { OrderedMap } from "../../src/base/ordered-map.js";
import { Ring } from "../../src/base/ring.js";

const ops = fc.array(
  fc.record({ act: fc.constantFrom("set", "set", "delete", "clone"), key: fc.nat(60) }),
  { maxLength: 200 },
);

function listing(tree: CountedTree<number, string>, from = 0): string[] {
  const seen: string[] = [];
  for (const c = tree.cursorAt(from); !c.done; c.next()) seen.push(`${c.key}=${c.value}`);
  return seen;
}

describe("CountedTree", () => {
  test("agrees with a sorted array on rank, position and walk, and its clones stand still", () => {
    fc.assert(
      fc.property(ops, steps => {
        const tree = new CountedTree<number, string>((a, b) => a - b);
        const twin = new Map<number, string>();
        const clones: [CountedTree<number, string>, string[]][] = [];
        steps.forEach(({ act, key }, i) => {
          if (act === "set") {
            expect(tree.set(key, `v${i}`)).toBe(!twin.has(key));
            twin.set(key, `v${i}`);
          } else if (act === "delete") expect(tree.delete(key)).toBe(twin.delete(key));
          else clones.push([tree.clone(), listing(tree)]);
        });
        const keys = [...twin.keys()].sort((a, b) => a - b);
        expect(tree.size).toBe(keys.length);
        expect(listing(tree)).toEqual(keys.map(k => `${k}=${twin.get(k)}`));
        for (let key = -1; key <= 61; key++) {
          const rank = keys.filter(k => k < key).length;
          expect(tree.rank(key)).toBe(rank);
          expect(tree.get(key)).toBe(twin.get(key));
          expect(tree.has(key)).toBe(twin.has(key));
          const cursor = tree.cursorFrom(key);
          expect(cursor.done ? undefined : cursor.key).toBe(keys[rank]);
        }
        for (let at = -1; at <= keys.length; at++) {
          expect(tree.keyAt(at)).toBe(keys[at]);
          if (at >= 0) expect(listing(tree, at)).toHaveLength(keys.length - at);
        }
        for (const [clone, seen] of clones) expect(listing(clone)).toEqual(seen);
      }),
      { numRuns: 60 },
    );
  });

  test("stays shallow however the keys come: 20,000 in order cost few comparisons each", () => {
    let comparisons = 0;
    const tree = new CountedTree<number, number>((a, b) => {
      comparisons++;
      return a - b;
    });
    for (let i = 0; i < 20_000; i++) tree.set(i, i);
    for (let i = 0; i < 15_000; i++) tree.delete(i); // the head leaves, as in a line
    comparisons = 0;
    for (let i = 15_000; i < 20_000; i++) expect(tree.rank(i)).toBe(i - 15_000);
    expect(comparisons / 5_000).toBeLessThan(20);
  });

  test("a cursor goes on over the tree as it was", () => {
    const tree = new CountedTree<number, string>((a, b) => a - b);
    for (let i = 0; i < 10; i++) tree.set(i, "old");
    const seen: number[] = [];
    for (const c = tree.cursorAt(3); !c.done; c.next()) {
      tree.delete(c.key + 1);
      seen.push(c.key);
    }
    expect(seen).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(tree.size).toBe(4);
  });
});

describe("OrderedMap", () => {
  const key = fc.string({ unit: fc.constantFrom("\x00", "a", "b", "\x7f", "\xff"), maxLength: 4 });

  function range(map: OrderedMap<number>, from: string, to: string | null, back = false): string[] {
    const seen: string[] = [];
    const visit = (k: string, v: number): boolean => seen.push(`${k}:${v}`) > 0;
    if (back) map.scanBackward(from, to, visit);
    else map.scan(from, to, visit);
    return seen;
  }

  test("agrees with a sorted list on ranges both ways and on neighbours; clones stand still", () => {
    const steps = fc.array(fc.tuple(fc.constantFrom("set", "set", "delete", "clone"), key), {
      maxLength: 150,
    });
    fc.assert(
      fc.property(steps, key, fc.option(key), (list, from, to) => {
        const map = new OrderedMap<number>();
        const twin = new Map<string, number>();
        const clones: [OrderedMap<number>, string[]][] = [];
        list.forEach(([act, k], i) => {
          if (act === "set") {
            expect(map.set(k, i)).toBe(!twin.has(k));
            twin.set(k, i);
          } else if (act === "delete") expect(map.delete(k)).toBe(twin.delete(k));
          else clones.push([map.clone(), range(map, "", null)]);
        });
        const keys = [...twin.keys()].sort((a, b) => (a < b ? -1 : 1));
        const inside = keys.filter(k => k >= from && (to === null || k < to));
        const expected = inside.map(k => `${k}:${twin.get(k)}`);
        expect(range(map, from, to)).toEqual(expected);
        expect(range(map, from, to, true)).toEqual(expected.toReversed());
        expect(map.size).toBe(keys.length);
        expect(map.firstKey()).toBe(keys[0]);
        expect(map.lastKey()).toBe(keys.at(-1));
        expect(map.keyAtOrAfter(from)).toBe(keys.find(k => k >= from));
        expect(map.keyAfter(from)).toBe(keys.find(k => k > from));
        expect(map.keyBefore(from)).toBe(keys.findLast(k => k < from));
        for (const [clone, seen] of clones) expect(range(clone, "", null)).toEqual(seen);
      }),
    );
  });

  test("a scan stops when it is told to", () => {
    const map = new OrderedMap<number>();
    for (let i = 0; i < 100; i++) map.set(`k${i}`, i);
    let visits = 0;
    map.scan("", null, () => ++visits < 3);
    map.scanBackward("", null, () => ++visits < 6);
    expect(visits).toBe(6);
  });

  test("the keys with a prefix are the range from it to its end", () => {
    fc.assert(
      fc.property(key, key, (prefix, k) => {
        const end = prefixEnd(prefix);
        expect(k >= prefix && (end === null || k < end)).toBe(k.startsWith(prefix));
      }),
    );
    expect(prefixEnd("a\xff\xff")).toBe("b");
    expect(prefixEnd("\xff")).toBeNull();
    expect(isByteString("a\xff")).toBe(true);
    expect(isByteString("aĀ")).toBe(false);
  });
});

describe("DeadlineHeap", () => {
  test("gives (deadline, id) in order, as a sorted list does, through moves and removals", () => {
    const id = fc.constantFrom("a", "b", "c", "d", "e", "f", "10", "9");
    const step = fc.tuple(fc.constantFrom("set", "set", "set", "delete", "pop"), id, fc.nat(6));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), steps => {
        const heap = new DeadlineHeap<string>();
        let twin: [number, string][] = [];
        for (const [act, name, deadline] of steps) {
          const has = twin.some(([, n]) => n === name);
          if (act === "pop") {
            const due = twin[0] !== undefined && twin[0][0] <= deadline ? twin.shift() : undefined;
            expect(heap.popDue(deadline)).toBe(due?.[1]);
            continue;
          }
          twin = twin.filter(([, n]) => n !== name);
          if (act === "delete") expect(heap.delete(name)).toBe(has);
          else {
            heap.set(name, deadline);
            twin.push([deadline, name]);
            twin.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1));
            expect(heap.deadlineOf(name)).toBe(deadline);
          }
          expect(heap.size).toBe(twin.length);
          expect(heap.nextId()).toBe(twin[0]?.[1]);
          expect(heap.nextDeadline()).toBe(twin[0]?.[0] ?? Number.POSITIVE_INFINITY);
        }
        const rest: (string | undefined)[] = [];
        while (heap.size > 0) rest.push(heap.popDue(100));
        expect(rest).toEqual(twin.map(([, n]) => n));
      }),
    );
  });
});

describe("Ring", () => {
  test("is a queue, as an array with push and shift is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        (pushes, bound) => {
          const ring = new Ring<number>(bound);
          const twin: number[] = [];
          pushes.forEach((push, i) => {
            if (push) {
              expect(ring.push(i)).toBe(twin.length < bound);
              if (twin.length < bound) twin.push(i);
            } else expect(ring.shift()).toBe(twin.shift());
            expect(ring.length).toBe(twin.length);
            expect(ring.full).toBe(twin.length === bound);
            expect(ring.peek()).toBe(twin[0]);
            expect(ring.at(twin.length - 1)).toBe(twin.at(-1));
            expect(ring.at(twin.length)).toBeUndefined();
          });
          ring.clear();
          expect(ring.shift()).toBeUndefined();
        },
      ),
    );
  });
});
