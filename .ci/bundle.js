// The client for browsers as one file, for pages without a bundler: `holdfast-client/standalone`.
// Made of what the compiler wrote; made again only when some of that is newer.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const client = join(root, "clients/typescript/dist");
const parts = ["browser", "core"].map(part => join(client, part));
const sources = [...parts, join(root, "src/protocol/dist"), join(root, "package-lock.json")];
const FILE = "holdfast-client.js";

const newest = path => {
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  return Math.max(mtimeMs, ...readdirSync(path).map(name => newest(join(path, name))));
};

const output = join(client, "standalone", FILE);
const sourceMs = Math.max(...sources.map(newest), newest(fileURLToPath(import.meta.url)));
if (!existsSync(output) || newest(output) < sourceMs) {
  const { build } = await import("vite");
  await build({
    root: client,
    configFile: false,
    logLevel: "warn",
    build: {
      outDir: "standalone",
      lib: { entry: "browser/index.js", formats: ["es"], fileName: () => FILE },
      target: "es2022",
      // As a library vite would leave it half done, for a bundler to finish.
      rolldownOptions: { output: { minify: true } },
      sourcemap: true,
      copyPublicDir: false,
    },
  });
}
