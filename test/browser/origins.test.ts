/** Pages that a node does not let in, and what they are told: browsers themselves say nothing. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freePorts } from "../e2e/harness/ports.js";
import { noChromium } from "./harness/chromium.js";
import type { Page } from "./harness/page.js";
import { Site } from "./harness/site.js";
import { Stage } from "./harness/stage.js";

let stage: Stage;
let foreign: Site;

beforeAll(async () => {
  if (noChromium !== null) return;
  stage = await Stage.open();
  foreign = await Site.open();
});
afterAll(async () => {
  await foreign?.close();
  await stage?.close();
});
beforeEach(({ skip }) => {
  if (noChromium !== null) skip(noChromium);
});

interface Refused {
  readonly isUnavailable: boolean;
  readonly outcome: string;
  readonly message: string;
}

/** What a client in `page` is told that asks `endpoint` for a lock. */
const refusedBy = (page: Page, endpoint: string) =>
  page.evaluate<Refused>(`(async () => {
    const hf = holdfast.connect("${endpoint}", { timeoutMs: 3_000 });
    try {
      await hf.lock("forbidden").acquire();
      return null;
    } catch (error) {
      const isUnavailable = error instanceof holdfast.UnavailableError;
      return { isUnavailable, outcome: error.outcome, message: error.message };
    } finally {
      await hf.close();
    }
  })()`);

const node = () => stage.cluster.nodes[0]?.url ?? "";

test("a page of a foreign origin gets 403, and its client says which flag would let it in", async () => {
  const page = await stage.browser.open(`${foreign.origin}/`);
  const refused = await refusedBy(page, node());
  expect(refused).toMatchObject({ isUnavailable: true, outcome: "not-applied" });
  expect(refused.message).toContain("FORBIDDEN_ORIGIN");
  expect(refused.message).toContain(`--allowed-origins=${foreign.origin}`);
  expect(refused.message).not.toContain("--allowed-hosts");
  expect(page.console.join("\n")).toMatch(/WebSocket[^\n]* failed[^\n]*: 403/);
  const { body } = await stage.cluster.nodes[0]!.post("/v1/lease/list", {});
  expect(body).toMatchObject({ leases: [] });
});

test("a page that dials the node by a name it does not know is told of that too", async () => {
  const page = await stage.browser.open(`${stage.site.origin}/`);
  const { message } = await refusedBy(page, node().replace("127.0.0.1", "node.localhost"));
  expect(message).toContain("FORBIDDEN_HOST");
  expect(message).toContain("--allowed-hosts=node.localhost");
});

test("a port at which nobody listens is out of reach, and no matter of origins", async () => {
  const page = await stage.browser.open(`${stage.site.origin}/`);
  const [port] = await freePorts(1);
  const { message } = await refusedBy(page, `http://127.0.0.1:${port}`);
  expect(message).toContain("could not be reached");
  expect(message).not.toContain("FORBIDDEN");
});

test("a page that came over https is told that it may not dial a node without", async () => {
  const { origin } = stage.site;
  const file = await (await fetch(`${origin}/holdfast-client.js`)).text();
  const program = `<!doctype html><script type="module">
    import * as holdfast from "/client.js";
    Object.assign(globalThis, { holdfast, isReady: true });
  </script>`;
  const page = await stage.browser.tab();
  const given = new Map([
    ["https://ops.example/", { type: "text/html", body: program }],
    ["https://ops.example/client.js", { type: "text/javascript", body: file }],
  ]);
  await page.give(given);
  await page.go("https://ops.example/");
  const refused = await refusedBy(page, "http://node.example:2379");
  expect(refused).toMatchObject({ isUnavailable: true, outcome: "not-applied" });
  expect(refused.message).toMatch(/the browser does not allow it: .*HTTPS/);
});
