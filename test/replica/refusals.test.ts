/** What the state refuses is told in words that say what it was, and leave no hole. */
import { expect, it } from "vitest";
import { Setting } from "./setting.js";

it("a line of another rule is told as what it is", () => {
  const s = new Setting();
  const client = s.client();
  const acquire = (name: string, more: object) => {
    const asked = client.call("lock.acquire", { name, ttlMs: 10_000, ...more });
    s.code(asked);
    return asked.outcome;
  };
  acquire("pool", { permits: 3 });
  acquire("doc", {});
  const messages = [
    acquire("pool", { permits: 2 }),
    acquire("pool", {}),
    acquire("doc", { permits: 2 }),
  ];
  expect(messages).toMatchObject([
    {
      failure: {
        code: "RULE_MISMATCH",
        message: "pool is a semaphore of 3 permits; ask for that",
      },
    },
    { failure: { message: "pool is a semaphore of 3 permits; ask for that" } },
    { failure: { message: "doc is a lock, without permits; ask for that" } },
  ]);
});

it("a full state is told by what it is full of", () => {
  const s = new Setting(1, {}, { maxLeases: 1, maxEntangledEntries: 2 });
  const client = s.client();
  const { lease } = s.result(client.call("lease.grant", { ttlMs: 10_000 }));
  const second = client.call("lease.grant", { ttlMs: 10_000 });
  s.result(client.call("lock.acquire", { name: "a", lease }));
  const many = client.call("lock.acquire", { names: ["a", "b", "c"], lease, waitMs: -1 });
  expect([s.code(second), s.code(many)]).toEqual(["STATE_FULL", "STATE_FULL"]);
  const says = [second, many].map(({ outcome }) =>
    outcome?.ok === false ? outcome.failure : null,
  );
  expect(says).toMatchObject([
    { message: expect.stringContaining("there are 1 of these already"), details: { limit: 1 } },
    { message: expect.stringContaining("there are 2 of these already"), details: { limit: 2 } },
  ]);
});

it("a holder may say 1,024 bytes of its work, and no more", () => {
  const s = new Setting();
  const client = s.client();
  const held = s.result(client.call("lock.acquire", { name: "a", ttlMs: 10_000 }));
  const key = "key" in held ? held.key : "";
  expect(s.code(client.call("lock.annotate", { key, progress: "x".repeat(1024) }))).toBe("ok");
  const longer = client.call("lock.annotate", { key, progress: "x".repeat(1025) });
  expect(s.code(longer)).toBe("INVALID_PARAMETER");
});

it("a line that is kept shut is told as shut, and not as held by a lease without a name", () => {
  const s = new Setting();
  const client = s.client();
  s.result(client.call("lock.configure", { name: "disk", lockDelayMs: 20_000 }));
  s.result(s.client().call("lock.acquire", { name: "disk", ttlMs: 1_000, owner: "backup" }));
  s.loop.advance(5_000);
  const asked = client.call("lock.acquire", { name: "disk", ttlMs: 1_000 });
  expect(s.code(asked)).toBe("LOCK_HELD");
  const failure = asked.outcome?.ok === false ? asked.outcome.failure : null;
  expect(failure?.message).toMatch(/^disk is kept shut for \d+ s more: backup's lease ran out;/);
  const { holders } = failure?.details ?? {};
  const [holder] = holders as readonly object[];
  expect(holder).toMatchObject({ owner: "backup", shutForMs: expect.any(Number) });
  expect(holder).not.toHaveProperty("lease");
});
