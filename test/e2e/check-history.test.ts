/** `npm run check-history` as it was built: its exit codes, its complaints, its picture. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const COMMAND = fileURLToPath(new URL("../../dist/checker/main.js", import.meta.url));

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-history-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Paths are meant from where npm was called. */
function run(...args: string[]): { code: number | null; out: string; error: string } {
  const env = { ...process.env, INIT_CWD: directory };
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], {
    encoding: "utf8",
    env,
  });
  return { code: status, out: stdout, error: stderr };
}

const put = (value: string, call: number): object => ({
  process: "w1",
  call,
  return: call + 1,
  op: { kind: "put", key: "k", value },
  result: {},
});
const get = (value: string, call: number): object => ({
  process: "w2",
  call,
  return: call + 1,
  op: { kind: "get", key: "k" },
  result: { value },
});

function write(name: string, ...lines: readonly object[]): string {
  writeFileSync(join(directory, name), lines.map(line => `${JSON.stringify(line)}\n`).join(""));
  return name;
}

test("a good history ends with 0", () => {
  const file = write("good.jsonl", put("a", 1), put("b", 3), get("b", 5));
  const { code, out } = run(file);
  expect(out).toMatch(/^linearizable {2}register {2}"k" {2}3 operations\n1 key: 1 linearizable\n$/);
  expect(code).toBe(0);
});

test("a bad one ends with 1, and with a picture where one was asked for", () => {
  const file = write("bad.jsonl", put("a", 1), put("b", 3), get("a", 5));
  const { code, out } = run(file, "--picture", "bad.html");
  expect(code).toBe(1);
  expect(out).toContain(`> w2  get → "a"   (5 to 6 ms)`);
  expect(readFileSync(join(directory, "bad.html"), "utf8")).toContain("<svg");
});

test("one that is not decided within the limit ends with 2", () => {
  const file = write("long.jsonl", put("a", 1), put("b", 1), get("b", 5));
  expect(run(file, "--limit-steps", "1")).toMatchObject({
    code: 2,
    out: expect.stringContaining("limit of steps reached"),
  });
});

test("what is wrong with the file or the command is said, and ends with 2", () => {
  const file = write("broken.jsonl", put("a", 1), { ...put("b", 3), call: "now" });
  expect(run(file)).toMatchObject({ code: 2, error: expect.stringMatching(/^line 2: .*"call"/) });
  expect(run("none.jsonl")).toMatchObject({ code: 2, error: expect.stringMatching(/ENOENT/) });
  for (const args of [[], ["a", "b"], ["a", "--limit", "soon"], ["a", "--limt", "3s"]]) {
    expect(run(...args)).toMatchObject({ code: 2, error: expect.stringMatching(/usage: npm run/) });
  }
});
