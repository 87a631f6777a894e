/** What a log answers too late, or never: every call has its answer in time all the same. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/random.js";
import { createReplica } from "../../src/replica/index.js";
import { REPLICA_LIMITS } from "../../src/replica/limits.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { FakeCluster } from "./fake-log.js";
import { Client, Setting } from "./setting.js";

const { readTimeoutMs, keepAliveTimeoutMs } = REPLICA_LIMITS;
const UNAVAILABLE = { ok: false, failure: { code: "UNAVAILABLE" } };

describe("a call whose time was over while its node stood still", () => {
  /** It wakes as one that serves, before its first tick. */
  function stalled(s: Setting): void {
    s.cluster.elect(s.log(1));
    s.loop.stall(600_000);
    s.loop.settle();
  }

  it("is not carried out when it wakes: a write", () => {
    const s = new Setting(1);
    s.cluster.depose();
    s.loop.settle();
    const put = s.client().call("kv.put", { key: "a", value: "stale" });
    s.loop.turn();
    stalled(s);
    expect(put.outcome).toMatchObject(UNAVAILABLE);
    expect(s.commandsCommitted().flat()).not.toContain("kv.put");
  });

  it("is not asked about when it wakes: a read", () => {
    const s = new Setting(1);
    let asked = 0;
    s.log(1).barrier = done => {
      asked++;
      s.loop.after(100, () => done(asked > 1));
    };
    const get = s.client().call("kv.get", { key: "a" });
    s.loop.advance(100);
    stalled(s);
    expect(get.outcome).toMatchObject(UNAVAILABLE);
    expect(asked).toBe(1);
  });
});

describe("never answered by the log", () => {
  it("a read is answered when its time is over, and what comes later is not heard", () => {
    const s = new Setting(1);
    const held: ((confirmed: boolean) => void)[] = [];
    s.log(1).barrier = done => held.push(done);
    const get = s.client().call("kv.get", { key: "a" });
    s.loop.advance(readTimeoutMs - 100);
    expect(get.outcome).toBeNull();
    s.loop.advance(200);
    expect(get.outcome).toMatchObject(UNAVAILABLE);
    // A second answer would throw.
    for (const done of held) done(true);
    s.loop.settle();
  });

  it("a read gives back its room among those that wait", () => {
    const s = new Setting(1, { maxPendingReads: 1 });
    const barrier = s.log(1).barrier.bind(s.log(1));
    s.log(1).barrier = () => {};
    s.client().call("kv.get", { key: "a" });
    s.loop.advance(readTimeoutMs + 100);
    s.log(1).barrier = barrier;
    expect(s.code(s.client().call("kv.get", { key: "a" }))).toBe("NO_SUCH_KEY");
  });

  it.each([1, 2])("a keep-alive at node %d is answered, and its lease ends at last", node => {
    const s = new Setting(3);
    const client = s.client(node);
    const { lease } = s.result(client.call("lease.grant", { ttlMs: 1_000 }));
    s.log(1).heldConfirmations = [];
    const call = client.call("lease.keepalive", { lease });
    s.loop.advance(keepAliveTimeoutMs - 100);
    expect(call.outcome).toBeNull();
    expect(client.of("leaseEnded")).toEqual([]);
    s.loop.advance(300);
    expect(call.outcome).toMatchObject(UNAVAILABLE);
    expect(client.of("leaseEnded")).toHaveLength(1);
    for (const confirm of s.log(1).heldConfirmations ?? []) confirm();
    s.loop.settle();
  });

  it("a keep-alive is not given up because its leader stood still", () => {
    const s = new Setting(1);
    const client = s.client();
    const { lease } = s.result(client.call("lease.grant", { ttlMs: 1_000 }));
    s.loop.advance(900);
    s.log(1).heldConfirmations = [];
    client.call("lease.keepalive", { lease });
    s.loop.turn();
    s.loop.stall(600_000);
    s.loop.advance(500);
    expect(client.of("leaseEnded")).toEqual([]);
    for (const confirm of s.log(1).heldConfirmations ?? []) confirm();
    s.loop.advance(900);
    expect(client.of("leaseEnded")).toEqual([]);
  });

  it("a question to a leader is answered when its time is over", () => {
    const s = new Setting(2);
    const client = s.client(2);
    const { lease } = s.result(client.call("lease.grant", { ttlMs: 60_000 }));
    s.log(2).ask = () => {};
    const get = client.call("lease.get", { lease });
    s.loop.advance(keepAliveTimeoutMs + 100);
    expect(get.outcome).toMatchObject(UNAVAILABLE);
  });
});

it("what was heard of a lease is no word for a later one of its id", () => {
  const s = new Setting(1);
  const client = s.client();
  const grant = { lease: "abcd", ttlMs: 1_000 };
  s.result(client.call("lease.grant", grant));
  const held: (() => void)[] = [];
  s.log(1).heldConfirmations = held;
  client.call("lease.keepalive", { lease: "abcd" });
  s.loop.settle();
  s.result(client.call("lease.revoke", { lease: "abcd" }));
  s.result(client.call("lease.grant", grant));
  s.loop.advance(900);
  const later = client.call("lease.keepalive", { lease: "abcd" });
  s.loop.settle();
  const [first, second] = held;
  first!();
  s.loop.advance(1_500);
  second!();
  expect(s.code(later)).toBe("ok");
});

it("after a failure that ends the node, what waits is answered and so is what comes", () => {
  const loop = new TurnedLoop();
  const cluster = new FakeCluster(loop, 1);
  const log = cluster.logs[0]!;
  let failures = 0;
  const replica = createReplica({
    log,
    clock: loop,
    random: new SeededRandom(1),
    bytes: nodeBytes,
    endOfTurn: loop,
    onFatal: () => {
      failures++;
    },
  });
  replica.start(() => {});
  loop.settle();
  cluster.elect(log);
  loop.settle();
  log.barrier = () => {};
  log.heldConfirmations = [];
  const client = new Client(replica);
  const calls = () => [
    client.call("kv.get", { key: "a" }),
    client.call("lease.keepalive", { lease: "abcd" }),
    client.call("kv.put", { key: "a", value: "b" }),
  ];
  cluster.autoCommit = false;
  const before = calls();
  loop.settle();
  expect(before.map(({ outcome }) => outcome)).toEqual([null, null, null]);
  log.host.fatal({ kind: "disk", message: "the disk is gone" } as never);
  const after = calls();
  loop.settle();
  expect(failures).toBe(1);
  for (const { outcome } of [...before, ...after]) expect(outcome).toMatchObject({ ok: false });
});
