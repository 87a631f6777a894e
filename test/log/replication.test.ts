/** Elections, replication, crashes and restarts of whole logs. */
import { describe, expect, test } from "vitest";
import type { Term } from "../../src/base/ids.js";
import type { ReplicatedLog } from "../../src/log/port/index.js";
import type { Member } from "../../src/raft/message/index.js";
import { TestCluster, type TestNode } from "./cluster.js";

const three = (seed = 1): TestCluster => {
  const cluster = new TestCluster(["a", "b", "c"], seed);
  cluster.startAll();
  return cluster;
};

describe("a single node", () => {
  test("serves within an election timeout, and hands over what it appends", () => {
    const cluster = new TestCluster(["a"]);
    cluster.startAll();
    cluster.until(() => cluster.serving() !== null, "serving", 200);
    cluster.append("one");
    cluster.append("two");
    cluster.untilAllHave("two");
    expect(cluster.node("a").host.texts).toEqual(["one", "two"]);
  });

  test("commits nothing before it is synced", () => {
    const cluster = new TestCluster(["a"]);
    cluster.startAll();
    cluster.append("warm");
    cluster.untilAllHave("warm");
    cluster.syncMs = () => 50;
    cluster.append("slow");
    cluster.advance(49);
    expect(cluster.node("a").host.texts).toEqual(["warm"]);
    cluster.advance(2);
    expect(cluster.node("a").host.texts).toEqual(["warm", "slow"]);
  });

  test("has everything it committed after a loss of power", () => {
    const cluster = new TestCluster(["a"]);
    const node = cluster.node("a");
    for (let life = 1; life <= 5; life++) {
      node.start();
      cluster.append(`life ${life}`);
      cluster.untilAllHave(`life ${life}`);
      node.append("perhaps");
      cluster.loop.turn();
      node.crash();
    }
    node.start();
    cluster.append("last");
    cluster.untilAllHave("last");
    const lives = node.host.texts.filter(text => text.startsWith("life"));
    expect(lives).toEqual(["life 1", "life 2", "life 3", "life 4", "life 5"]);
  });
});

describe("three nodes", () => {
  test("agree on a log, each entry once and in order", () => {
    const cluster = three();
    for (let at = 0; at < 50; at++) cluster.append(`entry ${at}`);
    cluster.untilAllHave("entry 49");
    expect(cluster.node("c").host.texts).toEqual(
      Array.from({ length: 50 }, (_, at) => `entry ${at}`),
    );
    cluster.assertAgreement();
  });

  test("an entry is committed two disk syncs' and two hops' time after it came at the latest", () => {
    const cluster = three();
    cluster.append("warm");
    cluster.untilAllHave("warm");
    const before = cluster.loop.monotonicMs();
    const leader = cluster.leader();
    leader.append("timed");
    cluster.untilAllHave("timed", [leader]);
    // The leader's sync (1 ms) runs beside the way to a follower (1), its sync (1) and back (1).
    expect(cluster.loop.monotonicMs() - before).toBeLessThanOrEqual(3);
    cluster.untilAllHave("timed");
    // The commit index leaves in the turn in which it moved.
    expect(cluster.loop.monotonicMs() - before).toBeLessThanOrEqual(4);
  });

  test("all killed at once and started again have all that was committed, once and in order", () => {
    const cluster = three();
    for (let at = 0; at < 20; at++) cluster.append(`entry ${at}`);
    cluster.untilAllHave("entry 19", [cluster.leader()]);
    for (const node of cluster.nodes) node.crash();
    cluster.startAll();
    cluster.append("after");
    cluster.untilAllHave("after");
    for (const { host } of cluster.nodes) {
      const expected = [...Array.from({ length: 20 }, (_, at) => `entry ${at}`), "after"];
      expect(host.texts).toEqual(expected);
    }
  });

  test("a killed leader is replaced within the time of a fail-over, and loses nothing committed", () => {
    const cluster = three();
    cluster.append("kept");
    cluster.untilAllHave("kept");
    const leader = cluster.leader();
    leader.append("unsynced");
    const before = cluster.loop.monotonicMs();
    leader.crash();
    const next = cluster.leader();
    expect(next).not.toBe(leader);
    expect(cluster.loop.monotonicMs() - before).toBeLessThan(200);
    cluster.append("after");
    leader.start();
    cluster.untilAllHave("after");
    cluster.assertAgreement();
    expect(leader.host.texts[0]).toBe("kept");
  });

  test("a minority commits nothing, and its tail is cut when it comes back", () => {
    const cluster = three();
    cluster.append("kept");
    cluster.untilAllHave("kept");
    const leader = cluster.leader();
    const others = cluster.followers();
    cluster.network.isolate(
      leader.name,
      others.map(({ name }) => name),
    );
    leader.append("lost");
    cluster.advance(3_000);
    expect(leader.host.texts).not.toContain("lost");
    expect(leader.running.leadership().leader).toBeNull();
    expect(leader.append("refused")).toBeNull();
    cluster.append("by the majority");
    cluster.untilAllHave("by the majority", others);
    cluster.network.heal();
    cluster.untilAllHave("by the majority");
    expect(leader.host.texts).toEqual(["kept", "by the majority"]);
    cluster.assertAgreement();
  });

  test("a voter that lost its power remembers its vote: no term has two leaders", () => {
    let votes = 0;
    for (let seed = 1; seed <= 12; seed++) votes += voterRestarted(seed);
    // The moment wanted: one has voted in a term of which no entry has reached it yet.
    expect(votes).toBeGreaterThan(1);
  });

  test("an append for another term is refused", () => {
    const cluster = three();
    const leader = cluster.leader();
    const { term } = leader.running.leadership();
    const payload = new Uint8Array([1]);
    const refused = { ok: false, refusal: "not-leader" };
    expect(leader.running.append(payload, (term - 1) as Term)).toEqual(refused);
    expect(leader.running.append(payload, (term + 1) as Term)).toEqual(refused);
    expect(leader.running.append(payload, term).ok).toBe(true);
    expect(cluster.followers()[0]?.running.append(payload, null)).toEqual(refused);
  });

  test("the leader serves only once an entry of its own term was handed over", () => {
    const cluster = three();
    const leader = cluster.leader();
    const { leaderships } = leader.host;
    const { term } = leader.running.leadership();
    const own = leaderships.filter(now => now.term === term && now.leader !== null);
    expect(own.map(({ serving }) => serving)).toEqual([false, true]);
    expect(leader.host.last).toBeGreaterThanOrEqual(1);
  });

  test("the first leader writes down everybody's incarnation and client URLs, for all to know", () => {
    const cluster = three();
    cluster.append("one");
    cluster.untilAllHave("one");
    cluster.advance(200);
    for (const { running } of cluster.nodes) {
      const members = running.members() as readonly Member[];
      const [a, b, c] = [...members].sort((x, y) => (x.name < y.name ? -1 : 1));
      expect([a?.name, b?.name, c?.name]).toEqual(["a", "b", "c"]);
      expect(a?.clientUrls).toEqual(["http://a:2379"]);
      expect(new Set(members.map(({ incarnation }) => incarnation)).size).toBe(3);
      expect(members.every(({ incarnation }) => /^[0-9a-f]{16}$/.test(incarnation))).toBe(true);
    }
  });

  test("a member that is started with other client URLs is known by them", () => {
    const cluster = three();
    cluster.append("one");
    cluster.untilAllHave("one");
    const [follower] = cluster.followers();
    follower?.crash();
    follower?.start({ clientUrls: ["http://moved:1"] });
    cluster.until(
      () =>
        cluster.nodes.every(({ running }) =>
          running.members().some(({ clientUrls }) => clientUrls.includes("http://moved:1")),
        ),
      "known to all",
    );
  });
});

function isLeading(log: ReplicatedLog, inTerm: number): boolean {
  const { leader, term } = log.leadership();
  return leader === log.status().nodeId && term === inTerm;
}

/** The leader dies in the moment in which it was elected, and one who voted for it restarts. */
function voterRestarted(seed: number): number {
  const cluster = three(seed);
  cluster.append("kept");
  cluster.untilAllHave("kept");
  const first = cluster.leader();
  const { term } = first.running.leadership();
  const survivors = cluster.followers();
  first.kill();
  const elected = (): TestNode | undefined =>
    survivors.find(({ running }) => {
      const now = running.leadership();
      return now.term === term + 1 && now.leader === running.status().nodeId;
    });
  cluster.until(() => elected() !== undefined, "elected");
  const winner = elected() as TestNode;
  const voter = survivors.find(node => node !== winner) as TestNode;
  const hasVoted = voter.running.status().term === term + 1 && voter.running.status().lastIndex;
  // Neither hears of the other any more; the winner still counts itself the leader of its term.
  for (const { name } of [voter, first]) {
    cluster.network.silence(winner.name, name);
    cluster.network.silence(name, winner.name);
  }
  voter.crash();
  voter.start();
  first.start();
  cluster.until(
    () => first.running.leadership().serving || voter.running.leadership().serving,
    "other",
  );
  const other = [first, voter].find(({ running }) => running.leadership().serving) as TestNode;
  expect(other.running.leadership().term).toBeGreaterThan(term + 1);
  return hasVoted === winner.running.status().lastIndex - 1 ? 1 : 0;
}

describe("orderly stop", () => {
  test("hands leadership to a follower before it closes", () => {
    const cluster = three();
    cluster.append("one");
    cluster.untilAllHave("one");
    const leader = cluster.leader();
    const { term } = leader.running.leadership();
    const before = cluster.loop.monotonicMs();
    const stopped = leader.stop();
    cluster.until(stopped, "stopped", 1_000);
    expect(cluster.loop.monotonicMs() - before).toBeLessThan(100);
    // When it is closed another leads already: nobody had to miss it first.
    expect(cluster.up.some(({ running }) => isLeading(running, term + 1))).toBe(true);
    const next = cluster.leader();
    expect(cluster.loop.monotonicMs() - before).toBeLessThan(200);
    expect(next.running.leadership().term).toBe(term + 1);
    cluster.append("two");
    leader.start();
    cluster.untilAllHave("two");
  });

  test("with a member down the successor gets the vote that it needs of the one who stops", () => {
    const cluster = three();
    const leader = cluster.leader();
    const [successor, down] = cluster.followers() as [TestNode, TestNode];
    down.kill();
    cluster.append("two");
    cluster.untilAllHave("two");
    const { term } = leader.running.leadership();
    cluster.until(leader.stop(), "stopped", 1_000);
    expect(isLeading(successor.running, term + 1)).toBe(true);
  });

  test("a leader without followers stops all the same", () => {
    const cluster = three();
    const leader = cluster.leader();
    for (const node of cluster.followers()) node.kill();
    cluster.until(leader.stop(), "stopped", 1_500);
  });

  test("answers everything that waits", () => {
    const cluster = new TestCluster(["a", "b", "c"]);
    cluster.node("a").start();
    cluster.advance(100);
    const { running } = cluster.node("a");
    const answers: unknown[] = [];
    running.barrier(confirmed => answers.push(confirmed));
    running.confirmLeadership(term => answers.push(term));
    running.stop(() => answers.push("stopped"));
    cluster.advance(100);
    expect(answers).toHaveLength(3);
    expect(answers).toContain("stopped");
    expect(answers).toContain(false);
    expect(answers).toContain(null);
  });
});
