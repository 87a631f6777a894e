import { expect, test } from "vitest";
import { Call } from "../../clients/typescript/core/call.js";
import { Room } from "../../clients/typescript/core/room.js";

const calls = (count: number): Call[] =>
  Array.from({ length: count }, () => new Call("kv.get", {}, ok => ok));

test("those who give up while they are held back leave nothing behind, and the rest keep their order", () => {
  const room = new Room(1);
  const all = calls(6);
  expect(all.map(call => room.enter(call))).toEqual([true, false, false, false, false, false]);
  const [first, second, third, fourth, fifth, sixth] = all as [Call, Call, Call, Call, Call, Call];
  for (const one of [second, fourth, sixth]) room.leave(one);
  expect([...room]).toEqual([third, fifth]);
  expect(room.next()).toBeNull();
  room.leave(first);
  expect(room.next()).toBe(third);
  expect([third.hasRoom, fifth.hasRoom]).toEqual([true, false]);
  expect(room.next()).toBeNull();
});

test("nobody who comes now overtakes those who are held back", () => {
  const room = new Room(1);
  const [first, second, third] = calls(3) as [Call, Call, Call];
  room.enter(first);
  room.enter(second);
  room.leave(first);
  expect(room.enter(third)).toBe(false);
  expect(room.next()).toBe(second);
});
