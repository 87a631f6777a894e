/** Small random histories: the checker and its dumb twin must say the same of every one. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entriesOf } from "./core/entries.js";
import { Search } from "./core/search.js";
import {
  type Answer,
  check,
  election,
  lock,
  type Model,
  type Op,
  type Operation,
  register,
} from "./index.js";
import { isPossible } from "./trials/twin.js";

type Asked = readonly [Op, Answer | null];

const number = fc.integer({ min: 1, max: 5 });
const flag = fc.boolean();
const value = fc.constantFrom("a", "b", "c");
const valueOrNull = fc.option(value, { nil: null, freq: 4 });

/** Present or not, as the format has it. */
const maybe = <T>(name: string, inner: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.oneof(
    fc.constant({}),
    inner.map(one => ({ [name]: one })),
  );

const asked = (
  op: fc.Arbitrary<Record<string, unknown>>,
  answer: fc.Arbitrary<Record<string, unknown> | null>,
): fc.Arbitrary<Asked> =>
  fc
    .tuple(op, answer)
    .map(([some, told]) => [{ key: "k", ...some } as unknown as Op, told as Answer | null]);

const kind = (name: string, fields: Record<string, fc.Arbitrary<unknown>> = {}) =>
  fc.record({ kind: fc.constant(name), ...fields });

const withRevision = (happened: string): fc.Arbitrary<Record<string, unknown>> =>
  fc.oneof(
    fc.constant({ [happened]: false }),
    maybe("revision", number).map(told => ({ [happened]: true, ...told })),
  );

const registerAsked = fc.oneof(
  asked(kind("put", { value }), maybe("revision", number)),
  asked(
    kind("get"),
    fc.oneof(
      fc.constant({ value: null }),
      fc.tuple(value, maybe("revision", number)).map(([seen, told]) => ({ value: seen, ...told })),
    ),
  ),
  asked(kind("cas", { expect: valueOrNull, value }), withRevision("swapped")),
  asked(kind("delete"), withRevision("deleted")),
);

const taken = fc.oneof(
  { weight: 3, arbitrary: number.map(token => ({ token })) },
  { weight: 1, arbitrary: fc.constant({ refused: true }) },
);

const tenure = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.constant({ mayExpire: true }) },
  // From the call on: the operation's maker adds the call.
  {
    weight: 2,
    arbitrary: fc.integer({ min: 0, max: 9 }).map(heldUntil => ({ mayExpire: true, heldUntil })),
  },
);

const grant = (some: Record<string, fc.Arbitrary<unknown>> & { kind: fc.Arbitrary<string> }) =>
  fc.tuple(fc.record(some), tenure).map(([op, ends]) => ({ ...op, ...ends }));

const lockAsked = fc.oneof(
  {
    weight: 3,
    arbitrary: asked(grant({ kind: fc.constant("acquire"), holder: value }), taken),
  },
  {
    weight: 2,
    arbitrary: asked(
      kind("release", { token: number }),
      flag.map(released => ({ released })),
    ),
  },
  { weight: 1, arbitrary: asked(kind("expire", { token: number }), fc.constant(null)) },
);

const candidate = fc.constantFrom("x", "y");

const electionAsked = fc.oneof(
  {
    weight: 3,
    arbitrary: asked(grant({ kind: fc.constant("lead"), candidate, value: candidate }), taken),
  },
  {
    weight: 2,
    arbitrary: asked(
      kind("leader"),
      fc.oneof(
        fc.constant({ candidate: null }),
        fc
          .tuple(candidate, maybe("token", number), maybe("value", candidate))
          .map(([seen, token, told]) => ({ candidate: seen, ...token, ...told })),
      ),
    ),
  },
  {
    weight: 2,
    arbitrary: asked(
      kind("resign", { token: number }),
      flag.map(resigned => ({ resigned })),
    ),
  },
  { weight: 1, arbitrary: asked(kind("expire", { token: number }), fc.constant(null)) },
);

/** Where in time, and whether somebody heard of it. */
const timed = (what: fc.Arbitrary<Asked>): fc.Arbitrary<Operation> =>
  fc
    .tuple(what, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 5 }), fc.nat(9))
    .map(([[op, answer], call, lasted, fate]): Operation => {
      const held = "heldUntil" in op && op.heldUntil !== undefined;
      const moved: Op = held ? { ...op, heldUntil: (op.heldUntil ?? 0) + call } : op;
      const all = { process: "w", op: moved, call };
      if (fate === 9) return { ...all, return: call + lasted, result: "failed" };
      const heard = answer !== null && fate > 2;
      return { ...all, return: heard ? call + lasted : null, result: heard ? answer : "unknown" };
    });

function agree(model: Model, what: fc.Arbitrary<Asked>): void {
  const seen = { linearizable: 0, violation: 0 };
  fc.assert(
    fc.property(fc.array(timed(what), { minLength: 2, maxLength: 6 }), operations => {
      const possible = isPossible(operations);
      const { verdict } = check({ operations }, model);
      expect(verdict).toBe(possible ? "linearizable" : "violation");
      // The search must find out by itself as well what the times alone told.
      const search = new Search(entriesOf(operations, model), model);
      const { end } = search.run({ limitSteps: 1_000_000, isOver: () => false });
      expect(end).toBe(possible ? "placed" : "impossible");
      if (verdict !== "unknown") seen[verdict] += 1;
    }),
    { numRuns: Number(process.env.CHECKER_RUNS ?? 1_500) },
  );
  // Histories that are all of one sort would show nothing.
  expect(Math.min(seen.linearizable, seen.violation)).toBeGreaterThan(100);
}

describe("the checker says what trying every order says", () => {
  test("of registers", () => agree(register, registerAsked));
  test("of locks", () => agree(lock, lockAsked));
  test("of elections", () => agree(election, electionAsked));
});
