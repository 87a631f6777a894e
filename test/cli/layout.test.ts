/** Where the nodes of `holdfast dev` listen: what is kept of it beside the data. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BadLayout, layoutFor } from "../../src/cli/dev/layout.js";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-layout-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const file = () => join(directory, "ports.json");

/** What is said of data whose `ports.json` holds this. */
async function refusal(text: string): Promise<string> {
  writeFileSync(file(), text);
  const error = await layoutFor(directory, 0).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BadLayout);
  expect(readFileSync(file(), "utf8")).toBe(text);
  return (error as BadLayout).message;
}

describe("the ports of data that is there", () => {
  test("are its own again, and are written at once and whole", async () => {
    const planned = await layoutFor(directory, 0);
    expect(readdirSync(directory)).toEqual(["ports.json"]);
    expect(await layoutFor(directory, 0)).toEqual(planned);
    expect(await layoutFor(directory, null)).toEqual(planned);
  });

  test("half a file is not taken for new data, which would get others", async () => {
    await layoutFor(directory, 0);
    const half = readFileSync(file(), "utf8").slice(0, 40);
    expect(await refusal(half)).toMatch(/ports\.json, .* is not JSON: .*choose another --data-dir/);
    expect(await refusal("")).toContain("is not JSON");
  });

  test("what is JSON and no list of three nodes is refused by what is wrong with it", async () => {
    const [first, ...others] = await layoutFor(directory, 0);
    const refused = (...all: unknown[]) => refusal(JSON.stringify(all));
    for (const text of ["null", "{}", "3", "[]", JSON.stringify([first])])
      expect(await refusal(text)).toContain("is no list of 3 nodes");
    expect(await refused(null, ...others)).toContain("has no node n1 in its place");
    expect(await refused(...others, first)).toContain("has no node n1 in its place");
    for (const clientPort of [undefined, "2379", 0, 65_536, 1.5])
      expect(await refused({ ...first, clientPort }, ...others)).toContain(
        "has no port as clientPort of n1",
      );
    expect(await refused(first, { name: "n2", clientPort: 1 }, others[1])).toContain(
      "has no port as peerPort of n2",
    );
  });

  test("a file that cannot be read is no new data either", async () => {
    mkdirSync(file());
    await expect(layoutFor(directory, 0)).rejects.toThrow(/ports\.json cannot be read: EISDIR/);
  });
});
