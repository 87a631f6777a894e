/** Finds every import of a source file, of types as well, and judges it by the room table. */
import { posix } from "node:path";
import { parseSync } from "vite";
import { PROJECTS, projectOf, WORKSPACES } from "./rooms.js";
import { visit } from "./syntax.js";

/** The specifiers a file imports or re-exports from, statically, dynamically or as a type. */
export function specifiersOf(path: string, code: string): string[] {
  const { module, program, errors } = parseSync(path, code, { lang: "ts" });
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const found = new Set<string>();
  for (const { moduleRequest } of module.staticImports) found.add(moduleRequest.value);
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest } of entries) if (moduleRequest) found.add(moduleRequest.value);
  }
  visit(program, node => {
    if (node.type !== "ImportExpression" && node.type !== "TSImportType") return;
    const source = node.source as { value?: unknown };
    found.add(typeof source.value === "string" ? source.value : "(computed)");
  });
  return [...found];
}

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

function judgeRoom(from: string, to: string): string | null {
  if (from === to || PROJECTS[from]?.mayImport.includes(to)) return null;
  return `${from} may not import ${to}`;
}

/** Runs the client's own code over a network of its own, and knows how to find it when built. */
const REACHES_INSIDE = "test/sim";

function judgeRelative(path: string, specifier: string): string | null {
  const target = posix.join(posix.dirname(path), specifier);
  if (target.startsWith("..")) return "leaves the repository";
  if (target.split("/").includes("dist")) return "imports build output";
  if (!/\.(js|json)$/.test(specifier)) return "a relative import ends in .js";
  const from = projectOf(path);
  if (from === null) return null;
  for (const [name, { folder }] of Object.entries(WORKSPACES)) {
    const inside = (file: string): boolean => file.startsWith(`${folder}/`);
    if (inside(target) && !inside(path) && from !== REACHES_INSIDE)
      return `import ${name} by its name`;
  }
  const to = projectOf(target);
  if (from === "bench" && to !== "bench") return "bench reaches the rooms through #src/";
  return to === null ? `${from} may not import ${target}` : judgeRoom(from, to);
}

function judgePackage(from: string | null, specifier: string): string | null {
  const name = packageOf(specifier);
  const workspace = WORKSPACES[name];
  if (from === null) return null;
  if (workspace !== undefined) {
    const light = from.startsWith("clients/") || from === "src/cli";
    if (specifier === "holdfast-protocol/schemas" && light) {
      return "client and command do not load the schemas";
    }
    return judgeRoom(from, workspace.project);
  }
  if (specifier.startsWith("node:")) {
    return PROJECTS[from]?.node ? null : `${from} may not import Node's modules`;
  }
  return PROJECTS[from]?.packages.includes(name) ? null : `${from} may not import ${name}`;
}

/** What is wrong with the file at `path` importing `specifier`; null when nothing is. */
export function judgeImport(path: string, specifier: string): string | null {
  if (specifier === "(computed)") return projectOf(path) ? "a computed import hides a wall" : null;
  if (/(^|\/)dist\//.test(specifier)) return "imports build output";
  if (specifier.startsWith(".")) return judgeRelative(path, specifier);
  if (specifier.startsWith("/")) return "imports an absolute path";
  if (specifier.startsWith("#")) {
    const known = specifier.startsWith("#src/") && path.startsWith("bench/");
    return known ? null : "only bench imports through #src/";
  }
  return judgePackage(projectOf(path), specifier);
}
