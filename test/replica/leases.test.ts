import { describe, expect, it } from "vitest";
import { Reader, Writer } from "../../src/base/codec.js";
import type { LeaseStanding } from "../../src/replica/coordinator/index.js";
import { readReplies, writeReplies } from "../../src/replica/leases/replies.js";
import { QUESTION } from "../../src/replica/proposals/questions.js";
import { nodeBytes } from "../../src/server/ports/bytes.js";
import { END_REASONS } from "../../src/state/snapshot/format.js";
import { type Asked, type Client, Setting } from "./setting.js";

const TTL = 1_000;

function granted(s: Setting, client: Client): string {
  return s.result(client.call("lease.grant", { ttlMs: TTL })).lease;
}

type Held = { readonly key: string; readonly lease: string };

/** The key of a grant of that lock. */
function heldKey(s: Setting, client: Client, name: string, lease: string): string {
  const grant = s.result(client.call("lock.acquire", { name, lease }));
  if (!("key" in grant)) throw new Error("not granted");
  return grant.key;
}

describe("grants", () => {
  it("asked again under its key, a grant tells what is left, not its full time", () => {
    const s = new Setting(3);
    const again = (node: number) =>
      s.result(s.client(node).call("lease.grant", { ttlMs: 10_000 }, { idempotencyKey: "k" }));
    const { lease, remainingMs } = again(2);
    expect(remainingMs).toBe(10_000);
    s.loop.advance(6_000);
    for (const node of [1, 2, 3]) {
      const told = again(node);
      expect(told.lease).toBe(lease);
      expect(told.remainingMs).toBeGreaterThan(3_800);
      expect(told.remainingMs).toBeLessThanOrEqual(4_000);
    }
  });
});

describe("an id that is drawn", () => {
  const request = (number: number) => ({
    request: { client: "00000000000000c1", number, low: number },
  });
  const asks = {
    "lease.grant": { ttlMs: TTL },
    "lock.acquire": { name: "a", ttlMs: TTL },
  } as const;

  it.each(Object.keys(asks) as (keyof typeof asks)[])(
    "and exists already refuses %s by name, once and for all; another request gets another",
    operation => {
      const s = new Setting(1);
      const client = s.client();
      const taken = s.firstDrawnLease(1);
      s.result(client.call("lease.grant", { ttlMs: TTL, lease: taken }));
      const refused = client.call(operation, asks[operation], request(1));
      expect(s.code(refused)).toBe("LEASE_EXISTS");
      expect(refused.outcome).toMatchObject({ failure: { details: { lease: taken } } });
      expect(s.code(client.call(operation, asks[operation], request(1)))).toBe("LEASE_EXISTS");
      expect(s.commandsCommitted().flat()).toHaveLength(3);
      expect(s.code(client.call(operation, asks[operation], request(2)))).toBe("ok");
    },
  );
});

describe("keep-alives", () => {
  it("one is answered only after a heartbeat round begun after it came", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, client);
    s.log(1).heldConfirmations = [];
    const call = client.call("lease.keepalive", { lease, stamp: 77 });
    s.loop.advance(50);
    expect(call.outcome).toBeNull();
    for (const confirm of s.log(1).heldConfirmations ?? []) confirm();
    expect(s.result(call)).toEqual({ lease, ttlMs: TTL, remainingMs: TTL, stamp: 77 });
  });

  it("all of a turn share one round and, from a follower, one ask", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const leases = Array.from({ length: 10 }, () => client.call("lease.grant", { ttlMs: TTL }));
    const ids = s.results(...leases).map(({ lease }) => lease);
    let asks = 0;
    s.cluster.askFate = () => {
      asks++;
      return "deliver";
    };
    s.results(...ids.map(lease => client.call("lease.keepalive", { lease })));
    expect(asks).toBe(1);
    expect(s.log(1).confirmations).toBe(1);
  });

  it("a leader cut from its quorum answers none", () => {
    const s = new Setting(3);
    const client = s.client(1);
    const lease = granted(s, client);
    s.cluster.isolate(s.log(1));
    expect(s.code(client.call("lease.keepalive", { lease }))).toBe("UNAVAILABLE");
  });

  it("a round that was confirmed in an earlier term extends nothing", () => {
    const s = new Setting(3);
    const client = s.client(1);
    const lease = granted(s, client);
    s.log(1).heldConfirmations = [];
    const call = client.call("lease.keepalive", { lease });
    s.loop.settle();
    const [confirm] = s.log(1).heldConfirmations ?? [];
    s.cluster.elect(s.log(2));
    s.loop.settle();
    confirm!();
    s.loop.settle();
    expect(call.outcome).toBeNull();
    // Asked again of the new leader, which confirms.
    expect(s.code(call)).toBe("ok");
    expect(s.log(2).confirmations).toBe(1);
  });

  it("several leases in one call: each has its time or the reason of its end", () => {
    const s = new Setting(3);
    const client = s.client(3);
    const alive = granted(s, client);
    const revoked = granted(s, client);
    s.result(client.call("lease.revoke", { lease: revoked }));
    const call = client.call("lease.keepalive", { leases: [alive, revoked, "abc"], stamp: 5 });
    expect(s.result(call)).toEqual({
      leases: [
        { lease: alive, ttlMs: TTL, remainingMs: TTL },
        { lease: revoked, ended: { reason: "revoked" } },
        { lease: "abc", ended: { reason: "forgotten" } },
      ],
      stamp: 5,
    });
    expect(s.code(client.call("lease.keepalive", { lease: revoked }))).toBe("LEASE_ENDED");
    expect(s.code(client.call("lease.keepalive", { lease: "abc" }))).toBe("NO_SUCH_LEASE");
  });
});

describe("the leases that a client comes with", () => {
  const standings = (s: Setting, client: Client, leases: readonly string[]) => {
    const told: (readonly LeaseStanding[] | null)[] = [];
    client.connection.leaseStandings(leases, standing => told.push(standing));
    expect(told).toEqual([]);
    s.loop.runUntil(() => told.length > 0, 30_000);
    return told[0];
  };

  it("each is told with its time or the reason of its end, also one that is named twice", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const alive = granted(s, client);
    const revoked = granted(s, client);
    s.result(client.call("lease.revoke", { lease: revoked }));
    const { barriers } = s.log(2);
    const remainingMs = expect.closeTo(TTL, -2);
    expect(standings(s, client, [alive, revoked, "abc", alive])).toEqual([
      { lease: alive, remainingMs },
      { lease: revoked, ended: { reason: "revoked" } },
      { lease: "abc", ended: { reason: "forgotten" } },
      { lease: alive, remainingMs },
    ]);
    expect(s.log(2).barriers).toBe(barriers + 1);
    expect(standings(s, client, [revoked])).toMatchObject([{ ended: {} }]);
  });

  it.each(["its first lease has ended", "it came with a lease that had ended"])(
    "a client's answers are kept by a lease that lives, also when %s",
    how => {
      const s = new Setting(3, {}, { requestClientKeptMs: 5_000 });
      const before = s.client(1);
      const first = granted(s, before);
      const end = () => s.result(s.client(1).call("lease.revoke", { lease: first }));
      const client = s.client(2);
      if (how.startsWith("its first")) client.connection.attachLeases([first]);
      end();
      if (how.startsWith("it came")) {
        client.connection.attachLeases([first]);
        standings(s, client, [first]);
      }
      s.result(client.call("lease.grant", { ttlMs: 60_000 }));
      const context = { request: { client: "00000000000000c1", number: 1, low: 1 } };
      const append = () =>
        s.result(client.call("kv.append", { prefix: "p", value: "" }, context)).key;
      const key = append();
      s.loop.advance(10_000);
      for (let n = 0; n < 2; n++) s.result(before.call("kv.put", { key: "k", value: "" }));
      expect(append()).toBe(key);
    },
  );

  it("nobody tells of them without a leader, and nothing is told to who has gone", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, client);
    s.cluster.depose();
    expect(standings(s, client, [lease])).toBeNull();
    const told: unknown[] = [];
    client.connection.leaseStandings([lease], standing => told.push(standing));
    client.connection.close(false);
    s.loop.advance(10_000);
    expect(told).toEqual([]);
  });
});

describe("the leases' clock", () => {
  it("a lease ends after its ttl, not before, and who attached it is told", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, client);
    s.loop.advance(TTL - 20);
    expect(client.of("leaseEnded")).toEqual([]);
    s.loop.advance(100);
    expect(client.of("leaseEnded")).toEqual([{ event: "leaseEnded", lease, reason: "expired" }]);
  });

  it("kept alive it lives on", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, client);
    for (let i = 0; i < 10; i++) {
      s.loop.advance(TTL / 2);
      s.result(client.call("lease.keepalive", { lease }));
    }
    expect(client.of("leaseEnded")).toEqual([]);
  });

  it("leases due together are ended by one command", () => {
    const s = new Setting(1);
    const client = s.client();
    s.results(...Array.from({ length: 100 }, () => client.call("lease.grant", { ttlMs: TTL })));
    s.loop.advance(TTL + 100);
    expect(
      s
        .commandsCommitted()
        .flat()
        .filter(kind => kind === "lease.expire"),
    ).toHaveLength(1);
    expect(client.of("leaseEnded")).toHaveLength(100);
  });

  it("leases that are due end one after the other where they have too many keys for one command", () => {
    const s = new Setting(1, {}, { maxKeysPerCommand: 2 });
    const client = s.client();
    const leases = s.results(
      ...Array.from({ length: 5 }, () => client.call("lease.grant", { ttlMs: TTL })),
    );
    leases.forEach(({ lease }, n) => {
      for (const key of [`a${n}`, `b${n}`]) client.call("kv.put", { key, value: "", lease });
    });
    s.loop.advance(TTL + 200);
    expect(client.of("leaseEnded")).toHaveLength(5);
    const ends = s.commandsCommitted().flat();
    expect(ends.filter(kind => kind === "lease.expire")).toHaveLength(5);
  });

  it("a leader that stood still for many ttls ends nothing when it wakes", () => {
    const s = new Setting(1);
    const client = s.client();
    const lease = granted(s, client);
    s.loop.stall(20 * TTL);
    s.loop.advance(TTL / 2);
    expect(s.code(client.call("lease.keepalive", { lease }))).toBe("ok");
    expect(client.of("leaseEnded")).toEqual([]);
    s.loop.advance(2 * TTL);
    expect(client.of("leaseEnded")).toHaveLength(1);
  });

  it("a new leader gives every lease its full time", () => {
    const s = new Setting(3);
    const client = s.client(2);
    granted(s, client);
    s.loop.advance(TTL - 100);
    s.cluster.elect(s.log(3));
    s.loop.advance(TTL - 100);
    expect(client.of("leaseEnded")).toEqual([]);
    s.loop.advance(200);
    expect(client.of("leaseEnded")).toHaveLength(1);
  });

  it("an end proposed by a deposed leader is not proposed again in another term", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, client);
    s.cluster.autoCommit = false;
    s.loop.advance(TTL + 100);
    expect(s.log(1).appends.length).toBeGreaterThan(1);
    s.cluster.elect(s.log(3));
    s.cluster.autoCommit = true;
    s.loop.advance(TTL / 2);
    expect(s.commandsCommitted().flat()).not.toContain("lease.expire");
    expect(s.code(client.call("lease.keepalive", { lease }))).toBe("ok");
  });

  it("an end that nobody knows the fate of is not proposed again while its term lasts", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const first = s.result(client.call("lease.grant", { ttlMs: TTL, lease: "a1" }));
    s.cluster.autoCommit = false;
    s.loop.advance(TTL + 100);
    // Behind its end the same id is granted anew; both come to be committed long afterwards.
    const again = client.call("lease.grant", { ttlMs: 30 * TTL, lease: first.lease });
    s.loop.advance(10 * TTL);
    s.cluster.commit();
    s.cluster.autoCommit = true;
    s.loop.advance(100);
    const ends = s
      .commandsCommitted()
      .flat()
      .filter(kind => kind === "lease.expire");
    expect(ends).toHaveLength(1);
    expect(again.outcome).not.toBeNull();
    expect(s.code(client.call("lease.get", { lease: first.lease }))).toBe("ok");
    expect(client.of("leaseEnded")).toHaveLength(1);
  });

  it("an end meets the lease it was proposed for, and none of the same id that came in between", () => {
    const s = new Setting(3);
    const client = s.client(2);
    s.result(client.call("lease.grant", { ttlMs: TTL, lease: "a1" }));
    s.cluster.autoCommit = false;
    // Both are in the log, and not applied, when the leader sees that the first one is due.
    client.call("lease.revoke", { lease: "a1" });
    const again = client.call("lease.grant", { ttlMs: 30 * TTL, lease: "a1" });
    s.loop.advance(3 * TTL);
    s.cluster.commit();
    s.cluster.autoCommit = true;
    s.loop.advance(TTL);
    expect(s.commandsCommitted().flat()).toContain("lease.expire");
    expect(s.code(again)).toBe("ok");
    expect(s.code(client.call("lease.get", { lease: "a1" }))).toBe("ok");
  });

  it("an end that waited long for its place in the log, and did not get it, is proposed again", () => {
    const s = new Setting(1);
    const client = s.client();
    const lease = granted(s, client);
    s.cluster.autoCommit = false;
    // Much is under way and stands still, so a single command waits for company.
    for (let n = 0; n < 10; n++) client.call("kv.put", { key: `k${n}`, value: "" });
    s.loop.advance(20 * TTL);
    s.log(1).refuseAppends = true;
    s.cluster.commit();
    s.loop.advance(100);
    s.log(1).refuseAppends = false;
    s.cluster.autoCommit = true;
    s.loop.advance(TTL);
    expect(client.of("leaseEnded")).toEqual([{ event: "leaseEnded", lease, reason: "expired" }]);
  });

  it("a keep-alive of a lease whose end is under way is answered when its fate is known", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, client);
    s.cluster.autoCommit = false;
    s.loop.advance(TTL + 100);
    const call = client.call("lease.keepalive", { lease });
    s.loop.advance(200);
    expect(call.outcome).toBeNull();
    s.cluster.commit();
    expect(s.code(call)).toBe("LEASE_ENDED");
  });

  it("a lease that was kept alive together with one whose end is under way is extended all the same", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const late = granted(s, client);
    s.loop.advance(TTL / 2);
    const inTime = granted(s, client);
    s.cluster.autoCommit = false;
    s.loop.advance(TTL / 2 + 100);
    const call = client.call("lease.keepalive", { leases: [late, inTime] });
    s.loop.advance(TTL - 100);
    expect(call.outcome).toBeNull();
    s.cluster.autoCommit = true;
    s.cluster.commit();
    expect(s.result(call)).toMatchObject({ leases: [{ ended: {} }, { remainingMs: TTL }] });
    expect(client.of("leaseEnded").map(({ lease }) => lease)).toEqual([late]);
  });

  it("a lease whose keep-alive came in time is not ended while the round is under way", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, client);
    s.loop.advance(TTL - 50);
    s.log(1).heldConfirmations = [];
    const call = client.call("lease.keepalive", { lease });
    s.loop.advance(500);
    expect(s.commandsCommitted().flat()).not.toContain("lease.expire");
    for (const confirm of s.log(1).heldConfirmations ?? []) confirm();
    s.log(1).heldConfirmations = null;
    expect(s.code(call)).toBe("ok");
    s.loop.advance(TTL - 50);
    expect(client.of("leaseEnded")).toEqual([]);
  });

  it("an append that was refused is tried again", () => {
    const s = new Setting(1);
    const client = s.client();
    granted(s, client);
    s.log(1).refuseAppends = true;
    s.loop.advance(TTL + 500);
    expect(client.of("leaseEnded")).toEqual([]);
    s.log(1).refuseAppends = false;
    s.loop.advance(100);
    expect(client.of("leaseEnded")).toHaveLength(1);
  });

  it("any node tells what is left of a lease, by the leader's clock", () => {
    const s = new Setting(3);
    const client = s.client(3);
    const lease = granted(s, client);
    s.loop.advance(400);
    const got = s.result(client.call("lease.get", { lease }));
    expect(got.remainingMs).toBeGreaterThan(500);
    expect(got.remainingMs).toBeLessThanOrEqual(620);
    expect(got).toMatchObject({ keys: [], keyCount: 0 });
    const { leases } = s.result(client.call("lease.list", {}));
    expect(leases.map(({ lease: id }) => id)).toEqual([lease]);
  });

  it("the loss of a grant is pushed before the end of its lease", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, client);
    s.result(client.call("lock.acquire", { name: "a", lease }));
    s.result(s.client(1).call("lease.revoke", { lease }));
    s.loop.settle();
    expect(client.events.map(({ event }) => event)).toEqual(["lost", "leaseEnded"]);
    expect(client.of("lost")[0]).toMatchObject({ name: "a", lease, reason: "revoked" });
  });

  it.each([1, 2])(
    "a grant that another connection of node %i released is a loss, told at once",
    node => {
      const s = new Setting(3);
      const client = s.client(2);
      const lease = granted(s, client);
      const key = heldKey(s, client, "a", lease);
      const other = s.client(node);
      s.result(other.call("lock.release", { key }, { idempotencyKey: "k" }));
      s.loop.settle();
      expect(client.events).toMatchObject([{ event: "lost", key, lease, reason: "released" }]);
      expect(other.events).toEqual([]);
    },
  );

  it("what hung on the lease of a released grant is lost, also to who released that grant", () => {
    const s = new Setting(1);
    const [owner, guest] = [s.client(), s.client()];
    const own = s.result(owner.call("lock.acquire", { name: "a", ttlMs: TTL })) as Held;
    const key = heldKey(s, guest, "b", own.lease);
    s.result(owner.call("lock.release", { key: own.key }));
    const lost = { event: "lost", lease: own.lease, reason: "released" };
    expect(owner.events).toMatchObject([{ ...lost, key }]);
    expect(guest.events).toMatchObject([
      { ...lost, key },
      { ...lost, key: own.key },
    ]);
  });

  it("a grant that came too late to be given is taken back without a word of its loss", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, s.client(1));
    const asked = client.call("lock.acquire", { name: "a", lease, minRemainingMs: 2 * TTL });
    expect(s.code(asked)).toBe("NOT_HELD");
    expect(s.code(client.call("lock.acquire", { name: "a", lease }))).toBe("ok");
    expect(client.events).toEqual([]);
  });

  it.each([
    ["is committed", "NOT_HELD"],
    ["is never committed", "OUTCOME_UNKNOWN"],
  ])("a grant that came too late is said to be released only when that %s", (how, code) => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, s.client(1));
    const asked = client.call("lock.acquire", { name: "a", lease, minRemainingMs: 2 * TTL });
    s.loop.runUntil(() => s.commandsCommitted().flat().includes("lock.acquire"), 1_000);
    s.cluster.autoCommit = false;
    s.loop.advance(100);
    expect(asked.outcome).toBeNull();
    if (how === "is committed") s.cluster.commit();
    expect(s.code(asked)).toBe(code);
  });

  it("a grant with a lease of its own is not given either with less time than was asked for", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const asked = client.call("lock.acquire", { name: "a", ttlMs: TTL, minRemainingMs: 2 * TTL });
    expect(s.code(asked)).toBe("NOT_HELD");
    const lease = granted(s, client);
    expect(s.code(client.call("lock.acquire", { name: "a", lease }))).toBe("ok");
  });

  it("a grant is not given when nobody can tell that it has the time that was asked for", () => {
    const s = new Setting(3);
    const { lease } = s.result(s.client(1).call("lease.grant", { ttlMs: 60_000 }));
    s.cluster.askFate = (_from, _to, question) =>
      question[1] === QUESTION.remaining ? "lose" : "deliver";
    const client = s.client(2);
    const asked = client.call("lock.acquire", { name: "a", lease, minRemainingMs: 1 });
    expect(s.code(asked)).toBe("NOT_HELD");
  });

  it("a release by its owner is no loss", () => {
    const s = new Setting(3);
    const client = s.client(2);
    const lease = granted(s, client);
    const grant = s.result(client.call("lock.acquire", { name: "a", lease }));
    if (!("key" in grant)) throw new Error("not granted");
    s.result(client.call("lock.release", { key: grant.key }));
    s.loop.settle();
    expect(client.events).toEqual([]);
  });

  it("a snapshot that jumped over the end of a grant tells its holder, whose lease lives on", () => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    const client = s.client(2);
    const { lease } = s.result(client.call("lease.grant", { ttlMs: 60_000 }));
    const [gone = "", stays = ""] = ["a", "b"].map(name => heldKey(s, client, name, lease));
    s.log(2).lagging = true;
    s.result(s.client(1).call("kv.delete", { key: gone }));
    s.result(s.client(1).call("kv.put", { key: "c", value: "", lease }));
    s.loop.advance(1_000);
    expect(client.events).toEqual([]);
    s.log(2).jump(s.log(1));
    s.loop.settle();
    expect(client.events).toMatchObject([{ event: "lost", key: gone, lease, reason: "deleted" }]);
    expect(s.result(client.call("lock.check", { key: stays }))).toMatchObject({ held: true });
  });

  it("an end that a snapshot jumped over and the state has forgotten since is told all the same", () => {
    const s = new Setting(2, { snapshotAfterBytes: 1 }, { endedEntriesKept: 0 });
    const client = s.client(2);
    const { lease } = s.result(client.call("lease.grant", { ttlMs: 60_000 }));
    const key = heldKey(s, client, "a", lease);
    s.log(2).lagging = true;
    s.result(s.client(1).call("kv.delete", { key }));
    s.result(s.client(1).call("kv.put", { key: "c", value: "" }));
    s.loop.advance(1_000);
    s.log(2).jump(s.log(1));
    s.loop.settle();
    expect(client.events).toMatchObject([{ event: "lost", key, lease, reason: "forgotten" }]);
  });

  it("a grant that a snapshot took together with its lease is told before the lease", () => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    const client = s.client(2);
    const { lease } = s.result(client.call("lease.grant", { ttlMs: 60_000 }));
    const key = heldKey(s, client, "a", lease);
    s.log(2).lagging = true;
    s.result(s.client(1).call("lease.revoke", { lease }));
    s.loop.advance(1_000);
    s.log(2).jump(s.log(1));
    s.loop.settle();
    expect(client.events).toMatchObject([
      { event: "lost", key, reason: "revoked" },
      { event: "leaseEnded", lease, reason: "revoked" },
    ]);
  });

  it("a lease that a node has not heard of yet is not told as ended by an older snapshot", () => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    s.log(2).lagging = true;
    s.result(s.client(1).call("kv.put", { key: "c", value: "" }));
    s.loop.advance(1_000);
    const older = s.log(1).snapshots.length;
    const { lease } = s.result(s.client(1).call("lease.grant", { ttlMs: 60_000 }));
    const client = s.client(2);
    client.connection.attachLeases([lease]);
    s.log(1).snapshots.splice(older);
    s.log(2).jump(s.log(1));
    s.loop.settle();
    expect(client.events).toEqual([]);
    s.result(s.client(1).call("lease.revoke", { lease }));
    s.loop.settle();
    expect(client.events).toMatchObject([{ event: "leaseEnded", lease, reason: "revoked" }]);
  });

  it("a connection that has seen many leases end is told of the next one's losses", () => {
    const s = new Setting(1, { maxLeasesPerConnection: 2 });
    const client = s.client();
    const { key: first } = s.result(client.call("lock.acquire", { name: "a", ttlMs: TTL })) as Held;
    s.result(client.call("lock.release", { key: first }));
    s.result(client.call("lease.revoke", { lease: granted(s, client) }));
    for (const name of ["b", "c"]) {
      const lease = granted(s, client);
      const key = heldKey(s, client, name, lease);
      s.result(s.client().call("lease.revoke", { lease }));
      expect(client.events.slice(-2)).toMatchObject([
        { event: "lost", key, reason: "revoked" },
        { event: "leaseEnded", lease, reason: "revoked" },
      ]);
    }
  });

  it("a connection with as many leases as it may have gets no other, and is told so by name", () => {
    const s = new Setting(1, { maxLeasesPerConnection: 2 });
    const client = s.client();
    const [first] = [granted(s, client), granted(s, client)];
    expect(s.code(client.call("lease.grant", { ttlMs: TTL }))).toBe("TOO_MANY_REQUESTS");
    const own = client.call("lock.acquire", { name: "a", ttlMs: TTL });
    expect(s.code(own)).toBe("TOO_MANY_REQUESTS");
    const { lease: other } = s.result(s.client().call("lease.grant", { ttlMs: TTL }));
    const foreign = client.call("lock.acquire", { name: "a", lease: other });
    expect(s.code(foreign)).toBe("TOO_MANY_REQUESTS");
    const run = { job: "report", slot: 1 };
    const claims = [
      client.call("slot.claim", { ...run, ttlMs: TTL }),
      client.call("slot.claim", { ...run, lease: other }),
    ];
    for (const claim of claims) expect(s.code(claim)).toBe("TOO_MANY_REQUESTS");
    expect(s.commandsCommitted().flat()).toHaveLength(3);
    expect(s.code(client.call("lock.acquire", { name: "a", lease: first }))).toBe("ok");
  });

  it("what is left of a lease is told truly over a connection to which none is attached", () => {
    const s = new Setting(3);
    const shared = s.caller(2);
    const { lease } = s.result(shared.call("lease.grant", { ttlMs: 10_000 }));
    const left = (call: Asked<"lock.acquire"> | Asked<"slot.claim">): number =>
      (s.result<"lock.acquire" | "slot.claim">(call) as { remainingMs: number }).remainingMs;
    s.loop.advance(4_000);
    expect(left(shared.call("lock.acquire", { name: "a", lease }))).toBeCloseTo(6_000, -2);
    s.result(shared.call("lease.keepalive", { lease }));
    s.loop.advance(1_000);
    expect(left(shared.call("lock.acquire", { name: "b", lease }))).toBeCloseTo(9_000, -2);
    const run = { job: "report", slot: 1 };
    expect(left(shared.call("slot.claim", { ...run, lease }))).toBeCloseTo(9_000, -2);
  });

  it("a grant asked again after its lease has ended counts against no limit of the connection", () => {
    const s = new Setting(1, { maxLeasesPerConnection: 1 });
    const client = s.client();
    const context = { request: { client: "00000000000000c1", number: 1, low: 1 } };
    const { lease } = s.result(s.client().call("lease.grant", { ttlMs: TTL }, context));
    s.result(s.client().call("lease.revoke", { lease }));
    expect(s.result(client.call("lease.grant", { ttlMs: TTL }, context)).remainingMs).toBe(0);
    expect(s.code(client.call("lease.grant", { ttlMs: TTL }))).toBe("ok");
  });

  it("cluster time stands still without a leader and never goes back", () => {
    const s = new Setting(3);
    const put = () => s.result(s.client(1).call("kv.put", { key: "k", value: "" }));
    const time = () => s.replicas[0]!.coordinator.status().clusterTimeMs;
    put();
    s.loop.advance(5_000);
    put();
    const before = time();
    expect(before).toBeGreaterThanOrEqual(5_000);
    s.cluster.depose();
    s.loop.advance(60_000);
    s.cluster.elect(s.log(2));
    s.loop.settle();
    put();
    expect(time()).toBeGreaterThanOrEqual(before);
    expect(time()).toBeLessThan(before + 5_000);
  });
});

it("whatever a lease ended for is told from node to node", () => {
  const replies = [0, 15_000, ...END_REASONS];
  const written = writeReplies(new Writer(nodeBytes), replies);
  expect(readReplies(new Reader(nodeBytes, written))).toEqual(replies);
});
