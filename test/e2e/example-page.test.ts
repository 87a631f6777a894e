/** The commands of `examples/README.md`, as they stand there; and the types of the programs. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PATHS, ROOT } from "../tidy/repository.js";
import { Cluster } from "./harness/cluster.js";
import { blocksOf } from "./harness/page-files.js";

const execute = promisify(execFile);

let cluster: Cluster;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  cluster = await Cluster.start(1);
  env = { ...process.env, HOLDFAST_ENDPOINTS: cluster.endpoints.join() };
});
afterAll(() => cluster?.close());

const shell = async (command: string): Promise<string> =>
  (await execute("bash", ["-c", command], { cwd: ROOT, env, timeout: 60_000 })).stdout;

/** One that runs until it is told to stop. */
function start(command: string): { readonly child: ChildProcess; said: string } {
  const child = spawn("bash", ["-c", `exec ${command}`], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const running = { child, said: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    running.said += text;
  });
  return running;
}

test("the commands do what the page says, in their order", async () => {
  const commands = blocksOf("examples/README.md", "sh").flatMap(block =>
    block.trimEnd().split("\n"),
  );
  const said = new Map<string, string>();
  const running: ReturnType<typeof start>[] = [];
  try {
    for (const command of commands) {
      if (!/scheduler\.js|worker\.js/.test(command)) {
        said.set(command, await shell(command));
        continue;
      }
      const program = start(command);
      running.push(program);
      const isReady = /scheduler/.test(command) ? /is done/ : /leads/;
      await cluster.until(`${command} to work`, () => isReady.test(program.said));
    }
    expect(said.size + running.length).toBe(commands.length);
    const of = (part: string) => [...said].find(([command]) => command.includes(part))?.[1];
    expect(of("range reports/")).toMatch(/reports\/sales\/\S+Z\s.*15 sold/);
    expect(of("order.js")).toBe("5 words\n");
    expect(of("who fleet/leader")).toContain("holds");
    expect(of("yield fleet/leader")).toContain("asked");
    expect(of("cron.sh")).toBe("hello\n");
    const ends = running.map(({ child }) => new Promise(resolve => child.once("exit", resolve)));
    for (const { child } of running) child.kill("SIGTERM");
    expect(await Promise.all(ends)).toEqual(running.map(() => 0));
  } finally {
    for (const { child } of running) child.kill("SIGKILL");
  }
});

test("the programs' types hold, as far as their comments tell them", async () => {
  const programs = PATHS.filter(path => /^examples\/(?!testing\/).*\.js$/.test(path));
  expect(programs.length).toBeGreaterThan(4);
  const folder = mkdtempSync(join(ROOT, "dist/examples-"));
  try {
    const compilerOptions = {
      module: "nodenext",
      target: "es2022",
      lib: ["ES2023", "ESNext.Disposable"],
      types: ["node"],
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      allowJs: true,
      checkJs: true,
      noEmit: true,
      skipLibCheck: true,
    };
    const files = programs.map(path => join(ROOT, path));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const { stdout } = await execute(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder]).catch(
      error => error as { stdout: string },
    );
    expect(stdout).toBe("");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
