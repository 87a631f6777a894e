/**
 * The simulator's smoke: some seeds from source, each run twice, and the scripts of what once went
 * wrong. For more there is the command: `npm run sim -- --help`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runSeed } from "./run.js";
import { parseScript, type Script } from "./script.js";

const SEEDS = Array.from({ length: 10 }, (_, at) => at + 1);
/** A seed takes half a second; a busy machine may take its time. */
const TIMEOUT_MS = 120_000;
const FOLDER = new URL("./seeds/", import.meta.url);
const scripts = readdirSync(FOLDER).filter(name => name.endsWith(".json"));

async function passesTwice({ seed, overrides }: Omit<Script, "shows">): Promise<void> {
  const first = await runSeed(seed, { overrides });
  expect(first.violation?.details.slice(0, 6_000) ?? null).toBeNull();
  const again = await runSeed(seed, { overrides });
  expect({ seed, digest: again.digest }).toEqual({ seed, digest: first.digest });
}

test.each(SEEDS)(
  "a cluster under the faults of seed %i keeps its promises, twice in the same way",
  seed => passesTwice({ seed, overrides: {} }),
  TIMEOUT_MS,
);

test.each(scripts)(
  "what %s once showed does not come back",
  async name => {
    await passesTwice(parseScript(readFileSync(new URL(name, FOLDER), "utf8")));
  },
  TIMEOUT_MS,
);
