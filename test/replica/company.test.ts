/** When an entry waits for company, and that it never waits for nothing. */
import { describe, expect, test } from "vitest";
import { logIndex, term } from "../../src/base/ids.js";
import type { AppendOutcome } from "../../src/log/port/index.js";
import { REPLICA_LIMITS } from "../../src/replica/limits.js";
import { Assembly } from "../../src/replica/proposals/assembly.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { EntryBuilder } from "../../src/state/index.js";

const TERM = term(1);
const COMMAND = new Uint8Array(8);

class CountingLog {
  entries = 0;
  refuse = false;
  append(): AppendOutcome {
    if (this.refuse) return { ok: false, refusal: "not-leader" };
    this.entries += 1;
    return { ok: true, index: logIndex(this.entries), term: TERM };
  }
}

function world() {
  const log = new CountingLog();
  const told: number[] = [];
  const clock = { clusterTimeMs: () => 0, wallMs: () => 0 };
  const assembly = new Assembly(log, new EntryBuilder(nodeBytes), clock, REPLICA_LIMITS);
  const contributor = { appended: (count: number) => void told.push(count) };
  const turn = (commands: number) => {
    for (let n = 0; n < commands; n += 1) assembly.add(TERM, COMMAND, contributor);
    assembly.flush();
  };
  return { log, told, assembly, turn };
}

describe("an entry in the making", () => {
  test("goes at once when nothing is under way, however small", () => {
    const { log, told, turn } = world();
    turn(1);
    expect(log.entries).toBe(1);
    expect(told).toEqual([1]);
  });

  test("does not wait behind a few: a lone command follows a lone one", () => {
    const { log, turn } = world();
    turn(1);
    turn(1);
    expect(log.entries).toBe(2);
  });

  test("waits while it has less than half of what is under way, and gathers the next turn's", () => {
    const { log, told, turn } = world();
    turn(10);
    turn(2);
    expect(log.entries).toBe(1);
    turn(3);
    expect(log.entries).toBe(2);
    expect(told).toEqual([10, 5]);
  });

  test("goes when what it waited for is committed", () => {
    const { log, assembly, turn } = world();
    turn(10);
    turn(2);
    assembly.flushHeld();
    expect(log.entries).toBe(1);
    assembly.committed(logIndex(1));
    assembly.flushHeld();
    expect(log.entries).toBe(2);
  });

  test("of a turn that is not over yet is not torn apart by a commit", () => {
    const { log, told, assembly, turn } = world();
    turn(10);
    assembly.add(TERM, COMMAND, { appended: () => {} });
    assembly.committed(logIndex(1));
    assembly.flushHeld();
    expect(log.entries).toBe(1);
    expect(told).toEqual([10]);
  });

  test("of a term that is over is refused when a later term's entry comes, and not a second time", () => {
    const { log, told, assembly, turn } = world();
    turn(10);
    turn(2);
    log.refuse = true;
    assembly.entryOf(1);
    expect(told).toEqual([10]);
    assembly.entryOf(2);
    expect(told).toEqual([10, 2]);
    assembly.flush();
    expect(log.entries).toBe(1);
    expect(told).toEqual([10, 2]);
  });

  test("waits for nobody once leadership is in question: its commands hear of the refusal", () => {
    const { log, told, assembly, turn } = world();
    turn(10);
    turn(2);
    log.refuse = true;
    assembly.leadershipChanged();
    assembly.flush();
    expect(log.entries).toBe(1);
    expect(told).toEqual([10, 2]);
  });
});
