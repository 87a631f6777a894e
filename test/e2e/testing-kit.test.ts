/**
 * `holdfast/testing` as its users have it: installed in a program of their own, compiled with its
 * types alone, under vitest and under node:test. The examples that are run are those of its page.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PATHS, ROOT, readJson } from "../tidy/repository.js";

const execute = promisify(execFile);
const LIMIT_MS = 120_000;
const EXAMPLES = PATHS.filter(path => /^examples\/testing\/.*\.[jt]s$/.test(path));

const PACKAGES = {
  holdfast: ".",
  "holdfast-client": "clients/typescript",
  "holdfast-protocol": "src/protocol",
};

let program: string;

/** Puts a package where an install would, without a registry. */
function install(name: string, folder: string): void {
  const target = join(program, "node_modules", name);
  mkdirSync(target, { recursive: true });
  for (const part of ["package.json", "dist"])
    cpSync(join(ROOT, folder, part), join(target, part), { recursive: true });
  const { dependencies = {} } = readJson(join(folder, "package.json")) as {
    dependencies?: Record<string, string>;
  };
  for (const dependency of Object.keys(dependencies)) link(dependency);
}

function link(name: string): void {
  if (name in PACKAGES) return;
  const target = join(program, "node_modules", name);
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { force: true, recursive: true });
  symlinkSync(join(ROOT, "node_modules", name), target);
}

/** Its stdout; rejects with all that it said unless it ends with 0. */
async function run(args: readonly string[]): Promise<string> {
  // Not what the vitest around it set for its own workers.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS|NODE_ENV)/.test(name)),
  );
  try {
    const options = { cwd: program, env, timeout: LIMIT_MS };
    return (await execute(process.execPath, [...args], options)).stdout;
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & Record<string, string>;
    throw new Error(`${message}\n${stdout}\n${stderr}`);
  }
}

beforeAll(() => {
  program = mkdtempSync(join(tmpdir(), "holdfast-kit-"));
  writeFileSync(join(program, "package.json"), JSON.stringify({ type: "module", private: true }));
  for (const [name, folder] of Object.entries(PACKAGES)) install(name, folder);
  for (const name of ["vitest", "@types/node"]) link(name);
  for (const path of EXAMPLES)
    cpSync(join(ROOT, path), join(program, path.split("/").at(-1) ?? ""));
});
afterAll(() => rmSync(program, { recursive: true, force: true }));

describe("the test kit in a program of its own", () => {
  test("passes its example under vitest", async () => {
    const vitest = join("node_modules", "vitest", "vitest.mjs");
    const said = await run([vitest, "run", "worker.test.ts", "--reporter=json"]);
    const { numPassedTests, numTotalTests } = JSON.parse(said) as Record<string, number>;
    expect([numPassedTests, numTotalTests]).toEqual([2, 2]);
  });

  test("passes its example under node:test, and the process ends by itself", async () => {
    const said = await run(["--test", "--test-reporter=tap", "failover.test.js"]);
    expect(said).toMatch(/^# pass 2$/m);
    expect(said).toMatch(/^# fail 0$/m);
  });

  test("leaves nothing behind that keeps a process, even when it is not closed", async () => {
    writeFileSync(
      join(program, "left.js"),
      `import { startTestCluster } from "holdfast/testing";
      const t = await startTestCluster();
      await t.connect().lock("x").acquire();
      t.connect().lock("x").acquire().then(() => console.log("granted"));
      await t.advance(100);
      for (let i = 0; i < 5; i += 1) await new Promise(setImmediate);
      const left = process.getActiveResourcesInfo().filter(kind => !kind.endsWith("Wrap"));
      console.log("left:", left.join());`,
    );
    expect((await run(["left.js"])).trim()).toBe("left:");
  });

  test("has types that stand alone, without a look inside and without skipping any", async () => {
    writeFileSync(
      join(program, "surface.ts"),
      `import { startTestCluster } from "holdfast/testing";
      import type { TestCluster, TestClusterOptions } from "holdfast/testing";
      import type { Client, ConnectOptions, Held } from "holdfast-client";
      const options: TestClusterOptions = { nodes: 1, seed: 7 };
      const connecting: ConnectOptions = { ttlMs: 5_000 };
      export async function all(): Promise<number> {
        await using t: TestCluster = await startTestCluster(options);
        const client: Client = t.connect(connecting);
        const held: Held = await t.until(client.lock("x").acquire(), 1_000);
        t.pause(client);
        t.resume(client);
        t.loseKeepAlives(client, true);
        await t.advance(1);
        await t.dropLeader();
        // @ts-expect-error only a client of its own
        t.pause(held);
        return t.nowMs;
      }`,
    );
    const compilerOptions = {
      module: "nodenext",
      target: "es2022",
      lib: ["ES2023", "ESNext.Disposable"],
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false,
    };
    const tsconfig = join(program, "tsconfig.json");
    writeFileSync(tsconfig, JSON.stringify({ compilerOptions, files: ["surface.ts"] }));
    await run([join(ROOT, "node_modules/typescript/bin/tsc"), "-p", tsconfig]);
    // The example needs vitest's own types, which are not ours to judge.
    const loose = { ...compilerOptions, skipLibCheck: true };
    writeFileSync(tsconfig, JSON.stringify({ compilerOptions: loose, files: ["worker.test.ts"] }));
    await run([join(ROOT, "node_modules/typescript/bin/tsc"), "-p", tsconfig]);
  });
});
