/** The ways by which the client gets into a page, and that nothing of Node comes with it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bundle } from "./harness/bundle.js";
import { noChromium } from "./harness/chromium.js";
import { Stage } from "./harness/stage.js";

describe("what a bundler takes", () => {
  test("of the client is its browser's side, and nothing of Node", async () => {
    const { modules, ofNode } = await bundle('export * from "holdfast-client";');
    expect(ofNode).toEqual([]);
    const own = modules.filter(path => path.startsWith("clients/typescript/"));
    expect(own).toContain("clients/typescript/dist/browser/platform.js");
    const elsewhere = own.filter(
      path => !/^clients\/typescript\/dist\/(browser|core)\//.test(path),
    );
    expect(elsewhere).toEqual([]);
    const packages = modules.flatMap(path => /node_modules\/([^/]+)/.exec(path)?.[1] ?? []);
    expect([...new Set(packages)]).toEqual(["msgpackr"]);
  });

  test.each([
    'import { randomInt } from "node:crypto"; export const drawn = randomInt(2);',
    'export * from "./clients/typescript/dist/node/index.js";',
  ])("would be seen to be Node's in: %s", async code => {
    expect((await bundle(code)).ofNode).not.toEqual([]);
  });
});

describe("in a page, locks work", () => {
  let stage: Stage;

  beforeAll(async () => {
    if (noChromium === null) stage = await Stage.open();
  });
  afterAll(() => stage?.close());
  beforeEach(({ skip }) => {
    if (noChromium !== null) skip(noChromium);
  });

  const LOCKS = (name: string) => `
    const hf = connect(${JSON.stringify(stage.cluster.endpoints)});
    globalThis.token = await hf.lock("${name}").run(({ token }) => token);
    await hf.close();
  `;

  /** Under a policy that lets neither inline scripts nor eval be. */
  async function tokenOf(path: string, code: string): Promise<number> {
    stage.site.addProgram(path, code);
    const page = await stage.browser.open(stage.site.origin + path);
    expect(await page.evaluate("violations")).toEqual([]);
    return page.evaluate<number>("token");
  }

  test("by the single file", async () => {
    const code = `import { connect } from "/holdfast-client.js"; ${LOCKS("single")}`;
    expect(await tokenOf("/single/", code)).toBeGreaterThan(0);
  });

  test("by a bundler", async () => {
    const { code } = await bundle(`import { connect } from "holdfast-client"; ${LOCKS("bundled")}`);
    expect(await tokenOf("/bundled/", code)).toBeGreaterThan(0);
  });

  test("in a worker", async () => {
    const worker = `import { connect } from "/holdfast-client.js";
      ${LOCKS("worker")}
      postMessage(token);`;
    stage.site.addScript("/worker.js", worker);
    const code = `
      const worker = new Worker("/worker.js", { type: "module" });
      globalThis.token = await new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = reject;
      });`;
    expect(await tokenOf("/worker/", code)).toBeGreaterThan(0);
  });
});
