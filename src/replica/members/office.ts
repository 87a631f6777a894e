/**
 * Changes of the members, and hand-overs, on their way to the leader's log and back. On the leader
 * the log is asked; elsewhere the leader is, once: nobody keeps answers of these, so one that is
 * lost is OUTCOME_UNKNOWN and never asked for again. What a change means is the log's matter.
 */
import { Reader, Writer } from "../../base/codec.js";
import { formatNodeId, type NodeId } from "../../base/ids.js";
import { LIMITS } from "../../base/limits.js";
import type { Bytes } from "../../base/ports.js";
import type { LogMember, MemberChange, ReplicatedLog } from "../../log/port/index.js";
import type { Failure } from "../coordinator/index.js";
import { outcomeUnknown, overloaded, unavailable } from "../failure.js";
import { decodeOrNull } from "../proposals/questions.js";
import { readReply, readRequest, writeReply, writeRequest } from "./codec.js";
import {
  changeFailure,
  leaderMoved,
  noSuchMember,
  transferFailure,
  twoMembers,
} from "./refusals.js";
import { type MemberReply, type MemberRequest, viewOf } from "./request.js";

type Done = (reply: MemberReply) => void;

const WHAT: Readonly<Record<MemberRequest["kind"], string>> = {
  add: "the member is not added",
  promote: "the member is not promoted",
  remove: "the member is not removed",
  transfer: "leadership is not handed over",
};

/** Of this node's callers. All but one are refused at once, or wait for the same hand-over. */
const MAX_UNDER_WAY = 1_000;

export class MemberOffice {
  readonly #log: ReplicatedLog;
  readonly #bytes: Bytes;
  readonly #self: () => NodeId;
  readonly #writer: Writer;
  #underWay = 0;

  constructor(log: ReplicatedLog, bytes: Bytes, self: () => NodeId) {
    this.#log = log;
    this.#bytes = bytes;
    this.#self = self;
    this.#writer = new Writer(bytes, 256);
  }

  /** `done` once; it may come at once. */
  request(request: MemberRequest, done: Done): void {
    if (this.#underWay >= MAX_UNDER_WAY) {
      done(failed(overloaded("changes of members", MAX_UNDER_WAY)));
      return;
    }
    this.#underWay++;
    this.#begin(request, reply => {
      this.#underWay--;
      done(reply);
    });
  }

  #begin(request: MemberRequest, done: Done): void {
    const { leader } = this.#log.leadership();
    if (leader === null) done(failed(unavailable(WHAT[request.kind], null)));
    else if (leader === this.#self()) this.#lead(request, done);
    else this.#sendOn(leader, request, done);
  }

  /** Another node's question, the kind read already. What cannot be read is not answered. */
  asked(from: Reader, answer: (bytes: Uint8Array) => void): void {
    const request = decodeOrNull(() => readRequest(from));
    if (request === null) return;
    this.#lead(request, reply => answer(writeReply(this.#writer, reply)));
  }

  #sendOn(leader: NodeId, request: MemberRequest, done: Done): void {
    const link = this.#log.status().peers.find(({ id }) => id === leader);
    if (link?.connected === false) {
      done(failed(unavailable(WHAT[request.kind], formatNodeId(leader))));
      return;
    }
    const farewell = this.#farewell(leader, request);
    this.#log.ask(leader, writeRequest(this.#writer, request), answer => {
      const reader = answer === null ? null : new Reader(this.#bytes, answer);
      const reply = reader === null ? null : decodeOrNull(() => readReply(reader));
      const lost = "it was sent on to the leader and the answer was lost";
      done(reply ?? farewell() ?? failed(outcomeUnknown(lost)));
    });
  }

  /**
   * For a change that takes the leader itself out: this node hangs up on it as soon as that is
   * committed, often before the answer is here. But then it has the members without the leader in
   * its log, which come only after the joint ones are committed: so it knows the answer itself.
   */
  #farewell(leader: NodeId, request: MemberRequest): () => MemberReply | null {
    if (request.kind === "add" || request.kind === "transfer") return () => null;
    const change = this.#changeOf(request);
    if ("code" in change || change.kind === "add") return () => null;
    const goes = change.kind === "remove" ? change.member : change.replacing;
    const isDone = (): boolean => {
      const members = this.#log.members();
      if (goes !== leader || members.some(({ id }) => id === leader)) return false;
      // Somebody else may have taken the leader out.
      const { kind, member } = change;
      return kind === "remove" || members.some(({ id, role }) => id === member && role === "voter");
    };
    return () => (isDone() ? this.#done(change.member) : null);
  }

  /** A node that does not lead (any more) refuses nothing for good: its members may be old. */
  #lead(request: MemberRequest, done: Done): void {
    if (this.#log.leadership().leader !== this.#self()) {
      done(failed(leaderMoved));
      return;
    }
    if (request.kind === "transfer") {
      this.#transfer(request.to, done);
      return;
    }
    const change = this.#changeOf(request);
    if ("code" in change) {
      done(failed(change));
      return;
    }
    const before = this.#log.members();
    this.#log.changeMembers(change, outcome => {
      if (outcome.ok) {
        done(this.#done(outcome.member));
      } else {
        const { peers } = this.#log.status();
        done(failed(changeFailure(outcome.refusal, change, { before, peers, bytes: this.#bytes })));
      }
    });
  }

  #done(member: NodeId): MemberReply {
    const members = this.#log.members().map(one => viewOf(one, this.#bytes));
    return { ok: true, member: formatNodeId(member), members };
  }

  #transfer(to: string | null, done: Done): void {
    const member = to === null ? null : this.#find(to);
    if (member !== null && "code" in member) {
      done(failed(member));
      return;
    }
    this.#log.transferLeadership(member?.id ?? null, outcome => {
      if (outcome.ok) done(this.#done(outcome.leader));
      else done(failed(transferFailure(outcome.refusal, member, this.#bytes)));
    });
  }

  #changeOf(request: Exclude<MemberRequest, { kind: "transfer" }>): MemberChange | Failure {
    if (request.kind === "add") return this.#addition(request.name, request.peerUrls);
    const member = this.#find(request.member);
    if ("code" in member) return member;
    if (request.kind === "remove") return { kind: "remove", member: member.id };
    if (request.replacing === null) return { kind: "promote", member: member.id, replacing: null };
    const replacing = this.#find(request.replacing);
    if ("code" in replacing) return replacing;
    if (replacing.id !== member.id) {
      return { kind: "promote", member: member.id, replacing: replacing.id };
    }
    const message = `${request.member} cannot replace itself; name the member that shall go`;
    return { code: "INVALID_PARAMETER", message, details: { parameter: "replacing" } };
  }

  #addition(name: string, peerUrls: readonly string[]): MemberChange | Failure {
    const limit = LIMITS.maxMembers;
    if (this.#log.members().length < limit) {
      return { kind: "add", name: this.#bytes.utf8Decode(name) ?? "", peerUrls };
    }
    const message = `the cluster has ${limit} members and takes no more; remove one first`;
    return { code: "MEMBERS_FULL", message, details: { limit } };
  }

  /** By id or name; exactly one must fit. */
  #find(what: string): LogMember | Failure {
    const text = this.#bytes.utf8Decode(what);
    const members = this.#log.members();
    const fitting = members.filter(({ id, name }) => name === text || formatNodeId(id) === text);
    const [found, other] = fitting;
    if (found === undefined) return noSuchMember(what, members, this.#bytes);
    return other === undefined ? found : twoMembers(what);
  }
}

const failed = (failure: Failure): MemberReply => ({ ok: false, failure });
