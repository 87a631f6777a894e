/** The test kit's page shows the examples as they are run, and names all that there is. */
import { describe, expect, test } from "vitest";
import { read } from "../tidy/repository.js";
import { begin } from "./begin.js";

const page = read("src/testing/README.md");

describe("the page of the test kit", () => {
  test.each(["worker.test.ts", "failover.test.js"])("includes %s exactly as it is run", name => {
    const path = `examples/testing/${name}`;
    const language = name.split(".").at(-1);
    const block = `<!-- ${path} -->\n\`\`\`${language} file=${name}\n${read(path)}\`\`\`\n`;
    expect(page).toContain(block);
  });

  test("explains every member of a cluster, and none that is not there", async () => {
    const t = await begin({ nodes: 1 });
    const members = Object.getOwnPropertyNames(Object.getPrototypeOf(t)).filter(
      name => !["constructor", "begin"].includes(name),
    );
    const surface = page.split("## The surface")[1]?.split("## How")[0] ?? "";
    const faults = surface.split("## The faults")[1] ?? "";
    for (const name of members)
      expect(surface.includes(`\`${name}(`) || surface.includes(`\`${name}\``), name).toBe(true);
    const told = [...faults.matchAll(/^- \*\*`(\w+)\(/gm)].map(([, name]) => name);
    expect(told).toEqual(["pause", "resume", "loseKeepAlives", "dropLeader"]);
    for (const name of told) expect(members).toContain(name);
  });
});
