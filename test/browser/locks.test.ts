/** Locks and watches in pages, as in any process: tokens, turns, and loss that is told in time. */
import { type Client, connect } from "holdfast-client";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { STALL } from "../e2e/harness/flow.js";
import { TcpProxy } from "../e2e/harness/proxy.js";
import { until } from "../e2e/harness/until.js";
import { noChromium } from "./harness/chromium.js";
import type { Page } from "./harness/page.js";
import { Stage } from "./harness/stage.js";

const TTL_MS = 6_000;
/** So that a page on a busy machine has seconds to tell a loss before the lock passes on. */
const MARGIN_MS = 3_000;

let stage: Stage;
let client: Client;

beforeAll(async () => {
  if (noChromium !== null) return;
  stage = await Stage.open();
  client = connect(stage.cluster.endpoints, { ttlMs: TTL_MS });
});
afterAll(async () => {
  await client?.close();
  await stage?.close();
});
beforeEach(({ skip }) => {
  if (noChromium !== null) skip(noChromium);
});

const waiters = (name: string, count: number) =>
  until(`${count} in the line of ${name}`, async () => {
    return (await client.lock(name).inspect()).waiterCount === count;
  });

test("a page works under a lock, by its token, and gives it back", async () => {
  const page = await stage.tab();
  const before = await client.lock("jobs/1").acquire();
  await before.release();
  const token = await page.evaluate<number>(`hf.lock("jobs/1").run(async held => {
    await hf.kv.put("state/1", "written in a page", { heldBy: held });
    return held.token;
  })`);
  expect(token).toBeGreaterThan(before.token);
  expect((await client.kv.get("state/1"))?.value).toBe("written in a page");
  const after = await client.lock("jobs/1").tryAcquire();
  expect(after?.token).toBeGreaterThan(token);
  await after?.release();
});

test("two tabs at one lock take turns, and no turn is in another", async () => {
  const TURNS = 12;
  const tabs = { a: await stage.tab(), b: await stage.tab() };
  const gate = await client.lock("turns").acquire();
  // Only who is alone may read and then write; what two do at once is lost.
  const turns = Object.entries(tabs).map(([name, tab]) =>
    tab.evaluate(`(async () => {
      for (let turn = 0; turn < ${TURNS}; turn += 1) {
        await hf.lock("turns").run(async ({ token }) => {
          const told = (await hf.kv.get("told"))?.value ?? "";
          await hf.kv.put("told", told + "${name}" + token + " ");
        });
      }
    })()`),
  );
  await waiters("turns", 2);
  await gate.release();
  await Promise.all(turns);
  const told = (await client.kv.get("told"))?.value.trim().split(" ") ?? [];
  expect(told).toHaveLength(2 * TURNS);
  const tokens = [gate.token, ...told.map(turn => Number(turn.slice(1)))];
  expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  // Who gives the lock back and asks again stands behind the other.
  const names = told.map(turn => turn.charAt(0));
  expect(names.join("")).toMatch(/^(ab)+$|^(ba)+$/);
});

/** Holds `name` in `page` and notes how the loss of it was told, and when by the machine's clock. */
const hold = (page: Page, name: string) =>
  page.evaluate<number>(`(async () => {
    globalThis.lost = null;
    globalThis.held = await hf.lock("${name}").acquire();
    held.signal.addEventListener("abort", () => {
      const { reason } = held.signal;
      const isLost = reason instanceof holdfast.LockLostError;
      globalThis.lost = { atMs: Date.now(), isLost, reason: reason.reason, code: reason.code };
    });
    return held.token;
  })()`);

interface Lost {
  readonly atMs: number;
  readonly isLost: boolean;
  readonly reason: string;
  readonly code: string;
}

const isHeldBy = (page: Page) =>
  page.evaluate<boolean>(`(() => {
    try { held.assertHeld(); return true; } catch { return false; }
  })()`);

test("a page that is cut off tells the loss before another can have the lock", async () => {
  const [node] = stage.cluster.nodes;
  const proxy = await TcpProxy.open({ targetPort: Number(new URL(node?.url ?? "").port) });
  try {
    const page = await stage.tab({ ttlMs: TTL_MS, marginMs: MARGIN_MS }, [proxy.url]);
    const token = await hold(page, "cut");
    const next = client
      .lock("cut")
      .acquire()
      .then(held => ({ held, atMs: Date.now() }));
    await waiters("cut", 1);
    expect(await isHeldBy(page)).toBe(true);
    proxy.set({ forth: STALL, back: STALL });
    await page.until("the loss", "lost !== null");
    expect(await isHeldBy(page)).toBe(false);
    const lost = await page.evaluate<Lost>("lost");
    expect(lost).toMatchObject({ isLost: true, reason: "unproven", code: "NOT_HELD" });
    const { held, atMs } = await next;
    expect(atMs).toBeGreaterThan(lost.atMs);
    expect(held.token).toBeGreaterThan(token);
    await held.release();
  } finally {
    await proxy.close();
  }
});

test("a page whose node has stopped tells the loss, and works on when it is back", async () => {
  const [node] = stage.cluster.nodes;
  const page = await stage.tab({ ttlMs: 2_000, timeoutMs: 60_000 });
  const token = await hold(page, "stopped");
  node?.signal("SIGSTOP");
  try {
    await page.until("the loss", "lost !== null");
  } finally {
    node?.signal("SIGCONT");
  }
  expect(await page.evaluate("lost")).toMatchObject({ isLost: true, reason: "unproven" });
  expect(await isHeldBy(page)).toBe(false);
  expect(await hold(page, "stopped")).toBeGreaterThan(token);
  expect(await isHeldBy(page)).toBe(true);
});

test("what is given back elsewhere is told in the page at once", async () => {
  const [node] = stage.cluster.nodes;
  const page = await stage.tab({ ttlMs: 600_000 });
  const token = await hold(page, "given/back");
  await node?.post("/v1/lock/release", { name: "given/back", token });
  await page.until("the loss", "lost !== null");
  expect(await page.evaluate("lost")).toMatchObject({ isLost: true, reason: "revoked" });
});

test("a watch streams into a page, over a lost connection and without a gap", async () => {
  const CHANGES = 60;
  const [node] = stage.cluster.nodes;
  const proxy = await TcpProxy.open({ targetPort: Number(new URL(node?.url ?? "").port) });
  try {
    const page = await stage.tab({}, [proxy.url]);
    const { revision } = await client.kv.put("feed/0", "first");
    await page.evaluate(`globalThis.seen = []; void (async () => {
      for await (const { value } of hf.kv.watch({ prefix: "feed/", from: ${revision} }))
        seen.push(value);
    })()`);
    await page.until("the first change", "seen.length > 0");
    const values = ["first"];
    for (let at = 1; at <= CHANGES; at += 1) {
      if (at === CHANGES / 2) {
        await page.until("half of them", `seen.length === ${at}`);
        proxy.cut("reset");
      }
      values.push(`change ${at}`);
      await client.kv.put(`feed/${at}`, `change ${at}`);
    }
    await page.until("all changes", `seen.length >= ${values.length}`);
    expect(await page.evaluate("seen")).toEqual(values);
    expect(proxy.accepted).toBeGreaterThan(1);
  } finally {
    await proxy.close();
  }
});
