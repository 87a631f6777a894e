/** What docs/guides/browser.md shows is run, in the order of the page. */
import { type Client, connect } from "holdfast-client";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { until } from "../e2e/harness/until.js";
import { read } from "../tidy/repository.js";
import { bundle } from "./harness/bundle.js";
import { noChromium } from "./harness/chromium.js";
import { Stage } from "./harness/stage.js";

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

/** The blocks of the page in `language`, at the node of this test. */
function blocks(language: string): string[] {
  const form = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms");
  const found = [...read("docs/guides/browser.md").matchAll(form)].map(match => match[1] ?? "");
  return found.map(text =>
    text.replaceAll("http://127.0.0.1:2379", stage.cluster.endpoints[0] ?? ""),
  );
}

test("the page with the single file takes the lock, and closed gives it back", async () => {
  const [kiosk = ""] = blocks("html");
  stage.site.addPage("/kiosk.html", kiosk);
  const page = await stage.browser.tab();
  const told = 'document.querySelector("#told")?.textContent ?? ""';
  await page.go(`${stage.site.origin}/kiosk.html`, `(${told}).startsWith("ours")`);
  const { holders } = await client.lock("kiosk/till-1").inspect();
  expect(await page.evaluate(told)).toBe(`ours, by token ${holders[0]?.token}`);
  await page.close();
  await (await client.lock("kiosk/till-1").acquire()).release();
});

test("the page with the import map watches", async () => {
  const [, modules = ""] = blocks("html");
  stage.site.addPage("/modules.html", modules);
  const page = await stage.browser.tab();
  await page.go(`${stage.site.origin}/modules.html`, 'document.title === "Modules"');
  await until("the change to be seen", async () => {
    await client.kv.put("state/door", "open");
    return (await page.evaluate("document.title")) === "state/door: open";
  });
});

test("the guarded write is written, and the token goes to the server", async () => {
  const [guarded = ""] = blocks("js");
  const { code } = await bundle(`import { connect } from "holdfast-client";
    const hf = connect(${JSON.stringify(stage.cluster.endpoints)});
    ${guarded}`);
  stage.site.addProgram("/guarded/", code);
  await stage.browser.open(`${stage.site.origin}/guarded/`);
  expect((await client.kv.get("doc/7/text"))?.value).toBe("a new line");
  const token = Number(
    stage.site.asked.find(({ path }) => path === "/save")?.headers["x-fencing-token"],
  );
  const next = await client.lock("doc/7").acquire();
  expect(token).toBeGreaterThan(0);
  expect(next.token).toBeGreaterThan(token);
  await next.release();
});

test("the worker holds the lock for its page", async () => {
  const [, page = "", worker = ""] = blocks("js");
  stage.site.addScript("/lock-worker.js", worker);
  stage.site.addProgram("/with-worker/", page);
  const tab = await stage.browser.open(`${stage.site.origin}/with-worker/`);
  await tab.until("the worker to hold it", 'document.title.startsWith("the worker holds it")');
  const { holders } = await client.lock("kiosk/worker").inspect();
  expect(await tab.evaluate("document.title")).toContain(`token ${holders[0]?.token}`);
});
