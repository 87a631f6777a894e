/** Calls of a node whose log has not started: it recovers, or waits to be known, perhaps for hours. */
import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/random.js";
import { createReplica } from "../../src/replica/index.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { FakeCluster } from "./fake-log.js";
import { type Asked, Client } from "./setting.js";

function starting() {
  const loop = new TurnedLoop();
  const cluster = new FakeCluster(loop, 1);
  const log = cluster.logs[0]!;
  const start = log.start.bind(log);
  let go = () => {};
  log.start = (host, started) => {
    go = () => start(host, started);
  };
  const replica = createReplica({
    log,
    clock: loop,
    random: new SeededRandom(1),
    bytes: nodeBytes,
    endOfTurn: loop,
    onFatal: failure => {
      throw new Error(failure.message);
    },
  });
  replica.start(() => {});
  const serve = () => {
    go();
    loop.settle();
    cluster.elect(log);
    loop.settle();
  };
  return { loop, cluster, log, replica, start: () => go(), serve };
}

const codeOf = ({ outcome }: Asked<never>) =>
  outcome === null ? "no answer" : outcome.ok ? "ok" : outcome.failure.code;

it("are refused at once, reads, writes, waits and keep-alives alike", () => {
  const { loop, replica } = starting();
  const client = new Client(replica);
  const calls = [
    client.call("kv.put", { key: "a", value: "b" }),
    client.call("kv.get", { key: "a" }),
    client.call("kv.get", { key: "a", consistency: "serializable" }),
    client.call("lease.keepalive", { lease: "abcd" }),
    client.call("lock.acquire", { name: "a", ttlMs: 10_000, waitMs: -1 }),
    client.call("watch.start", { key: "a" }, { id: 1 }),
  ] as unknown as Asked<never>[];
  loop.settle();
  expect(calls.map(codeOf)).toEqual(calls.map(() => "UNAVAILABLE"));
});

it("are answered where the node speaks of itself", () => {
  const { loop, replica } = starting();
  const asked = new Client(replica).call("cluster.status", {});
  let healthy: boolean | null = null;
  let standings: unknown = "none";
  replica.coordinator.probe(confirmed => {
    healthy = confirmed;
  });
  new Client(replica).connection.leaseStandings(["abcd"], told => {
    standings = told;
  });
  loop.settle();
  expect(asked.outcome).toMatchObject({ ok: true, result: { state: "starting" } });
  expect([healthy, standings]).toEqual([false, null]);
});

it("are not carried out later, when it serves", () => {
  const { loop, replica, serve } = starting();
  const caller = new Client(replica, false);
  caller.call("kv.put", { key: "a", value: "stale" });
  loop.advance(600_000);
  caller.connection.close(true);
  serve();
  const get = new Client(replica).call("kv.get", { key: "a" });
  loop.settle();
  expect(get.outcome).toMatchObject({ ok: false, failure: { code: "NO_SUCH_KEY" } });
});

it("are held for the moment that a node needs to elect itself after its start", () => {
  const { loop, cluster, log, replica, start } = starting();
  start();
  loop.settle();
  const put = new Client(replica).call("kv.put", { key: "a", value: "b" });
  loop.advance(300);
  expect(put.outcome).toBeNull();
  cluster.elect(log);
  loop.settle();
  expect(put.outcome).toMatchObject({ ok: true });
});
