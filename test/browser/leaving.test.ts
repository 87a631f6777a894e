/** Pages that go away: what becomes of their locks, and when. */
import { type Client, connect, type Held } from "holdfast-client";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { until } from "../e2e/harness/until.js";
import { noChromium } from "./harness/chromium.js";
import type { Page } from "./harness/page.js";
import { Stage } from "./harness/stage.js";

const TTL_MS = 3_000;
/** Longer than any of these tests takes: who gets the lock before got it from a page that said so. */
const LONG_TTL_MS = 600_000;

let stage: Stage;
let client: Client;

beforeAll(async () => {
  if (noChromium !== null) return;
  stage = await Stage.open();
  client = connect(stage.cluster.endpoints);
});
afterAll(async () => {
  await client?.close();
  await stage?.close();
});
beforeEach(({ skip }) => {
  if (noChromium !== null) skip(noChromium);
});

/** A page that holds `name`, and who stands in line behind it. */
async function heldInPage(name: string, ttlMs: number, first = "") {
  const page = await stage.tab({ ttlMs });
  const token = await page.evaluate<number>(`(async () => {
    ${first};
    globalThis.held = await hf.lock("${name}").acquire();
    return held.token;
  })()`);
  const next: Promise<Held> = client.lock(name).acquire();
  await until("the next in line", async () => {
    return (await client.lock(name).inspect()).waiterCount === 1;
  });
  return { page, token, next };
}

const goesBy = {
  "its process dies": (page: Page) => page.crash(),
  "its tab is closed": (page: Page) => page.close(),
  "it goes on to another page": (page: Page) => page.leave(),
} as const;

test.each(Object.entries(goesBy))(
  "a page's lock is another's after the TTL when %s",
  async (how, go) => {
    const { page, token, next } = await heldInPage(`gone/${how}`, TTL_MS);
    await go(page);
    const held = await next;
    expect(held.token).toBeGreaterThan(token);
    await held.release();
  },
);

/** Said before the client has listened for the same event itself. */
const SAYS_SO = 'addEventListener("pagehide", () => void hf.close())';
const { "its tab is closed": closed, "it goes on to another page": left } = goesBy;

test.each(Object.entries({ closed, left }))(
  "a page that is %s and closes its client passes its lock on at once",
  async (how, go) => {
    const { page, token, next } = await heldInPage(`told/${how}`, LONG_TTL_MS, SAYS_SO);
    await go(page);
    const held = await next;
    expect(held.token).toBeGreaterThan(token);
    await held.release();
  },
);

test("what a page gives back as its last deed is given back, whoever listens first", async () => {
  const { page, token, next } = await heldInPage("given/last", LONG_TTL_MS);
  await page.evaluate('addEventListener("pagehide", () => void held.release())');
  await page.leave();
  const held = await next;
  expect(held.token).toBeGreaterThan(token);
  await held.release();
});
