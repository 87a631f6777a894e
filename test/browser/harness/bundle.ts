/** A user's program as a bundler makes it one file: vite, with the settings it comes with. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** Not there: it only says from where imports are resolved. */
const PROGRAM = join(ROOT, "program.js");

export interface Bundle {
  readonly code: string;
  /** Every module within, as a path from the repository's root. */
  readonly modules: readonly string[];
  /** What of Node it asks for: nothing of that is there in a browser. */
  readonly ofNode: readonly string[];
}

/** What vite puts in the place of Node's modules. */
const IN_NODES_PLACE = "__vite-browser-external";

export async function bundle(code: string): Promise<Bundle> {
  const built = await build({
    root: ROOT,
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      target: "es2022",
      rolldownOptions: { input: PROGRAM, preserveEntrySignatures: "strict" },
    },
    plugins: [
      {
        name: "program",
        enforce: "pre",
        resolveId: id => (id === PROGRAM ? id : null),
        load: id => (id === PROGRAM ? code : null),
      },
    ],
  });
  const { output } = (Array.isArray(built) ? built[0] : built) as Rolldown.RolldownOutput;
  const [chunk] = output;
  const modules = chunk.moduleIds.map(id => id.replace(ROOT, ""));
  return {
    code: chunk.code,
    modules,
    ofNode: [...chunk.imports, ...modules].filter(
      id => id.includes(IN_NODES_PLACE) || id.startsWith("node:"),
    ),
  };
}
