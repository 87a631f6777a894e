/** What the log says when it cannot go on: once, by name, and nothing after it. */
import { describe, expect, test } from "vitest";
import type { DiskErrorCode } from "../../src/base/disk.js";
import { TestCluster, type TestNode } from "./cluster.js";

function three(seed = 1): TestCluster {
  const cluster = new TestCluster(["a", "b", "c"], seed);
  cluster.startAll();
  cluster.append("one");
  cluster.untilAllHave("one");
  return cluster;
}

function failWrites(node: TestNode, code: DiskErrorCode): void {
  node.disk.fault = ({ kind }) => (kind === "writeAndSync" || kind === "sync" ? code : null);
}

describe("a disk error", () => {
  test("stops the node, is told once, and the others go on", () => {
    for (const [code, named] of [
      ["IO", "DISK_FAILED"],
      ["FULL", "DISK_FULL"],
    ] as const) {
      const cluster = three();
      const leader = cluster.leader();
      failWrites(leader, code);
      leader.append("never durable here");
      cluster.until(() => leader.host.failures.length > 0, "the failure");
      const { last } = leader.host;
      cluster.advance(2_000);
      expect(leader.host.failures.map(failure => failure.code)).toEqual([named]);
      expect(leader.host.failures[0]?.message).toContain("/data/");
      expect(leader.host.last).toBe(last);
      expect(leader.append("refused")).toBeNull();
      expect(leader.running.leadership().serving).toBe(false);
      cluster.until(leader.stop(), "stopped");
      cluster.append("two");
      cluster.untilAllHave("two");
    }
  });

  test("a follower whose sync fails vouches for nothing", () => {
    const cluster = three();
    const leader = cluster.leader();
    const followers = cluster.followers();
    for (const node of followers) failWrites(node, "IO");
    leader.append("on no other disk");
    cluster.advance(1_000);
    expect(leader.host.texts).not.toContain("on no other disk");
    for (const { host } of followers) expect(host.failures).toHaveLength(1);
  });

  test("at the start it is the start's answer and not told again", () => {
    const cluster = new TestCluster(["a"]);
    const node = cluster.node("a");
    failWrites(node, "IO");
    node.start();
    cluster.until(() => node.started !== null, "an answer");
    expect(node.started?.failure?.code).toBe("DISK_FAILED");
    cluster.advance(1_000);
    expect(node.host.failures).toEqual([]);
    cluster.until(node.stop(), "stopped");
  });
});

describe("damage", () => {
  test("stops the start by name, with file and offset", () => {
    const cluster = new TestCluster(["a"]);
    const node = cluster.node("a");
    node.start();
    for (let at = 0; at < 20; at++) {
      cluster.append(`entry ${at}`);
      cluster.untilAllHave(`entry ${at}`);
    }
    node.kill();
    const [segment] = node.disk.paths().filter(path => path.includes("segment-"));
    node.disk.rot(segment as string, bytes => {
      bytes[2_048 + 100] = (bytes[2_048 + 100] ?? 0) ^ 0xff;
    });
    node.start();
    cluster.until(() => node.started !== null, "an answer");
    expect(node.started?.failure?.code).toBe("WAL_DAMAGED");
    expect(node.started?.failure?.message).toMatch(/^\S+segment-\d+, offset \d+: (?!.*segment)/);
    expect(node.host.last).toBe(0);
  });
});

describe("the start", () => {
  test("a directory in use is refused by name", () => {
    const cluster = new TestCluster(["a", "b"]);
    const [a, b] = cluster.nodes as [TestNode, TestNode];
    b.disk = a.disk;
    a.start();
    cluster.advance(50);
    b.start();
    cluster.until(() => b.started !== null, "an answer");
    expect(b.started?.failure?.code).toBe("DIRECTORY_LOCKED");
  });

  test("an address in use is refused by name, before anything is written", () => {
    const cluster = new TestCluster(["a"]);
    const node = cluster.node("a");
    cluster.network.host("a").listen(
      { host: "a", port: 2380 },
      () => undefined,
      () => undefined,
    );
    cluster.advance(10);
    node.start();
    cluster.until(() => node.started !== null, "an answer");
    expect(node.started?.failure?.code).toBe("LISTEN_FAILED");
    expect(node.disk.paths()).toEqual([]);
  });

  test("a stop in the middle of it closes everything", () => {
    for (let turns = 0; turns < 60; turns += 3) {
      const cluster = new TestCluster(["a"]);
      const node = cluster.node("a");
      node.start();
      for (let at = 0; at < turns; at++) cluster.loop.turn(cluster.loop.monotonicMs() + 1);
      cluster.until(node.stop(), `stopped after ${turns} turns`, 5_000);
      node.start();
      cluster.append("one");
      cluster.untilAllHave("one");
    }
  });
});

describe("a log that forgot what it had acknowledged", () => {
  test("an older copy of a member's directory stops it by name, before it votes again", () => {
    const cluster = three();
    const [node] = cluster.followers() as [TestNode];
    node.kill();
    const older = node.disk.copy(cluster.diskOptions("older"));
    node.start();
    cluster.append("acknowledged since");
    cluster.untilAllHave("acknowledged since");
    cluster.advance(100); // for the word of it to come to the leader
    node.kill();
    node.disk = older;
    node.start();
    cluster.until(() => node.host.failures.length > 0, "the failure");
    expect(node.host.failures).toEqual([
      {
        code: "MEMBER_REPLACED",
        message: expect.stringMatching(/holds entry \d+, but its log ends/),
      },
    ]);
    expect(node.host.texts).not.toContain("acknowledged since");
    cluster.append("two");
    cluster.until(() => cluster.leader().host.texts.includes("two"), "the others to go on");
  });

  test("one that is as it was when it went is welcome", () => {
    const cluster = three();
    const [node] = cluster.followers() as [TestNode];
    node.kill();
    cluster.append("meanwhile");
    cluster.until(() => cluster.leader().host.texts.includes("meanwhile"), "the others to go on");
    node.start();
    cluster.untilAllHave("meanwhile");
    expect(node.host.failures).toEqual([]);
  });
});
