/**
 * What the docs show is run: the TypeScript of the READMEs is compiled with all its types and run
 * against a real node, with stand-ins for the names it leaves open; so are the README's commands.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT, read } from "../tidy/repository.js";
import { Cluster, type Node } from "./harness/cluster.js";
import { blocksOf } from "./harness/page-files.js";
import { until } from "./harness/until.js";

const execute = promisify(execFile);
const PAGES = [
  "README.md",
  "clients/typescript/README.md",
  "src/testing/README.md",
  "docs/guides/choosing-a-lock.md",
];
const LIMIT_MS = 60_000;

const snippets = PAGES.flatMap(path =>
  blocksOf(path, "ts").map((code, at) => ({ path, at, code })),
);

/** The names that snippets leave open: what a program around them would have. */
const STAGE = `
import { type Client, connect, type Held } from "holdfast-client";

export const called = new Set<string>();

export interface Stage {
  readonly hf: Client;
  readonly held: Held;
  work(signal: AbortSignal, token?: number): Promise<void>;
  sql(parts: TemplateStringsArray, ...values: readonly unknown[]): Promise<void>;
}

/** Somebody else, whose changes a watch may wait for. */
async function disturb(): Promise<void> {
  const other = connect(undefined, { timeoutMs: 60_000 });
  for (;;) {
    await other.kv.put("state/done", "yes");
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

export async function stage(): Promise<Stage> {
  const hf = connect();
  void disturb();
  return {
    hf,
    held: await hf.lock(\`stage/\${process.pid}\`).acquire(),
    async work(signal, token) {
      called.add("work");
      signal.throwIfAborted();
      if (token !== undefined && !(token > 0)) throw new Error("a token is a positive number");
    },
    async sql(parts, ...values) {
      called.add("sql");
      if (values.length + 1 !== parts.length) throw new Error("not called as a tag");
    },
  };
}
`;

const RUNNER = `
import { called, stage } from "./stage.js";

const { snippet } = await import(\`./\${process.argv[2]}.js\`);
await snippet(await stage());
console.log(JSON.stringify([...called]));
process.exit();
`;

const CONFIGURATION = {
  compilerOptions: {
    module: "nodenext",
    target: "es2022", // Node 20 cannot parse \`await using\`: the compiler can
    lib: ["ES2023", "ESNext.Disposable"],
    types: ["node"],
    strict: true,
    skipLibCheck: true,
    noEmitOnError: true,
    rootDir: ".",
    outDir: "out",
  },
  include: ["*.ts"],
};

/** A snippet as a function: its imports first, and the stage's names around what it declares itself. */
function asModule(code: string): string {
  const lines = code.split("\n");
  const imports = lines.filter(line => line.startsWith("import "));
  const body = lines.filter(line => !line.startsWith("import "));
  return [
    ...imports,
    'import type { Stage } from "./stage.js";',
    "export async function snippet({ hf, held, work, sql }: Stage): Promise<void> {",
    "  void [hf, held, work, sql];",
    "  {",
    ...body,
    "  }",
    "}",
  ].join("\n");
}

let cluster: Cluster;
let node: Node;
let folder: string;
let environment: NodeJS.ProcessEnv;

async function compile(): Promise<void> {
  // Within the package, so that imports of its own name resolve as in a program that has it.
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  folder = mkdtempSync(join(ROOT, "dist/snippets-"));
  writeFileSync(join(folder, "stage.ts"), STAGE);
  writeFileSync(join(folder, "run.ts"), RUNNER);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(CONFIGURATION));
  snippets.forEach(({ code }, i) => {
    writeFileSync(join(folder, `snippet${i}.ts`), asModule(code));
  });
  await execute(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder]).catch(error => {
    throw new Error(`the docs' snippets do not compile:\n${(error as { stdout: string }).stdout}`);
  });
}

beforeAll(async () => {
  cluster = await Cluster.start(1);
  [node] = cluster.nodes as [Node];
  environment = { ...process.env, HOLDFAST_ENDPOINTS: node.url };
  await compile();
});
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the TypeScript of", () => {
  test.each(snippets.map(({ path, at, code }, i) => ({ path, at: at + 1, code, i })))(
    "$path, block $at, does what it says",
    async ({ code, i }) => {
      const program = [join(folder, "out/run.js"), `snippet${i}`];
      const { stdout } = await execute(process.execPath, program, {
        env: environment,
        timeout: LIMIT_MS,
      });
      const called = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as string[];
      const named = ["work", "sql"].filter(name => new RegExp(`\\b${name}[(\`]`).test(code));
      expect(called.sort()).toEqual(named.sort());
      if (!code.includes('"state/42", "done"')) return;
      const { body } = await node.post("/v1/kv/get", { key: "state/42" });
      expect(body).toMatchObject({ value: "done" });
    },
  );
});

describe("the commands of the README", () => {
  const commands = blocksOf("README.md", "sh")
    .filter(block => !block.startsWith("npm ci"))
    .flatMap(block =>
      block
        .replace(/\\\n\s*/g, "")
        .trimEnd()
        .split("\n"),
    );

  /** As a shell runs it; what it wrote to stdout. Rejects unless it ends with 0. */
  async function shell(command: string): Promise<string> {
    const here = command.replaceAll("127.0.0.1:2379", new URL(node.url).host);
    const options = { cwd: ROOT, env: environment, timeout: LIMIT_MS };
    return (await execute("bash", ["-c", here], options)).stdout;
  }

  test("do what they say, in their order", async () => {
    const said = new Map<string, string>();
    const running: Promise<unknown>[] = [];
    for (const command of commands) {
      if (!command.includes("holdfast lock jobs/42")) {
        said.set(command, await shell(command));
        continue;
      }
      // It runs in a terminal of its own; the next commands are for another one.
      running.push(shell(command));
      await until("the lock to be held", async () => {
        const { body } = await node.post("/v1/lock/inspect", { name: "jobs/42" });
        return (body.holders as unknown[]).length > 0;
      });
    }
    await Promise.all(running);
    expect(said.get("npx holdfast get greeting")).toBe("hello");
    expect(said.get("npx holdfast status")).toContain("leader");
    expect(said.get("npx holdfast who jobs/42")).toContain("holds");
    // What a command is said to run speaks for itself.
    for (const [command, out] of said) {
      const [, words] = / -- echo (.*)$/.exec(command) ?? [];
      if (words !== undefined) expect([command, out]).toEqual([command, `${words}\n`]);
    }
    expect([...said.keys()].filter(command => command.includes(" -- echo ")).length).toBe(4);
    const curl = [...said].find(([command]) => command.startsWith("curl"))?.[1] ?? "";
    expect(JSON.parse(curl)).toMatchObject({
      token: expect.any(Number),
      lease: expect.any(String),
    });
    expect(said.size + running.length).toBe(commands.length);
  });
});

describe("the metrics", () => {
  test("that the operator's page explains are those that a node has", async () => {
    await node.post("/v1/kv/get", { key: "nothing" });
    const text = await (await fetch(`${node.url}/metrics`)).text();
    const served = [...text.matchAll(/^# TYPE (holdfast_\w+)/gm)].map(match => match[1]);
    const table = read("docs/OPERATIONS.md").split("## Metrics")[1]?.split("\n## ")[0] ?? "";
    const told = [...table.matchAll(/`(holdfast_\w+)`/g)].map(match => match[1]);
    expect([...told].filter(name => name !== "holdfast_").sort()).toEqual(served.sort());
  });
});
