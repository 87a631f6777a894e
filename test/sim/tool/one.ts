/** Replays one seed in this process, and writes down what happens, aligned for reading. */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { register } from "node:module";
import { drawPage, type Report } from "../../checker/index.js";
import { parseScript, type Script } from "../script.js";
import type { HookData } from "./hooks.js";
import { drawOf, type Options } from "./options.js";
import { shrinkTo } from "./shrink.js";

export async function one(options: Options): Promise<boolean> {
  const { script: path, seed, log, picture, out } = options;
  const script: Script =
    path === null
      ? { seed: seed ?? 1, overrides: drawOf(options), shows: "" }
      : parseScript(readFileSync(path, "utf8"));
  register<HookData>("./hooks.js", import.meta.url, { data: { change: null, port: null } });
  const { runSeed } = await import("../run.js");
  const file = log === null ? 1 : openSync(log, "w");
  const onNote = (atMs: number, what: string): void => {
    writeSync(file, `${lineOf(atMs, what)}\n`);
  };
  const { overrides } = script;
  const observers = picture === null ? { onNote } : { onNote, onHistory: drawn(script, picture) };
  const verdict = await runSeed(script.seed, { overrides, ...observers });
  if (log !== null) closeSync(file);
  const { events, simulatedMs, digest, violation } = verdict;
  const figures = `${events} events, ${(simulatedMs / 1000).toFixed(1)} s simulated`;
  console.log(`seed ${script.seed}: ${figures}, digest ${digest}`);
  if (violation === null) return true;
  console.log(`BROKEN: ${violation.details.split("\n").slice(0, 12).join("\n")}`);
  if (out !== null) await shrinkTo(out, script, violation.kind, options.jobs);
  return false;
}

const drawn =
  ({ seed }: Script, path: string) =>
  (report: Report): void =>
    writeFileSync(path, drawPage(report, `seed ${seed}`));

const ACTOR = /^(n\d|[a-z]+\d+)$/;
const DECIDED = /^(granted|ended|lease)$/;

/** Time, who, what: a node, a client, the log ("line"), or what was done to them ("fault"). */
export function lineOf(atMs: number, what: string): string {
  const [first = "", ...rest] = what.split(" ");
  const isActor = ACTOR.test(first);
  const who = isActor ? first : DECIDED.test(first) ? "line" : "fault";
  return `${atMs.toFixed(1).padStart(9)}  ${who.padEnd(12)}${isActor ? rest.join(" ") : what}`;
}
