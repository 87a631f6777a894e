/** Changes of the members, from a call on any node to the leader's log and back. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { Reader, Writer } from "../../src/base/codec.js";
import { nodeId } from "../../src/base/ids.js";
import type {
  ChangeOutcome,
  ChangeRefusal,
  MemberChange,
  TransferOutcome,
} from "../../src/log/port/index.js";
import {
  readReply,
  readRequest,
  writeReply,
  writeRequest,
} from "../../src/replica/members/codec.js";
import type { MemberReply, MemberRequest } from "../../src/replica/members/request.js";
import { readQuestion } from "../../src/replica/proposals/questions.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { type Client, Setting } from "./setting.js";

const ADD = { name: "n4", peerUrls: ["http://n4:2380"] };
const LEADER = 1;
const FOLLOWER = 2;

/** Three nodes whose first leads; what its log is asked is kept, and answered with `outcome`. */
function setting(outcome: ChangeOutcome | null = { ok: true, member: nodeId(4) }) {
  const s = new Setting(3);
  const asked: MemberChange[] = [];
  s.log(LEADER).onChange = change => {
    asked.push(change);
    return outcome;
  };
  return { s, asked };
}

const refused = (refusal: ChangeRefusal | "unknown") => setting({ ok: false, refusal }).s;

it("past the limit of a node's callers a hand-over is refused at once, until one is answered", () => {
  const s = new Setting(3);
  const waiting: ((outcome: TransferOutcome) => void)[] = [];
  const log = s.log(LEADER);
  log.transferLeadership = (_to, done) => void waiting.push(done);
  const shared = s.caller(LEADER);
  const calls = Array.from({ length: 1_001 }, () => shared.call("cluster.transfer", {}));
  expect(s.code(calls.at(-1)!)).toBe("OVERLOADED");
  expect(waiting).toHaveLength(1_000);
  waiting[0]?.({ ok: true, leader: nodeId(2) });
  expect(s.code(calls[0]!)).toBe("ok");
  shared.call("cluster.transfer", {});
  expect(waiting).toHaveLength(1_001);
});

describe.each([LEADER, FOLLOWER])("a change asked of node %i of three, the first leading", node => {
  it("goes to the leader's log once, and the members come back", () => {
    const { s, asked } = setting();
    const { member, members } = s.result(s.client(node).call("cluster.add", ADD));
    expect(member).toBe("4");
    expect(members.map(({ name, role }) => `${name} ${role}`)).toEqual([
      "n1 voter",
      "n2 voter",
      "n3 voter",
    ]);
    expect(asked).toEqual([{ kind: "add", ...ADD }]);
  });

  it("names members by id or by name", () => {
    const { s, asked } = setting();
    const client = s.client(node);
    s.result(client.call("cluster.promote", { member: "n3", replacing: "2" }));
    s.result(client.call("cluster.promote", { member: "3" }));
    s.result(client.call("cluster.remove", { member: "n2" }));
    expect(asked).toEqual([
      { kind: "promote", member: 3, replacing: 2 },
      { kind: "promote", member: 3, replacing: null },
      { kind: "remove", member: 2 },
    ]);
    const nobody = client.call("cluster.remove", { member: "n9" });
    expect(s.code(nobody)).toBe("NO_SUCH_MEMBER");
    expect(nobody.outcome).toMatchObject({
      failure: { message: expect.stringContaining("n1, n2, n3"), details: { member: "n9" } },
    });
    expect(asked).toHaveLength(3);
  });

  it("that the leader does not answer is of unknown outcome when the leader falls", () => {
    const { s, asked } = setting(null);
    s.cluster.askFate = () => "lose answer";
    const call = s.client(node).call("cluster.add", ADD);
    s.loop.advance(100);
    if (node === LEADER) expect(call.outcome).toBeNull();
    else expect(s.code(call)).toBe("OUTCOME_UNKNOWN");
    expect(asked).toHaveLength(1);
  });
});

test.each<[ChangeRefusal | "unknown", string, RegExp]>([
  ["not-leader", "UNAVAILABLE", /does not lead any more; nothing was done/],
  ["no-quorum", "NO_QUORUM", /cut from a majority/],
  ["overloaded", "OVERLOADED", /try later/],
  ["change-pending", "CHANGE_PENDING", /under way; ask again/],
  ["bad-member", "INVALID_PARAMETER", /peer URL/],
  ["member-exists", "MEMBER_EXISTS", /already/],
  ["no-such-member", "NO_SUCH_MEMBER", /n3 is no member/],
  ["not-a-learner", "NOT_A_LEARNER", /n3 votes already/],
  ["learner-behind", "LEARNER_BEHIND", /n3 has not started yet; start it with/],
  ["would-lose-quorum", "WOULD_LOSE_QUORUM", /can be reached now and hold the log; start them/],
  ["last-voter", "LAST_VOTER", /without n3 nobody would vote; add and promote/],
  ["unknown", "OUTCOME_UNKNOWN", /read before you repeat/],
])("what the log calls %s is %s, the same through a follower", (refusal, code, says) => {
  const messages = [LEADER, FOLLOWER].map(node => {
    const s = refused(refusal);
    const client = s.client(node);
    const call = /bad|exists/.test(refusal)
      ? client.call("cluster.add", ADD)
      : client.call("cluster.promote", { member: "n3" });
    expect(s.code(call)).toBe(code);
    return call.outcome?.ok === false ? call.outcome.failure : null;
  });
  expect(messages[0]?.message).toMatch(says);
  expect(messages[1]).toEqual(messages[0]);
});

describe("a change", () => {
  it("of a name that is taken says whose it is", () => {
    const s = refused("member-exists");
    const call = s.client(FOLLOWER).call("cluster.add", { ...ADD, name: "n3" });
    expect(s.code(call)).toBe("MEMBER_EXISTS");
    expect(call.outcome).toMatchObject({ failure: { details: { member: "3", name: "n3" } } });
  });

  it("does not replace a learner by itself, and does not choose between two that fit", () => {
    const { s, asked } = setting();
    const itself = s.client().call("cluster.promote", { member: "n3", replacing: "3" });
    expect(s.code(itself)).toBe("INVALID_PARAMETER");
    const members = s.log(LEADER).members();
    s.log(LEADER).members = () => members.map(one => (one.id === 2 ? { ...one, name: "3" } : one));
    const either = s.client().call("cluster.remove", { member: "3" });
    expect(s.code(either)).toBe("INVALID_PARAMETER");
    expect(either.outcome).toMatchObject({
      failure: { message: expect.stringMatching(/^3 is the/) },
    });
    expect(asked).toEqual([]);
  });

  it("goes by names beyond ASCII, which the log has as text", () => {
    const { s, asked } = setting();
    const [first, ...rest] = s.log(LEADER).members();
    s.log(LEADER).members = () => [{ ...first!, name: "süd" }, ...rest];
    const member = nodeBytes.utf8Encode("süd");
    const { members } = s.result(s.client(FOLLOWER).call("cluster.remove", { member }));
    expect(asked).toEqual([{ kind: "remove", member: 1 }]);
    expect(members[0]?.name).toBe(member);
  });

  it("finds no room in a cluster that has as many members as it may have", () => {
    const { s, asked } = setting();
    const [first] = s.log(LEADER).members();
    s.log(LEADER).members = () => Array.from({ length: 31 }, () => first!);
    const call = s.client(FOLLOWER).call("cluster.add", ADD);
    expect(s.code(call)).toBe("MEMBERS_FULL");
    expect(call.outcome).toMatchObject({ failure: { details: { limit: 31 } } });
    expect(asked).toEqual([]);
  });

  it("without a leader is unavailable at once, as it is where the link to the leader is down", () => {
    const { s } = setting();
    const log = s.log(FOLLOWER);
    const { status } = log;
    log.status = () => ({ ...status.call(log), peers: [{ id: nodeId(1), connected: false }] });
    expect(s.code(s.client(FOLLOWER).call("cluster.add", ADD))).toBe("UNAVAILABLE");
    s.cluster.depose();
    s.loop.settle();
    const call = s.client(3).call("cluster.transfer", {});
    s.loop.settle();
    expect(call.outcome).toMatchObject({ failure: { code: "UNAVAILABLE" } });
  });

  it("that takes the leader out is known by who hung up on it, and by nobody else", () => {
    const { s } = setting(null);
    s.cluster.askFate = () => "lose answer";
    const all = s.log(FOLLOWER).members();
    const ask = (gone: number, member: string) => {
      s.log(FOLLOWER).members = () => all;
      const call = s.client(FOLLOWER).call("cluster.remove", { member });
      s.log(FOLLOWER).members = () => all.filter(({ id }) => id !== gone);
      return { code: s.code(call), outcome: call.outcome };
    };
    const known = ask(LEADER, "n1");
    expect(known).toMatchObject({ code: "ok", outcome: { result: { member: "1" } } });
    expect(ask(0, "n1").code).toBe("OUTCOME_UNKNOWN"); // the leader is a member still
    expect(ask(3, "n3").code).toBe("OUTCOME_UNKNOWN"); // that may be cut from the log again
    expect(ask(LEADER, "n3").code).toBe("OUTCOME_UNKNOWN"); // it went by another change
    const promote = s.client(3).call("cluster.promote", { member: "n2", replacing: "n1" });
    s.log(3).members = () => all.filter(({ id }) => id !== LEADER);
    expect(s.result(promote).member).toBe("2");
    // Somebody else took the leader out, and the promotion is not there.
    s.log(3).members = () => all;
    const other = s.client(3).call("cluster.promote", { member: "n2", replacing: "n1" });
    s.log(3).members = () =>
      all
        .filter(({ id }) => id !== LEADER)
        .map(one => (one.id === 2 ? { ...one, role: "learner" } : one));
    expect(s.code(other)).toBe("OUTCOME_UNKNOWN");
  });

  it("asked of a leader of the past is refused for now, whatever that knows of the members", () => {
    const { s, asked } = setting();
    s.log(LEADER).leadership = () => ({ term: 1, leader: nodeId(3), serving: false }) as never;
    for (const [name, params] of [
      ["cluster.remove", { member: "n9" }],
      ["cluster.add", { ...ADD, name: "n3" }],
    ] as const)
      expect(s.code(s.client(FOLLOWER).call(name, params))).toBe("UNAVAILABLE");
    expect(asked).toEqual([]);
  });

  it("under an Idempotency-Key is refused: no answer of it would be kept", () => {
    const { s, asked } = setting();
    const call = s.client().call("cluster.add", ADD, { idempotencyKey: "k" });
    expect(s.code(call)).toBe("INVALID_PARAMETER");
    expect(asked).toEqual([]);
  });

  it("is not begun by a node that stops", () => {
    const { s, asked } = setting();
    s.replicas[0]?.stop(() => {});
    expect(s.code(s.client().call("cluster.add", ADD))).toBe("SHUTTING_DOWN");
    expect(asked).toEqual([]);
  });
});

describe("leadership", () => {
  const handing = (outcome: TransferOutcome) => {
    const s = new Setting(3);
    const to: (number | null)[] = [];
    s.log(LEADER).onTransfer = node => {
      to.push(node);
      return outcome;
    };
    return { s, to };
  };

  it("is handed over to who is named, or to nobody in particular", () => {
    const { s, to } = handing({ ok: true, leader: nodeId(3) });
    expect(s.result(s.client(FOLLOWER).call("cluster.transfer", {}))).toEqual({ leader: "3" });
    expect(s.result(s.client().call("cluster.transfer", { to: "n3" }))).toEqual({ leader: "3" });
    expect(to).toEqual([null, 3]);
  });

  test.each([
    ["not-leader", "UNAVAILABLE"],
    ["not-a-voter", "NOT_A_VOTER"],
    ["no-successor", "NOT_TAKEN_OVER"],
    ["not-taken-over", "NOT_TAKEN_OVER"],
  ] as const)("stays where it is: %s is %s", (refusal, code) => {
    const { s } = handing({ ok: false, refusal });
    expect(s.code(s.client(FOLLOWER).call("cluster.transfer", { to: "n2" }))).toBe(code);
  });
});

describe("between nodes", () => {
  const name = fc.string({ unit: "binary-ascii", maxLength: 63 });
  const request: fc.Arbitrary<MemberRequest> = fc.oneof(
    fc.record({
      kind: fc.constant("add" as const),
      name,
      peerUrls: fc.array(name, { maxLength: 16 }),
    }),
    fc.record({
      kind: fc.constant("promote" as const),
      member: name,
      replacing: fc.option(name),
    }),
    fc.record({ kind: fc.constant("remove" as const), member: name }),
    fc.record({ kind: fc.constant("transfer" as const), to: fc.option(name) }),
  );
  const urls = fc.array(name, { maxLength: 3 });
  const member = fc.record({
    id: fc.constant("1fffffffffffff"),
    name,
    role: fc.constantFrom("voter", "learner", "leaving"),
    peerUrls: urls,
    clientUrls: urls,
  });
  const failure = fc.oneof(
    fc.record({ code: fc.constant("LAST_VOTER" as const), message: name }),
    fc.record({
      code: fc.constant("MEMBER_EXISTS" as const),
      message: name,
      details: fc.record({ member: name, name }),
    }),
    fc.record({
      code: fc.constant("MEMBERS_FULL" as const),
      message: name,
      details: fc.record({ limit: fc.nat() }),
    }),
  );
  const reply: fc.Arbitrary<MemberReply> = fc.oneof(
    fc.record({
      ok: fc.constant(true as const),
      member: fc.constant("4"),
      members: fc.array(member, { maxLength: 31 }),
    }),
    fc.record({ ok: fc.constant(false as const), failure }),
  );
  const writer = () => new Writer(nodeBytes);

  it("requests and replies come out as they went in", () => {
    fc.assert(
      fc.property(request, reply, (asked, answered) => {
        const reader = new Reader(nodeBytes, writeRequest(writer(), asked));
        expect(readQuestion(reader)).toBe(5);
        expect(readRequest(reader)).toEqual(asked);
        const back = new Reader(nodeBytes, writeReply(writer(), answered));
        expect(readReply(back)).toEqual(answered);
      }),
    );
  });

  it("an answer that cannot be read is of unknown outcome", () => {
    const { s } = setting();
    s.log(LEADER).host.asked = (_from, _question, answer) => answer(Uint8Array.of(9, 9, 9));
    const client: Client = s.client(FOLLOWER);
    expect(s.code(client.call("cluster.add", ADD))).toBe("OUTCOME_UNKNOWN");
  });
});
