/** Read points, confirmed leadership, and questions between nodes. */
import { describe, expect, test } from "vitest";
import type { NodeId, Term } from "../../src/base/ids.js";
import { TestCluster, type TestNode } from "./cluster.js";

function three(seed = 1): TestCluster {
  const cluster = new TestCluster(["a", "b", "c"], seed);
  cluster.startAll();
  cluster.append("one");
  cluster.untilAllHave("one");
  return cluster;
}

const text = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : new TextDecoder().decode(bytes);

describe("barrier", () => {
  test("on every node, everything committed before it has been handed over when it answers", () => {
    const cluster = three();
    const leader = cluster.leader();
    for (let round = 0; round < 20; round++) {
      leader.append(`round ${round}`);
      cluster.untilAllHave(`round ${round}`, [leader]);
      const answers: string[] = [];
      for (const node of cluster.nodes) {
        node.running.barrier(confirmed => {
          expect(confirmed).toBe(true);
          expect(node.host.texts).toContain(`round ${round}`);
          answers.push(node.name);
        });
      }
      expect(answers).toEqual([]);
      cluster.until(() => answers.length === 3, "all barriers");
    }
  });

  test("no read through a change of leader misses what was committed before it began", () => {
    const cluster = three(3);
    let reads = 0;
    for (let round = 0; round < 6; round++) {
      const leader = cluster.leader();
      cluster.append(`round ${round}`);
      cluster.untilAllHave(`round ${round}`, [leader]);
      for (const node of cluster.up) {
        node.running.barrier(confirmed => {
          if (!confirmed || node.log === null) return;
          expect(node.host.texts).toContain(`round ${round}`);
          reads += 1;
        });
      }
      leader.kill();
      cluster.append(`after ${round}`);
      cluster.advance(1_200);
      leader.start();
      cluster.untilAllHave(`after ${round}`);
    }
    expect(reads).toBeGreaterThan(6);
  });

  test("without a leader it is refused in about a second", () => {
    const cluster = three();
    const [a, b, c] = cluster.nodes as [TestNode, TestNode, TestNode];
    b.kill();
    c.kill();
    cluster.advance(3_000);
    let answer: boolean | null = null;
    const before = cluster.loop.monotonicMs();
    a.running.barrier(confirmed => {
      answer = confirmed;
    });
    cluster.until(() => answer !== null, "an answer", 3_000);
    expect(answer).toBe(false);
    const tookMs = cluster.loop.monotonicMs() - before;
    expect(tookMs).toBeGreaterThanOrEqual(900);
    expect(tookMs).toBeLessThan(1_200);
  });

  test("asked while there is no leader it waits for one", () => {
    const cluster = three();
    const leader = cluster.leader();
    const [follower] = cluster.followers();
    leader.kill();
    let answer: boolean | null = null;
    follower?.running.barrier(confirmed => {
      answer = confirmed;
    });
    cluster.until(() => answer !== null, "an answer", 3_000);
    expect(answer).toBe(true);
  });
});

describe("confirmLeadership", () => {
  test("answers the leader with its term, and a follower with null", () => {
    const cluster = three();
    const leader = cluster.leader();
    const answers: (Term | null)[] = [];
    leader.running.confirmLeadership(term => answers.push(term));
    cluster.until(() => answers.length === 1, "the leader's");
    expect(answers[0]).toBe(leader.running.leadership().term);
    cluster.followers()[0]?.running.confirmLeadership(term => answers.push(term));
    expect(answers).toHaveLength(1);
    cluster.until(() => answers.length === 2, "the follower's");
    expect(answers[1]).toBeNull();
  });

  test("a leader cut from the others is never confirmed, even before it knows", () => {
    const cluster = three();
    const leader = cluster.leader();
    const names = cluster.followers().map(({ name }) => name);
    cluster.network.isolate(leader.name, names);
    expect(leader.running.leadership().serving).toBe(true);
    const answers: (Term | null)[] = [];
    for (let at = 0; at < 40; at++) {
      leader.running.confirmLeadership(term => answers.push(term));
      cluster.advance(50);
    }
    cluster.network.heal();
    cluster.until(() => answers.length === 40, "all answered");
    expect(answers.every(term => term === null)).toBe(true);
  });

  test("a confirmation begun before a heartbeat's answers is not satisfied by them", () => {
    const cluster = three();
    const leader = cluster.leader();
    const followers = cluster.followers();
    cluster.network.setDelay(10);
    cluster.advance(200);
    // Answers are on their way; what they answer began before this call.
    for (const { name } of followers) cluster.network.silence(leader.name, name);
    const answers: (Term | null)[] = [];
    leader.running.confirmLeadership(term => answers.push(term));
    cluster.advance(300);
    expect(answers.filter(term => term !== null)).toEqual([]);
  });
});

describe("ask", () => {
  test("goes to another node and to this one, and never answers within the call", () => {
    const cluster = three();
    const [a, b] = cluster.nodes as [TestNode, TestNode];
    const answers: (string | null)[] = [];
    const question = new TextEncoder().encode("who");
    for (const { running } of [a, b]) {
      a.running.ask(running.status().nodeId, question, answer => answers.push(text(answer)));
    }
    expect(answers).toEqual([]);
    cluster.until(() => answers.length === 2, "answers");
    expect(answers).toEqual(["re: who", "re: who"]);
  });

  test("arrives in the order asked", () => {
    const cluster = three();
    const [a, b] = cluster.nodes as [TestNode, TestNode];
    const heard: string[] = [];
    b.host.onAsked = question => heard.push(question);
    for (let at = 0; at < 20; at++) {
      const question = new TextEncoder().encode(`${at}`);
      a.running.ask(b.running.status().nodeId, question, () => undefined);
    }
    cluster.until(() => heard.length === 20, "all heard");
    expect(heard).toEqual(Array.from({ length: 20 }, (_, at) => `${at}`));
  });

  test("answers null when the node is away, unknown, or says nothing, itself included", () => {
    const cluster = three();
    const [a, b, c] = cluster.nodes as [TestNode, TestNode, TestNode];
    const silent = b.running.status().nodeId;
    const gone = c.running.status().nodeId;
    b.host.onAsked = () => undefined;
    a.host.onAsked = () => undefined;
    const answers: (string | null)[] = [];
    const question = new TextEncoder().encode("who");
    const own = a.running.status().nodeId;
    for (const id of [gone, silent, 77 as NodeId, own]) {
      a.running.ask(id, question, answer => answers.push(text(answer)));
    }
    c.kill();
    cluster.until(() => answers.length === 4, "answers", 8_000);
    expect(answers).toEqual([null, null, null, null]);
  });
});
