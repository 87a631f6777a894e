/**
 * How the tests run: TypeScript from source, without a build, through the packages' source
 * condition. Only the e2e project runs `dist`, as real processes, one file at a time and last.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vitest/config";

const conditions = ["holdfast-source", "module", "node", "development|production"];

/** `./x.js` means x.ts, even where stray compiler output lies beside it. */
const sourceFirst: Plugin = {
  name: "source-first",
  enforce: "pre",
  resolveId(specifier, importer) {
    if (!specifier.startsWith(".") || !importer?.endsWith(".ts")) return null;
    const source = resolve(importer, "..", specifier.replace(/\.js$/, ".ts"));
    return existsSync(source) && source.endsWith(".ts") ? source : null;
  },
};

const shared = {
  environment: "node",
  // sorted-btree is CommonJS with a double default: read it as Node does.
  deps: { interopDefault: false },
} as const;

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  plugins: [sourceFirst],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/browser/**"],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...shared,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", "test/browser/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
