/** Users' callbacks that throw: their program's uncaught errors, and no matter of the client's. */
import { afterEach, expect, test } from "vitest";
import { uncaughtErrors } from "./uncaught.js";
import { type FakeRequest, World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

const own = new Error("the listener's own");
const throws = (): never => {
  throw own;
};

test("a listener to states that throws keeps the client from nothing, and others hear", async () => {
  world = new World(2);
  const client = world.connect();
  const uncaught = uncaughtErrors();
  const states: string[] = [];
  client.onState(throws);
  client.onState(state => void states.push(state));
  const fate = watchFate(client.lock("x").acquire());
  await world.settle();
  world.node.connection.cut();
  await world.advance(100);
  fate.value?.assertHeld();
  const another = watchFate(client.lock("y").acquire());
  await world.settle();
  expect(another.value?.name).toBe("y");
  expect(states).toEqual(["ready", "connecting", "ready"]);
  expect(uncaught).toEqual([own, own, own]);
});

test("one who waits and throws as he hears of his place loses neither it nor the frame's rest", async () => {
  world = new World();
  const client = world.connect();
  const uncaught = uncaughtErrors();
  const waits: FakeRequest[] = [];
  world.scripts["lock.acquire"] = request => waits.push(request);
  const one = watchFate(client.lock("x").acquire({ onWaiting: throws }));
  const two = watchFate(client.lock("y").acquire());
  await world.settle();
  const ids = waits.map(({ id }) => id);
  const granted = { name: "y", key: "y/1", token: 1, lease: "a1" };
  world.node.connection.send(
    { event: "position", id: ids[0], position: 1, holders: [] },
    { id: ids[1], ok: granted },
  );
  await world.settle();
  expect(two.value?.key).toBe("y/1");
  world.node.connection.send({ id: ids[0], ok: { ...granted, name: "x", key: "x/1" } });
  await world.settle();
  expect(one.value?.key).toBe("x/1");
  expect(uncaught).toEqual([own]);
  expect(world.node.connections).toHaveLength(1);
});
