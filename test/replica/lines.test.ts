import { describe, expect, it } from "vitest";
import { QUESTION } from "../../src/replica/proposals/questions.js";
import { type Asked, type Client, Setting } from "./setting.js";

type Acquire = Asked<"lock.acquire">;
const TTL = 1_000;

function keyOf(s: Setting, call: Acquire): string {
  const result = s.result(call);
  if (!("key" in result)) throw new Error("not granted");
  return result.key;
}

const acquire = (client: Client, waitMs = -1, more: object = {}, context: object = {}): Acquire =>
  client.call("lock.acquire", { name: "jobs/42", ttlMs: TTL, waitMs, ...more }, context);

const release = (s: Setting, client: Client, key: string) =>
  s.result(client.call("lock.release", { key }));

const inLine = (s: Setting): number => {
  const read = s.client(1).call("lock.inspect", { name: "jobs/42" });
  return s.result(read).waiterCount;
};

describe("waiting in line", () => {
  it("a waiter on another node is granted by one commit and one push", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1)));
    const next = acquire(s.client(2), -1, { ttlMs: 60_000 });
    s.loop.advance(100);
    expect(next.outcome).toBeNull();
    const entries = s.cluster.committed.length;
    release(s, s.client(3), key);
    expect(s.result(next)).toMatchObject({ name: "jobs/42", ttlMs: 60_000 });
    expect(s.cluster.committed.length).toBe(entries + 1);
  });

  it("without waiting the holder is named, and nothing is left in line", () => {
    const s = new Setting(3);
    acquire(s.client(1), 0, { owner: "worker@web2", ttlMs: 60_000 });
    s.loop.advance(12_000);
    const call = acquire(s.client(2), 0);
    expect(s.code(call)).toBe("LOCK_HELD");
    expect(JSON.stringify(call.outcome)).toContain("worker@web2 since 12 s");
    expect(inLine(s)).toBe(0);
  });

  it("when the wait is over the place is given up, and the message says who held", () => {
    const s = new Setting(3);
    acquire(s.client(1), 0, { owner: "worker@web2", ttlMs: 60_000 });
    s.loop.advance(10);
    acquire(s.client(1), -1);
    s.loop.advance(10);
    const call = acquire(s.client(2), 2_000);
    s.loop.advance(1_900);
    expect(call.outcome).toBeNull();
    expect(s.code(call)).toBe("WAIT_TIMEOUT");
    const failure = call.outcome?.ok === false ? call.outcome.failure : null;
    expect(failure?.message).toMatch(/jobs\/42 is held by worker@web2 since \d+ s; you were 2nd/);
    expect(failure?.details).toMatchObject({ position: 2, holders: [{ owner: "worker@web2" }] });
    expect(inLine(s)).toBe(1);
  });

  it("a grant that committed before the withdrawal stands, and is the answer", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 60_000 }));
    const call = acquire(s.client(2), 500);
    s.loop.advance(400);
    s.cluster.autoCommit = false;
    s.client(1).call("lock.release", { key });
    s.loop.advance(300); // the withdrawal is appended behind the release
    expect(call.outcome).toBeNull();
    s.cluster.commit();
    expect(s.result(call)).toMatchObject({ name: "jobs/42" });
  });

  it("cancelled by its caller, a wait ends by the log's word", () => {
    const s = new Setting(3);
    acquire(s.client(1), 0, { ttlMs: 60_000 });
    const call = acquire(s.client(2));
    s.loop.advance(100);
    call.call.cancel();
    expect(s.code(call)).toBe("CANCELLED");
    expect(inLine(s)).toBe(0);
  });

  it("a wait cancelled before it is in line is withdrawn as soon as it is", () => {
    const s = new Setting(3);
    acquire(s.client(1), 0, { ttlMs: 60_000 });
    s.loop.advance(10);
    const call = acquire(s.client(2));
    call.call.cancel();
    expect(s.code(call)).toBe("CANCELLED");
    expect(inLine(s)).toBe(0);
  });

  it("a private lease is kept alive while its call waits, and not after its connection has gone", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 86_400_000 }));
    const stays = s.client(2);
    const waiting = acquire(stays);
    const goes = s.client(3);
    acquire(goes);
    s.loop.advance(10 * TTL);
    expect(inLine(s)).toBe(2);
    goes.connection.close(false);
    s.loop.advance(TTL - 100);
    expect(inLine(s)).toBe(2); // its place stands for one more ttl
    s.loop.advance(300);
    expect(inLine(s)).toBe(1);
    release(s, s.client(1), key);
    expect(s.code(waiting)).toBe("ok");
  });

  it("at its grant a private lease has its full time", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 86_400_000 }));
    const client = s.client(2);
    const waiting = acquire(client);
    s.loop.advance(TTL / 3 - 20); // not kept alive yet: two thirds of it are left
    release(s, s.client(1), key);
    s.result(waiting);
    s.loop.advance(TTL - 60);
    expect(client.of("lost")).toEqual([]);
    s.loop.advance(200);
    expect(client.of("lost")).toHaveLength(1);
  });

  it("a grant outlives an end of its own lease that was proposed before it and comes after it", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 86_400_000 }));
    const client = s.client(2);
    const waiting = acquire(client);
    s.loop.advance(10);
    s.cluster.askFate = (_from, _to, question) =>
      question[1] === QUESTION.keepAlive ? "lose" : "deliver";
    s.loop.advance(TTL - 100);
    s.cluster.autoCommit = false;
    s.client(1).call("lock.release", { key });
    s.loop.advance(300); // the end of the waiter's lease is appended behind the release
    s.cluster.autoCommit = true;
    s.cluster.commit();
    expect(s.result(waiting)).toMatchObject({ remainingMs: expect.closeTo(TTL, -2) });
    s.loop.advance(TTL - 100);
    expect(s.commandsCommitted().flat()).toContain("lease.expire");
    expect(client.of("lost")).toEqual([]);
    s.loop.advance(200);
    expect(client.of("lost")).toHaveLength(1);
  });

  it("asked again under its key, a grant with a lease of its own tells what is left of it", () => {
    const s = new Setting(3);
    const again = (node: number) =>
      s.result(acquire(s.client(node), 0, { ttlMs: 10_000 }, { idempotencyKey: "k" }));
    expect(again(2)).toMatchObject({ remainingMs: expect.closeTo(10_000, -2) });
    s.loop.advance(6_000);
    for (const node of [1, 2, 3])
      expect(again(node)).toMatchObject({ remainingMs: expect.closeTo(4_000, -2) });
  });

  it("a grant that came by a wait on a follower promises no more than the leader knows", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 60_000 }));
    const waiting = acquire(s.client(2), -1, { ttlMs: 10_000 });
    s.loop.advance(100);
    release(s, s.client(1), key);
    const { remainingMs } = s.result(waiting) as { remainingMs: number };
    expect(remainingMs).toBeLessThanOrEqual(10_000);
    expect(remainingMs).toBeGreaterThan(9_900);
  });

  it("a closed request that abandons its wait leaves the line at once", () => {
    const s = new Setting(3);
    acquire(s.client(1), 0, { ttlMs: 60_000 });
    const client = s.client(2);
    acquire(client, -1, { ttlMs: 60_000 });
    s.loop.advance(100);
    client.connection.close(true);
    s.loop.advance(100);
    expect(inLine(s)).toBe(0);
  });

  it("a grant that nobody is there to take any more is released", () => {
    const s = new Setting(3);
    const client = s.client(2);
    acquire(client, -1, { ttlMs: 60_000 });
    client.connection.close(true); // its command is under way
    s.loop.advance(100);
    expect(s.code(acquire(s.client(1), 0))).toBe("ok");
  });

  it("a grant whose caller hangs up while the leader is asked for its time is released", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 60_000 }));
    s.cluster.askFate = (_from, _to, question) =>
      question[1] === QUESTION.remaining ? "lose" : "deliver";
    const client = s.client(2);
    acquire(client, -1, { ttlMs: 60_000 });
    s.loop.advance(100);
    release(s, s.client(1), key);
    s.loop.advance(100);
    client.connection.close(true);
    s.loop.advance(100);
    expect(s.code(acquire(s.client(1), 0))).toBe("ok");
  });

  it("a grant under an Idempotency-Key stands for a caller who hangs up before he is told", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 60_000 }));
    s.cluster.askFate = (_from, _to, question) =>
      question[1] === QUESTION.remaining ? "lose" : "deliver";
    const client = s.client(2);
    const again = { ttlMs: 60_000 };
    acquire(client, -1, again, { idempotencyKey: "7f3a" });
    s.loop.advance(100);
    release(s, s.client(1), key);
    s.loop.advance(100);
    client.connection.close(true);
    s.loop.advance(100);
    expect(s.code(acquire(s.client(1), 0))).toBe("LOCK_HELD");
    expect(s.code(acquire(s.client(1), -1, again, { idempotencyKey: "7f3a" }))).toBe("ok");
  });

  it("an Idempotency-Key holds the place of a closed request for one ttl", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 60_000 }));
    const first = s.client(2);
    acquire(first, 60_000, {}, { idempotencyKey: "7f3a" });
    s.loop.advance(100);
    first.connection.close(true);
    s.loop.advance(TTL / 2);
    const again = acquire(s.client(3), 60_000, {}, { idempotencyKey: "7f3a" });
    s.loop.advance(5 * TTL);
    expect(inLine(s)).toBe(1);
    release(s, s.client(1), key);
    expect(s.code(again)).toBe("ok");
  });

  it("a poll is answered in time with the place, and the same key asks on", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 60_000 }));
    const context = { idempotencyKey: "7f3a" };
    const one = acquire(s.client(2), 60_000, { pollMs: 500 }, context);
    const polled = s.result(one);
    expect(polled).toMatchObject({ waiting: true, position: 1 });
    s.loop.advance(TTL - 100);
    const two = acquire(s.client(3), 60_000, { pollMs: 20_000 }, context);
    s.loop.advance(2 * TTL);
    expect(inLine(s)).toBe(1);
    release(s, s.client(1), key);
    const granted = s.result(two);
    expect("key" in granted && "lease" in polled && granted.lease).toBe(
      "waiting" in polled && polled.lease,
    );
  });

  it("the time to wait counts from the first request, over polls and nodes", () => {
    const s = new Setting(3);
    acquire(s.client(1), 0, { ttlMs: 60_000 });
    const context = { idempotencyKey: "7f3a" };
    s.result(acquire(s.client(2), 2_000, { pollMs: 900 }, context));
    const again = acquire(s.client(3), 2_000, { pollMs: 9_000 }, context);
    s.loop.advance(1_000);
    expect(again.outcome).toBeNull();
    s.loop.advance(300);
    expect(again.outcome).toMatchObject({ failure: { code: "WAIT_TIMEOUT" } });
  });

  it("a wait that begins on a follower after an idle time and a change of leader has its whole time", () => {
    const s = new Setting(3);
    acquire(s.client(1), 0, { ttlMs: 86_400_000 });
    s.loop.advance(120_000); // the cluster's time stands still at the last entry for a new leader
    s.cluster.elect(s.log(2));
    s.loop.settle();
    const call = acquire(s.client(3), 60_000, { ttlMs: 86_400_000 });
    s.loop.advance(59_900);
    expect(call.outcome).toBeNull();
    s.loop.advance(300);
    expect(s.code(call)).toBe("WAIT_TIMEOUT");
  });

  it.each(["answers late", "never answers"])(
    "a grant that ended while the leader, asked for its time, %s is not given",
    how => {
      const s = new Setting(3);
      const { lease } = s.result(s.client(1).call("lease.grant", { ttlMs: 60_000 }));
      const isAboutTime = (question: Uint8Array) => question[1] === QUESTION.remaining;
      s.cluster.askFate = (_from, _to, question) => (isAboutTime(question) ? "lose" : "deliver");
      const client = s.client(2); // whose node has never heard of the lease's time
      const asked = client.call("lock.acquire", { name: "a", lease });
      s.loop.advance(100);
      expect(asked.outcome).toBeNull();
      const { holders } = s.result(s.client(1).call("lock.inspect", { name: "a" }));
      s.result(s.client(1).call("kv.delete", { key: holders[0]!.key }));
      s.loop.settle();
      expect(client.of("lost")).toMatchObject([{ key: holders[0]!.key, reason: "deleted" }]);
      if (how === "answers late") s.cluster.askFate = () => "deliver";
      expect(s.code(asked)).toBe("NOT_HELD");
      expect(asked.outcome).toMatchObject({ failure: { details: { reason: "deleted" } } });
    },
  );

  it("the same request over two connections stands in line once and is granted to both", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 60_000 }));
    const context = { request: { client: "00000000000000c1", number: 9, low: 1 } };
    const one = acquire(s.client(2), -1, {}, context);
    const two = acquire(s.client(2), -1, {}, context);
    const three = acquire(s.client(3), -1, {}, context);
    s.loop.advance(100);
    expect(inLine(s)).toBe(1);
    release(s, s.client(1), key);
    const results = s.results(one, two, three);
    expect(results[1]).toMatchObject({ key: (results[0] as { key: string }).key });
    expect(results[2]).toMatchObject({ key: (results[0] as { key: string }).key });
  });

  it("a request that came to another node hears that its time is over, whichever node ended it", () => {
    const s = new Setting(3);
    acquire(s.client(1), 0, { ttlMs: 60_000 });
    const context = { request: { client: "00000000000000c1", number: 9, low: 1 } };
    const one = acquire(s.client(2), 1_000, {}, context);
    s.loop.advance(950);
    const two = acquire(s.client(3), 1_000, {}, context);
    s.loop.advance(1_200);
    expect([s.code(one), s.code(two)]).toEqual(["WAIT_TIMEOUT", "WAIT_TIMEOUT"]);
    expect(inLine(s)).toBe(0);
  });

  it("a snapshot that jumped over a grant or an end is compared with every place", () => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    const holder = s.client(1);
    const key = keyOf(s, acquire(holder, 0, { ttlMs: 60_000 }));
    const lease = s.result(holder.call("lease.grant", { ttlMs: 60_000 })).lease;
    const first = s.client(2).call("lock.acquire", { name: "jobs/42", ttlMs: 60_000, waitMs: -1 });
    const second = s.client(2).call("lock.acquire", { name: "jobs/42", lease, waitMs: -1 });
    s.loop.advance(100);
    s.log(2).lagging = true;
    s.result(holder.call("lease.revoke", { lease }));
    release(s, holder, key);
    s.loop.advance(1_000);
    expect(first.outcome).toBeNull();
    s.log(2).jump(s.log(1));
    expect(s.code(first)).toBe("ok");
    expect(s.code(second)).toBe("LEASE_ENDED");
  });

  it("positions are told on request, when they change, to those near the front", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.client(1), 0, { ttlMs: 60_000 }));
    const ahead = s.client(1);
    const aheadCall = acquire(ahead);
    s.loop.advance(10);
    const client = s.client(2);
    acquire(client, -1, { position: true }, { id: 5 });
    s.loop.advance(5_000);
    expect(client.of("position").map(({ position }) => position)).toEqual([2]);
    release(s, s.client(1), key);
    s.result(aheadCall);
    s.loop.advance(TTL / 2);
    expect(client.of("position").map(({ id, position }) => [id, position])).toEqual([
      [5, 2],
      [5, 1],
    ]);
  });

  it("past the limit of waits a call is refused at once", () => {
    const s = new Setting(1, { maxPlaces: 2 });
    const client = s.client();
    acquire(client, 0, { ttlMs: 60_000 });
    s.loop.advance(10);
    acquire(client);
    acquire(client);
    s.loop.advance(10);
    expect(s.code(acquire(client))).toBe("OVERLOADED");
    expect(inLine(s)).toBe(2);
  });

  it("a lock is checked on any node", () => {
    const s = new Setting(3);
    const granted = s.result(acquire(s.client(1), 0));
    if (!("key" in granted)) throw new Error("not granted");
    const { key, token } = granted;
    const held = s.result(s.client(2).call("lock.check", { name: "jobs/42", token }));
    expect(held).toMatchObject({ held: true, key, token });
    release(s, s.client(1), key);
    expect(s.code(s.client(2).call("lock.check", { key }))).toBe("NOT_HELD");
    expect(s.code(s.client(2).call("lock.check", { name: "never", token: 9 }))).toBe(
      "NO_SUCH_GRANT",
    );
  });
});
