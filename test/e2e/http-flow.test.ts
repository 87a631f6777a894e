/**
 * The lock over plain HTTP, as scripts use it: each answer of the flow with its status and fields,
 * what becomes of a place in line when the connection goes, and a whole cron job in bash and curl.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { machineMs } from "./harness/actor.js";
import { Cluster, type Node } from "./harness/cluster.js";
import { Socket } from "./harness/socket.js";
import { until } from "./harness/until.js";

const CRON = fileURLToPath(new URL("../../examples/cron.sh", import.meta.url));

let cluster: Cluster;
let node: Node;
let other: Node;
let directory: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  [node, other] = cluster.nodes as [Node, Node, Node];
  directory = mkdtempSync(join(tmpdir(), "holdfast-flow-"));
});
afterAll(async () => {
  await cluster.close();
  rmSync(directory, { recursive: true, force: true });
});

/** curl itself, as in a script: the status and the body. */
function curl(...parts: string[]): Promise<{ status: number; body: Record<string, unknown> }> {
  const options = ["--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}"];
  return new Promise((resolve, reject) => {
    execFile("curl", [...options, ...parts], (error, out) => {
      if (error !== null) return reject(error);
      const cut = out.lastIndexOf("\n");
      resolve({ status: Number(out.slice(cut + 1)), body: JSON.parse(out.slice(0, cut)) });
    });
  });
}

const operation = (path: string, params: object, ...more: string[]) =>
  curl(`${node.url}/v1/${path}`, "--data", JSON.stringify(params), ...more);

async function waiterCount(name: string): Promise<number> {
  const { body } = await curl(`${node.url}/v1/lock/inspect?name=${name}`);
  return body.waiterCount as number;
}

test("the flow of a lock over HTTP, word by word, with curl", async () => {
  const holder = { name: "jobs/42", ttlMs: 15_000, owner: "worker@web2" };
  const first = await operation("lock/acquire", holder);
  expect(first).toEqual({
    status: 200,
    body: {
      name: "jobs/42",
      key: expect.stringMatching(/^jobs\/42\/\d{20}$/),
      token: expect.any(Number),
      lease: expect.stringMatching(/^[1-9a-f][0-9a-f]*$/),
      revision: expect.any(Number),
      ttlMs: 15_000,
      remainingMs: expect.any(Number),
      waitedMs: expect.any(Number),
    },
  });
  const token = first.body.token as number;
  expect(first.body.key).toBe(`jobs/42/${String(token).padStart(20, "0")}`);
  expect(first.body.remainingMs).toBeLessThanOrEqual(15_000);
  expect(first.body.remainingMs).toBeGreaterThan(14_000);

  // 202, and the same key asks on.
  const wait = { ...holder, waitMs: 60_000, pollMs: 100, owner: "cron@web1" };
  const poll = () => operation("lock/acquire", wait, "--header", "Idempotency-Key: 7f3a");
  const waiting = await poll();
  expect(waiting).toEqual({
    status: 202,
    body: { waiting: true, position: 1, lease: expect.any(String) },
  });
  expect(await poll()).toEqual(waiting);

  // 409, with or without waiting.
  const timeout = await operation("lock/acquire", { ...holder, waitMs: 50, owner: "late@web3" });
  expect(timeout).toEqual({
    status: 409,
    body: {
      error: {
        code: "WAIT_TIMEOUT",
        message: expect.stringMatching(
          /^jobs\/42 is held by worker@web2 since \d+ s; you were 2nd$/,
        ),
        retryable: true,
        outcome: "not-applied",
        requestId: expect.any(String),
        details: {
          position: 2,
          holders: [
            {
              key: first.body.key,
              token,
              lease: first.body.lease,
              owner: "worker@web2",
              sinceMs: expect.any(Number),
            },
          ],
        },
      },
    },
  });
  const held = await operation("lock/acquire", holder);
  expect(held).toMatchObject({ status: 409, body: { error: { code: "LOCK_HELD" } } });

  // keep-alive, check, a guarded write.
  const { lease } = first.body;
  expect(await operation("lease/keepalive", { lease })).toEqual({
    status: 200,
    body: { lease, ttlMs: 15_000, remainingMs: 15_000 },
  });
  const check = await operation("lock/check", { name: "jobs/42", token });
  expect(check).toMatchObject({ status: 200, body: { held: true, token, lease } });
  expect(check.body.remainingMs).toBeGreaterThan(13_000);
  const guarded = (at: number) =>
    curl("--request", "PUT", `${node.url}/v1/kv/state/42?heldBy=jobs/42&token=${at}`, "-d", "done");
  expect((await guarded(token)).status).toBe(201);
  expect((await guarded(token)).status).toBe(200);

  // inspect: everyone with who they are.
  const who = {
    key: expect.any(String),
    token: expect.any(Number),
    lease: expect.any(String),
    sinceMs: expect.any(Number),
  };
  const inspected = await curl(`${node.url}/v1/lock/inspect?name=jobs/42`);
  expect(inspected).toEqual({
    status: 200,
    body: {
      name: "jobs/42",
      rule: { kind: "lock" },
      holderCount: 1,
      holders: [{ ...who, token, lease, owner: "worker@web2" }],
      waiters: [{ ...who, lease: waiting.body.lease, owner: "cron@web1" }],
      waiterCount: 1,
      // Who only waited is no news of the lock.
      recent: [],
      ignored: [],
      revision: expect.any(Number),
    },
  });

  // release, and whom it passes to; again; never granted.
  const release = (at: number) => operation("lock/release", { name: "jobs/42", token: at });
  expect(await release(token)).toEqual({ status: 200, body: { released: true } });
  const second = await poll();
  expect(second).toMatchObject({
    status: 200,
    body: { lease: waiting.body.lease, name: "jobs/42" },
  });
  expect(second.body.token).toBeGreaterThan(token);
  expect(second.body.waitedMs).toBeGreaterThan(0);
  expect((await poll()).body.token).toBe(second.body.token);
  expect(await release(token)).toEqual({
    status: 200,
    body: { released: false, ended: { reason: "released" } },
  });
  expect(await release(token - 1)).toMatchObject({
    status: 404,
    body: { error: { code: "NO_SUCH_GRANT", outcome: "not-applied" } },
  });
  expect(await operation("lock/check", { name: "jobs/42", token })).toMatchObject({
    status: 409,
    body: {
      error: {
        code: "NOT_HELD",
        details: { reason: "released", currentToken: second.body.token },
      },
    },
  });
  expect(await guarded(token)).toMatchObject({
    status: 409,
    body: { error: { code: "NOT_HELD" } },
  });

  // A lease that is over says why.
  expect(await operation("lease/revoke", { lease: second.body.lease })).toMatchObject({
    status: 200,
    body: { revoked: true },
  });
  expect(await operation("lease/keepalive", { lease: second.body.lease })).toMatchObject({
    status: 410,
    body: {
      error: { code: "LEASE_ENDED", details: { lease: second.body.lease, reason: "revoked" } },
    },
  });
  expect(await release(second.body.token as number)).toEqual({
    status: 200,
    body: { released: false, ended: { reason: "revoked" } },
  });
});

test("a closed HTTP connection gives up its place in line", async () => {
  const name = "flow/closed";
  const first = await operation("lock/acquire", { name, ttlMs: 60_000 });
  const hangUp = new AbortController();
  const gone = fetch(`${node.url}/v1/lock/acquire`, {
    method: "POST",
    body: JSON.stringify({ name, ttlMs: 60_000, waitMs: -1 }),
    signal: hangUp.signal,
  }).catch(() => "hung up");
  await until("one in line", async () => (await waiterCount(name)) === 1);
  hangUp.abort();
  expect(await gone).toBe("hung up");
  await until("nobody in line", async () => (await waiterCount(name)) === 0, 5_000);
  const { body } = await curl(`${node.url}/v1/lock/inspect?name=${name}`);
  expect((body.holders as { key: string }[])[0]?.key).toBe(first.body.key);
});

test("an Idempotency-Key keeps the place of a closed HTTP connection for one time to live", async () => {
  const name = "flow/kept";
  const ttlMs = 2_000;
  const first = await operation("lock/acquire", { name, ttlMs: 60_000 });
  const params = { name, ttlMs, waitMs: 60_000, pollMs: 50 };
  const ask = (at: Node) => at.post("/v1/lock/acquire", params, { "idempotency-key": "flow-kept" });
  const hangUp = new AbortController();
  const gone = fetch(`${node.url}/v1/lock/acquire`, {
    method: "POST",
    headers: { "idempotency-key": "flow-kept" },
    body: JSON.stringify({ ...params, pollMs: 30_000 }),
    signal: hangUp.signal,
  }).catch(() => "hung up");
  await until("one in line", async () => (await waiterCount(name)) === 1);
  hangUp.abort();
  await gone;
  const { body: line } = await curl(`${node.url}/v1/lock/inspect?name=${name}`);
  // At another node, with another piece of the wait: the same place.
  const askedAtMs = machineMs();
  const again = await ask(other);
  expect(again).toMatchObject({ status: 202, body: { position: 1 } });
  expect(again.body.lease).toBe((line.waiters as { lease: string }[])[0]?.lease);

  // Nobody asks on: the place goes when one time to live is over.
  await until("nobody in line", async () => (await waiterCount(name)) === 0);
  const keptMs = machineMs() - askedAtMs;
  expect(keptMs).toBeGreaterThanOrEqual(ttlMs * 0.99);
  expect(keptMs).toBeLessThan(ttlMs + 3_000);
  expect((await operation("lock/check", { key: first.body.key })).status).toBe(200);
  expect(await ask(node)).toMatchObject({ status: 410, body: { error: { code: "LEASE_ENDED" } } });
});

test("a place under an Idempotency-Key outlives the node that was asked: another one goes on with it", async () => {
  const name = "flow/dead-node";
  const asked = await cluster.leader();
  const [next, last] = cluster.others(asked) as [Node, Node];
  const first = await next.post("/v1/lock/acquire", { name, ttlMs: 60_000 });
  const params = { name, ttlMs: 5_000, waitMs: 60_000 };
  const key = { "idempotency-key": "flow-dead-node" };
  const cut = asked
    .post("/v1/lock/acquire", { ...params, pollMs: 60_000 }, key)
    .catch(() => "cut off");
  const line = async (at: Node) => (await at.post("/v1/lock/inspect", { name })).body;
  await until("one in line", async () => (await line(next)).waiterCount === 1);
  const [place] = (await line(next)).waiters as { key: string; lease: string }[];
  await asked.kill();
  expect(await cut).toBe("cut off");
  const going = await until("an answer", async () => {
    const answer = await next.post("/v1/lock/acquire", { ...params, pollMs: 50 }, key);
    return answer.status < 500 && answer;
  });
  expect(going).toEqual({
    status: 202,
    body: { waiting: true, position: 1, lease: place?.lease },
  });
  const granted = last.post("/v1/lock/acquire", { ...params, pollMs: 30_000 }, key);
  await next.post("/v1/lock/release", { key: first.body.key });
  expect(await granted).toMatchObject({ status: 200, body: { key: place?.key } });
  asked.start();
  await cluster.ready();
});

test("a closed WebSocket gives up no place: it is granted in its turn and told at the next node", async () => {
  const name = "flow/socket";
  const client = "0123456789abcdef";
  const first = await operation("lock/acquire", { name, ttlMs: 60_000 });
  const socket = await Socket.hello(node.url, client);
  socket.send([{ id: 1, op: "lease.grant", params: { ttlMs: 20_000 } }]);
  const { lease } = (await socket.answered(1)).ok as { lease: string };
  const acquire = { id: 2, op: "lock.acquire", params: { name, lease, waitMs: -1 } };
  socket.send([acquire]);
  await until("one in line", async () => (await waiterCount(name)) === 1);
  socket.cut();
  await operation("lock/release", { key: first.body.key });
  const inspected = await curl(`${node.url}/v1/lock/inspect?name=${name}`);
  expect(inspected.body).toMatchObject({ holders: [{ lease }], waiters: [] });
  const next = await Socket.hello(other.url, client, [lease]);
  next.send([acquire]);
  const { ok } = await next.answered(2);
  expect(ok).toMatchObject({ lease, key: (inspected.body.holders as { key: string }[])[0]?.key });
  next.cut();
});

interface Ran {
  readonly code: number | null;
  readonly said: string;
}

function cron(at: readonly Node[], environment: object, ...command: string[]): Promise<Ran> {
  const endpoints = at.map(one => one.url).join(",");
  const child = spawn("bash", [CRON, ...command], {
    env: { ...process.env, HOLDFAST_ENDPOINTS: endpoints, ...environment },
    stdio: ["ignore", "inherit", "pipe"],
  });
  let said = "";
  child.stderr.on("data", data => {
    said += String(data);
  });
  return new Promise(resolve => child.once("close", code => resolve({ code, said })));
}

test("a cron job in bash and curl takes turns with its twin, and writes only while it holds", async () => {
  const file = join(directory, "turns");
  const script = `echo "begin $HOLDFAST_FENCING_TOKEN" >>${file}; sleep 0.5; echo "end $HOLDFAST_FENCING_TOKEN" >>${file}`;
  const job = ["flow/cron", "bash", "-c", script];
  const ran = await Promise.all([
    cron([node, other], { POLL_MS: "150" }, ...job),
    cron([other, node], { POLL_MS: "150" }, ...job),
  ]);
  for (const { code, said } of ran) expect({ code, said }).toMatchObject({ code: 0 });
  expect(ran.some(({ said }) => said.includes("waiting, number 1"))).toBe(true);
  const turns = readFileSync(file, "utf8").trim().split("\n");
  const tokens = turns.map(turn => Number(turn.split(" ")[1]));
  expect(turns.map(turn => turn.split(" ")[0])).toEqual(["begin", "end", "begin", "end"]);
  expect(tokens[0]).toBe(tokens[1]);
  expect(tokens[2]).toBe(tokens[3]);
  expect(tokens[2]).toBeGreaterThan(tokens[0] as number);
  const last = await curl(`${node.url}/v1/kv/last/flow/cron`);
  expect(last.body.value).toMatch(new RegExp(` token ${tokens[2]}$`));
});

test("a cron job keeps its lock longer than its lease's time, gives COMMAND's code, and stops it when the lock is lost", async () => {
  const long = await cron([node], { TTL_MS: "1500" }, "flow/long", "bash", "-c", "sleep 3; exit 7");
  expect(long).toMatchObject({ code: 7 });
  expect((await curl(`${node.url}/v1/kv/last/flow/long`)).status).toBe(404);

  const file = join(directory, "lost");
  const lost = cron(
    [node],
    { TTL_MS: "3000" },
    "flow/lost",
    "bash",
    "-c",
    `echo $$ >${file}; sleep 60`,
  );
  const pid = await until("the command to run", () => Number(readFileSync(file, "utf8")));
  const { body } = await curl(`${node.url}/v1/lock/inspect?name=flow/lost`);
  const { lease } = (body.holders as { lease: string }[])[0] as { lease: string };
  await operation("lease/revoke", { lease });
  expect(await lost).toMatchObject({ code: 121 });
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");

  const held = await operation("lock/acquire", { name: "flow/busy", ttlMs: 60_000, owner: "me" });
  expect(held.status).toBe(200);
  const busy = await cron([node], { WAIT_MS: "0" }, "flow/busy", "true");
  expect(busy).toMatchObject({ code: 120, said: expect.stringContaining("held by me") });
  expect(await cron([node], {}, "flow/usage")).toMatchObject({ code: 2 });
});
