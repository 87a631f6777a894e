import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type NodeId, nodeId } from "../../src/base/ids.js";
import {
  reachedByQuorum,
  type Verdict,
  type Voters,
  verdict,
} from "../../src/raft/quorum/quorum.js";

/** Every subset of a set, the dumb way. */
function subsets(ids: readonly NodeId[]): NodeId[][] {
  let all: NodeId[][] = [[]];
  for (const id of ids) all = all.concat(all.map(one => one.concat(id)));
  return all;
}

/** A quorum is a subset with more than half of each half that has voters. */
function isQuorum(voters: Voters, subset: readonly NodeId[]): boolean {
  return [voters.incoming, voters.outgoing].every(
    half => half.length === 0 || half.filter(id => subset.includes(id)).length > half.length / 2,
  );
}

const ids = fc
  .uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 5 })
  .map(list => list.sort((a, b) => a - b).map(nodeId));
const joint: fc.Arbitrary<Voters> = fc
  .record({ incoming: ids, outgoing: ids })
  .filter(({ incoming }) => incoming.length > 0);
const all = [1, 2, 3, 4, 5, 6].map(nodeId);

describe("quorums, against a twin that tries every subset", () => {
  test("the number a quorum has reached is the best that all members of some quorum have", () => {
    fc.assert(
      fc.property(joint, fc.array(fc.nat(9), { minLength: 7, maxLength: 7 }), (voters, numbers) => {
        const numberOf = (id: NodeId): number => numbers[id] ?? 0;
        const expected = subsets(all)
          .filter(subset => subset.length > 0 && isQuorum(voters, subset))
          .map(subset => Math.min(...subset.map(numberOf)))
          .reduce((a, b) => Math.max(a, b), 0);
        expect(reachedByQuorum(voters, numberOf)).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("a vote is won or lost exactly when no outstanding answer can change that", () => {
    const answer = fc.constantFrom(true, false, null);
    fc.assert(
      fc.property(joint, fc.array(answer, { minLength: 7, maxLength: 7 }), (voters, answers) => {
        const saying = (wanted: readonly (boolean | null)[]): NodeId[] =>
          all.filter(id => wanted.includes(answers[id] ?? null));
        const expected: Verdict = isQuorum(voters, saying([true]))
          ? "won"
          : isQuorum(voters, saying([true, null]))
            ? "pending"
            : "lost";
        expect(verdict(voters, id => answers[id] ?? null)).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });
});
