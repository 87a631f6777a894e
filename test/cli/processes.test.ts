/** One node process of `holdfast dev`: how it is stopped. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NodeProcess } from "../../src/cli/dev/processes.js";

let directory: string;
let left = 0;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-processes-"));
});
afterEach(() => {
  if (left !== 0) process.kill(left, "SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** Leaves its stderr in another process's hands, says which on stdout, and ends. */
const ENDS_AND_LEAVES = `
  import { spawn } from "node:child_process";
  const wait = "setInterval(() => {}, 1000)";
  const stdio = ["ignore", "ignore", "inherit"];
  const { pid } = spawn(process.execPath, ["-e", wait], { stdio, detached: true });
  process.stdout.write("left " + pid + "\\n", () => process.exit(3));
`;

test("stopping a node that has ended is over at once, though others still have its stderr", async () => {
  const program = join(directory, "node.mjs");
  const logFile = join(directory, "log");
  writeFileSync(program, ENDS_AND_LEAVES);
  const told: string[] = [];
  const node = new NodeProcess(
    { name: "n1", program, flags: [], logFile },
    {
      died: (_name, how) => told.push(how),
      restarted: () => told.push("restarted"),
      removed: () => told.push("removed"),
    },
  );
  node.start();
  const { pid } = node;
  const isGone = (): boolean => {
    try {
      process.kill(pid ?? 0, 0);
      return false;
    } catch {
      return true; // and taken note of: until then it can be signalled
    }
  };
  await expect.poll(isGone, { timeout: 20_000 }).toBe(true);
  left = Number(/left (\d+)/.exec(readFileSync(logFile, "utf8"))?.[1]);
  await node.stop();
  expect(told).toEqual([]);
});
