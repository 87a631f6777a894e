/** Who may take part: the first start of a cluster, emptied members, strangers, flags that changed. */
import { describe, expect, test } from "vitest";
import { TestCluster, type TestNode } from "./cluster.js";

const NAMES = ["a", "b", "c"];

function started(cluster: TestCluster): void {
  cluster.startAll();
  cluster.append("one");
  cluster.untilAllHave("one");
}

/** The code with which a node stopped, at its start or later; undefined while it runs. */
function failureOf({ started: answer, host }: TestNode): string | undefined {
  return answer?.failure?.code ?? host.failures[0]?.code;
}

describe("before the first configuration", () => {
  test("nobody votes until every initial member has let it in, and each says whom it waits for", () => {
    const cluster = new TestCluster(NAMES);
    cluster.node("a").start();
    cluster.node("b").start();
    cluster.advance(10_000);
    for (const name of ["a", "b"]) {
      const status = cluster.node(name).running.status();
      expect(status.term).toBe(0);
      expect(status.waitingFor).toContain("c (http://c:2380)");
      expect(status.waitingFor).not.toContain("(http://b:2380)");
    }
    cluster.node("c").start();
    cluster.append("one");
    cluster.untilAllHave("one");
    expect(cluster.node("a").running.status().waitingFor).toBeUndefined();
  });

  test("a node wiped during the very first election is refused and cannot vote twice", () => {
    // At every moment of the first election, by every member.
    for (let afterMs = 1; afterMs < 1_500; afterMs += 97) {
      for (const name of NAMES) wipedDuringElection(name, afterMs);
    }
  });

  test("a restarted node goes on with the bootstrap at once, without those it has heard", () => {
    const cluster = new TestCluster(NAMES);
    cluster.startAll();
    cluster.until(
      () => cluster.nodes.every(({ running }) => running.status().waitingFor === undefined),
      "all have met",
    );
    expect(cluster.node("a").running.status().term).toBe(0);
    for (const node of cluster.nodes) node.crash();
    cluster.node("a").start();
    cluster.node("b").start();
    cluster.append("without c");
    cluster.untilAllHave("without c");
  });

  test("a node that was emptied twice in a row, and killed in between, still does not vote", () => {
    const cluster = new TestCluster(NAMES);
    started(cluster);
    const node = cluster.node("c");
    node.kill();
    node.wipe();
    // Killed at every step of its new life: what it managed to write must not make it a voter.
    for (let ms = 0; ms < 12; ms++) {
      node.start();
      cluster.advance(ms);
      if (failureOf(node) === undefined) expect(node.running.status().term).toBe(0);
      node.kill();
    }
    node.start();
    cluster.until(() => failureOf(node) === "MEMBER_REPLACED", "refused");
  });
});

function wipedDuringElection(name: string, afterMs: number): void {
  const cluster = new TestCluster(NAMES, afterMs);
  cluster.startAll();
  cluster.advance(afterMs);
  const node = cluster.node(name);
  node.kill();
  node.wipe();
  node.start();
  cluster.advance(3_000);
  const others = cluster.nodes.filter(other => other !== node);
  const term = node.log?.status().term;
  // Either nobody knew its first life yet, or it is told to stop and has voted for nobody since.
  if (failureOf(node) === "MEMBER_REPLACED") expect(term).toBe(0);
  else expect(others.every(({ log }) => log !== null)).toBe(true);
  const terms = new Map<number, string>();
  for (const { host, name: own } of cluster.nodes) {
    for (const { serving, term: at } of host.leaderships) {
      if (!serving) continue;
      expect(terms.get(at) ?? own).toBe(own);
      terms.set(at, own);
    }
  }
  cluster.assertAgreement();
}

describe("afterwards", () => {
  test("an emptied member is refused as itself, is told why, and the others go on", () => {
    const cluster = new TestCluster(NAMES);
    started(cluster);
    const node = cluster.followers()[0] as TestNode;
    node.kill();
    node.wipe();
    node.start();
    cluster.until(() => failureOf(node) !== undefined, "told");
    expect(node.host.failures).toHaveLength(1);
    expect(node.host.failures[0]?.code).toBe("MEMBER_REPLACED");
    expect(node.host.failures[0]?.message).toMatch(/remove this member .* add it again/);
    expect(node.host.last).toBe(0);
    cluster.advance(2_000);
    expect(node.host.failures).toHaveLength(1);
    node.kill();
    cluster.append("two");
    cluster.untilAllHave("two");
  });

  test("it is refused also by members that were restarted meanwhile", () => {
    const cluster = new TestCluster(NAMES);
    started(cluster);
    for (const node of cluster.nodes) node.crash();
    cluster.node("c").wipe();
    cluster.startAll();
    cluster.until(() => failureOf(cluster.node("c")) === "MEMBER_REPLACED", "refused");
    cluster.node("c").kill();
    cluster.append("two");
    cluster.untilAllHave("two");
  });

  test("existing data beats the flags", () => {
    const cluster = new TestCluster(NAMES);
    started(cluster);
    for (const node of cluster.nodes) node.crash();
    for (const node of cluster.nodes) node.start({ names: ["x", "y"] });
    cluster.append("two");
    cluster.untilAllHave("two");
  });

  test("a node keeps its ids, and all agree on the cluster's", () => {
    const cluster = new TestCluster(NAMES);
    started(cluster);
    const ids = (): unknown[] =>
      cluster.nodes.map(({ running }) => {
        const { nodeId, clusterId, name } = running.status();
        return { nodeId, clusterId, name };
      });
    const before = ids();
    expect(new Set(cluster.nodes.map(({ running }) => running.status().clusterId)).size).toBe(1);
    for (const node of cluster.nodes) node.crash();
    cluster.startAll();
    cluster.leader();
    cluster.advance(100);
    expect(ids()).toEqual(before);
  });
});

describe("flags that do not fit", () => {
  test("a node of another initial cluster or token is refused by name", () => {
    for (const other of [{ token: "other" }, { names: ["a", "b", "c", "d"] }]) {
      const cluster = new TestCluster(NAMES);
      cluster.node("a").start();
      cluster.node("b").start();
      cluster.node("c").start(other);
      const c = cluster.node("c");
      cluster.until(() => failureOf(c) !== undefined, "refused");
      expect(failureOf(c)).toBe("CLUSTER_MISMATCH");
    }
  });

  test("other flags than before the first configuration was agreed on are refused by name", () => {
    const cluster = new TestCluster(NAMES);
    cluster.node("a").start();
    cluster.advance(100);
    cluster.node("a").kill();
    cluster.node("a").start({ names: ["a", "b"] });
    cluster.until(() => cluster.node("a").started !== null, "answered");
    expect(failureOf(cluster.node("a"))).toBe("CLUSTER_MISMATCH");
  });

  test("a name that is not among the initial members is refused by name", () => {
    const cluster = new TestCluster(NAMES);
    cluster.node("a").start({ names: ["b", "c"] });
    cluster.until(() => cluster.node("a").started !== null, "answered");
    expect(failureOf(cluster.node("a"))).toBe("CONFIGURATION");
  });
});
