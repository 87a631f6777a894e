/** Who is looked at when positions are told. */
import { expect, test } from "vitest";
import { Positions } from "../../src/replica/lines/positions.js";
import { Setting } from "./setting.js";

const place = (name: string, n: number) => ({
  name,
  key: `${name}/${String(n).padStart(20, "0")}`,
});

function near(positions: Positions<ReturnType<typeof place>>, line: string[], most: number) {
  let looks = 0;
  const seen: number[] = [];
  const positionOf = (key: string): number | undefined => {
    looks += 1;
    const at = line.indexOf(key);
    return at < 0 ? undefined : at;
  };
  positions.eachNear(positionOf, most, (_, position) => seen.push(position));
  return { looks, seen };
}

test("in a long line only those near the front are looked at", () => {
  const positions = new Positions<ReturnType<typeof place>>();
  const places = Array.from({ length: 1_000 }, (_, n) => place("a", n));
  for (const one of places) positions.add(one);
  const line = places.map(({ key }) => key);
  expect(near(positions, line, 3)).toEqual({ looks: 5, seen: [0, 1, 2, 3] });
});

test("who came out of order, and who has gone, hides nobody behind", () => {
  const positions = new Positions<ReturnType<typeof place>>();
  const places = [5, 9, 2, 7, 3].map(n => place("a", n));
  for (const one of places) positions.add(one);
  const line = [3, 5, 7, 9].map(n => place("a", n).key); // 2 has ended
  expect(near(positions, line, 1).seen).toEqual([0, 1]);
  for (const one of places) positions.remove(one);
  expect(positions.lines).toBe(0);
});

test("a wait that goes away tells the others of its line their positions as before", () => {
  const s = new Setting(1);
  const held = { name: "a", ttlMs: 60_000, waitMs: -1, position: true } as const;
  s.client().call("lock.acquire", held);
  s.loop.advance(10);
  const [leaves, stays] = [s.client(), s.client()];
  leaves.call("lock.acquire", held, { id: 1 });
  s.loop.advance(10);
  stays.call("lock.acquire", held, { id: 2 });
  s.loop.advance(1_100);
  leaves.connection.close(true);
  s.loop.advance(1_100);
  expect(stays.of("position").map(({ id, position }) => [id, position])).toEqual([
    [2, 2],
    [2, 1],
  ]);
});
