/** Bugs in who holds beside whom, and in what takes a lock away; all nodes share them. */
import type { Overrides } from "../script.js";
import type { Bug } from "./bug.js";

/** Clients who do nothing else, and somebody who writes. */
const only = (workload: string): Overrides => ({
  workloads: [...Array(8).fill(workload), "appender"],
  operator: false,
});

export const LINES: readonly Bug[] = [
  {
    name: "a reader overtakes a writer",
    file: "dist/state/lock/acquire.js",
    find: "if (line.granted < line.size || !mayHold(world, line, mode))",
    replace: 'if ((line.granted < line.size && mode !== "shared") || !mayHold(world, line, mode))',
    withinSeeds: 5,
    why: "readers who come and go keep a writer waiting for ever",
    overrides: only("reader"),
  },
  {
    name: "a run's fence is not inherited",
    file: "dist/state/lock/admit.js",
    find: "const fence = line === undefined ? 0 : runFence(world, line);",
    replace: "const fence = 0;",
    withinSeeds: 5,
    why: "a reader who joins others fences them out",
    overrides: only("reader"),
  },
  {
    name: "one permit too many",
    file: "dist/state/lock/admit.js",
    find: "return line.granted < permitsOf(world, line);",
    replace: "return line.granted <= permitsOf(world, line);",
    withinSeeds: 5,
    why: "a permit is counted twice",
    overrides: only("permit"),
  },
  {
    name: "nobody is let in when permits grow",
    file: "dist/state/lock/configure-line.js",
    find: "if (line !== undefined)\n        world.touch(line);",
    replace: "",
    withinSeeds: 10,
    why: "who waits waits on until somebody leaves",
    overrides: only("permit"),
  },
  {
    name: "several names are granted for the first of them",
    file: "dist/state/lock/admit.js",
    find: "if (line.keyAt(line.granted) !== key || !mayHold(world, line, entry.mode))",
    replace:
      "if (key === group[0] && (line.keyAt(line.granted) !== key || " +
      "!mayHold(world, line, entry.mode)))",
    withinSeeds: 5,
    why: "who is first in one line only is granted in all",
    overrides: only("pair"),
  },
  {
    name: "only two can wait in a circle",
    file: "dist/state/lock/circle.js",
    find: "this.#open.push(this.#asker);",
    replace: `for (const { file, behind } of this.#asker.waits) this.#lookAt(file, behind);
        const direct = this.#open.splice(0);
        for (const { waits } of direct)
            for (const { file, behind } of waits) this.#lookAt(file, behind);
        this.#open.length = 0;`,
    withinSeeds: 20,
    why: "a circle of three is not seen, and nobody in it is ever granted",
    overrides: only("pair"),
  },
  {
    name: "whoever has a lock may not wait for another",
    file: "dist/state/lock/circle.js",
    find: "if (!this.#reached)\n            return null;",
    replace: "if (!this.#reached)\n            return [];",
    withinSeeds: 20,
    why: "a wait is refused that would have ended",
    overrides: only("pair"),
  },
  {
    name: "a moved entry keeps its token",
    file: "dist/state/lock/moves.js",
    find: 'was: was === "" ? oldKey : was };',
    replace: 'was: was === "" ? oldKey : was, fence: Number(oldKey.slice(-20)) };',
    withinSeeds: 30,
    why: "a later grant has a smaller token than the one before",
    overrides: only("ladder"),
  },
  {
    name: "a second break puts the first one off",
    file: "dist/state/lock/ladder.js",
    find: "Math.min(extra.deadlineMs, asked.untilMs);",
    replace: "untilMs;",
    withinSeeds: 60,
    why: "whoever asks again and again never gets it",
    overrides: only("ladder"),
  },
  {
    name: "asked once more, a holder is not broken",
    file: "dist/state/lock/ladder.js",
    find: "extra.asked?.breaks === true\n",
    replace: "extra.asked === undefined\n",
    withinSeeds: 60,
    why: "its grant ends as overdue, and nobody knows who ended it",
    overrides: only("ladder"),
  },
  {
    name: "a line does not stay shut",
    file: "dist/state/kv/write.js",
    find: 'reason === "expired" ? lockDelayMs(world, record) : 0;',
    replace: "0;",
    withinSeeds: 80,
    why: "the next is granted at once after a holder that ran out",
    overrides: only("ladder"),
  },
  {
    name: "a run is claimed after it is done",
    file: "dist/state/kv/write.js",
    find: 'if (outcome === null && claim.onAbandon === "reclaim")',
    replace: 'if (claim.onAbandon === "reclaim")',
    withinSeeds: 5,
    why: "its work is done twice",
    overrides: only("slot"),
  },
  {
    name: "a run that may happen once is claimed again",
    file: "dist/state/kv/write.js",
    find: 'if (outcome === null && claim.onAbandon === "reclaim")',
    replace: "if (outcome === null)",
    withinSeeds: 5,
    why: "a claim that was left is made again, though it was said that it may not be",
    overrides: only("slot"),
  },
];
