/** Why the members were not changed, in words: what was wrong, with whom, and what to do. */
import { formatNodeId } from "../../base/ids.js";
import type { Bytes } from "../../base/ports.js";
import type {
  ChangeRefusal,
  LogMember,
  LogStatus,
  MemberChange,
  TransferOutcome,
} from "../../log/port/index.js";
import type { Failure } from "../coordinator/index.js";
import { noQuorum, outcomeUnknown } from "../failure.js";

/** What was known when it was asked for, and who is in reach now. */
interface Circumstances {
  readonly before: readonly LogMember[];
  readonly peers: LogStatus["peers"];
  readonly bytes: Bytes;
}

type TransferRefusal = Extract<TransferOutcome, { ok: false }>["refusal"];

export const leaderMoved: Failure = {
  code: "UNAVAILABLE",
  message: "this node does not lead any more; nothing was done, try again or another node",
};

export function noSuchMember(what: string, members: readonly LogMember[], bytes: Bytes): Failure {
  const names = members.map(({ name }) => bytes.utf8Encode(name)).sort();
  return {
    code: "NO_SUCH_MEMBER",
    message: `the cluster has no member ${what}; its members are ${names.join(", ")}`,
    details: { member: what },
  };
}

export const twoMembers = (what: string): Failure => ({
  code: "INVALID_PARAMETER",
  message: `${what} is the name of one member and the id of another; give the other of the two`,
  details: { parameter: "member" },
});

export function changeFailure(
  refusal: ChangeRefusal | "unknown",
  change: MemberChange,
  now: Circumstances,
): Failure {
  switch (refusal) {
    case "not-leader":
      return leaderMoved;
    case "unknown":
      return outcomeUnknown("the leader was deposed before the change was committed");
    case "no-quorum":
      return noQuorum("the members are not changed");
    case "overloaded":
      return {
        code: "OVERLOADED",
        message: "the log has as much waiting as it takes; nothing was done, try later",
      };
    case "change-pending":
      return {
        code: "CHANGE_PENDING",
        message: "another change of the members is under way; ask again when it is done",
      };
    case "bad-member":
      return {
        code: "INVALID_PARAMETER",
        message: "the new member has a name or a peer URL that no member can have",
        details: { parameter: "peerUrls" },
      };
    case "member-exists":
      return memberExists(change, now);
    default:
      return ofMember(refusal, change, now);
  }
}

function memberExists(change: MemberChange, { before, bytes }: Circumstances): Failure {
  const { name, peerUrls } =
    change.kind === "add" ? change : { name: "", peerUrls: [] as readonly string[] };
  const fits = (one: LogMember): boolean => one.peerUrls.some(url => peerUrls.includes(url));
  const known = before.find(one => one.name === name) ?? before.find(fits);
  if (known === undefined) {
    return { code: "MEMBER_EXISTS", message: "a member has that name or one of the URLs already" };
  }
  const shown = bytes.utf8Encode(known.name);
  const id = formatNodeId(known.id);
  const urls = known.peerUrls.join(", ");
  return {
    code: "MEMBER_EXISTS",
    message: `${shown} (id ${id}) at ${urls} is a member already; remove it first, or choose others`,
    details: { member: id, name: shown },
  };
}

/** Refusals that are about one member that exists, or did. */
function ofMember(
  refusal:
    | "no-such-member"
    | "not-a-learner"
    | "learner-behind"
    | "would-lose-quorum"
    | "last-voter",
  change: MemberChange,
  now: Circumstances,
): Failure {
  const id = change.kind === "add" ? null : change.member;
  const member = now.before.find(one => one.id === id);
  const name = member === undefined ? "it" : now.bytes.utf8Encode(member.name);
  const details = { member: id === null ? "" : formatNodeId(id) };
  switch (refusal) {
    case "no-such-member":
      return { code: "NO_SUCH_MEMBER", message: `${name} is no member (any more)`, details };
    case "not-a-learner":
      return { code: "NOT_A_LEARNER", message: `${name} votes already`, details };
    case "learner-behind":
      return {
        code: "LEARNER_BEHIND",
        message:
          member?.clientUrls.length === 0
            ? `${name} has not started yet; start it with --initial-cluster-state existing`
            : `${name} has not caught up with the log yet; ask again later`,
        details,
      };
    case "would-lose-quorum":
      return { code: "WOULD_LOSE_QUORUM", message: missingQuorum(now), details };
    case "last-voter":
      return {
        code: "LAST_VOTER",
        message: `without ${name} nobody would vote; add and promote another member first`,
        details,
      };
  }
}

function missingQuorum({ before, peers, bytes }: Circumstances): string {
  const away = before.filter(({ id }) => peers.some(one => one.id === id && !one.connected));
  const names = away.map(({ name }) => bytes.utf8Encode(name)).join(", ");
  return (
    "too few of those who would vote afterwards can be reached now and hold the log" +
    (names === "" ? "" : ` (out of reach: ${names})`) +
    "; start them, wait until they have caught up, or replace them by a learner that runs"
  );
}

export function transferFailure(
  refusal: TransferRefusal,
  to: LogMember | null,
  bytes: Bytes,
): Failure {
  const name = to === null ? "" : bytes.utf8Encode(to.name);
  const details = to === null ? {} : { details: { member: formatNodeId(to.id) } };
  switch (refusal) {
    case "not-leader":
      return leaderMoved;
    case "not-a-voter":
      return {
        code: "NOT_A_VOTER",
        message: `${name} does not vote, so it cannot lead; promote it first`,
        ...details,
      };
    case "no-successor":
      return {
        code: "NOT_TAKEN_OVER",
        message: "no other voter can be reached, so nobody could take over; start one first",
      };
    case "not-taken-over":
      return {
        code: "NOT_TAKEN_OVER",
        message:
          `${to === null ? "nobody took" : `${name} did not take`} leadership over within an ` +
          "election timeout; see whether it runs, and try again",
        ...details,
      };
  }
}
