import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { filesLike, PATHS, ROOT, read, readJson } from "./repository.js";
import { PROJECTS, ROOMS } from "./rooms.js";
import { emptyName, leftovers, strayTopLevel, tooLong, wideLines } from "./text.js";

const CODE = /\.(ts|js|mjs|sh)$|^\.ci\/run$/;
const TEXT = /\.(ts|js|mjs|sh|json|md|txt|html|ya?ml)$|^\.ci\/run$|^\.[a-z]+(\.json)?$/;

describe("the tree", () => {
  test("holds at its top only what belongs there", () => {
    expect(strayTopLevel(PATHS)).toEqual([]);
    expect(strayTopLevel(["src/a.ts", ".npmrc", "vite.config.ts", "scripts/x"])).toEqual([
      "vite.config.ts",
      "scripts",
    ]);
  });

  test("holds no compiler output beside its sources", () => {
    const output = PATHS.filter(path =>
      /^(src|clients)\/.*(\.js|\.js\.map|\.d\.ts\.map)$/.test(path),
    );
    expect(output).toEqual([]);
  });

  test("names every file after what it is", () => {
    expect(PATHS.filter(path => emptyName(path) !== null)).toEqual([]);
    for (const bad of [
      "src/a/utils.ts",
      "src/common/x.ts",
      "src/LockManager.ts",
      "src/test-helper.ts",
    ]) {
      expect(emptyName(bad)).not.toBeNull();
    }
    expect(emptyName("src/state/lock/line.ts")).toBeNull();
  });

  test("tells in a README what each room with code is", () => {
    const silent = ROOMS.filter(room => {
      const code = PATHS.some(path => path.startsWith(`${room}/`) && path.endsWith(".ts"));
      return code && !PATHS.includes(`${room}/README.md`);
    });
    expect(silent).toEqual([]);
  });
});

describe("the text", () => {
  test("of every file past 700 lines says why it is so long", () => {
    const long = filesLike(CODE).flatMap(({ path, text }) => {
      const complaint = tooLong(text);
      return complaint === null ? [] : [`${path}: ${complaint}`];
    });
    expect(long).toEqual([]);

    const lines = "f();\n".repeat(701);
    expect(tooLong(lines)).toBe(`701 lines, and no "Long because …" at its head`);
    expect(tooLong(`/**\n * Long because the table is one.\n */\n${lines}`)).toBeNull();
    expect(tooLong("f();\n".repeat(700))).toBeNull();
  });

  test("of every line ends before column 100", () => {
    const wide = filesLike(CODE).flatMap(({ path, text }) =>
      wideLines(text).map(line => `${path}:${line}`),
    );
    expect(wide).toEqual([]);

    expect(wideLines(`ok();\n${"word ".repeat(21)}\n`)).toEqual([2]);
    expect(wideLines(`const message = "${"word ".repeat(21)}";`)).toEqual([]);
    expect(wideLines(`// see https://example.org/${"x".repeat(90)}`)).toEqual([]);
  });

  test("leaves no notes to self, skipped tests, or traces of where it was written", () => {
    const found = filesLike(TEXT).flatMap(({ path, text }) =>
      leftovers(text).map(what => `${path}:${what}`),
    );
    expect(found).toEqual([]);
  });

  test.each([
    `// ${"TO"}DO: later`,
    `test.${"skip"}("x", () => {})`,
    `describe.${"only"}("x", () => {})`,
    `read("${"/wo"}rk/main/x")`,
    `cd ${"/ro"}ot/x`,
    `// written by ${"Cla"}ude`,
    `// an ${"AI"} agent said so`,
    `// a helper ${"agent"} said so`,
    `// see ${"iss"}ue 2`,
  ])("%s would be seen", line => {
    expect(leftovers(`fine\n${line}\n`)).toHaveLength(1);
  });

  test.each([
    "the user agent",
    "homework/main",
    "put /a/work/b",
    "stream.skip(3)",
    "etcd issue 12345",
  ])("%s is let be", line => {
    expect(leftovers(line)).toEqual([]);
  });
});

describe("the commands", () => {
  const readme = read("README.md");

  test("of the README start and test a fresh checkout", () => {
    expect(readme).toContain("npm ci && npm start");
    expect(readme).toContain("npm ci && npm test");
  });

  test("that the README names are there", () => {
    const { scripts } = readJson("package.json") as { scripts: Record<string, string> };
    const named = [...readme.matchAll(/\bnpm run ([\w:-]+)/g)].map(match => match[1] ?? "");
    expect(named.filter(name => scripts[name] === undefined)).toEqual([]);
  });

  test("of .ci/run are those of the README", () => {
    const script = readFileSync(join(ROOT, ".ci/run"), "utf8");
    expect(script).toMatch(/^npm ci$/m);
    expect(script).toMatch(/^exec npm test$/m);
    expect(statSync(join(ROOT, ".ci/run")).mode & 0o111).toBe(0o111);
  });
});

describe("the packages", () => {
  const manifests = [
    "package.json",
    "src/protocol/package.json",
    "clients/typescript/package.json",
  ];

  interface Manifest {
    readonly version: string;
    readonly type: string;
    readonly license: string;
    readonly engines: { readonly node: string };
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly devDependencies?: Readonly<Record<string, string>>;
  }

  test("agree on version, licence, module kind and Node", () => {
    for (const path of manifests) {
      const { version, type, license, engines } = readJson(path) as Manifest;
      expect({ path, version, type, license, engines }).toEqual({
        path,
        version: (readJson("package.json") as Manifest).version,
        type: "module",
        license: "Apache-2.0",
        engines: { node: ">=20.19" },
      });
    }
    expect(read("LICENSE")).toMatch(/Apache License\s+Version 2\.0, January 2004/);
  });

  test("depend on each other in the version they have", () => {
    const { version } = readJson("package.json") as Manifest;
    for (const path of manifests) {
      for (const [name, range] of Object.entries((readJson(path) as Manifest).dependencies ?? {})) {
        if (name.startsWith("holdfast-")) expect(`${path} ${range}`).toBe(`${path} ${version}`);
      }
    }
  });

  test("declare every library that the room table lets in", () => {
    for (const [folder, { packages }] of Object.entries(PROJECTS)) {
      const homes = manifests.filter(path =>
        `${folder}/`.startsWith(path.replace(/package.json$/, "")),
      );
      const manifest = readJson(homes.at(-1) ?? "") as Manifest;
      const declared = { ...manifest.dependencies, ...manifest.devDependencies };
      const missing = packages.filter(name => declared[name] === undefined);
      expect({ folder, missing }).toEqual({ folder, missing: [] });
    }
  });

  test("are locked without naming a registry", () => {
    expect(read("package-lock.json")).not.toMatch(/"resolved": "https?:/);
  });

  test("need no newer Node than they say", () => {
    const { packages } = readJson("package-lock.json") as {
      packages: Record<string, { engines?: { node?: string }; optional?: boolean }>;
    };
    const newer = Object.entries(packages).filter(([, { engines, optional }]) => {
      const floors = [...(engines?.node ?? "0").matchAll(/(?<![\d.<])(\d+)(?:\.(\d+))?/g)];
      const runs = floors.some(
        ([, major, minor]) => Number(major) * 100 + Number(minor ?? 0) <= 2019,
      );
      return !runs && optional !== true;
    });
    expect(newer.map(([name]) => name)).toEqual([]);
  });
});
