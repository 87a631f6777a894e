/**
 * Entries into the state machine, whatever they are: commands that make sense, commands that do
 * not, bytes that are none. One machine only applies them; its twin goes through snapshots in
 * between, and must say and be the same throughout.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import type { Command, RequestIdentity } from "../../../src/state/index.js";
import { absurd } from "../../state/absurd.js";
import { command } from "../../state/arbitrary.js";
import { Driver, restored, type Step as StateStep } from "../../state/driver.js";
import { type Mutation, mutate, mutations } from "../mutator.js";
import { type FuzzTarget, hold } from "../target.js";

type Step =
  | { readonly apply: readonly StateStep[]; readonly afterMs: number }
  /** The same, with its bytes changed. */
  | { readonly apply: readonly StateStep[]; readonly changes: readonly Mutation[] }
  | { readonly bytes: Uint8Array }
  | { readonly restore: number };

/** A window and tables so small that they overflow. */
const LIMITS = {
  historyRevisions: 12,
  requestWindowPerClient: 4,
  maxRequestClients: 2,
  maxIdempotencyKeys: 2,
  endedEntriesKept: 6,
  endedLeasesKept: 3,
  maxStateBytes: 20_000,
  maxKeptAnswerBytes: 500,
};

const number = fc.oneof(
  fc.integer({ min: 1, max: 12 }),
  fc.constantFrom(0, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER),
);
const request: fc.Arbitrary<RequestIdentity> = fc.oneof(
  fc.record(
    {
      client: fc.constantFrom("00000000000000a1", "00000000000000a2", "00000000000000a3"),
      number,
      low: number,
      lease: fc.constantFrom("1", "2", "ff"),
    },
    { requiredKeys: ["client", "number", "low"] },
  ),
  fc.record({ key: fc.constantFrom("k1", "k2", "k3"), fingerprint: fc.constantFrom("f", "g") }),
);

const anyCommand = fc.oneof(
  { weight: 4, arbitrary: command },
  { weight: 1, arbitrary: absurd },
) as fc.Arbitrary<Command>;
const stateStep: fc.Arbitrary<StateStep> = fc.record(
  { command: anyCommand, request },
  { requiredKeys: ["command"] },
);
const afterMs = fc.constantFrom(0, 0, 1, 1_000, 600_001);

function step(size: number): fc.Arbitrary<Step> {
  const apply = fc.array(stateStep, { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { weight: 12, arbitrary: fc.record({ apply, afterMs }) },
    { weight: 2, arbitrary: fc.record({ apply, changes: mutations(size) }) },
    { weight: 1, arbitrary: fc.record({ bytes: fc.uint8Array({ maxLength: 60 }) }) },
    { weight: 3, arbitrary: fc.record({ restore: fc.constantFrom(1, 7, 100, 65_536) }) },
  );
}

export const state: FuzzTarget<readonly Step[]> = {
  name: "state",
  promise: "apply answers every entry, and a machine that was restored goes on as if it had not",
  reaches: ["applied", "stopped by STATE_FORMAT_TOO_NEW"],
  shortRuns: 250,

  samples: () => ({
    line: [
      { apply: [{ command: { kind: "lease.grant", lease: "1", ttlMs: 5_000 } }], afterMs: 0 },
      {
        apply: [{ command: { kind: "lock.acquire", name: "a", lease: "1", wait: true } }],
        afterMs: 5,
      },
      { restore: 7 },
      {
        apply: [{ command: { kind: "lease.expire", leases: ["1"], asOfIndex: 2 } }],
        afterMs: 1_000,
      },
    ],
  }),

  inputs: (corpus, size) => {
    const fresh = fc.array(step(size), { maxLength: 10 + 15 * size });
    if (corpus.length === 0) return fresh;
    // What came to something before, with more behind it.
    const continued = fc
      .tuple(fc.constantFrom(...corpus), fc.array(step(size), { maxLength: 5 * size }))
      .map(([before, more]) => [...before, ...more]);
    return fc.oneof({ weight: 5, arbitrary: fresh }, { weight: 1, arbitrary: continued });
  },

  fuzz: steps => {
    const plain = new Driver(LIMITS);
    const twin = new Driver(LIMITS);
    for (const one of steps) {
      if ("restore" in one) {
        twin.machine = restored(twin.machine, one.restore);
        hold(twin.machine.hash() === plain.machine.hash(), "a restored machine is the same");
        continue;
      }
      const stop = applyBoth(plain, twin, one);
      if (stop !== null) return `stopped by ${stop}`;
    }
    hold(restored(plain.machine, 1000).hash() === twin.machine.hash(), "both end as one");
    return "applied";
  },
};

function applyBoth(plain: Driver, twin: Driver, one: Exclude<Step, { restore: number }>) {
  const bytes = entryOf(plain, one);
  const stop = plain.applyBytes(bytes);
  const stopOfTwin = twin.applyBytes(bytes);
  hold(stop?.code === stopOfTwin?.code, "both stop, or neither");
  const said = plain.recorder.take();
  const saidByTwin = twin.recorder.take();
  hold(alike(said, saidByTwin), "both say the same");
  if (stop !== null) return stop.code;
  if ("apply" in one && "afterMs" in one) {
    const answers = said.filter(({ event }) => event === "answer").length;
    hold(answers === one.apply.length, "every command is answered once");
  }
  look(plain, twin);
  return null;
}

function entryOf(driver: Driver, one: Exclude<Step, { restore: number }>): Uint8Array {
  if ("bytes" in one) return one.bytes;
  if ("afterMs" in one) driver.nowMs += one.afterMs;
  const bytes = driver.entry(one.apply);
  return "changes" in one ? mutate(bytes, one.changes) : bytes;
}

/** As data: fields in any order, and one that is undefined is none. */
const alike = (a: unknown, b: unknown): boolean =>
  isDeepStrictEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)));

/** Reads, which never throw, and see the same in both. */
function look(plain: Driver, twin: Driver): void {
  const seen = [plain, twin].map(({ machine }) => {
    const lines = machine.lines("", "", 3);
    const first = lines.lines[0]?.name ?? "a";
    const { revision } = machine;
    return [
      lines,
      machine.inspect(first, 3),
      machine.range({
        span: { from: "", to: null },
        limit: 5,
        revision: Math.max(1, revision - 2),
      }),
      machine.leases("", 3),
      machine.counters(),
    ];
  });
  hold(alike(seen[0], seen[1]), "both show the same");
}
