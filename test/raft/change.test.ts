/** What a change makes of a configuration, beside set arithmetic as its dumb twin. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { logIndex, type NodeId, nodeId } from "../../src/base/ids.js";
import { changed, left, type MembershipChange } from "../../src/raft/membership/change.js";
import {
  type Configuration,
  decodeConfiguration,
  encodeConfiguration,
  isJoint,
  MAX_REMOVED,
} from "../../src/raft/message/index.js";
import { verdict } from "../../src/raft/quorum/quorum.js";
import { voters } from "./node.js";

const someIds = fc.uniqueArray(fc.integer({ min: 1, max: 7 }).map(nodeId), { maxLength: 2 });
const ids = (configuration: Configuration, role: string): NodeId[] =>
  configuration.members.flatMap(member => (member.role === role ? [member.id] : []));
const AT = logIndex(40);

const start = fc
  .tuple(fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), fc.nat(6))
  .map(([all, learners]) => {
    const cut = Math.max(1, all.length - learners);
    return voters(all.slice(0, cut), all.slice(cut));
  });
const change: fc.Arbitrary<MembershipChange> = fc
  .tuple(someIds, someIds, someIds, someIds)
  .map(([add, promote, demote, remove]) => ({
    add: voters(add).members,
    promote,
    demote,
    remove,
  }));

test("after a change and what follows it, the members are those that it names", () => {
  let joint = 0;
  fc.assert(
    fc.property(start, change, (current, wanted) => {
      const next = changed(current, wanted, AT);
      if (typeof next === "string") return;
      expect(decodeConfiguration(encodeConfiguration(next))).toEqual(next);
      const last = isJoint(next) ? left(next) : next;
      if (isJoint(next)) joint += 1;
      const { add = [], promote = [], demote = [], remove = [] } = wanted;
      const votes = new Set([...ids(current, "voter"), ...promote]);
      for (const id of [...demote, ...remove]) votes.delete(id);
      const all = new Set([...current.members.map(m => m.id), ...add.map(m => m.id)]);
      for (const id of remove) all.delete(id);
      expect(new Set(ids(last, "voter"))).toEqual(votes);
      expect(new Set(last.members.map(m => m.id))).toEqual(all);
      expect(new Set(last.removed)).toEqual(new Set(remove));
      expect(ids(last, "leaving")).toEqual([]);
      for (const { id } of add) expect(last.members.find(m => m.id === id)?.since).toBe(AT);
    }),
    { numRuns: 4_000 },
  );
  expect(joint).toBeGreaterThan(50);
});

/** Whoever could decide alone before, and whoever can alone afterwards, meet in the step between. */
test("no two quorums of one step and the next are without a common member", () => {
  const subset = fc.nat(255);
  fc.assert(
    fc.property(start, change, subset, subset, (current, wanted, a, b) => {
      const joint = changed(current, wanted, AT);
      if (typeof joint === "string" || !isJoint(joint)) return;
      const has = (mask: number) => (id: NodeId) => ((mask >> id) & 1) === 1;
      const wins = (of: Configuration, mask: number): boolean =>
        verdict({ incoming: ids(of, "voter"), outgoing: of.outgoingVoters }, has(mask)) === "won";
      const common = joint.members.some(({ id }) => has(a)(id) && has(b)(id));
      for (const other of [current, joint, left(joint)]) {
        if (wins(joint, a) && wins(other, b)) expect(common).toBe(true);
      }
    }),
    { numRuns: 20_000 },
  );
});

test("what makes no sense is refused by name", () => {
  const three = voters([1, 2, 3], [4]);
  const refusal = (wanted: MembershipChange) => changed(three, wanted, AT);
  expect(refusal({})).toBe("nothing-to-change");
  expect(refusal({ add: voters([3]).members })).toBe("known-member");
  expect(refusal({ remove: [nodeId(9)] })).toBe("no-such-member");
  expect(refusal({ promote: [nodeId(1)] })).toBe("contradiction");
  expect(refusal({ demote: [nodeId(4)] })).toBe("contradiction");
  expect(refusal({ promote: [nodeId(4)], remove: [nodeId(4)] })).toBe("contradiction");
  expect(refusal({ add: voters([5, 5]).members })).toBe("contradiction");
  expect(refusal({ remove: [1, 2, 3].map(nodeId) })).toBe("no-voters");
  const joint = refusal({ remove: [nodeId(1)] });
  if (typeof joint === "string") throw new Error(joint);
  expect(changed(joint, { promote: [nodeId(4)] }, AT)).toBe("contradiction");
});

test("a member that was removed never comes back under its id", () => {
  const without = changed(voters([1, 2], [3]), { remove: [nodeId(3)] }, AT);
  if (typeof without === "string") throw new Error(without);
  expect(without.removed).toEqual([3]);
  expect(changed(without, { add: voters([3]).members }, AT)).toBe("known-member");
});

test("so many members may have been removed, and the oldest is forgotten first", () => {
  let now: Configuration = voters([1]);
  for (let id = 2; id <= MAX_REMOVED + 3; id++) {
    const wider = changed(now, { add: voters([id]).members }, AT);
    if (typeof wider === "string") throw new Error(wider);
    const narrow = changed(wider, { remove: [nodeId(id)] }, AT);
    if (typeof narrow === "string") throw new Error(narrow);
    now = narrow;
  }
  expect(now.removed.length).toBe(MAX_REMOVED);
  expect(now.removed[0]).toBe(4);
  expect(now.removed.at(-1)).toBe(MAX_REMOVED + 3);
});
