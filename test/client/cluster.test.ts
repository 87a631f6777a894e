/** Changes of the members from a client: said once, and what became of them said honestly. */
import { afterEach, describe, expect, test } from "vitest";
import {
  type Client,
  HoldfastError,
  OutcomeUnknownError,
} from "../../clients/typescript/core/index.js";
import { type FakeNode, type FakeRequest, World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

const ADD = { name: "n4", peerUrls: ["http://n4:2380"] };
const CHANGED = { member: "4", members: [] };

function connected(nodes = 1): Client {
  world = new World(nodes);
  return world.connect();
}

describe("a change of the members", () => {
  test("names its member, and passes on what the node answers", async () => {
    const client = connected();
    const asked: [string, object][] = [];
    const answer = (request: FakeRequest): void => {
      asked.push([request.op, request.params]);
      request.ok(request.op === "cluster.transfer" ? { leader: "2" } : CHANGED);
    };
    for (const op of ["add", "promote", "remove", "transfer"] as const)
      world.scripts[`cluster.${op}`] = answer;
    const fates = [
      watchFate(client.cluster.add(ADD)),
      watchFate(client.cluster.promote("n4")),
      watchFate(client.cluster.promote("n4", { replacing: "n1" })),
      watchFate(client.cluster.remove("n2")),
    ];
    const leaders = [
      watchFate(client.cluster.transfer()),
      watchFate(client.cluster.transfer({ to: "n2" })),
    ];
    await world.settle();
    expect(fates.map(({ value }) => value)).toEqual([CHANGED, CHANGED, CHANGED, CHANGED]);
    expect(leaders.map(({ value }) => value)).toEqual([{ leader: "2" }, { leader: "2" }]);
    expect(asked).toEqual([
      ["cluster.add", ADD],
      ["cluster.promote", { member: "n4" }],
      ["cluster.promote", { member: "n4", replacing: "n1" }],
      ["cluster.remove", { member: "n2" }],
      ["cluster.transfer", {}],
      ["cluster.transfer", { to: "n2" }],
    ]);
  });

  test("whose connection breaks is unknown, and never sent again", async () => {
    const client = connected(2);
    const fate = watchFate(client.cluster.add(ADD));
    await world.settle();
    world.node.connection.cut();
    await world.advance(5_000);
    expect(fate.error).toBeInstanceOf(OutcomeUnknownError);
    const sent = world.nodes.flatMap(node => node.of("cluster.add"));
    expect(sent).toHaveLength(1);
  });

  test("that the node calls unknown is told at once, and not asked again", async () => {
    const client = connected();
    world.scripts["cluster.remove"] = request => request.fail("OUTCOME_UNKNOWN");
    const fate = watchFate(client.cluster.remove("n2"));
    await world.advance(5_000);
    expect(fate.error).toBeInstanceOf(OutcomeUnknownError);
    expect(world.node.of("cluster.remove")).toHaveLength(1);
  });

  test("that was certainly not done is asked for again until a leader takes it", async () => {
    const client = connected();
    let left = 2;
    world.scripts["cluster.add"] = request =>
      left-- > 0 ? request.fail("UNAVAILABLE") : request.ok(CHANGED);
    const fate = watchFate(client.cluster.add(ADD));
    await world.advance(2_000);
    expect(fate.value).toEqual(CHANGED);
    expect(world.node.of("cluster.add")).toHaveLength(3);
  });

  test("that is refused rejects by name, with the details", async () => {
    const client = connected();
    world.scripts["cluster.add"] = request =>
      request.fail("MEMBER_EXISTS", { member: "4", name: "n4" });
    const fate = watchFate(client.cluster.add(ADD));
    await world.settle();
    expect(fate.error).toBeInstanceOf(HoldfastError);
    expect(fate.error).toMatchObject({ code: "MEMBER_EXISTS", details: { member: "4" } });
  });

  test("may take longer than a write, and the connection is kept meanwhile", async () => {
    const client = connected();
    const fate = watchFate(client.cluster.promote("n4"));
    await world.advance(8_000);
    world.node.last("cluster.promote").ok(CHANGED);
    await world.settle();
    expect(fate.value).toEqual(CHANGED);
    expect(world.node.connections).toHaveLength(1);
  });
});

test("a client of a node that is removed goes on with the others, and nothing is done twice", async () => {
  const client = connected(2);
  const [gone, stays] = world.nodes as [FakeNode, FakeNode];
  const fate = watchFate(client.kv.put("a", "1"));
  await world.settle();
  const { id } = gone.last("kv.put");
  // It says goodbye, and its process ends.
  gone.connection.send({
    id: 0,
    error: { code: "SHUTTING_DOWN", message: "", retryable: true, outcome: "not-applied" },
  });
  gone.isDown = true;
  await world.advance(1_000);
  stays.last("kv.put").ok({ key: "a", revision: 2, created: true });
  await world.settle();
  expect(fate.value).toMatchObject({ created: true });
  expect(stays.last("kv.put").id).toBe(id);
});
