/**
 * The short run, part of `npm test`: every file of the corpus again, then as many inputs as take a
 * second or two, from one seed, so that it is the same every time. The long run is `npm run fuzz`.
 */
import { afterAll, describe, expect, test } from "vitest";
import { readCorpus, writeCorpusFile } from "./corpus.js";
import { messageOf, replay, search } from "./runner.js";
import type { FuzzTarget } from "./target.js";
import { TARGETS } from "./targets/index.js";
import { textOf } from "./text.js";

const SEED = 20_261;
const SIZE = 2;
/** A failure is shrunk before it is told. */
const TIMEOUT_MS = 120_000;
const REWRITES = process.env.REWRITE === "1";

/** Writes the samples, and the outcome of whatever is in the corpus, as they are now. */
async function rewrite(target: FuzzTarget): Promise<void> {
  for (const [name, input] of Object.entries(target.samples())) {
    const why = ["A good one: mutation starts from it."];
    writeCorpusFile(target.name, { name: `sample-${name}`, why, outcome: null, input });
  }
  for (const file of readCorpus(target.name)) {
    const outcome = await target.fuzz(file.input);
    writeCorpusFile(target.name, { ...file, outcome });
  }
}

describe.each(TARGETS.map(target => [`${target.name}: ${target.promise}`, target] as const))(
  "%s",
  (_title, target) => {
    afterAll(() => target.close?.());

    test("what lies in the corpus comes to what it came to before", async () => {
      if (REWRITES) await rewrite(target);
      const corpus = readCorpus(target.name);
      const complaints: string[] = [];
      for (const file of corpus) {
        const complaint = await replay(target, file);
        if (complaint !== null) complaints.push(`${file.name}: ${complaint}`);
      }
      expect(complaints).toEqual([]);
      expect(corpus.length).toBeGreaterThanOrEqual(Object.keys(target.samples()).length);
    });

    test(
      "what is made of it holds as well, and comes to every outcome",
      async () => {
        const { shortRuns: runs, reaches, name } = target;
        const found = await search(target, readCorpus(name), { seed: SEED, size: SIZE, runs });
        if (found.finding !== null) {
          const { input, error } = found.finding;
          expect.fail(`${messageOf(error)}\n\nwith this input:\n${textOf(input)}`);
        }
        expect([...found.outcomes.keys()]).toEqual(expect.arrayContaining([...reaches]));
      },
      TIMEOUT_MS,
    );
  },
);
