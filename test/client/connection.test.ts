import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  HoldfastError,
  OutcomeUnknownError,
  UnavailableError,
} from "../../clients/typescript/core/index.js";
import { type FakeNode, keepAll, World, watchFate } from "./world.js";

let world = new World();
afterEach(() => world.close());

const putOk = { key: "a", revision: 2, created: true };

async function connected(nodes = 1) {
  world = new World(nodes);
  world.scripts["kv.put"] = request => request.ok(putOk);
  world.scripts["kv.get"] = request => request.fail("NO_SUCH_KEY");
  const client = world.connect();
  const fate = watchFate(client.kv.put("warm", "up"));
  await world.settle();
  expect(fate.value).toBeDefined();
  return client;
}

describe("a client", () => {
  test("dials nobody before its first call", async () => {
    world = new World();
    const client = world.connect();
    await world.advance(10_000);
    expect(world.node.connections).toHaveLength(0);
    expect(client.state).toBe("connecting");
  });

  test("says hello with its id and its token", async () => {
    world = new World();
    const client = world.connect({ token: () => Promise.resolve("s3cret") });
    void client.cluster.status();
    await world.settle();
    expect(world.node.hellos).toEqual([{ v: 1, client: "0000000000000000", token: "s3cret" }]);
  });

  test("whose source of tokens fails says so, and asks it again for the next node", async () => {
    world = new World(2);
    let asked = 0;
    const token = (): Promise<string> => {
      asked += 1;
      if (asked === 1) throw new Error("the vault is sealed");
      if (asked === 2) return Promise.reject(new Error("the vault is closed"));
      return Promise.resolve("t1");
    };
    const client = world.connect({ token });
    const fate = watchFate(client.lock("x").acquire());
    await world.advance(5000);
    expect(fate.value?.name).toBe("x");
    expect(asked).toBe(3);
  });

  test("that never gets a token says why when its time is over", async () => {
    world = new World();
    const token = (): Promise<string> => {
      throw new Error("the vault is sealed");
    };
    const fate = watchFate(world.connect({ token }).kv.get("a"));
    await world.advance(10_000);
    expect(fate.error).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("the vault is sealed"),
    });
  });

  test("sends all requests of one turn in one frame, numbered in order", async () => {
    const client = await connected();
    const before = world.node.connection.frames.length;
    const puts = ["a", "b", "c"].map(key => watchFate(client.kv.put(key, key)));
    const get = watchFate(client.kv.get("a"));
    await world.settle();
    const frames = world.node.connection.frames.slice(before);
    expect(frames).toHaveLength(1);
    expect(frames[0]?.map(({ id, op }) => [id, op])).toEqual([
      [2, "kv.put"],
      [3, "kv.put"],
      [4, "kv.put"],
      [5, "kv.get"],
    ]);
    expect(puts.map(({ value }) => value?.created)).toEqual([true, true, true]);
    expect(get.value).toBeNull();
  });

  test("tells the lowest number that it has no answer for", async () => {
    const client = await connected();
    world.scripts["kv.put"] = () => {};
    void client.kv.put("slow", "").catch(() => {});
    await world.settle();
    world.scripts["kv.put"] = request => request.ok(putOk);
    for (let n = 0; n < 3; n += 1) {
      void client.kv.put("quick", "");
      await world.settle();
    }
    expect(world.node.last("kv.put")).toMatchObject({ id: 5, low: 2 });
  });

  test("goes on to the next endpoint when one is down, without a pause", async () => {
    world = new World(3);
    world.scripts["kv.put"] = request => request.ok(putOk);
    (world.nodes[0] as FakeNode).isDown = true;
    (world.nodes[1] as FakeNode).isDown = true;
    const fate = watchFate(world.connect().kv.put("a", "b"));
    await world.settle();
    expect(fate.value).toEqual({ revision: 2, created: true });
  });

  test("tries all endpoints ever more slowly while none is up", async () => {
    world = new World(2);
    let dials = 0;
    const { dial } = world.platform;
    world.platform.dial = (url, events) => {
      dials += 1;
      return dial(url, events);
    };
    for (const node of world.nodes) node.isDown = true;
    const fate = watchFate(world.connect().kv.put("a", "b"));
    await world.advance(9999);
    expect(dials).toBeGreaterThan(10);
    expect(dials).toBeLessThan(50);
    expect(fate).toStrictEqual({});
    await world.advance(1);
    expect(fate.error).toBeInstanceOf(UnavailableError);
    expect(fate.error).toMatchObject({
      code: "UNAVAILABLE",
      outcome: "not-applied",
      retryable: true,
    });
    expect(String(fate.error)).toContain("refused");
  });

  test("leaves a node that takes the connection and never welcomes", async () => {
    world = new World(2);
    world.scripts["kv.put"] = request => request.ok(putOk);
    world.node.isDeaf = true;
    const fate = watchFate(world.connect().kv.put("a", "b"));
    await world.advance(2999);
    expect(fate).toStrictEqual({});
    await world.advance(1);
    expect(fate.value).toBeDefined();
  });

  describe("welcomed by a follower", () => {
    beforeEach(() => {
      world = new World(3);
      world.scripts["kv.put"] = request => request.ok(putOk);
      const elsewhere = { nodeId: "f1", leader: "a2", leaderUrls: ["http://node2:2379"] };
      for (const node of world.nodes) node.welcome = elsewhere;
      (world.nodes[2] as FakeNode).welcome = { nodeId: "a2", leader: "a2" };
    });
    const served = () => world.nodes.map(node => node.of("kv.put").length);
    const put = async () => {
      const fate = watchFate(world.connect().kv.put("a", "b"));
      await world.advance(LEADER_WITHIN_MS + 1);
      expect(fate.value).toBeDefined();
    };
    const LEADER_WITHIN_MS = 500;

    test("goes to the leader before it asks anything", async () => {
      await put();
      expect(served()).toEqual([0, 0, 1]);
      expect(world.nodes[1]?.connections).toEqual([]);
    });

    test("stays when the leader is none of its endpoints", async () => {
      world.node.welcome = { nodeId: "f1", leader: "a2", leaderUrls: ["http://10.0.0.1:2379"] };
      await put();
      expect(served()).toEqual([1, 0, 0]);
    });

    test("takes any other node when the leader is down", async () => {
      (world.nodes[2] as FakeNode).isDown = true;
      await put();
      expect(served()).toEqual([1, 0, 0]);
    });

    test("does not wait for long for a leader that does not welcome", async () => {
      (world.nodes[2] as FakeNode).isDeaf = true;
      await put();
      expect(served()).toEqual([1, 0, 0]);
    });

    test("does not run in circles when nodes name each other", async () => {
      (world.nodes[2] as FakeNode).welcome = {
        nodeId: "a2",
        leader: "f1",
        leaderUrls: ["http://node0:2379"],
      };
      await put();
      expect(served()).toEqual([0, 0, 1]);
    });
  });

  test("leaves a node that stops answering, and asks the next one the same", async () => {
    const client = await connected(2);
    world.node.isDeaf = true;
    const fate = watchFate(client.kv.put("a", "b"));
    await world.advance(4001);
    expect(fate.value).toBeDefined();
    expect(world.nodes[1]?.last("kv.put").id).toBe(2);
  });

  test("leaves a node that stops answering even when the caller's time is over at that moment", async () => {
    world = new World(2);
    const client = world.connect({ timeoutMs: 4000 });
    const [first, second] = world.nodes as [typeof world.node, typeof world.node];
    world.scripts["kv.get"] = request => request.ok({ key: "a", value: "b" });
    const early = watchFate(client.kv.get("a"));
    await world.settle();
    expect(early.value?.value).toBe("b");
    first.isDeaf = true;
    const lost = watchFate(client.kv.get("a"));
    await world.advance(4000);
    expect(lost.error).toMatchObject({ code: "UNAVAILABLE" });
    const next = watchFate(client.kv.get("a"));
    await world.settle();
    expect(next.value?.value).toBe("b");
    expect(second.of("kv.get")).toHaveLength(1);
  });

  test("drops a connection that sends rubbish, and asks again on a new one", async () => {
    const client = await connected();
    world.scripts["kv.put"] = request =>
      request.connection.sendBytes(Uint8Array.of(0xd4, 0x72, 0x40));
    const fate = watchFate(client.kv.put("a", "b"));
    await world.settle();
    expect(world.node.connections).toHaveLength(1);
    await world.advance(2000);
    expect(world.node.connections.length).toBeLessThan(12);
    world.scripts["kv.put"] = request => request.ok(putOk);
    await world.advance(2000);
    expect(fate.value).toBeDefined();
  });

  test("rests when it has nothing to do and its connection is lost", async () => {
    await connected();
    world.node.connection.cut();
    await world.advance(60_000);
    expect(world.node.connections).toHaveLength(1);
  });
});

describe("a node that says what it must not", () => {
  const nonsense: readonly (readonly [string, object])[] = [
    ["an answer that is no object", { id: 2, ok: 5 }],
    ["an error that is none", { id: 2, error: [] }],
    ["a message that is none", [] as object],
    ["changes that are none", { event: "watch", id: 2, revision: 3, changes: [5] }],
  ];

  test.each(nonsense)(
    "%s costs it the connection, and the next node serves",
    async (_what, message) => {
      const client = await connected(2);
      const [first, second] = world.nodes as [FakeNode, FakeNode];
      const changes = client.kv.watch({ key: "a" })[Symbol.asyncIterator]();
      const change = watchFate(changes.next());
      await world.settle();
      first.connection.send({ id: 2, ok: { revision: 2 } }, message as Record<string, unknown>);
      await world.advance(1_000);
      expect(second.connections).toHaveLength(1);
      const { id, params } = second.last("watch.start");
      expect(params).toEqual({ key: "a", from: 3 });
      const told = { event: "watch", id, revision: 3, changes: [{ key: "a", kind: "put" }] };
      second.connection.send({ id, ok: { revision: 2 } }, told);
      await world.settle();
      expect(change.value).toMatchObject({ done: false, value: { key: "a", kind: "put" } });
    },
  );

  test("an answer that lacks what the call needs fails that call by name, and no other", async () => {
    const client = await connected();
    world.scripts["kv.range"] = request => request.ok({ records: [null] });
    const list = watchFate(client.kv.list({ prefix: "" })[Symbol.asyncIterator]().next());
    const get = watchFate(client.kv.get("a"));
    await world.settle();
    expect(list.error).toBeInstanceOf(HoldfastError);
    expect(list.error).toMatchObject({
      code: "INTERNAL",
      message: expect.stringMatching(/kv\.range.*cannot be read/),
    });
    expect(get.value).toBeNull();
    expect(world.node.connections).toHaveLength(1);
  });

  test("a lease with a time that no lease has is no lease", async () => {
    const client = await connected();
    world.scripts["lease.grant"] = request => request.ok({ lease: "a1", ttlMs: Number.NaN });
    const held = watchFate(client.lock("n").acquire());
    await world.settle();
    expect(held.error).toMatchObject({ code: "INTERNAL" });
  });
});

describe("a write whose connection is lost", () => {
  test("is sent again under its number, in the old order, before anything new", async () => {
    const client = await connected(2);
    const second = world.nodes[1] as FakeNode;
    world.scripts["kv.put"] = () => {};
    const fates = ["a", "b", "c"].map(key => watchFate(client.kv.put(key, key)));
    await world.settle();
    world.scripts["kv.put"] = request => request.ok({ ...putOk, revision: request.id });
    world.node.connection.cut();
    fates.push(watchFate(client.kv.put("d", "d")));
    await world.settle();
    expect(second.of("kv.put").map(({ id, params }) => [id, params.key])).toEqual([
      [2, "a"],
      [3, "b"],
      [4, "c"],
      [5, "d"],
    ]);
    expect(fates.map(({ value }) => value?.revision)).toEqual([2, 3, 4, 5]);
    expect(second.hellos[0]?.client).toBe(world.node.hellos[0]?.client);
  });

  test("and cannot be sent again in time has an unknown outcome", async () => {
    const client = await connected();
    world.scripts["kv.put"] = () => {};
    const sent = watchFate(client.kv.put("a", "b", { timeoutMs: 2000 }));
    await world.settle();
    world.node.isDown = true;
    world.node.connection.cut();
    await world.settle();
    const unsent = watchFate(client.kv.put("a", "b", { timeoutMs: 1000 }));
    const read = watchFate(client.kv.get("a", { timeoutMs: 1000 }));
    await world.advance(2000);
    expect(sent.error).toBeInstanceOf(OutcomeUnknownError);
    expect(unsent.error).toBeInstanceOf(UnavailableError);
    expect(read.error).toBeInstanceOf(UnavailableError);
  });

  test("has an unknown outcome when the next node belongs to another cluster", async () => {
    const client = await connected(2);
    world.scripts["kv.put"] = () => {};
    const fate = watchFate(client.kv.put("a", "b"));
    await world.settle();
    (world.nodes[1] as FakeNode).welcome = { clusterId: "c2" };
    world.node.connection.cut();
    await world.settle();
    expect(fate.error).toBeInstanceOf(OutcomeUnknownError);
    expect(world.nodes[1]?.of("kv.put")).toEqual([]);
  });
});

describe("a request that a node could not serve", () => {
  test("is asked again under its number, ever more slowly, until its time is over", async () => {
    const client = await connected();
    world.scripts["kv.put"] = request => request.fail("NO_QUORUM");
    const fate = watchFate(client.kv.put("a", "b", { timeoutMs: 1400 }));
    await world.advance(1400);
    const tries = world.node.of("kv.put").slice(1);
    expect(new Set(tries.map(({ id }) => id))).toEqual(new Set([2]));
    expect(tries.length).toBeGreaterThan(4);
    expect(tries.length).toBeLessThan(20);
    expect(fate.error).toBeInstanceOf(UnavailableError);
    expect(fate.error).toMatchObject({ code: "NO_QUORUM", outcome: "not-applied" });
  });

  test("has certainly had no effect when each copy of it met full tables, and else may have", async () => {
    const client = await connected();
    world.scripts["kv.put"] = request => request.fail("REQUESTS_FULL");
    const sure = watchFate(client.kv.put("a", "b", { timeoutMs: 500 }));
    await world.advance(500);
    expect(sure.error).toBeInstanceOf(UnavailableError);
    expect(sure.error).toMatchObject({ code: "REQUESTS_FULL", outcome: "not-applied" });
    world.scripts["kv.put"] = () => {};
    const unsure = watchFate(client.kv.put("a", "b", { timeoutMs: 500 }));
    await world.settle();
    world.scripts["kv.put"] = request => request.fail("REQUESTS_FULL");
    world.node.connection.cut();
    await world.advance(500);
    expect(unsure.error).toBeInstanceOf(OutcomeUnknownError);
  });

  test("is asked again when the node does not know its outcome, and gets the first answer", async () => {
    const client = await connected();
    let asked = 0;
    world.scripts["kv.put"] = request =>
      asked++ === 0 ? request.fail("OUTCOME_UNKNOWN") : request.ok({ ...putOk, revision: 7 });
    const fate = watchFate(client.kv.put("a", "b"));
    await world.advance(100);
    expect(fate.value?.revision).toBe(7);
    expect(world.node.last("kv.put").id).toBe(2);
  });

  test("gets a new number when the old one is too old, if it certainly took no effect", async () => {
    const client = await connected();
    let asked = 0;
    world.scripts["kv.put"] = request => {
      asked += 1;
      if (asked === 1) request.fail("OVERLOADED");
      else if (asked === 2) request.fail("REQUEST_EXPIRED", { low: 100 });
      else request.ok(putOk);
    };
    const fate = watchFate(client.kv.put("a", "b"));
    await world.advance(100);
    expect(fate.value).toBeDefined();
    expect(world.node.of("kv.put").map(({ id }) => id)).toEqual([1, 2, 2, 3]);
  });

  test("is told apart from one whose number is too old and that may have taken effect", async () => {
    const client = await connected();
    world.scripts["kv.put"] = () => {};
    const fate = watchFate(client.kv.put("a", "b"));
    await world.settle();
    world.scripts["kv.put"] = request => request.fail("REQUEST_EXPIRED", { low: 100 });
    world.node.connection.cut();
    await world.advance(100);
    expect(fate.error).toBeInstanceOf(OutcomeUnknownError);
    expect(fate.error).toMatchObject({ code: "REQUEST_EXPIRED" });
  });
});

describe("a call's limits", () => {
  test("an abort rejects with the signal's own reason, at once", async () => {
    const client = await connected();
    world.scripts["kv.put"] = () => {};
    const controller = new AbortController();
    const reason = { mine: true };
    const fate = watchFate(client.kv.put("a", "b", { signal: controller.signal }));
    await world.settle();
    controller.abort(reason);
    await world.settle();
    expect(fate.error).toBe(reason);
    const late = watchFate(client.kv.get("a", { signal: controller.signal }));
    await world.settle();
    expect(late.error).toBe(reason);
    expect(world.node.of("kv.get")).toEqual([]);
  });

  test("one that was aborted before it left is never sent", async () => {
    const client = await connected();
    const controller = new AbortController();
    const fate = watchFate(client.kv.put("never", "b", { signal: controller.signal }));
    controller.abort(new Error("no"));
    await world.settle();
    expect(fate.error).toMatchObject({ message: "no" });
    expect(world.node.of("kv.put").map(({ params }) => params.key)).toEqual(["warm"]);
  });

  test("requests past what may be under way wait their turn, in order", async () => {
    const client = await connected();
    world.scripts["kv.put"] = () => {};
    for (let n = 0; n < 1500; n += 1) void client.kv.put(`k${n}`, "").catch(() => {});
    await world.settle();
    expect(world.node.of("kv.put")).toHaveLength(701);
    world.scripts["kv.put"] = request => request.ok(putOk);
    for (const request of world.node.of("kv.put").slice(1)) request.ok(putOk);
    await world.advance(10);
    const keys = world.node
      .of("kv.put")
      .slice(1)
      .map(({ params }) => params.key);
    expect(keys).toEqual(Array.from({ length: 1500 }, (_, n) => `k${n}`));
  });

  test("a frame that would be too large leaves as several, and one request that is as an error", async () => {
    const client = await connected();
    const before = world.node.connection.frames.length;
    const value = new Uint8Array(900_000);
    const fates = Array.from({ length: 6 }, (_, n) => watchFate(client.kv.put(`k${n}`, value)));
    const huge = watchFate(client.kv.put("huge", new Uint8Array(5_000_000)));
    await world.settle();
    const frames = world.node.connection.frames.slice(before);
    expect(frames.length).toBeGreaterThan(1);
    expect(frames.flat()).toHaveLength(6);
    expect(fates.every(({ value: done }) => done !== undefined)).toBe(true);
    expect(huge.error).toMatchObject({ code: "FRAME_TOO_LARGE" });
  });
});

describe("the state of a client", () => {
  test("follows the connection, the quorum and the close", async () => {
    world = new World();
    world.scripts["kv.put"] = request => request.ok(putOk);
    world.scripts["cluster.status"] = request => request.ok({ state: "no-quorum" });
    const client = world.connect();
    const states: string[] = [];
    const stop = client.onState(state => void states.push(state));
    void client.kv.put("a", "b");
    await world.settle();
    world.scripts["kv.put"] = request => request.fail("NO_QUORUM");
    const fate = watchFate(client.kv.put("a", "b"));
    await world.advance(10);
    world.scripts["kv.put"] = request => request.ok(putOk);
    await world.advance(500);
    expect(fate.value).toBeDefined();
    void client.kv.put("a", "b");
    world.node.connection.cut();
    await world.advance(100);
    void client.close();
    await world.settle();
    expect(states).toEqual(["ready", "no-quorum", "ready", "connecting", "ready", "closed"]);
    stop();
  });

  test("is ready when a node serves: the promise waits for it, within its time", async () => {
    world = new World();
    world.node.welcome = { leader: undefined };
    world.scripts["election.leader"] = request => request.fail("UNAVAILABLE");
    world.scripts["cluster.status"] = request => request.ok({ state: "no-quorum" });
    const client = world.connect();
    const early = watchFate(client.ready({ timeoutMs: 1000 }));
    await world.advance(1000);
    expect(client.state).toBe("no-quorum");
    expect(early.error).toBeInstanceOf(UnavailableError);
    const late = watchFate(client.ready());
    world.scripts["election.leader"] = request => request.ok({ revision: 1 });
    await world.advance(1100);
    expect(late).toStrictEqual({ value: undefined });
    expect(client.state).toBe("ready");
  });

  test("without a quorum, it leaves the node for one that has", async () => {
    const client = await connected(2);
    world.scripts["kv.put"] = request =>
      request.connection.node === world.node ? request.fail("UNAVAILABLE") : request.ok(putOk);
    world.scripts["cluster.status"] = request => request.ok({ state: "no-quorum" });
    const fate = watchFate(client.kv.put("a", "b"));
    await world.advance(2500);
    expect(fate.value).toBeDefined();
  });
});

describe("a short lease on a node without a quorum", () => {
  test("is in time at another: who has one stays for a third of it only", async () => {
    world = new World(2);
    const client = world.connect({ ttlMs: 1500 });
    const fate = watchFate(client.lock("x").acquire());
    await world.settle();
    const [left, other] = world.nodes as [FakeNode, FakeNode];
    world.scripts["lease.keepalive"] = request => {
      if (request.connection.node === left) request.fail("NO_QUORUM");
      else keepAll(request);
    };
    world.scripts["cluster.status"] = request => request.ok({ state: "no-quorum" });
    await world.advance(1300);
    expect(other.of("lease.keepalive").length).toBeGreaterThan(0);
    expect(fate.value?.signal.aborted).toBe(false);
  });
});

describe("closing a client", () => {
  test("ends its leases at once, and refuses what comes later by name", async () => {
    const client = await connected();
    const held = watchFate(client.lock("x").acquire());
    const other = client.session();
    const second = watchFate(other.lock("y").acquire());
    await world.settle();
    const closed = watchFate(client.close());
    expect(held.value?.signal.aborted).toBe(true);
    expect(second.value?.signal.aborted).toBe(true);
    await world.settle();
    expect(
      world.node
        .of("lease.revoke")
        .map(({ params }) => params.lease)
        .sort(),
    ).toEqual(["a1", "a2"]);
    expect(closed).toStrictEqual({ value: undefined });
    const late = watchFate(client.kv.put("a", "b"));
    const lock = watchFate(client.lock("x").acquire());
    await world.settle();
    expect(late.error).toMatchObject({ code: "UNAVAILABLE", retryable: false });
    expect(lock.error).toBeInstanceOf(HoldfastError);
    expect(world.node.connection.isOpen).toBe(false);
  });

  test("fails the streams that are first read afterwards, by name", async () => {
    const client = await connected();
    void client.close();
    await world.settle();
    const streams: AsyncIterable<unknown>[] = [
      client.kv.watch({ prefix: "a/" }),
      client.election("e").observe(),
    ];
    const fates = streams.map(stream => watchFate(stream[Symbol.asyncIterator]().next()));
    await world.settle();
    const failure = expect.objectContaining({ code: "UNAVAILABLE", retryable: false });
    expect(fates).toEqual([{ error: failure }, { error: failure }]);
  });

  test("takes a bounded time when nobody answers", async () => {
    const client = await connected();
    const held = watchFate(client.lock("x").acquire());
    await world.settle();
    world.scripts["lock.acquire"] = () => {};
    const waiting = watchFate(client.lock("y").acquire());
    world.scripts["kv.put"] = () => {};
    const unanswered = watchFate(client.kv.put("a", "b"));
    await world.settle();
    expect(held.value).toBeDefined();
    world.node.isDeaf = true;
    const closed = watchFate(client.close());
    await world.advance(1999);
    expect(closed).toStrictEqual({});
    await world.advance(1);
    expect(closed).toStrictEqual({ value: undefined });
    expect(waiting.error).toBeInstanceOf(HoldfastError);
    expect(unanswered.error).toBeInstanceOf(OutcomeUnknownError);
    expect(client.state).toBe("closed");
  });

  test("leaves no timer behind", async () => {
    const client = await connected();
    void client.lock("x").acquire();
    await world.settle();
    void client.close();
    await world.settle();
    expect(world.loop.turn(Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
