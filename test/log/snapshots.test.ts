/** Snapshots: of a node's own state, at the start, and to laggards while appends go on. */
import { describe, expect, test } from "vitest";
import type { LogIndex } from "../../src/base/ids.js";
import { DEFAULT_LOG_LIMITS } from "../../src/log/index.js";
import { TestCluster, type TestNode } from "./cluster.js";

/** Raft keeps next to nothing in memory, so that whoever was away needs a snapshot. */
const SHORT_TAIL = { raft: { ...DEFAULT_LOG_LIMITS.raft, tailBytes: 1_000 } };

function three(seed = 1): TestCluster {
  const cluster = new TestCluster(["a", "b", "c"], seed, SHORT_TAIL);
  cluster.startAll();
  cluster.append("first");
  cluster.untilAllHave("first");
  return cluster;
}

function fill(cluster: TestCluster, from: number, count: number): void {
  for (let at = from; at < from + count; at++) cluster.append(`entry ${at}`);
  cluster.untilAllHave(`entry ${from + count - 1}`);
}

function snapshotAll(nodes: readonly TestNode[], cluster: TestCluster): void {
  for (const node of nodes) cluster.until(node.snapshot(), `a snapshot of ${node.name}`);
}

describe("own snapshots", () => {
  test("a node starts from its snapshot and the log after it, each entry once", () => {
    const cluster = three();
    fill(cluster, 0, 30);
    snapshotAll(cluster.nodes, cluster);
    fill(cluster, 30, 10);
    const { texts } = cluster.node("a").host;
    for (const node of cluster.nodes) node.crash();
    cluster.startAll();
    cluster.append("after");
    cluster.untilAllHave("after");
    for (const { host } of cluster.nodes) {
      expect(host.restores).toBe(1);
      expect(host.texts).toEqual([...texts, "after"]);
    }
  });

  test("the members are known after a start from a snapshot", () => {
    const cluster = three();
    snapshotAll(cluster.nodes, cluster);
    for (const node of cluster.nodes) node.crash();
    for (const node of cluster.nodes) node.start({ names: ["z"] });
    cluster.append("after");
    cluster.untilAllHave("after");
    expect(cluster.node("b").running.members()).toHaveLength(3);
  });

  test("bytes since the newest snapshot grow with the log and fall when one is durable", () => {
    const cluster = three();
    const { running } = cluster.node("b");
    const before = running.status().bytesSinceSnapshot;
    fill(cluster, 0, 20);
    const full = running.status().bytesSinceSnapshot;
    expect(full - before).toBeGreaterThan(20 * "entry 10".length - 10);
    snapshotAll([cluster.node("b")], cluster);
    const status = running.status();
    expect(status.bytesSinceSnapshot).toBe(0);
    expect(status.snapshotIndex).toBe(status.appliedIndex);
  });

  test("one at a time; a given-up one leaves the next free, and is told as not durable", () => {
    const cluster = three();
    const { running, host } = cluster.node("a");
    const at = host.last as LogIndex;
    const first = running.beginSnapshot(at);
    expect(first).not.toBeNull();
    expect(running.beginSnapshot(at)).toBeNull();
    first?.write(new Uint8Array(10), () => undefined);
    first?.abort();
    snapshotAll([cluster.node("a")], cluster);
    expect(running.status().snapshotIndex).toBe(at);
  });
});

describe("laggards", () => {
  test("a follower that was away through several snapshots catches up while appends go on", () => {
    const cluster = three(2);
    const away = cluster.followers()[0] as TestNode;
    cluster.sendAway(away);
    for (let round = 0; round < 4; round++) {
      fill(cluster, round * 100, 100);
      snapshotAll(cluster.up, cluster);
    }
    for (const node of cluster.up) node.host.onWanted = () => node.snapshot();
    away.start();
    let appended = 0;
    const caughtUp = (): boolean => away.host.texts.includes("entry 399");
    cluster.until(() => {
      if (appended < 500) cluster.leader().append(`live ${appended++}`);
      return caughtUp();
    }, "caught up");
    expect(appended).toBe(500);
    expect(away.host.restores).toBeGreaterThan(0);
    cluster.append("end");
    cluster.untilAllHave("end");
    cluster.assertAgreement();
    // What it was sent is its own now: it starts from it.
    away.crash();
    away.start();
    cluster.append("again");
    cluster.untilAllHave("again");
    cluster.assertAgreement();
  });

  test("the host is asked for a newer snapshot when the newest is too old, and it is sent then", () => {
    const cluster = three();
    const away = cluster.followers()[0] as TestNode;
    cluster.sendAway(away);
    fill(cluster, 0, 100);
    for (const node of cluster.up) node.host.onWanted = () => node.snapshot();
    away.start();
    cluster.untilAllHave("entry 99");
    expect(away.host.restores).toBe(1);
    expect(cluster.up.reduce((sum, { host }) => sum + host.wanted, 0)).toBeGreaterThan(0);
    cluster.assertAgreement();
  });

  test("a host that gives its snapshot up is asked again", () => {
    const cluster = three();
    const away = cluster.followers()[0] as TestNode;
    cluster.sendAway(away);
    fill(cluster, 0, 100);
    let asked = 0;
    for (const node of cluster.up) {
      node.host.onWanted = () => {
        asked += 1;
        if (asked > 2) node.snapshot();
        else node.running.beginSnapshot(node.host.last as LogIndex)?.abort();
      };
    }
    away.start();
    cluster.untilAllHave("entry 99");
    expect(asked).toBeGreaterThan(2);
  });

  test("many at once", () => {
    const cluster = new TestCluster(["a", "b", "c", "d", "e"], 5, SHORT_TAIL);
    cluster.startAll();
    fill(cluster, 0, 5);
    const away = cluster.followers().slice(0, 2);
    cluster.sendAway(...away);
    fill(cluster, 10, 200);
    snapshotAll(cluster.up, cluster);
    for (const node of away) node.start();
    fill(cluster, 300, 10);
    for (const { host } of away) expect(host.restores).toBe(1);
    cluster.assertAgreement();
  });

  test("killed at any moment of receiving, the follower starts again and catches up", () => {
    for (let afterMs = 2; afterMs < 60; afterMs += 7) {
      const cluster = three(afterMs);
      const away = cluster.followers()[0] as TestNode;
      cluster.sendAway(away);
      fill(cluster, 0, 80);
      snapshotAll(cluster.up, cluster);
      away.start();
      cluster.advance(afterMs);
      cluster.leader().append("racing");
      away.crash();
      cluster.advance(20);
      away.start();
      cluster.append("end");
      cluster.untilAllHave("end");
      cluster.assertAgreement();
    }
  });

  test("a sender killed in the middle is replaced by another", () => {
    for (let afterMs = 2; afterMs < 40; afterMs += 7) {
      const cluster = three(afterMs);
      const away = cluster.followers()[0] as TestNode;
      cluster.sendAway(away);
      fill(cluster, 0, 80);
      snapshotAll(cluster.up, cluster);
      const leader = cluster.leader();
      away.start();
      cluster.advance(afterMs);
      leader.crash();
      cluster.append("by the next");
      cluster.untilAllHave("by the next");
      leader.start();
      cluster.append("end");
      cluster.untilAllHave("end");
      cluster.assertAgreement();
    }
  });
});
