import { describe, expect, it } from "vitest";
import { type Asked, type Client, Setting } from "./setting.js";

const NAME = "jobs/42";
const TTL = 10_000;

const hold = (s: Setting, client: Client, more: object = {}) => {
  const result = s.result(client.call("lock.acquire", { name: NAME, ttlMs: TTL, ...more }));
  if (!("key" in result)) throw new Error("not granted");
  return result;
};
const wait = (client: Client, more: object = {}): Asked<"lock.acquire"> =>
  client.call("lock.acquire", { name: NAME, ttlMs: 600_000, waitMs: -1, ...more });
const yields = (client: Client) => client.events.filter(({ event }) => event === "yield");
const losses = (client: Client) => client.events.filter(({ event }) => event === "lost");

describe("asked to hand over", () => {
  it("the holder hears of it, on whatever node it is, and keeps what it has", () => {
    const s = new Setting(3);
    const holder = s.client(2);
    const { key, lease } = hold(s, holder);
    const ask = { name: NAME, graceMs: 3_000, by: "ops", why: "deploy" };
    expect(s.result(s.client(3).call("lock.yield", ask))).toEqual({ keys: [key] });
    s.loop.advance(50);
    expect(yields(holder)).toEqual([
      { event: "yield", name: NAME, key, lease, graceMs: 3_000, by: "ops", why: "deploy" },
    ]);
    expect(s.result(s.client(1).call("lock.check", { key }))).toMatchObject({ held: true });
    const line = s.result(s.client(1).call("lock.inspect", { name: NAME }));
    expect(line.holders[0]?.asked).toMatchObject({ by: "ops", why: "deploy" });
  });

  it("and hands over to whom it was asked to; who stood ahead waits on under a new key", () => {
    const s = new Setting(3);
    const { key } = hold(s, s.client(1));
    const first = wait(s.client(2));
    s.loop.advance(50);
    const chosen = wait(s.client(3));
    s.loop.advance(50);
    const line = s.result(s.client(1).call("lock.inspect", { name: NAME }));
    const toKey = line.waiters[1]?.key ?? "";
    s.result(s.client(3).call("lock.yield", { key, graceMs: 3_000, toKey }));
    s.result(s.client(1).call("lock.release", { key }));
    expect(s.result(chosen)).toMatchObject({ key: toKey });
    expect(first.outcome).toBeNull();
    s.result(s.client(3).call("lock.release", { key: toKey }));
    const next = s.result(first);
    expect("key" in next && next.token).toBeGreaterThan(line.waiters[1]?.token ?? 0);
  });
});

describe("broken", () => {
  const BREAK = { by: "ops", why: "stuck" };

  it("by force: at once, and the holder is told by whom", () => {
    const s = new Setting(3);
    const holder = s.client(2);
    const { key, token } = hold(s, holder);
    const call = s.client(3).call("lock.break", { name: NAME, token, force: true, ...BREAK });
    expect(s.result(call)).toEqual({ broken: true });
    s.loop.advance(50);
    expect(losses(holder)).toMatchObject([{ key, reason: "broken", by: "ops", why: "stuck" }]);
    expect(yields(holder)).toEqual([]);
  });

  it("asked first: when what was left of the lease is over, though it is kept alive", () => {
    const s = new Setting(3);
    const holder = s.client(2);
    const { key, lease } = hold(s, holder);
    const next = wait(s.client(1));
    const call = s.client(3).call("lock.break", { key, ...BREAK });
    for (let kept = 0; kept < 3; kept++) {
      s.loop.advance(TTL * 0.3);
      s.result(holder.call("lease.keepalive", { lease }));
    }
    expect(yields(holder)).toMatchObject([{ key, by: "ops", why: "stuck" }]);
    expect([call.outcome, next.outcome]).toEqual([null, null]);
    s.loop.advance(TTL * 0.1 + 1_000);
    expect(s.result(call)).toEqual({ broken: true });
    expect(s.result(next)).toMatchObject({ name: NAME });
    expect(losses(holder)).toMatchObject([{ key, reason: "broken", by: "ops", why: "stuck" }]);
  });

  it("asked first: not at all when it is released in time, and says so", () => {
    const s = new Setting(3);
    const holder = s.client(2);
    const { key } = hold(s, holder);
    const call = s.client(3).call("lock.break", { key, ...BREAK });
    s.loop.advance(100);
    expect(call.outcome).toBeNull();
    s.result(holder.call("lock.release", { key }));
    expect(s.result(call)).toEqual({ broken: false, ended: { reason: "released" } });
  });

  it("whoever waits for it no longer leaves what is said standing", () => {
    const s = new Setting(3);
    const holder = s.client(2);
    const { key, lease } = hold(s, holder);
    const cancelled = s.client(3).call("lock.break", { key, ...BREAK });
    s.loop.advance(100);
    cancelled.call?.cancel();
    expect(s.result(cancelled)).toMatchObject({ broken: false, breaksInMs: expect.any(Number) });
    s.loop.advance(TTL * 0.5);
    s.result(holder.call("lease.keepalive", { lease }));
    s.loop.advance(TTL * 0.5 + 1_000);
    expect(losses(holder)).toMatchObject([{ key, reason: "broken" }]);
  });

  it("given up before it is said is said all the same, and not waited for", () => {
    const s = new Setting(3);
    const holder = s.client(2);
    const { key } = hold(s, holder);
    const call = s.client(3).call("lock.break", { key, ...BREAK });
    call.call.cancel();
    expect(s.result(call)).toMatchObject({ broken: false, breaksInMs: expect.any(Number) });
    s.loop.advance(TTL + 1_000);
    expect(losses(holder)).toMatchObject([{ key, reason: "broken" }]);
  });

  it("only so many wait for the end in one node, and whoever hangs up makes room", () => {
    const s = new Setting(3, { maxPlaces: 2 });
    const { key } = hold(s, s.client(2));
    const ask = () => {
      const caller = s.caller(3);
      const call = caller.call("lock.break", { key, ...BREAK });
      s.loop.advance(100);
      return { caller, call };
    };
    const first = ask();
    const second = ask();
    expect(s.code(ask().call)).toBe("OVERLOADED");
    const forced = hold(s, s.client(2), { name: "other" });
    const atOnce = s.caller(3).call("lock.break", { key: forced.key, force: true });
    expect(s.result(atOnce)).toEqual({ broken: true });
    first.caller.connection.close(true);
    const third = ask();
    expect(third.call.outcome).toBeNull();
    s.result(s.client(2).call("lock.release", { key }));
    const ended = { broken: false, ended: { reason: "released" } };
    expect([s.result(second.call), s.result(third.call)]).toEqual([ended, ended]);
    const { key: next } = hold(s, s.client(2));
    const again = s.caller(3).call("lock.break", { key: next, ...BREAK });
    s.loop.advance(100);
    expect(again.outcome).toBeNull();
  });

  it("the same request again waits for the same end, and gets the same answer after it", () => {
    const s = new Setting(3);
    const { key } = hold(s, s.client(2));
    const once = { idempotencyKey: "break-1" };
    const first = s.client(3).call("lock.break", { key, ...BREAK }, once);
    s.loop.advance(100);
    const again = s.client(1).call("lock.break", { key, ...BREAK }, once);
    s.loop.advance(100);
    expect([first.outcome, again.outcome]).toEqual([null, null]);
    s.result(s.client(2).call("lock.release", { key }));
    const ended = { broken: false, ended: { reason: "released" } };
    expect([s.result(first), s.result(again)]).toEqual([ended, ended]);
    expect(s.result(s.client(1).call("lock.break", { key, ...BREAK }, once))).toEqual(ended);
  });

  /** As etcd's recipe has it: a plain key that is named by its lease, and put again under it. */
  const plain = (s: Setting) => {
    const client = s.client(1);
    const { lease } = s.result(client.call("lease.grant", { ttlMs: 60_000 }));
    const key = `a/${lease}`;
    const put = () => s.result(client.call("kv.put", { key, value: "", lease }));
    const leave = () => s.result(client.call("kv.delete", { key }));
    put();
    return { key, put, leave };
  };

  it("waits for no later grant of its key, when a snapshot has skipped the end", () => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    const { key, put, leave } = plain(s);
    const call = s.client(2).call("lock.break", { key, ...BREAK });
    s.loop.advance(300);
    expect(call.outcome).toBeNull();
    s.log(2).lagging = true;
    leave();
    put();
    s.loop.advance(1_000);
    s.log(2).jump(s.log(1));
    s.loop.settle();
    expect(s.result(call)).toEqual({ broken: false, ended: { reason: "deleted" } });
    expect(s.result(s.client(1).call("lock.check", { key }))).toMatchObject({ held: true });
  });

  it("waits on after a snapshot in which its grant stands", () => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    const { key, leave } = plain(s);
    const call = s.client(2).call("lock.break", { key, ...BREAK });
    s.loop.advance(300);
    s.log(2).lagging = true;
    s.result(s.client(1).call("kv.put", { key: "other", value: "" }));
    s.loop.advance(1_000);
    s.log(2).jump(s.log(1));
    s.loop.settle();
    expect(call.outcome).toBeNull();
    leave();
    expect(s.result(call)).toEqual({ broken: false, ended: { reason: "deleted" } });
  });

  it("waits for no later grant of its key, when the same request comes again", () => {
    const s = new Setting(3);
    const { key, put, leave } = plain(s);
    const once = { idempotencyKey: "break-1" };
    const caller = s.caller(2);
    caller.call("lock.break", { key, ...BREAK }, once);
    s.loop.advance(300);
    caller.connection.close(false);
    leave();
    put();
    const again = s.caller(3).call("lock.break", { key, ...BREAK }, once);
    expect(s.result(again)).toEqual({ broken: false, ended: { reason: "forgotten" } });
  });

  it("never granted is refused", () => {
    const s = new Setting(3);
    hold(s, s.client(2));
    const call = s.client(3).call("lock.break", { name: NAME, token: 99, ...BREAK });
    expect(s.code(call)).toBe("NO_SUCH_GRANT");
  });
});

describe("ends at a time of its own", () => {
  it("a grant that may last so long, while nobody does anything", () => {
    const s = new Setting(3);
    s.result(s.client(1).call("lock.configure", { name: NAME, maxHoldMs: 5_000 }));
    const holder = s.client(2);
    const { key } = hold(s, holder);
    s.loop.advance(4_900);
    expect(losses(holder)).toEqual([]);
    s.loop.advance(600);
    expect(losses(holder)).toMatchObject([{ key, reason: "overdue" }]);
  });
});
