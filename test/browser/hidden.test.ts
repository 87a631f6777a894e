/** Tabs that nobody looks at: browsers slow their timers down, and at last freeze them. */
import { type Client, connect } from "holdfast-client";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { until } from "../e2e/harness/until.js";
import { noChromium } from "./harness/chromium.js";
import type { Page } from "./harness/page.js";
import { Stage } from "./harness/stage.js";

const TTL_MS = 4_000;
/** Five minutes in life: a page that was hidden for so long has its chained timers slowed down. */
const SOON = "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1";

let stage: Stage;
let client: Client;

beforeAll(async () => {
  if (noChromium !== null) return;
  stage = await Stage.open(1, [SOON]);
  client = connect(stage.cluster.endpoints);
});
afterAll(async () => {
  await client?.close();
  await stage?.close();
});
beforeEach(({ skip }) => {
  if (noChromium !== null) skip(noChromium);
});

const hold = (page: Page, name: string) =>
  page.evaluate<number>(`(async () => {
    globalThis.lost = null;
    globalThis.held = await hf.lock("${name}").acquire();
    held.signal.addEventListener("abort", () => {
      globalThis.lost = held.signal.reason instanceof holdfast.LockLostError;
    });
    return held.token;
  })()`);

/** A page's own timers, as people write them: how long ago the last of them fired. */
const WITNESS = `
  let lastMs = performance.now();
  globalThis.silentMs = () => performance.now() - lastMs;
  (function tick() {
    lastMs = performance.now();
    setTimeout(tick, 100);
  })();
`;

test("a hidden tab whose timers have all but stopped keeps its lock", async () => {
  const page = await stage.tab({ ttlMs: TTL_MS });
  const token = await hold(page, "hidden");
  await page.evaluate(WITNESS);
  const shown = await stage.browser.tab();
  expect(await page.evaluate("document.visibilityState")).toBe("hidden");
  // One timer a minute: in this time a client that depended on it would have lost its lease.
  await page.until("its timers to stand still", `silentMs() > ${5 * TTL_MS}`);
  expect(await page.evaluate("[lost, held.signal.aborted]")).toEqual([null, false]);
  await page.evaluate("held.confirm()");
  expect(await client.lock("hidden").tryAcquire()).toBeNull();
  const { holders } = await client.lock("hidden").inspect();
  expect(holders[0]?.token).toBe(token);
  await shown.close();
});

test("a frozen tab loses its lock to the next, and is told so as soon as it thaws", async () => {
  const page = await stage.tab({ ttlMs: TTL_MS });
  const token = await hold(page, "frozen");
  const next = client.lock("frozen").acquire();
  await until("the next in line", async () => {
    return (await client.lock("frozen").inspect()).waiterCount === 1;
  });
  await page.setFrozen(true);
  const held = await next;
  expect(held.token).toBeGreaterThan(token);
  // It sleeps, and knows nothing: this is what the token is for.
  expect(await page.evaluate("lost")).toBeNull();
  await page.setFrozen(false);
  await page.until("the loss", "lost !== null");
  expect(await page.evaluate("[lost, held.remainingMs]")).toEqual([true, 0]);
  const refused = await page.evaluate(
    'hf.kv.put("frozen/state", "late", { heldBy: held }).then(() => null, error => error.code)',
  );
  expect(refused).toBe("NOT_HELD");
  expect(await client.kv.get("frozen/state")).toBeNull();
  await held.release();
});
