/** Findings that a script cannot show well: what a single node does with what it is told. */
import { describe, expect, test } from "vitest";
import { logIndex, nodeId, term } from "../../src/base/ids.js";
import { DEFAULT_RAFT_OPTIONS, Raft, type RaftOptions } from "../../src/raft/index.js";
import { type Entry, encodeConfiguration, type Message } from "../../src/raft/message/index.js";
import { bytesOf, seededRandom, voters } from "./node.js";

const me = nodeId(1);
const [peer, other] = [nodeId(2), nodeId(3)];
const three = voters([1, 2, 3]);

function start(
  entries: readonly Entry[] = [],
  at = 0,
  options: Partial<RaftOptions> = {},
  configuration = three,
  id = me,
): Raft {
  return new Raft({
    id,
    hardState: { term: term(at), votedFor: null },
    configuration,
    snapshot: { index: logIndex(0), term: term(0) },
    entries,
    options: { ...DEFAULT_RAFT_OPTIONS, ...options },
    random: seededRandom(7),
  });
}

const entry = (index: number, at: number): Entry => ({
  term: term(at),
  index: logIndex(index),
  kind: 0,
  payload: bytesOf("x"),
});

const granted = (type: "pre-vote-reply" | "vote-reply", at: number): Message => ({
  type,
  from: peer,
  to: me,
  term: term(at),
  granted: true,
});

function lead(options: Partial<RaftOptions> = {}): Raft {
  const raft = start([], 0, options);
  raft.campaign();
  raft.step(granted("pre-vote-reply", 1));
  const ready = raft.take();
  raft.persisted(ready.term, ready.lastIndex);
  raft.step(granted("vote-reply", 1));
  return raft;
}

const holds = (index: number, at: number, from = peer): Message => ({
  type: "append-reply",
  from,
  to: me,
  term: term(at),
  index: logIndex(index),
  rejected: false,
  hintIndex: logIndex(index),
  hintTerm: term(at),
});

const heard = (): Message => ({
  type: "heartbeat-reply",
  from: peer,
  to: me,
  term: term(1),
  round: 0,
});

describe("durability", () => {
  test("a candidate's own vote does not count before it is durable, whatever completes earlier", () => {
    const raft = start([entry(1, 1)], 1);
    const earlier = { term: raft.take().term, index: logIndex(1) };
    raft.campaign();
    raft.step(granted("pre-vote-reply", 2));
    const ready = raft.take();
    expect(ready.messages.filter(m => m.type === "vote")).toEqual([]);
    expect(ready.messagesAfterPersist.map(m => m.type)).toEqual(["vote", "vote"]);
    raft.persisted(earlier.term, earlier.index);
    raft.step(granted("vote-reply", 2));
    expect(raft.role).toBe("candidate");
    raft.persisted(ready.term, ready.lastIndex);
    expect(raft.role).toBe("leader");
  });

  test("a leader does not count its own log before it is durable", () => {
    const raft = lead();
    const opening = raft.take();
    raft.step(holds(1, 1));
    expect(raft.status().committed).toBe(0);
    raft.persisted(opening.term, opening.lastIndex);
    expect(raft.status().committed).toBe(1);
  });

  test("whoever takes a snapshot while it campaigns does not go on to lead in that term", () => {
    const raft = start([entry(1, 1), entry(2, 1), entry(3, 1)], 1);
    raft.campaign();
    raft.step(granted("pre-vote-reply", 2));
    const ready = raft.take();
    const metadata = { index: logIndex(2), term: term(2), configuration: three };
    raft.step({ type: "snapshot", from: other, to: me, term: term(2), metadata });
    raft.persisted(ready.term, ready.lastIndex);
    raft.step(granted("vote-reply", 2));
    expect(raft.role).toBe("follower");
    expect(raft.take().snapshot).toEqual(metadata);
  });

  test("a snapshot can be durable before the term it came in; the node then starts in that term", () => {
    const raft = new Raft({
      id: me,
      hardState: { term: term(3), votedFor: peer },
      configuration: three,
      snapshot: { index: logIndex(10), term: term(5) },
      entries: [],
      options: DEFAULT_RAFT_OPTIONS,
      random: seededRandom(7),
    });
    expect(raft.take().hardState).toEqual({ term: 5, votedFor: null });
  });
});

describe("what others say", () => {
  test("a vote goes to no log that lacks entries, even if its pre-vote was granted", () => {
    const asks = (index: number, at: number, asked: number): boolean | null => {
      const raft = start([entry(1, 1), entry(2, 2)], 2);
      raft.step({
        type: "vote",
        from: peer,
        to: me,
        term: term(asked),
        lastIndex: logIndex(index),
        lastTerm: term(at),
        forced: false,
      });
      const { messages, messagesAfterPersist } = raft.take();
      const reply = [...messages, ...messagesAfterPersist][0];
      return reply?.type === "vote-reply" ? reply.granted : null;
    };
    expect([asks(9, 1, 3), asks(1, 2, 3), asks(2, 2, 3), asks(1, 3, 4)]).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  test("whoever could not write its vote now lets nobody campaign", () => {
    const raft = start([entry(1, 1)], 1);
    const asked = (type: "pre-vote" | "vote", at: number): boolean | null => {
      const last = { lastIndex: logIndex(1), lastTerm: term(1) };
      raft.step({ type, from: peer, to: me, term: term(at), ...last, forced: false });
      const { messages, messagesAfterPersist } = raft.take();
      const reply = [...messages, ...messagesAfterPersist].at(-1);
      return reply?.type === "pre-vote-reply" || reply?.type === "vote-reply"
        ? reply.granted
        : null;
    };
    expect([asked("pre-vote", 2), asked("vote", 2)]).toEqual([true, true]);
    // Its disk stands: neither the term nor the vote is written, nor would the next be.
    expect(asked("pre-vote", 3)).toBe(false);
    raft.persisted(term(2), logIndex(1));
    expect(asked("pre-vote", 3)).toBe(true);
  });

  test("an append proves no more of a follower's tail than it carries", () => {
    const raft = start([entry(1, 1), entry(2, 1), entry(3, 1)], 2);
    raft.step({
      type: "append",
      from: peer,
      to: me,
      term: term(2),
      previousIndex: logIndex(1),
      previousTerm: term(1),
      commit: logIndex(3),
      entries: [entry(2, 1)],
    });
    expect(raft.status().committed).toBe(2);
  });

  test("an answer to a read of this node's earlier life fits none of this one", () => {
    const random = seededRandom(11);
    const life = (): { raft: Raft; batch: number } => {
      const raft = new Raft({
        id: me,
        hardState: { term: term(1), votedFor: null },
        configuration: three,
        snapshot: { index: logIndex(0), term: term(0) },
        entries: [],
        options: DEFAULT_RAFT_OPTIONS,
        random,
      });
      const [from, to] = [peer, me];
      const none = logIndex(0);
      const at = term(1);
      raft.step({
        type: "heartbeat",
        from,
        to,
        term: at,
        commit: none,
        commitTerm: term(0),
        round: 0,
        held: none,
      });
      raft.readIndex(7);
      const asked = raft.take().messages.find(m => m.type === "read");
      return { raft, batch: asked?.type === "read" ? asked.batch : -1 };
    };
    const { batch } = life();
    const { raft } = life();
    const index = logIndex(0);
    const late = { type: "read-reply", from: peer, to: me, term: term(1), batch } as const;
    raft.step({ ...late, confirmed: true, index });
    expect(raft.take().reads).toEqual([]);
  });
});

describe("limits", () => {
  test("proposals are refused once too much of the log is not applied", () => {
    const raft = lead({ unappliedBytes: 1000 });
    let taken = 0;
    while (typeof raft.propose([new Uint8Array(100)]) !== "string") taken += 1;
    expect(raft.propose([bytesOf("x")])).toBe("full");
    expect(taken).toBe(6);
    const ready = raft.take();
    raft.persisted(ready.term, ready.lastIndex);
    raft.step(holds(ready.lastIndex, 1));
    raft.applied(raft.take().lastIndex);
    expect(raft.propose([bytesOf("x")])).toEqual({ index: ready.lastIndex + 1, term: 1 });
  });

  test("no more is in flight to a follower than its window holds", () => {
    const raft = lead({ windowEntries: 4 });
    raft.take();
    raft.step(holds(1, 1));
    raft.propose(["a", "b", "c", "d", "e", "f", "g"].map(bytesOf));
    const sent = (): number[] =>
      raft
        .take()
        .messages.flatMap(m => (m.type === "append" && m.to === peer ? m.entries : []))
        .map(e => e.index);
    expect(sent()).toEqual([2, 3, 4, 5]);
    expect(sent()).toEqual([]);
    raft.step(holds(3, 1));
    expect(sent()).toEqual([6, 7]);
  });
});

describe("configurations", () => {
  test("one whose tail is cut gives way to the one before", () => {
    const changed = voters([1, 2, 3], [4]);
    const raft = start([], 1);
    const append = (at: number, previous: number, entries: readonly Entry[]): Message => ({
      type: "append",
      from: at === 1 ? peer : other,
      to: me,
      term: term(at),
      previousIndex: logIndex(previous),
      previousTerm: term(previous),
      commit: logIndex(0),
      entries,
    });
    const payload = encodeConfiguration(changed);
    raft.step(append(1, 0, [entry(1, 1), { ...entry(2, 1), kind: 1, payload }]));
    expect(raft.configuration).toEqual(changed);
    expect(raft.configurationAt(logIndex(1))).toEqual(three);
    raft.step(append(2, 1, [entry(2, 2)]));
    expect(raft.configuration).toEqual(three);
  });

  test("what is recorded about members may change, one at a time, but not who votes", () => {
    const raft = lead();
    expect(raft.proposeConfiguration(voters([1, 2]))).toBe("changes-members");
    const members = three.members.map(m => ({ ...m, incarnation: "0123456789abcdef" }));
    expect(raft.proposeConfiguration({ ...three, members })).toEqual({ index: 2, term: 1 });
    expect(raft.proposeConfiguration(three)).toBe("change-pending");
    expect(raft.configuration.members[0]?.incarnation).toBe("0123456789abcdef");
  });
});

test("whoever answers heartbeats may succeed at any time, also just after a look at the quorum", () => {
  const raft = lead();
  const { electionTicksMin, heartbeatTicks } = DEFAULT_RAFT_OPTIONS;
  for (let ticks = 1; ticks <= 3 * electionTicksMin; ticks += 1) {
    raft.tick();
    expect(raft.bestSuccessor(), `after ${ticks} ticks`).not.toBeNull();
    if (ticks % heartbeatTicks === 0) raft.step(heard());
  }
});

test("a leader that falls while it sends a snapshot keeps no more of its log for that", () => {
  const tail = { tailBytes: 1, laggardTailBytes: 1_000_000 };
  const raft = lead({ ...tail, messageBytes: 1 });
  const entries = ["a", "b", "c", "d"].map(bytesOf);
  const ready = raft.take();
  raft.persisted(ready.term, ready.lastIndex);
  raft.propose(entries);
  const next = raft.take();
  raft.persisted(next.term, next.lastIndex);
  raft.step(holds(5, 1));
  raft.take();
  raft.applied(logIndex(5));
  expect(raft.status().baseIndex).toBe(5);
  // The third one, who has answered nothing yet, needs what is not in memory any more.
  raft.step({ ...heard(), from: other });
  expect(raft.take().snapshotRequests.map(({ to }) => to)).toEqual([other]);
  raft.step({ type: "vote-reply", from: peer, to: me, term: term(2), granted: false });
  expect(raft.role).toBe("follower");
  const follows = { type: "append", from: peer, to: me, term: term(2) } as const;
  const after = { previousIndex: logIndex(5), previousTerm: term(1), commit: logIndex(7) };
  raft.step({ ...follows, ...after, entries: [entry(6, 2), entry(7, 2)] });
  const last = raft.take();
  raft.persisted(last.term, last.lastIndex);
  raft.applied(logIndex(7));
  expect(raft.status().baseIndex).toBe(7);
});

describe("who has installed a snapshot goes on with the log, however far that has come meanwhile", () => {
  /** All of `payloads` committed, by the one follower's word, and applied. */
  const writes = (raft: Raft, payloads: readonly string[]): Message[] => {
    if (payloads.length > 0) raft.propose(payloads.map(bytesOf));
    const { term, lastIndex, messages } = raft.take();
    raft.persisted(term, lastIndex);
    raft.step(holds(lastIndex, 1));
    const more = raft.take().messages;
    raft.applied(lastIndex);
    return [...messages, ...more];
  };

  const appended = (messages: readonly Message[]): number[] =>
    messages.flatMap(message =>
      message.type === "append" && message.to === other ? message.entries.map(e => e.index) : [],
    );

  /** `other` has just installed a snapshot that ends with 5; the log ends with 9, all applied. */
  function afterSnapshot(laggardTailBytes: number): Raft {
    const raft = lead({ tailBytes: 1, laggardTailBytes, windowEntries: 1 });
    writes(raft, ["a", "b", "c", "d"]);
    expect(raft.status().baseIndex).toBe(5);
    raft.step({ ...heard(), from: other });
    expect(raft.take().snapshotRequests).toMatchObject([{ to: other, atLeast: 5 }]);
    writes(raft, ["e", "f", "g", "h"]);
    raft.step(holds(5, 1, other));
    return raft;
  }

  test("entry by entry, while more is written", () => {
    const raft = afterSnapshot(1_000_000);
    expect(appended(writes(raft, ["i"]))).toEqual([6]);
    raft.step(holds(6, 1, other));
    expect(appended(writes(raft, ["j"]))).toEqual([7]);
    expect(raft.status().baseIndex).toBe(6);
    expect(raft.take().snapshotRequests).toEqual([]);
  });

  test("up to a limit: then it is sent another", () => {
    const raft = afterSnapshot(300);
    writes(raft, ["i", "j"]);
    raft.step(holds(6, 1, other));
    expect(raft.take().snapshotRequests).toMatchObject([{ to: other, atLeast: 7 }]);
  });

  test("unless it falls silent: nothing is kept for it then", () => {
    const raft = afterSnapshot(1_000_000);
    writes(raft, []);
    for (let ticks = 0; ticks < DEFAULT_RAFT_OPTIONS.electionTicksMin; ticks += 1) {
      raft.step(heard());
      raft.tick();
    }
    writes(raft, ["i"]);
    expect(raft.status().baseIndex).toBe(10);
  });
});

describe("a Ready", () => {
  test("does not change after it was taken", () => {
    const raft = lead();
    const ready = raft.take();
    const before = structuredClone(ready);
    raft.propose([bytesOf("more")]);
    raft.readIndex(1);
    raft.tick();
    raft.take();
    expect(ready).toEqual(before);
  });

  test("is not due when nothing came up", () => {
    const raft = lead();
    raft.take();
    expect(raft.hasReady).toBe(false);
    raft.propose([bytesOf("more")]);
    expect(raft.hasReady).toBe(true);
  });
});

test("a leader that is the only voter confirms what is asked also when a heartbeat is due first", () => {
  const raft = start([], 0, {}, voters([1]));
  raft.campaign();
  let ready = raft.take();
  raft.persisted(ready.term, ready.lastIndex);
  // Asked before the leader's first entry is committed: it waits for that.
  raft.readIndex(7);
  ready = raft.take();
  expect(ready.reads).toEqual([]);
  raft.persisted(ready.term, ready.lastIndex);
  // In one turn the entry is durable and the next heartbeat due.
  for (let i = 0; i < DEFAULT_RAFT_OPTIONS.heartbeatTicks; i++) raft.tick();
  raft.readIndex(8);
  const reads = raft.take().reads.map(({ context, confirmed }) => ({ context, confirmed }));
  expect(reads).toEqual([
    { context: 7, confirmed: true },
    { context: 8, confirmed: true },
  ]);
});

test("who is no voter by its own log forgets a silent leader all the same: its vote may be needed", () => {
  const raft = start([], 1, {}, voters([1, 2], [3]), other);
  raft.step({
    ...{ type: "heartbeat", from: me, to: other, term: term(1) },
    ...{ commit: logIndex(0), commitTerm: term(0), round: 0, held: logIndex(0) },
  });
  for (let tick = 0; tick < DEFAULT_RAFT_OPTIONS.electionTicksMax; tick++) raft.tick();
  raft.take();
  for (let tick = 0; tick < 200; tick++) {
    raft.tick();
    raft.step({
      ...{ type: "pre-vote", from: peer, to: other, term: term(2) },
      ...{ lastIndex: logIndex(5), lastTerm: term(1) },
    });
    expect(raft.take().messages).toMatchObject([{ type: "pre-vote-reply", granted: true }]);
  }
});

test("reads that wait for the first commit of a term on disks that stand are given up, not kept", () => {
  const raft = lead();
  const { electionTicksMin, heartbeatTicks } = DEFAULT_RAFT_OPTIONS;
  let waiting = 0;
  for (let tick = 0; tick < 40 * electionTicksMin; tick++) {
    raft.tick();
    raft.readIndex(tick);
    raft.step({ type: "read", from: peer, to: me, term: term(1), batch: 7 });
    if (tick % heartbeatTicks === 0)
      raft.step({ type: "heartbeat-reply", from: peer, to: me, term: term(1), round: 0 });
    const { reads, messages } = raft.take();
    waiting += 1 - reads.length;
    for (const { confirmed } of reads) expect(confirmed).toBe(false);
    const told = messages.filter(({ type }) => type === "read-reply");
    expect(told.length).toBeLessThan(2);
    expect(waiting).toBeLessThan(2 * electionTicksMin);
  }
  expect(raft.role).toBe("leader");
});

test("a candidate whose own vote is not durable yet waits for it, however slow the disk", () => {
  const raft = start();
  raft.campaign();
  raft.step(granted("pre-vote-reply", 1));
  const { term: entered, lastIndex } = raft.take();
  for (let tick = 0; tick < 500; tick++) raft.tick();
  expect(raft.role).toBe("candidate");
  expect(raft.term).toBe(entered);
  raft.persisted(entered, lastIndex);
  for (let tick = 0; tick < DEFAULT_RAFT_OPTIONS.electionTicksMax; tick++) raft.tick();
  expect(raft.role).toBe("pre-candidate");
});

test("writes go on as soon as it is known that the successor cannot be reached", () => {
  const raft = lead();
  const { term: led, lastIndex } = raft.take();
  raft.persisted(led, lastIndex);
  raft.step(holds(1, 1));
  raft.transferLeadership(peer);
  expect(raft.propose([bytesOf("x")])).toBe("transferring");
  raft.linkReset(peer);
  expect(raft.propose([bytesOf("x")])).toMatchObject({ term: 1 });
  // Nor do they wait for one that is known to be out of reach when it is asked to take over.
  expect(raft.transferLeadership(peer)).toBeNull();
  expect(raft.propose([bytesOf("y")])).toMatchObject({ term: 1 });
});
