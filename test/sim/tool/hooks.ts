/**
 * Module hooks of the built simulator. Its sources import the product as `../../src/…`, which is
 * right for vitest; built, the same path means what tsc made of it. And where a bug is to be
 * planted, the one file it names is changed on its way into the process, and nowhere else.
 */
import { readFile } from "node:fs/promises";
import type { InitializeHook, LoadHook, ResolveHook } from "node:module";
import { fileURLToPath } from "node:url";
import type { MessagePort } from "node:worker_threads";

/** What is to stand in a built file in the place of something else. */
export interface Change {
  /** From the repository's root: `dist/raft/…` or `clients/typescript/dist/…`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface HookData {
  readonly change: Change | null;
  /** Told once the change is made. */
  readonly port: MessagePort | null;
}

const ROOT = new URL("../../../", import.meta.url);
const BUILT: readonly (readonly [from: URL, to: URL])[] = [
  [new URL("clients/typescript/", ROOT), new URL("clients/typescript/dist/", ROOT)],
  [new URL("src/", ROOT), new URL("dist/", ROOT)],
];

let data: HookData = { change: null, port: null };

export const initialize: InitializeHook<HookData> = given => {
  data = given;
};

export const resolve: ResolveHook = (specifier, context, next) => {
  const { parentURL } = context;
  if (specifier.startsWith(".") && parentURL?.startsWith(new URL("dist/sim/", ROOT).href)) {
    const { href } = new URL(specifier, parentURL);
    for (const [from, to] of BUILT)
      if (href.startsWith(from.href)) return next(to.href + href.slice(from.href.length), context);
  }
  return next(specifier, context);
};

export const load: LoadHook = async (url, context, next) => {
  const { change, port } = data;
  if (change === null || url !== new URL(change.file, ROOT).href) return next(url, context);
  const source = changed(await readFile(fileURLToPath(url), "utf8"), change);
  port?.postMessage("planted");
  return { format: "module", source, shortCircuit: true };
};

/** The piece must be there once: a bug that has lost its place is no test of anything. */
export function changed(source: string, { file, find, replace }: Change): string {
  const pieces = source.split(find);
  if (pieces.length !== 2)
    throw new Error(`${file} holds the piece to be changed ${pieces.length - 1} times, not once`);
  return pieces.join(replace);
}
