/** At most once: what is sent again under its own name takes effect once, whoever leads meanwhile. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";
import { type Message, Socket } from "./harness/socket.js";
import { until } from "./harness/until.js";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
});
afterEach(async () => {
  for (const node of cluster.nodes) if (!node.running) node.start();
  await cluster.ready();
});
afterAll(() => cluster.close());

async function valuesBelow(node: Node, prefix: string): Promise<string[]> {
  const { body } = await node.post("/v1/kv/range", { prefix, limit: 10_000 });
  return (body.records as { value: string }[]).map(record => record.value);
}

/** Node answers change while a new leader is found: asks until it is neither 503 nor 504. */
async function settled(ask: () => ReturnType<Node["post"]>): ReturnType<Node["post"]> {
  return until("an answer that is certain", async () => {
    const answer = await ask();
    return answer.status === 503 || answer.status === 504 ? null : answer;
  });
}

test("requests sent again through a leader's death take effect once and get the first answer", async () => {
  const leader = await cluster.leader();
  const [first, second] = cluster.others(leader) as [Node, Node];
  const client = "00c0ffee00c0ffee";
  const count = 300;
  const requests = Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    op: "kv.append",
    params: { prefix: "once/ws", value: `v${i + 1}` },
    low: 1,
  }));
  const before = await Socket.hello(first.url, client);
  // A part is answered, a part is under way, a part is not sent yet when the leader dies.
  before.send(requests.slice(0, 100));
  await before.answered(100);
  before.send(requests.slice(100, 200));
  await leader.kill();
  before.send(requests.slice(200));
  before.cut();

  const after = await Socket.hello(second.url, client);
  const answers = new Map<number, Record<string, unknown>>();
  let open = requests;
  await until("certain answers to all", async () => {
    const retry: (typeof requests)[number][] = [];
    after.messages.length = 0;
    after.send(open);
    await until("answers", () => after.messages.length >= open.length);
    for (const request of open) {
      const { ok, error } = after.answer(request.id) as Message;
      if (ok !== undefined) answers.set(request.id, ok);
      else if (["OUTCOME_UNKNOWN", "UNAVAILABLE", "NO_QUORUM"].includes(error?.code ?? ""))
        retry.push(request);
      else throw new Error(`${request.id}: ${JSON.stringify(error)}`);
    }
    open = retry;
    return open.length === 0;
  });
  for (const request of requests.slice(0, 100)) {
    const firstAnswer = before.answer(request.id)?.ok;
    expect(firstAnswer).toBeDefined();
    expect(answers.get(request.id)).toEqual(firstAnswer);
  }
  const values = await valuesBelow(second, "once/ws/");
  expect(values.toSorted()).toEqual(requests.map(request => request.params.value).toSorted());

  after.messages.length = 0;
  after.send([{ id: 7, op: "kv.append", params: { prefix: "once/ws", value: "another" }, low: 1 }]);
  expect(await after.answered(7)).toMatchObject({ error: { code: "REQUEST_ID_REUSED" } });
  after.cut();
});
test("an Idempotency-Key asked again at another node after the leader's death gets the first answer", async () => {
  const leader = await cluster.leader();
  const [other, third] = cluster.others(leader) as [Node, Node];
  const calls = [
    { path: "/v1/kv/append", params: { prefix: "once/http", value: "a" } },
    { path: "/v1/kv/put", params: { key: "once/put", value: "b", prevExist: false } },
    { path: "/v1/lock/acquire", params: { name: "once/lock", ttlMs: 60_000 } },
    { path: "/v1/lease/grant", params: { ttlMs: 60_000 } },
  ];
  const keyed = (node: Node, at: number, params?: object) => {
    const { path, params: own } = calls[at] as (typeof calls)[number];
    return settled(() => node.post(path, params ?? own, { "idempotency-key": `once-${at}` }));
  };
  const first = await Promise.all(calls.map((_, at) => keyed(leader, at)));
  for (const { status } of first) expect(status).toBe(200);
  // These are on their way when the leader dies: nobody knows what became of them.
  const lost = calls.map((call, at) =>
    other
      .post(call.path, { ...call.params, ...lostOf(at) }, { "idempotency-key": `lost-${at}` })
      .catch(() => undefined),
  );
  await leader.kill();
  await Promise.all(lost);

  for (const node of [third, other])
    for (const [at, { body }] of first.entries()) {
      const again = await keyed(node, at);
      expect(again.status).toBe(200);
      // What stands at the time of asking may differ; what was done may not.
      const { remainingMs: _a, waitedMs: _b, ...done } = again.body;
      expect(body).toMatchObject(done);
    }
  for (const [at, call] of calls.entries()) {
    const params = { ...call.params, ...lostOf(at) };
    const ask = (node: Node) =>
      settled(() => node.post(call.path, params, { "idempotency-key": `lost-${at}` }));
    const one = await ask(third);
    expect(one.status).toBe(200);
    const { remainingMs: _a, waitedMs: _b, ...done } = (await ask(other)).body;
    expect(one.body).toMatchObject(done);
  }
  expect(await valuesBelow(third, "once/http/")).toEqual(["a", "lost"]);
  const reused = await keyed(third, 0, { prefix: "once/http", value: "another" });
  expect(reused).toMatchObject({ status: 422, body: { error: { code: "REQUEST_ID_REUSED" } } });
  const crossed = await third.post("/v1/kv/put", calls[1]?.params, { "idempotency-key": "once-0" });
  expect(crossed).toMatchObject({ status: 422, body: { error: { code: "REQUEST_ID_REUSED" } } });
});

function lostOf(at: number): object {
  return [{ value: "lost" }, { key: "once/lost" }, { name: "once/lost" }, { ttlMs: 70_000 }][
    at
  ] as object;
}
