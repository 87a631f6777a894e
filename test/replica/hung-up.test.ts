/** What becomes of a place in line, or of a grant, when its caller has gone without the answer. */
import { describe, expect, it } from "vitest";
import { QUESTION } from "../../src/replica/proposals/questions.js";
import { type Asked, type Client, Setting } from "./setting.js";

const NAME = "jobs/42";
const LONG = 600_000;

type Acquire = Asked<"lock.acquire">;

const acquire = (client: Client, more: object = {}, context: object = {}): Acquire =>
  client.call("lock.acquire", { name: NAME, ttlMs: LONG, waitMs: -1, ...more }, context);

function keyOf(s: Setting, call: Acquire): string {
  const result = s.result(call);
  if (!("key" in result)) throw new Error("not granted");
  return result.key;
}

const granted = (s: Setting): string =>
  s.result(s.caller(1).call("lease.grant", { ttlMs: LONG })).lease;

const release = (s: Setting, key: string) => s.result(s.caller(1).call("lock.release", { key }));

const line = (s: Setting, name = NAME) => {
  const { holderCount, waiterCount } = s.result(s.caller(1).call("lock.inspect", { name }));
  return [holderCount, waiterCount];
};

function hangUp(s: Setting, { connection }: Client): void {
  connection.close(true);
  s.loop.advance(100);
}

const lives = (s: Setting, lease: string): boolean =>
  s.result(s.caller(1).call("lease.get", { lease })).ended === undefined;

describe("under a lease of the caller's own", () => {
  const own = (lease: string) => ({ lease, ttlMs: undefined });

  it.each(["lock.acquire", "election.campaign"] as const)("a %s leaves the line at once", name => {
    const s = new Setting(3);
    acquire(s.caller(1));
    const lease = granted(s);
    const caller = s.caller(2);
    caller.call(name, { name: NAME, lease, waitMs: -1 });
    s.loop.advance(100);
    expect(line(s)).toEqual([1, 1]);
    hangUp(s, caller);
    expect(line(s)).toEqual([1, 0]);
    expect(lives(s, lease)).toBe(true);
  });

  it("a caller who tries again is behind none of its earlier tries", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.caller(1)));
    const lease = granted(s);
    for (const node of [2, 3, 2]) {
      const caller = s.caller(node);
      acquire(caller, own(lease));
      s.loop.advance(100);
      caller.connection.close(true);
    }
    const last = acquire(s.caller(2), own(lease));
    s.loop.advance(100);
    release(s, key);
    expect(s.code(last)).toBe("ok");
    expect(line(s)).toEqual([1, 0]);
  });

  it("a place in several lines is given up in all of them", () => {
    const s = new Setting(3);
    acquire(s.caller(1), { name: "b" });
    const lease = granted(s);
    const caller = s.caller(2);
    acquire(caller, { ...own(lease), name: undefined, names: ["a", "b"] });
    s.loop.advance(100);
    expect([line(s, "a"), line(s, "b")]).toEqual([
      [0, 1],
      [1, 1],
    ]);
    hangUp(s, caller);
    expect([line(s, "a"), line(s, "b")]).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });

  it("a grant that came while its caller hung up is released, and nothing else of its lease", () => {
    const s = new Setting(3);
    const lease = granted(s);
    const other = keyOf(s, acquire(s.caller(1), { ...own(lease), name: "other" }));
    const caller = s.caller(2);
    acquire(caller, own(lease));
    caller.connection.close(true); // its command is under way
    s.loop.advance(100);
    expect(line(s)).toEqual([0, 0]);
    expect(s.result(s.caller(3).call("lock.check", { key: other }))).toMatchObject({ held: true });
  });

  it("a grant of several names whose caller is gone is released whole", () => {
    const s = new Setting(3);
    const lease = granted(s);
    const caller = s.caller(2);
    acquire(caller, { ...own(lease), name: undefined, names: ["a", "b"] });
    hangUp(s, caller);
    expect([line(s, "a"), line(s, "b")]).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(lives(s, lease)).toBe(true);
  });

  it("a grant that was committed before the place was given up is released", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.caller(1)));
    const lease = granted(s);
    const caller = s.caller(2);
    acquire(caller, own(lease));
    s.loop.advance(100);
    s.cluster.autoCommit = false;
    s.caller(1).call("lock.release", { key });
    s.loop.advance(100);
    hangUp(s, caller);
    s.cluster.autoCommit = true;
    s.cluster.commit();
    s.loop.advance(200);
    expect(line(s)).toEqual([0, 0]);
    expect(lives(s, lease)).toBe(true);
  });

  it("a grant whose caller hangs up while the leader is asked for its time is released", () => {
    const s = new Setting(3);
    const lease = granted(s);
    s.cluster.askFate = (_from, _to, question) =>
      question[1] === QUESTION.remaining ? "lose" : "deliver";
    const caller = s.caller(2);
    acquire(caller, own(lease));
    s.loop.advance(100);
    expect(line(s)).toEqual([1, 0]);
    hangUp(s, caller);
    expect(line(s)).toEqual([0, 0]);
  });

  it("a release that finds no leader is tried until it is done", () => {
    const s = new Setting(3);
    const lease = granted(s);
    s.cluster.askFate = (_from, _to, question) =>
      question[1] === QUESTION.remaining ? "lose" : "deliver";
    const caller = s.caller(2);
    acquire(caller, own(lease));
    s.loop.advance(100);
    s.cluster.depose();
    s.loop.settle();
    caller.connection.close(true);
    s.loop.advance(20_000);
    s.cluster.askFate = () => "deliver";
    s.cluster.elect(s.log(3));
    s.loop.advance(2_000);
    expect(line(s)).toEqual([0, 0]);
    expect(lives(s, lease)).toBe(true);
  });

  it("an Idempotency-Key keeps the place, and the grant", () => {
    const s = new Setting(3);
    const key = keyOf(s, acquire(s.caller(1)));
    const lease = granted(s);
    const once = { idempotencyKey: "7f3a" };
    const caller = s.caller(2);
    acquire(caller, own(lease), once);
    s.loop.advance(100);
    hangUp(s, caller);
    expect(line(s)).toEqual([1, 1]);
    release(s, key);
    expect(s.result(acquire(s.caller(3), own(lease), once))).toMatchObject({ lease });
  });

  it("whoever comes again over a new connection keeps the place", () => {
    const s = new Setting(3);
    acquire(s.caller(1));
    const lease = granted(s);
    const client = s.client(2);
    acquire(client, own(lease));
    s.loop.advance(100);
    client.connection.close(false);
    s.loop.advance(100);
    expect(line(s)).toEqual([1, 1]);
  });
});

describe("told, but gone before the answer left", () => {
  it.each(["of the caller's own", "made for the grant"])("on a lease %s, it is released", whose => {
    const s = new Setting(3);
    const lease = granted(s);
    const caller = s.caller(2);
    const params = whose === "made for the grant" ? {} : { lease, ttlMs: undefined };
    keyOf(s, acquire(caller, params));
    expect(line(s)).toEqual([1, 0]);
    hangUp(s, caller);
    expect(line(s)).toEqual([0, 0]);
    expect(lives(s, lease)).toBe(true);
  });

  it("with an Idempotency-Key it stands, and is told to whoever asks again", () => {
    const s = new Setting(3);
    const once = { idempotencyKey: "7f3a" };
    const caller = s.caller(2);
    const key = keyOf(s, acquire(caller, {}, once));
    hangUp(s, caller);
    expect(keyOf(s, acquire(s.caller(3), {}, once))).toBe(key);
  });

  it("taken, it stands", () => {
    const s = new Setting(3);
    const caller = s.caller(2);
    keyOf(s, acquire(caller));
    caller.connection.close(false);
    s.loop.advance(100);
    expect(line(s)).toEqual([1, 0]);
  });
});
