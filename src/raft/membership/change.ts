/**
 * What a change of members makes of a configuration: plain data in, plain data out. Any change of
 * who votes goes through a joint configuration, in which the old voters and the new ones both have
 * to agree (thesis section 4.3); {@link left} is what follows it. Decides nothing about whether the
 * new voters can be reached: the leader does (`admission.ts`).
 */
import type { LogIndex, NodeId } from "../../base/ids.js";
import {
  type Configuration,
  isJoint,
  MAX_REMOVED,
  MEMBER_ROLE,
  type Member,
} from "../message/entry.js";

/** A member to be: it comes as a learner. */
export type NewMember = Omit<Member, "role" | "since">;

/** Everything named in one change happens at once. */
export interface MembershipChange {
  /** Added as learners: they get the log and count for nothing. */
  readonly add?: readonly NewMember[];
  /** Learners that shall vote. */
  readonly promote?: readonly NodeId[];
  /** Voters that shall be learners. */
  readonly demote?: readonly NodeId[];
  /** Members of either role. Their ids never come back. */
  readonly remove?: readonly NodeId[];
}

export type ChangeFlaw =
  /** It names nobody. */
  | "nothing-to-change"
  /** It adds an id that is a member, or was one. */
  | "known-member"
  /** It promotes, demotes or removes somebody who is no member. */
  | "no-such-member"
  /** It names one member twice, promotes a voter or demotes a learner. */
  | "contradiction"
  /** Nobody would be left to vote. */
  | "no-voters";

/** The configuration that `change` begins, at `index` of the log; or what is wrong with it. */
export function changed(
  current: Configuration,
  change: MembershipChange,
  index: LogIndex,
): Configuration | ChangeFlaw {
  const flaw = flawOf(current, change);
  if (flaw !== null) return flaw;
  const { add = [], promote = [], demote = [], remove = [] } = change;
  const gone = (id: NodeId): boolean => remove.includes(id);
  const members: Member[] = [];
  const removed: NodeId[] = [...current.removed];
  for (const member of current.members) {
    const { id, role } = member;
    if (gone(id) && role === MEMBER_ROLE.learner) removed.push(id);
    else if (gone(id)) members.push({ ...member, role: MEMBER_ROLE.leaving });
    else if (promote.includes(id)) members.push({ ...member, role: MEMBER_ROLE.voter });
    else if (demote.includes(id)) members.push({ ...member, role: MEMBER_ROLE.learner });
    else members.push(member);
  }
  for (const one of add) members.push({ ...one, role: MEMBER_ROLE.learner, since: index });
  members.sort((a, b) => a.id - b.id);
  const before = votersOf(current);
  const after = votersOf({ members });
  if (after.length === 0) return "no-voters";
  const same = before.length === after.length && before.every((id, at) => id === after[at]);
  return { members, outgoingVoters: same ? [] : before, removed: newest(removed) };
}

/** What follows a joint configuration: the incoming voters decide alone. */
export function left(joint: Configuration): Configuration {
  const isLeaving = ({ role }: Member): boolean => role === MEMBER_ROLE.leaving;
  const gone = joint.members.filter(isLeaving).map(({ id }) => id);
  return {
    members: joint.members.filter(member => !isLeaving(member)),
    outgoingVoters: [],
    removed: newest([...joint.removed, ...gone]),
  };
}

/** Says `next` nothing else than `current` about who is a member, and as what? */
export function isSameMembership(current: Configuration, next: Configuration): boolean {
  return (
    current.members.length === next.members.length &&
    current.members.every((member, at) => {
      const other = next.members[at];
      return other?.id === member.id && other.role === member.role && other.since === member.since;
    }) &&
    sameIds(current.outgoingVoters, next.outgoingVoters) &&
    sameIds(current.removed, next.removed)
  );
}

function flawOf(current: Configuration, change: MembershipChange): ChangeFlaw | null {
  const { add = [], promote = [], demote = [], remove = [] } = change;
  const known = [...promote, ...demote, ...remove];
  if (known.length + add.length === 0) return "nothing-to-change";
  if (isJoint(current) || new Set(known).size < known.length) return "contradiction";
  const roleOf = new Map(current.members.map(({ id, role }) => [id, role]));
  const fresh = add.map(({ id }) => id);
  if (new Set(fresh).size < fresh.length) return "contradiction";
  if (fresh.some(id => roleOf.has(id) || current.removed.includes(id))) return "known-member";
  if (known.some(id => !roleOf.has(id))) return "no-such-member";
  const fits =
    promote.every(id => roleOf.get(id) === MEMBER_ROLE.learner) &&
    demote.every(id => roleOf.get(id) === MEMBER_ROLE.voter);
  return fits ? null : "contradiction";
}

function votersOf({ members }: Pick<Configuration, "members">): NodeId[] {
  return members.filter(({ role }) => role === MEMBER_ROLE.voter).map(({ id }) => id);
}

const newest = (removed: readonly NodeId[]): readonly NodeId[] => removed.slice(-MAX_REMOVED);

const sameIds = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
  a.length === b.length && a.every((id, at) => id === b[at]);
