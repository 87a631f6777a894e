import { describe, expect, it } from "vitest";
import { type Client, Setting } from "./setting.js";

const TTL = 10_000;
const RUN = { job: "report", slot: 1_700_000_000_000 };

const claim = (client: Client, more: object = {}, context: object = {}) =>
  client.call("slot.claim", { ...RUN, ttlMs: TTL, ...more }, context);

describe("a claim", () => {
  it.each([1, 2])("on a lease of its own has that lease's time, asked at node %d", node => {
    const s = new Setting(3);
    const first = s.result(claim(s.client(node)));
    expect(first).toMatchObject({ ttlMs: TTL, waitedMs: 0 });
    if (!("remainingMs" in first)) throw new Error("not granted");
    expect(first.remainingMs).toBeGreaterThan(TTL - 500);
    expect(first.remainingMs).toBeLessThanOrEqual(TTL);
  });

  it("asked for again under its key is the same one, with what is left of it", () => {
    const s = new Setting(3);
    const once = { idempotencyKey: "claim-1" };
    const first = s.result(claim(s.client(2), {}, once));
    s.loop.advance(TTL / 2);
    const again = s.result(claim(s.client(3), {}, once));
    expect(again).toMatchObject({ key: "key" in first ? first.key : "", ttlMs: TTL });
    if (!("remainingMs" in again)) throw new Error("not granted");
    expect(again.remainingMs).toBeGreaterThan(0);
    expect(again.remainingMs).toBeLessThanOrEqual(TTL / 2 + 500);
  });

  it("asked for again under its key when it is over is refused by name", () => {
    const s = new Setting(3);
    const once = { idempotencyKey: "claim-1" };
    const granted = s.result(claim(s.client(2), {}, once));
    if (!("key" in granted)) throw new Error("not granted");
    s.result(s.client(1).call("slot.finish", { key: granted.key, outcome: "done" }));
    const again = claim(s.client(3), {}, once);
    expect(s.code(again)).toBe("NOT_HELD");
    expect(again.outcome).toMatchObject({ failure: { details: { reason: "released" } } });
    expect(s.code(claim(s.client(3)))).toBe("SLOT_CLOSED");
  });
});
