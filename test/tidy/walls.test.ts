import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { judgeImport, specifiersOf } from "./imports.js";
import { filesLike, PATHS, ROOT, read, readJson } from "./repository.js";
import { isDeterministic, PORT_ROOMS, PROJECTS, PURE_ROOMS } from "./rooms.js";
import { nondeterminism } from "./syntax.js";

const CODE = /^(src|clients|test|bench|examples)\/.*\.ts$/;

interface TsConfig {
  readonly compilerOptions?: {
    readonly types?: readonly string[];
    readonly lib?: readonly string[];
  };
  readonly references?: readonly { readonly path: string }[];
}

const tsconfig = (folder: string): TsConfig =>
  readJson(posix.join(folder, "tsconfig.json")) as TsConfig;

const referencesOf = (folder: string): string[] =>
  (tsconfig(folder).references ?? []).map(({ path }) => posix.join(folder, path)).sort();

describe("the room table", () => {
  test("every import of every source file keeps it", () => {
    const broken = filesLike(CODE).flatMap(({ path, text }) =>
      specifiersOf(path, text).flatMap(specifier => {
        const complaint = judgeImport(path, specifier);
        return complaint === null ? [] : [`${path}: "${specifier}": ${complaint}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  test.each(Object.keys(PROJECTS))(
    "the compiler's references of %s are exactly its row",
    folder => {
      expect(referencesOf(folder)).toEqual([...(PROJECTS[folder]?.mayImport ?? [])].sort());
    },
  );

  test("every project is in the table, and the root builds every one of them and the tests", () => {
    const folders = PATHS.filter(path => /(^|\/)tsconfig[^/]*\.json$/.test(path)).map(
      posix.dirname,
    );
    expect(folders.sort()).toEqual([...Object.keys(PROJECTS), ".", "test"].sort());
    expect(referencesOf(".")).toEqual([...Object.keys(PROJECTS), "test"].sort());
  });

  test("no type of Node or of a browser resolves in a pure or port room", () => {
    const folders = Object.keys(PROJECTS).filter(folder => isDeterministic(`${folder}/`));
    expect(folders).toContain("src/raft/message");
    for (const folder of folders) {
      const { types, lib } = tsconfig(folder).compilerOptions ?? {};
      expect({ folder, types, lib }).toEqual({ folder, types: undefined, lib: undefined });
    }
    const shared = readJson(".tsconfig.base.json") as TsConfig;
    expect(shared.compilerOptions).toMatchObject({ types: [], lib: ["ES2023"], composite: true });
  });
});

describe("the check of imports", () => {
  test("sees every form of import", () => {
    const code = `
      import a from "./a.js";
      import type { B } from "./b.js";
      export * from "./c.js";
      export type { D } from "./d.js";
      const e = () => import("./e.js");
      type F = import("./f.js").F;
      import "./g.js";
      const h = () => import(name);
      // import "./not.js"
    `;
    const names = ["a", "b", "c", "d", "e", "f", "g"].map(name => `./${name}.js`);
    expect(specifiersOf("x.ts", code).sort()).toEqual([...names, "(computed)"].sort());
    expect(() => specifiersOf("x.ts", "import from")).toThrow(/^x\.ts: /);
  });

  test.each([
    ["src/raft/core.ts", "../base/ids.js"],
    ["src/raft/core.ts", "./message/entry.js"],
    ["src/storage/wal.ts", "../raft/message/entry.js"],
    ["src/log/loop.ts", "../raft/core.js"],
    ["src/log/loop.ts", "./port/index.js"],
    ["src/replica/applier.ts", "../log/port/index.js"],
    ["src/api/http/routes.ts", "../../replica/coordinator/index.js"],
    ["src/api/http/routes.ts", "holdfast-protocol/schemas"],
    ["src/api/http/routes.ts", "node:http"],
    ["src/cli/main.ts", "holdfast-client"],
    ["src/base/map.ts", "sorted-btree"],
    ["clients/typescript/node/index.ts", "../core/index.js"],
    ["bench/micro/map.ts", "#src/base/map.js"],
    ["test/raft/core.test.ts", "../../src/raft/core.js"],
    ["test/raft/core.test.ts", "node:fs"],
  ])("lets %s import %s", (path, specifier) => {
    expect(judgeImport(path, specifier)).toBeNull();
  });

  test.each([
    ["src/base/ids.ts", "../raft/message/entry.js"],
    ["src/raft/core.ts", "../storage/wal.js"],
    ["src/raft/message/entry.ts", "../core.js"],
    ["src/storage/wal.ts", "../raft/core.js"],
    ["src/peer/link.ts", "../raft/core.js"],
    ["src/state/machine.ts", "../raft/message/entry.js"],
    ["src/log/port/index.ts", "../loop.js"],
    ["src/log/port/index.ts", "../../raft/message/entry.js"],
    ["src/replica/applier.ts", "../log/loop.js"],
    ["src/replica/applier.ts", "../raft/core.js"],
    ["src/api/http/routes.ts", "../../replica/applier.js"],
    ["src/api/http/routes.ts", "../../log/port/index.js"],
    ["src/api/http/routes.ts", "../../state/machine.js"],
    ["src/server/index.ts", "../cli/main.js"],
    ["src/cli/main.ts", "../server/index.js"],
    ["src/cli/main.ts", "holdfast-protocol/schemas"],
    ["src/cli/main.ts", "../protocol/index.js"],
    ["src/api/http/routes.ts", "../../../clients/typescript/core/index.js"],
    ["clients/typescript/core/client.ts", "../node/index.js"],
    ["clients/typescript/core/client.ts", "node:net"],
    ["clients/typescript/browser/index.ts", "ws"],
    ["clients/typescript/core/client.ts", "../../../src/base/ids.js"],
    ["src/raft/core.ts", "node:fs"],
    ["src/raft/core.ts", "holdfast-protocol"],
    ["src/storage/wal.ts", "node:fs"],
    ["src/state/machine.ts", "msgpackr"],
    ["src/raft/core.ts", "../../dist/base/ids.js"],
    ["test/raft/core.test.ts", "../../dist/raft/core.js"],
    ["test/raft/core.test.ts", "../../src/raft/core.ts"],
    ["test/raft/core.test.ts", "../../../elsewhere/core.js"],
    ["src/raft/core.ts", "#src/base/ids.js"],
    ["bench/micro/map.ts", "../../src/base/map.js"],
    ["src/server/index.ts", "../../test/sim/world.js"],
    ["src/server/index.ts", "(computed)"],
    ["src/server/index.ts", "/etc/x.js"],
  ])("refuses %s importing %s", (path, specifier) => {
    expect(judgeImport(path, specifier)).not.toBeNull();
  });
});

describe("determinism", () => {
  test("no pure or port room uses what differs from run to run", () => {
    const found = filesLike(/^src\/.*\.ts$/)
      .filter(({ path }) => isDeterministic(path))
      .flatMap(({ path, text }) => nondeterminism(path, text).map(what => `${path}:${what}`));
    expect(found).toEqual([]);
  });

  test.each([
    ["const a = Math.random();", "1: Math.random"],
    ["\nnames.sort((a, b) => a.localeCompare(b));", "2: a.localeCompare"],
    ["n.toLocaleString();", "1: n.toLocaleString"],
    ["async function f() {}", "1: async"],
    ["const f = async () => 1;", "1: async"],
    ["class A { async f() {} }", "1: async"],
    ["for (const k in o) g(k);", "1: for … in"],
    ["const m = () => import('./m.js');", "1: import()"],
    ["let p: Promise<void>;", "1: Promise"],
    ["interface A { at: Date }", "1: Date"],
  ])("%s is seen", (code, complaint) => {
    expect(nondeterminism("x.ts", code)).toEqual([complaint]);
  });

  test("an ordinary function is let be", () => {
    const code =
      "export function f(a: number[]): number { let s = 0; for (const x of a) s += x; return s; }";
    expect(nondeterminism("x.ts", code)).toEqual([]);
  });
});

describe("the tools' settings", () => {
  const GLOBALS = ["Date", "Promise", "setTimeout", "eval", "Intl", "process", "console"];
  const WALLED = [...PURE_ROOMS, ...PORT_ROOMS];
  let folder = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-tidy-"));
    for (const dotfile of [".biome.json", ".gitignore", ".tsconfig.base.json"]) {
      copyFileSync(join(ROOT, dotfile), join(folder, dotfile));
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function write(path: string, text: string): void {
    mkdirSync(join(folder, posix.dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }

  function run(tool: string, args: readonly string[]): string {
    const command = [join(ROOT, "node_modules", tool), ...args];
    const { stdout, stderr } = spawnSync(process.execPath, command, {
      cwd: folder,
      encoding: "utf8",
    });
    return stdout + stderr;
  }

  test("make the linter ban clocks and promises in every pure and port room, and only there", () => {
    const code = `${GLOBALS.map(name => `f(${name});`).join("\n")}\n`;
    for (const room of [...WALLED, "src/server"]) write(`${room}/probe.ts`, code);
    const flags = [
      "--reporter=github",
      "--max-diagnostics=none",
      "--only=style/noRestrictedGlobals",
    ];
    const findings = run("@biomejs/biome/bin/biome", ["lint", ...flags, "src"]);
    for (const room of WALLED) {
      const own = findings.split("\n").filter(line => line.includes(`${room}/probe.ts`));
      for (const name of GLOBALS) {
        expect(
          own.some(line => line.includes(`variable ${name}`)),
          `${name} in ${room}`,
        ).toBe(true);
      }
    }
    expect(findings).not.toContain("src/server/probe.ts");
  });

  test("make the linter refuse a function longer than a screen", () => {
    const body = "  f();\n".repeat(71);
    write("src/server/long.ts", `export function long(): void {\n${body}}\n`);
    const args = ["lint", "--reporter=github", "src/server/long.ts"];
    expect(run("@biomejs/biome/bin/biome", args)).toContain("noExcessiveLinesPerFunction");
  });

  test("make the compiler not know the names of Node and of browsers", () => {
    const names = ["setTimeout", "process", "Buffer", "console", "fetch", "TextEncoder", "crypto"];
    write(
      "src/raft/tsconfig.json",
      read("src/raft/tsconfig.json").replace(/"references": \[[^\]]*\]/, '"references": []'),
    );
    write(
      "src/raft/probe.ts",
      names.map((name, at) => `export const x${at} = ${name};`).join("\n"),
    );
    const errors = run("typescript/bin/tsc", ["-p", "src/raft", "--noEmit"]);
    for (const name of names)
      expect(errors).toMatch(new RegExp(`TS\\d+: Cannot find name '${name}'`));
  });
});
