// `npm run fuzz`: loads the tests' TypeScript through vite, as the tests themselves do, and hands
// it the command line. test/fuzz/README.md tells what it is for.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const conditions = ["holdfast-source", "module", "node", "development|production"];

/** `./x.js` means x.ts, even where stray compiler output lies beside it. */
const sourceFirst = {
  name: "source-first",
  enforce: "pre",
  resolveId(specifier, importer) {
    if (!specifier.startsWith(".") || !importer?.endsWith(".ts")) return null;
    const source = resolve(importer, "..", specifier.replace(/\.js$/, ".ts"));
    return existsSync(source) && source.endsWith(".ts") ? source : null;
  },
};

const server = await createServer({
  root,
  configFile: false,
  logLevel: "error",
  appType: "custom",
  plugins: [sourceFirst],
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
  resolve: { conditions },
  ssr: { resolve: { conditions } },
});
let status = 1;
try {
  const { main } = await server.ssrLoadModule("/test/fuzz/campaign.ts");
  status = await main(process.argv.slice(2));
} finally {
  await server.close();
}
process.exit(status);
