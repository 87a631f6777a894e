import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { WindowCursor } from "../../src/state/watch/cursor.js";
import { type Client, Setting } from "./setting.js";

const put = (s: Setting, key: string, value = "v") =>
  s.result(s.client(1).call("kv.put", { key, value })).revision;

/** Revision and keys of each event, progress left out. */
const seen = (client: Client, id = 1) =>
  client
    .of("watch")
    .filter(event => event.id === id && event.changes.length > 0)
    .map(({ revision, changes }) => [revision, changes.map(({ key }) => key)]);

describe("watches", () => {
  it("begin at a linearizable point: everything answered before is not told, everything after is", () => {
    const s = new Setting(3);
    const before = put(s, "a");
    s.log(2).lagging = true;
    const last = put(s, "a");
    const client = s.client(2);
    const start = client.call("watch.start", { key: "a" }, { id: 1 });
    s.loop.advance(100);
    expect(start.outcome).toBeNull();
    s.log(2).lagging = false;
    s.log(2).catchUp();
    expect(s.result(start).revision).toBe(last);
    const after = put(s, "a");
    s.loop.settle();
    expect(seen(client)).toEqual([[after, ["a"]]]);
    expect(before).toBe(last - 1);
  });

  it("that are held and resumed again and again get no more than their share of a turn", () => {
    const s = new Setting(1, { watchSliceEvents: 1 });
    for (let n = 0; n < 200; n++) put(s, "a");
    const client = s.client();
    client.call("watch.start", { key: "a", from: 2 }, { id: 1 });
    for (let n = 0; n < 20; n++) {
      client.connection.holdStreams();
      client.connection.resumeStreams();
    }
    s.loop.turn();
    expect(seen(client)).toHaveLength(16);
    s.loop.settle();
    expect(seen(client)).toHaveLength(200);
  });

  it("from the past do not begin any more on a node that stops", () => {
    const s = new Setting(1);
    put(s, "a");
    const client = s.client();
    s.replicas[0]!.stop(() => {});
    const call = client.call("watch.start", { key: "a", from: 2 }, { id: 1 });
    expect(s.code(call)).toBe("SHUTTING_DOWN");
  });

  it("tell all changes of a revision together, and only those asked for", () => {
    const s = new Setting(3);
    const client = s.client(2);
    s.result(client.call("watch.start", { prefix: "a/" }, { id: 1 }));
    s.result(client.call("watch.start", { key: "b", rangeEnd: "c" }, { id: 2 }));
    const steps = ["a/1", "a/2", "b", "bz", "c"].map(key => ({ put: { key, value: "" } }));
    const { revision } = s.result(s.client(1).call("kv.txn", { success: steps }));
    s.loop.settle();
    expect(seen(client, 1)).toEqual([[revision, ["a/1", "a/2"]]]);
    expect(seen(client, 2)).toEqual([[revision, ["b", "bz"]]]);
  });

  it("from a past revision see every change once and in order, across the switch to live", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("p/a", "p/b", "q"), { minLength: 1, maxLength: 60 }),
        fc.nat({ max: 59 }),
        fc.nat({ max: 59 }),
        (keys, startAt, fromAt) => {
          const s = new Setting(1, { watchSliceEvents: 3 });
          const client = s.client();
          const expected: number[] = [];
          const from = 2 + (fromAt % keys.length);
          keys.forEach((key, i) => {
            if (i === startAt % keys.length) {
              client.call("watch.start", { prefix: "p/", from }, { id: 1 });
            }
            // Not awaited: commits and slices interleave.
            client.call("kv.put", { key, value: `${i}` });
            s.loop.turn();
            if (key !== "q" && i + 2 >= from) expected.push(i + 2);
          });
          s.loop.advance(1_000);
          expect(seen(client).map(([revision]) => revision)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("of a connection that cannot take events stand still, and miss nothing afterwards", () => {
    const s = new Setting(3);
    const client = s.client(2);
    s.result(client.call("watch.start", { prefix: "k" }, { id: 1 }));
    put(s, "k0");
    s.loop.settle();
    client.connection.holdStreams();
    for (let i = 1; i <= 40; i++) put(s, `k${i}`);
    s.loop.advance(1_000);
    expect(seen(client)).toHaveLength(1);
    client.connection.resumeStreams();
    put(s, "k41");
    s.loop.advance(1_000);
    expect(seen(client).map(([, keys]) => keys)).toEqual(
      Array.from({ length: 42 }, (_, i) => [`k${i}`]),
    );
  });

  it("held while they catch up, go on where they were", () => {
    const s = new Setting(1, { watchSliceEvents: 5 });
    const client = s.client();
    for (let i = 0; i < 60; i++) put(s, "k");
    client.call("watch.start", { key: "k", from: 2 }, { id: 1 });
    while (seen(client).length === 0) s.loop.turn();
    client.connection.holdStreams();
    s.loop.advance(1_000);
    expect(seen(client).length).toBeLessThan(60);
    client.connection.resumeStreams();
    s.loop.advance(1_000);
    expect(seen(client).map(([revision]) => revision)).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 2),
    );
  });

  it("go on through a snapshot that jumped over changes, since the history came with it", () => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    const client = s.client(2);
    s.result(client.call("watch.start", { prefix: "" }, { id: 1 }));
    const one = put(s, "a");
    s.loop.settle();
    s.log(2).lagging = true;
    const two = put(s, "b");
    s.loop.advance(1_000);
    s.log(2).jump(s.log(1));
    s.loop.advance(100);
    const three = put(s, "c");
    s.loop.settle();
    expect(seen(client).map(([revision]) => revision)).toEqual([one, two, three]);
  });

  it("quiet ones hear how far the keyspace is, at times", () => {
    const s = new Setting(3);
    const client = s.client(2);
    s.result(client.call("watch.start", { key: "quiet" }, { id: 1 }));
    const revision = put(s, "other");
    s.loop.advance(20_000);
    expect(client.of("watch")).toEqual([{ event: "watch", id: 1, revision, changes: [] }]);
  });

  it("cancelled, end with one last event and tell nothing more", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const start = client.call("watch.start", { key: "k" }, { id: 1 });
    s.result(start);
    start.call.cancel();
    put(s, "k");
    s.loop.advance(100);
    expect(client.events).toEqual([{ event: "end", id: 1 }]);
  });

  it("from a revision in the future tell nothing before it", () => {
    const s = new Setting(1);
    const client = s.client();
    s.result(client.call("watch.start", { key: "k", from: 4 }, { id: 1 }));
    for (let i = 0; i < 4; i++) put(s, "k");
    s.loop.settle();
    expect(seen(client).map(([revision]) => revision)).toEqual([4, 5]);
  });

  it("past the limit are refused by name", () => {
    const s = new Setting(1, { maxWatchersPerConnection: 1 });
    const client = s.client();
    expect(s.code(client.call("watch.start", { key: "k" }))).toBe("ok");
    expect(s.code(client.call("watch.start", { key: "k" }))).toBe("TOO_MANY_WATCHES");
  });

  it("tell only the kinds asked for, with the record before and without values if so asked", () => {
    const s = new Setting(1);
    const client = s.client();
    put(s, "k", "old");
    const params = { key: "k", kinds: ["delete"], prev: true, keysOnly: true } as const;
    s.result(client.call("watch.start", params, { id: 1 }));
    put(s, "k", "new");
    s.result(client.call("kv.delete", { key: "k" }));
    s.loop.settle();
    expect(client.of("watch")).toHaveLength(1);
    expect(client.of("watch")[0]?.changes).toMatchObject([
      { kind: "delete", cause: "deleted", modRevision: 4, prev: { value: "new" } },
    ]);
  });

  it("leave former records out past 4 MiB of one revision, and begin anew with the next", () => {
    const s = new Setting(1);
    const client = s.client();
    const value = "x".repeat(1_000_000);
    const fill = () => {
      for (let at = 0; at < 9; at++) put(s, `p/${at}`, value);
    };
    fill();
    s.result(
      client.call("watch.start", { prefix: "p/", prev: true, kinds: ["delete"] }, { id: 1 }),
    );
    const empty = () => s.result(s.client().call("kv.delete", { prefix: "p/" }));
    expect(empty()).toMatchObject({ deleted: 9 });
    fill();
    empty();
    s.loop.settle();
    const told = client.of("watch").filter(({ changes }) => changes.length > 0);
    expect(told.map(({ changes }) => changes.map(({ prev }) => prev !== undefined))).toEqual([
      [true, true, true, true, false, false, false, false, false],
      [true, true, true, true, false, false, false, false, false],
    ]);
  });
});

describe("observing an election", () => {
  const leaders = (client: Client) =>
    client.of("observe").map(({ leader }) => leader?.value ?? null);

  function elections(s: Setting, client: Client) {
    const campaign = (value: string) => {
      const call = client.call("election.campaign", {
        name: "e",
        ttlMs: 60_000,
        waitMs: -1,
        value,
      });
      s.loop.advance(5);
      return call;
    };
    const resign = (call: ReturnType<typeof campaign>) => {
      const grant = s.result(call);
      if (!("key" in grant)) throw new Error("not leading");
      s.result(client.call("election.resign", { key: grant.key }));
      s.loop.advance(5);
    };
    return { campaign, resign };
  }

  it("tells who leads now, each next leader in order, proclamations, and when nobody does", () => {
    const s = new Setting(3);
    const { campaign, resign } = elections(s, s.client(1));
    const one = campaign("one");
    const client = s.client(2);
    s.result(client.call("election.observe", { name: "e" }, { id: 1 }));
    const two = campaign("two");
    resign(one);
    const grant = s.result(two);
    if (!("key" in grant)) throw new Error("not leading");
    s.result(s.client(3).call("election.proclaim", { key: grant.key, value: "two!" }));
    resign(two);
    s.loop.settle();
    expect(leaders(client)).toEqual(["one", "two", "two!", null]);
  });

  it("from the past tells every leader that was, then goes live", () => {
    const s = new Setting(3);
    const { campaign, resign } = elections(s, s.client(1));
    const calls = ["a", "b", "c"].map(campaign);
    resign(calls[0]!);
    resign(calls[1]!);
    const client = s.client(2);
    s.result(client.call("election.observe", { name: "e", from: 1 }, { id: 1 }));
    s.loop.settle();
    resign(calls[2]!);
    campaign("d");
    s.loop.settle();
    expect(leaders(client)).toEqual(["a", "b", "c", null, "d"]);
    const revisions = client.of("observe").map(({ revision }) => revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  });

  it("tells whom a leader handed over to, and later those who were moved; what is said beside a grant is no news", () => {
    const s = new Setting(3);
    const { campaign, resign } = elections(s, s.client(1));
    const one = campaign("one");
    const client = s.client(2);
    s.result(client.call("election.observe", { name: "e" }, { id: 1 }));
    const two = campaign("two");
    const three = campaign("three");
    const { key } = s.result(one) as { key: string };
    s.result(s.client(3).call("lock.annotate", { key, progress: "half way" }));
    const line = s.result(s.client(1).call("lock.inspect", { name: "e" }));
    const toKey = line.waiters[1]?.key ?? "";
    s.result(s.client(3).call("lock.yield", { key, graceMs: 1000, toKey }));
    s.loop.settle();
    expect(leaders(client)).toEqual(["one"]);
    s.result(s.client(1).call("election.resign", { key, toKey }));
    s.loop.advance(5);
    expect(leaders(client)).toEqual(["one", "three"]);
    resign(three);
    expect(leaders(client)).toEqual(["one", "three", "two"]);
    resign(two);
    s.loop.settle();
    expect(leaders(client)).toEqual(["one", "three", "two", null]);
    const late = s.client(3);
    s.result(late.call("election.observe", { name: "e", from: 1 }, { id: 1 }));
    s.loop.settle();
    expect(leaders(late)).toEqual(leaders(client));
  });

  it("of one whose line stays shut after its leader's lease ran out tells that nobody leads", () => {
    const s = new Setting(3);
    const client = s.client(2);
    s.result(client.call("lock.configure", { name: "e", lockDelayMs: 20_000 }));
    s.result(s.client(1).call("election.campaign", { name: "e", ttlMs: 1000, value: "one" }));
    s.result(client.call("election.observe", { name: "e" }, { id: 1 }));
    const two = { name: "e", ttlMs: 600_000, waitMs: -1, value: "two" };
    s.client(3).call("election.campaign", two);
    s.loop.advance(5_000);
    expect(leaders(client)).toEqual(["one", null]);
    s.loop.advance(20_000);
    expect(leaders(client)).toEqual(["one", null, "two"]);
    const late = s.client(3);
    s.result(late.call("election.observe", { name: "e", from: 1 }, { id: 1 }));
    s.loop.settle();
    expect(leaders(late)).toEqual(leaders(client));
  });

  it("of one who stands first and waits for its other names is told when it leads", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const other = s.result(s.client(1).call("lock.acquire", { name: "x", ttlMs: 60_000 }));
    const both = { names: ["e", "x"], ttlMs: 60_000, waitMs: -1 };
    const standing = s.client(1).call("lock.acquire", both);
    s.loop.advance(5);
    s.result(client.call("election.observe", { name: "e" }, { id: 1 }));
    expect(s.result(client.call("election.leader", { name: "e" }))).not.toHaveProperty("leader");
    expect(leaders(client)).toEqual([null]);
    s.result(client.call("lock.release", { key: (other as { key: string }).key }));
    s.result(standing);
    s.loop.settle();
    expect(leaders(client)).toEqual([null, ""]);
    expect(s.result(client.call("election.leader", { name: "e" }))).toHaveProperty("leader");
  });

  it("of nobody begins with nobody", () => {
    const s = new Setting(1);
    const client = s.client();
    s.result(client.call("election.observe", { name: "e" }, { id: 1 }));
    s.loop.settle();
    expect(leaders(client)).toEqual([null]);
  });
});

describe("a reconnect storm", () => {
  it("of watches of quiet keys looks at no more of a busy history in a turn than one may", () => {
    const s = new Setting(1);
    const writer = s.client();
    for (let i = 0; i < 30_000; i++) {
      writer.call("kv.put", { key: `busy/${i % 100}`, value: "v" });
      if (i % 2_000 === 1_999) s.loop.settle();
    }
    s.loop.settle();
    let looks = 0;
    const original = WindowCursor.prototype.next;
    vi.spyOn(WindowCursor.prototype, "next").mockImplementation(function (this: WindowCursor, max) {
      const from = this.position;
      const found = original.call(this, max);
      looks += this.position - from;
      return found;
    });
    const client = s.client();
    const watches = Array.from({ length: 40 }, (_, i) =>
      client.call("watch.start", { key: `quiet/${i}`, from: 2 }, { id: i + 1 }),
    );
    const ofTurns: number[] = [];
    while (s.loop.turn()) {
      ofTurns.push(looks);
      looks = 0;
    }
    vi.restoreAllMocks();
    expect(watches.every(({ outcome }) => outcome?.ok)).toBe(true);
    expect(Math.max(...ofTurns)).toBeLessThanOrEqual(50_000);
    expect(ofTurns.reduce((sum, one) => sum + one)).toBeGreaterThan(40 * 29_000);
    s.result(writer.call("kv.put", { key: "quiet/7", value: "v" }));
    expect(seen(client, 8)).toHaveLength(1);
  });
});
