/** Members come and go while the cluster runs: the real log over a disk and a network in memory. */
import { beforeEach, describe, expect, test } from "vitest";
import { type NodeId, nodeId } from "../../src/base/ids.js";
import type { ChangeOutcome, MemberChange, TransferOutcome } from "../../src/log/port/index.js";
import { TEST_LIMITS, TestCluster, type TestNode } from "./cluster.js";

let cluster: TestCluster;

beforeEach(() => {
  cluster = new TestCluster(["a", "b", "c"]);
  cluster.startAll();
  cluster.append("before");
  cluster.untilAllHave("before");
  for (const node of cluster.nodes) servesLaggards(node);
});

const servesLaggards = (node: TestNode): void => {
  node.host.onWanted = () => void node.snapshot();
};
const idOf = (name: string): NodeId => {
  const member = cluster
    .leader()
    .running.members()
    .find(one => one.name === name);
  if (member === undefined) throw new Error(`no member ${name}`);
  return member.id;
};
const rolesOf = (node: TestNode): string =>
  node.running
    .members()
    .map(({ name, role }) => `${name} ${role}`)
    .sort()
    .join(", ");

function begin(change: MemberChange, on = cluster.leader()): () => ChangeOutcome | null {
  let outcome: ChangeOutcome | null = null;
  on.running.changeMembers(change, done => {
    expect(outcome, "answered once").toBeNull();
    outcome = done;
  });
  return () => outcome;
}

function change(what: MemberChange): ChangeOutcome {
  const outcome = begin(what);
  cluster.until(() => outcome() !== null, `an answer to ${what.kind}`);
  return outcome() as ChangeOutcome;
}

/** Waits out what will pass: a change under way, a learner that is not there yet. */
function changed(what: () => MemberChange): void {
  cluster.until(() => change(what()).ok, "the change is made");
}

const add = (name: string): MemberChange => ({
  kind: "add",
  name,
  peerUrls: [`http://${name}:2380`],
});
const promote = (name: string, replacing: NodeId | null = null): MemberChange => ({
  kind: "promote",
  member: idOf(name),
  replacing,
});
const remove = (name: string): MemberChange => ({ kind: "remove", member: idOf(name) });

function join(name: string): TestNode {
  changed(() => add(name));
  const node = cluster.newcomer(name);
  node.start();
  servesLaggards(node);
  cluster.until(() => node.started !== null, `${name} starts`);
  expect(node.started?.failure).toBeNull();
  return node;
}

const failureOf = (node: TestNode): string | undefined =>
  node.host.failures[0]?.code ?? node.started?.failure?.code;

describe("a member that is added", () => {
  test("begins with a snapshot, follows as a learner, and votes once it is promoted", () => {
    const d = join("d");
    cluster.untilAllHave("before", [d]);
    expect(d.host.restores).toBe(1);
    expect(rolesOf(d)).toBe("a voter, b voter, c voter, d learner");
    changed(() => promote("d"));
    cluster.until(() => rolesOf(d) === "a voter, b voter, c voter, d voter", "d knows it votes");
    cluster.append("after");
    cluster.untilAllHave("after");
    cluster.assertAgreement();
    // With two of four dead nobody has a quorum; with one of the dead back, d's vote makes it.
    const [x, y] = cluster.nodes.filter(node => node.name !== "d") as [TestNode, TestNode];
    x.kill();
    y.kill();
    cluster.advance(3_000);
    expect(cluster.serving()).toBeNull();
    x.start();
    cluster.append("with d");
    cluster.untilAllHave("with d");
  });

  test("may be started before it is added, and waits until somebody knows it", () => {
    const d = cluster.newcomer("d");
    d.start();
    cluster.until(() => d.notes.length > 0, "d says what it waits for");
    expect(d.notes[0]).toContain("nobody named d was added");
    const { waitingFor } = d.running.status();
    expect(waitingFor).toMatch(/^a member who knows it: .*nobody named d was added/);
    expect(d.started).toBeNull();
    expect(change(add("d")).ok).toBe(true);
    cluster.untilAllHave("before", [d]);
  });

  test("that stops while it waits stops at once", () => {
    const d = cluster.newcomer("d");
    d.start();
    cluster.until(() => d.notes.length > 0, "d waits");
    const stopped = d.stop();
    cluster.until(stopped, "d stops", 1_000);
  });

  test("that restarts before its first snapshot asks again, and is the same", () => {
    for (const node of cluster.nodes) node.host.onWanted = null;
    const d = join("d");
    cluster.advance(2_000);
    expect(d.host.last).toBe(0);
    const { nodeId } = d.running.status();
    d.crash();
    d.start();
    for (const node of cluster.nodes) servesLaggards(node);
    cluster.untilAllHave("before", [d]);
    expect(d.running.status().nodeId).toBe(nodeId);
  });

  test("and comes back with an empty directory is refused: the first one may have voted", () => {
    const d = join("d");
    cluster.untilAllHave("before", [d]);
    changed(() => promote("d"));
    d.kill();
    d.wipe();
    d.start();
    cluster.until(() => failureOf(d) !== undefined, "d stops");
    expect(failureOf(d)).toBe("MEMBER_REPLACED");
  });

  test("and never started is no candidate for a vote", () => {
    changed(() => add("d"));
    expect(change(promote("d"))).toEqual({ ok: false, refusal: "learner-behind" });
  });

  test("while others restart keeps nobody from taking part again", () => {
    changed(() => add("d"));
    for (const node of cluster.nodes) node.kill();
    cluster.startAll();
    cluster.append("after the restart");
    cluster.untilAllHave("after the restart");
  });

  test("by a name or a URL that is taken, or that is none, is refused", () => {
    const taken = { ok: false, refusal: "member-exists" };
    const bad = { ok: false, refusal: "bad-member" };
    expect(change(add("b"))).toEqual(taken);
    expect(change({ kind: "add", name: "d", peerUrls: ["http://b:2380"] })).toEqual(taken);
    expect(change({ kind: "add", name: "d", peerUrls: ["b:2380"] })).toEqual(bad);
    expect(change({ kind: "add", name: "d", peerUrls: [] })).toEqual(bad);
    expect(change({ kind: "add", name: "", peerUrls: ["http://d:2380"] })).toEqual(bad);
  });
});

describe("a member that was away while others came", () => {
  test("lets in a leader whom it has not heard of, and learns of it", () => {
    const [away] = cluster.followers() as [TestNode];
    away.kill();
    const d = join("d");
    cluster.untilAllHave("before", [d]);
    changed(() => promote("d"));
    cluster.leader().running.transferLeadership(idOf("d"), () => {});
    cluster.until(() => cluster.serving() === d, "d leads");
    cluster.append("by d");
    away.start();
    cluster.untilAllHave("by d", [away]);
    expect(rolesOf(away)).toBe("a voter, b voter, c voter, d voter");
  });

  test("follows them where all others it knew are gone", () => {
    const [away] = cluster.followers() as [TestNode];
    away.kill();
    const d = join("d");
    cluster.untilAllHave("before", [d]);
    changed(() => promote("d"));
    const gone = cluster.nodes.filter(node => node !== away && node !== d);
    changed(() => remove((gone[0] as TestNode).name));
    cluster.leader().running.transferLeadership(idOf("d"), () => {});
    cluster.until(() => cluster.serving() === d, "d leads");
    (gone[1] as TestNode).kill();
    away.start();
    cluster.append("after all that");
    cluster.untilAllHave("after all that", [d, away]);
  });
});

describe("a member that is removed", () => {
  test("stops by name, and the others go on with a smaller quorum", () => {
    const [gone, stays] = cluster.followers() as [TestNode, TestNode];
    expect(change(remove(gone.name)).ok).toBe(true);
    cluster.until(() => failureOf(gone) !== undefined, `${gone.name} stops`);
    expect(failureOf(gone)).toBe("MEMBER_REMOVED");
    gone.kill();
    cluster.append("without it");
    cluster.untilAllHave("without it");
    expect(rolesOf(stays).split(", ")).toHaveLength(2);
  });

  test("while it was down is told when it comes back", () => {
    const [gone] = cluster.followers() as [TestNode];
    const id = idOf(gone.name);
    gone.kill();
    changed(() => ({ kind: "remove", member: id }));
    gone.start();
    cluster.until(() => failureOf(gone) !== undefined, `${gone.name} stops`);
    expect(failureOf(gone)).toBe("MEMBER_REMOVED");
  });

  test("may be the leader: it answers, hands over and stops, and no time is lost", () => {
    const leader = cluster.leader();
    expect(change(remove(leader.name)).ok).toBe(true);
    const atMs = cluster.loop.monotonicMs();
    cluster.until(() => (cluster.serving() ?? leader) !== leader, "another one leads");
    expect(cluster.loop.monotonicMs() - atMs).toBeLessThan(100);
    cluster.until(() => failureOf(leader) !== undefined, "the old leader stops");
    expect(failureOf(leader)).toBe("MEMBER_REMOVED");
    leader.kill();
    cluster.append("without it");
    cluster.untilAllHave("without it");
  });

  test("comes back under its name, with an empty directory, as another member", () => {
    const [gone] = cluster.followers() as [TestNode];
    const before = idOf(gone.name);
    changed(() => ({ kind: "remove", member: before }));
    gone.kill();
    cluster.nodes.splice(cluster.nodes.indexOf(gone), 1);
    const again = join(gone.name);
    cluster.untilAllHave("before", [again]);
    expect(idOf(gone.name)).not.toBe(before);
    changed(() => promote(gone.name));
  });

  test("is refused when the others would be no quorum, or nobody would be left", () => {
    const [down, up] = cluster.followers() as [TestNode, TestNode];
    const [downId, upId] = [idOf(down.name), idOf(up.name)];
    down.kill();
    cluster.advance(2_000);
    expect(change({ kind: "remove", member: upId })).toEqual({
      ok: false,
      refusal: "would-lose-quorum",
    });
    changed(() => ({ kind: "remove", member: downId }));
    changed(() => ({ kind: "remove", member: upId }));
    expect(change(remove(cluster.leader().name))).toEqual({ ok: false, refusal: "last-voter" });
    expect(change({ kind: "remove", member: upId })).toEqual({
      ok: false,
      refusal: "no-such-member",
    });
    cluster.append("alone");
  });

  test("while dead may be replaced by a learner in one step", () => {
    const [dead] = cluster.followers() as [TestNode];
    const id = idOf(dead.name);
    dead.crash();
    const d = join("d");
    cluster.untilAllHave("before", [d]);
    changed(() => promote("d", id));
    cluster.append("replaced");
    cluster.untilAllHave("replaced", [d]);
    expect(rolesOf(d)).not.toContain("learner");
    expect(rolesOf(d).split(", ")).toHaveLength(3);
  });
});

describe("a change", () => {
  test("is refused by whoever does not lead", () => {
    const [follower] = cluster.followers() as [TestNode];
    // Whatever it knows of the members: it may be old.
    const wrong: MemberChange = { kind: "remove", member: nodeId(1) };
    for (const change of [add("d"), add("b"), wrong]) {
      const outcome = begin(change, follower);
      cluster.until(() => outcome() !== null, "an answer");
      expect(outcome()).toEqual({ ok: false, refusal: "not-leader" });
    }
  });

  test("while another one is under way waits for nobody: it is refused", () => {
    const leader = cluster.leader();
    const first = begin(add("d"), leader);
    const second = begin(add("e"), leader);
    cluster.until(() => first() !== null && second() !== null, "answers");
    expect(first()?.ok).toBe(true);
    expect(second()).toEqual({ ok: false, refusal: "change-pending" });
  });

  test("of a leader that is cut off is answered as unknown, and undone by what the others know", () => {
    const leader = cluster.leader();
    const others = cluster.nodes.filter(node => node !== leader).map(({ name }) => name);
    cluster.network.isolate(leader.name, others);
    const outcome = begin(add("d"), leader);
    cluster.until(() => outcome() !== null, "an answer");
    expect(outcome()).toEqual({ ok: false, refusal: "unknown" });
    cluster.network.heal();
    cluster.append("healed");
    cluster.untilAllHave("healed");
    expect(rolesOf(leader)).toBe("a voter, b voter, c voter");
  });
});

test("a change whose leader was deposed and is brought up by a snapshot is not called done", () => {
  const { raft } = TEST_LIMITS;
  cluster = new TestCluster(["a", "b", "c"], 1, { raft: { ...raft, tailBytes: 1_000 } });
  cluster.startAll();
  cluster.append("before");
  cluster.untilAllHave("before");
  const old = cluster.leader();
  const others = cluster.nodes.filter(node => node !== old);
  cluster.network.isolate(
    old.name,
    others.map(({ name }) => name),
  );
  const outcome = begin(add("d"), old);
  cluster.until(() => (cluster.serving() ?? old) !== old, "another one leads");
  const leader = cluster.serving() as TestNode;
  for (let at = 0; at < 200; at += 1) leader.append(`entry ${at}`);
  cluster.untilAllHave("entry 199", others);
  for (const node of others) cluster.until(node.snapshot(), "a snapshot");
  cluster.network.heal();
  cluster.until(() => outcome() !== null, "an answer");
  expect(old.running.status().snapshotIndex).toBeGreaterThan(0);
  expect(outcome()).toEqual({ ok: false, refusal: "unknown" });
});

describe("leadership is handed over on request", () => {
  function transfer(to: NodeId | null): TransferOutcome {
    let outcome: TransferOutcome | null = null;
    cluster.leader().running.transferLeadership(to, done => {
      outcome = done;
    });
    cluster.until(() => outcome !== null, "an answer");
    return outcome as unknown as TransferOutcome;
  }

  test("to the one that is named", () => {
    const [to] = cluster.followers() as [TestNode];
    expect(transfer(idOf(to.name))).toEqual({ ok: true, leader: idOf(to.name) });
    expect(cluster.leader()).toBe(to);
  });

  test("is answered also when the leader's disk fails meanwhile", () => {
    const leader = cluster.leader();
    const [to] = cluster.followers() as [TestNode];
    cluster.network.silence(leader.name, to.name);
    let outcome: TransferOutcome | null = null;
    leader.disk.fault = () => "IO";
    leader.append("fails");
    leader.running.transferLeadership(idOf(to.name), done => {
      outcome = done;
    });
    cluster.until(() => leader.host.failures.length > 0, "the leader stops");
    cluster.until(() => outcome !== null, "an answer", 100);
    expect(outcome).toEqual({ ok: false, refusal: "not-taken-over" });
  });

  test("to the best one when nobody is named; to oneself it is no change", () => {
    const leader = cluster.leader();
    expect(transfer(idOf(leader.name))).toEqual({ ok: true, leader: idOf(leader.name) });
    expect(cluster.leader()).toBe(leader);
    expect(transfer(null).ok).toBe(true);
    expect(cluster.leader()).not.toBe(leader);
  });

  test("not to a learner, and not to one that is down", () => {
    join("d");
    expect(transfer(idOf("d"))).toEqual({ ok: false, refusal: "not-a-voter" });
    const [down] = cluster.followers() as [TestNode];
    const id = idOf(down.name);
    down.kill();
    expect(transfer(id)).toEqual({ ok: false, refusal: "not-taken-over" });
    cluster.append("still served");
  });
});

test("a change that was cut off is answered also where its node leads again, with a shorter log", () => {
  const old = cluster.leader();
  const others = cluster.nodes.filter(node => node !== old);
  cluster.network.isolate(
    old.name,
    others.map(({ name }) => name),
  );
  for (let at = 0; at < 10; at += 1) old.append(`lost ${at}`);
  const outcome = begin(remove(others[0]?.name ?? ""), old);
  cluster.until(() => (cluster.serving() ?? old) !== old, "another one leads");
  cluster.network.heal();
  cluster.append("kept");
  cluster.untilAllHave("kept");
  let transferred = false;
  cluster.leader().running.transferLeadership(idOf(old.name), () => {
    transferred = true;
  });
  cluster.until(() => transferred && cluster.serving() === old, "it leads again");
  cluster.until(() => outcome() !== null, "an answer", 10_000);
  expect(outcome()).toMatchObject({ ok: false });
});
