/**
 * What the search for a circle costs, for line.ts to measure: one who holds a lock asks for a long
 * line, in which threads wait that hold others. The search looks at those threads and at nobody
 * else, so that it costs what they are, however long the line is.
 */
import type { Command } from "#src/state/index.js";
import { median } from "../load/report.js";
import { keyOf, type StandingLine, type StandingLines, session } from "./standing-lines.js";

/** Stands where the last thread waits for it, so that it closes a circle by asking. */
const IN_CIRCLE = "asker-in-circle";
const ALONE = "asker-alone";
const own = (actor: string): string => `bench/own-${actor}`;

export class Threads {
  readonly #lines: StandingLines;
  readonly #line: StandingLine;
  readonly #threads: number;

  /** So many threads hold a lock each and wait in the first line, behind all others. */
  constructor(lines: StandingLines, threads: number) {
    const [line] = lines.lines;
    if (line === undefined) throw new Error("there are no lines");
    this.#lines = lines;
    this.#line = line;
    this.#threads = threads;
    const actors = Array.from({ length: threads }, (_, i) => `thread-${i}`);
    const askers = [ALONE, IN_CIRCLE];
    lines.run(
      [...actors, ...askers].map((actor, i) => this.#ask(own(actor), actor, i)),
      "granted",
    );
    lines.run(
      actors.map((actor, i) => this.#ask(line.name, actor, i)),
      "waiting",
    );
    const last = threads - 1;
    lines.run([this.#ask(own(IN_CIRCLE), `thread-${last}`, last)], "waiting");
  }

  /** Microseconds to ask for the first line, where nobody waits for the one that asks. */
  askAlone(count: number): number {
    const took = Array.from({ length: count }, () => {
      const ask = this.#ask(this.#line.name, ALONE, this.#threads);
      const us = this.#lines.run([ask], "waiting");
      const key = keyOf(this.#line.name, this.#lines.machine.revision);
      this.#lines.run([{ kind: "lock.cancel", key }], "cancelled");
      return us;
    });
    return median(took);
  }

  /** Microseconds to be refused, since it would close a circle: everyone is looked at. */
  askInCircle(count: number): number {
    const ask = this.#ask(this.#line.name, IN_CIRCLE, this.#threads + 1);
    return this.#lines.run(Array<Command>(count).fill(ask), "refused", 1);
  }

  #ask(name: string, actor: string, of: number): Command {
    const lease = session(of % this.#lines.sessions);
    return { kind: "lock.acquire", name, lease, actor, wait: true };
  }
}
