/** Read points, confirmed leadership, and questions between nodes. */
import { describe, expect, test } from "vitest";
import { logIndex, type NodeId, type Term, term } from "../../src/base/ids.js";
import { DEFAULT_LOG_LIMITS } from "../../src/log/index.js";
import { Reads } from "../../src/log/reads.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
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

describe("a barrier that", () => {
  const asked = () => {
    const loop = new TurnedLoop();
    const contexts: number[] = [];
    const port = { readIndex: (at: number) => contexts.push(at), confirmLeadership: () => {} };
    const reads = new Reads(loop, 1_000);
    const answers: boolean[] = [];
    reads.barrier(confirmed => answers.push(confirmed));
    const confirm = (index: number) => {
      const [context = 0] = contexts;
      const read = { context, confirmed: true, term: term(1), index: logIndex(index) };
      reads.onReads([read], logIndex(1));
    };
    const pass = (ms: number) => {
      loop.advance(ms);
      reads.retry();
      return answers;
    };
    return { reads, port, confirm, pass, answers };
  };

  test("is confirmed at an index which never comes is refused after some seconds", () => {
    const { reads, port, confirm, pass, answers } = asked();
    reads.ask(port, false);
    confirm(2);
    expect(pass(4_900)).toEqual([]);
    expect(pass(200)).toEqual([false]);
    reads.applied(logIndex(2));
    expect(answers).toEqual([false]);
  });

  test("is confirmed and late is answered once, and those after it at the same index with true", () => {
    const { reads, port, confirm, pass, answers } = asked();
    reads.ask(port, false);
    confirm(2);
    expect(pass(4_000)).toEqual([]);
    reads.applied(logIndex(2));
    expect(answers).toEqual([true]);
    expect(pass(4_000)).toEqual([true]);
  });

  test("could not even be asked is refused in its time", () => {
    const { pass } = asked();
    expect(pass(900)).toEqual([]);
    expect(pass(200)).toEqual([false]);
  });

  test("was asked and got no answer is refused in its time, and the answer does no harm", () => {
    const { reads, port, confirm, pass } = asked();
    reads.ask(port, false);
    expect(pass(1_100)).toEqual([false]);
    confirm(1);
    expect(pass(10_000)).toEqual([false]);
  });

  test("comes while a slow disk takes a snapshot in is refused in its time", () => {
    const raft = { ...DEFAULT_LOG_LIMITS.raft, tailBytes: 1_000 };
    const cluster = new TestCluster(["a", "b", "c"], 1, { raft });
    cluster.startAll();
    cluster.append("first");
    cluster.untilAllHave("first");
    const away = cluster.followers()[0] as TestNode;
    cluster.sendAway(away);
    for (let at = 0; at < 100; at++) cluster.append(`entry ${at}`);
    cluster.untilAllHave("entry 99");
    for (const node of cluster.up) cluster.until(node.snapshot(), `a snapshot of ${node.name}`);
    for (const node of cluster.up) node.host.onWanted = () => node.snapshot();
    away.start();
    cluster.until(() => away.started !== null, "started");
    cluster.syncMs = () => 7_000;
    let waiting = 0;
    let refused = 0;
    let longestMs = 0;
    let open = 0;
    let nextMs = 0;
    const timed = (longest: { ms: number }) => {
      const beganMs = cluster.loop.monotonicMs();
      open += 1;
      return () => {
        open -= 1;
        longest.ms = Math.max(longest.ms, cluster.loop.monotonicMs() - beganMs);
      };
    };
    const asking = { ms: 0 };
    const confirming = { ms: 0 };
    const { nodeId } = away.running.status();
    cluster.until(
      () => {
        const beganMs = cluster.loop.monotonicMs();
        if (open < 50 && beganMs >= nextMs) {
          nextMs = beganMs + 100;
          away.running.ask(nodeId, new Uint8Array([1]), timed(asking));
          away.running.confirmLeadership(timed(confirming));
        }
        if (waiting < 50) {
          waiting += 1;
          away.running.barrier(confirmed => {
            waiting -= 1;
            if (!confirmed) refused += 1;
            longestMs = Math.max(longestMs, cluster.loop.monotonicMs() - beganMs);
          });
        }
        return away.host.restores > 0;
      },
      "the snapshot",
      120_000,
    );
    cluster.until(() => waiting + open === 0, "all answers", 10_000);
    expect(refused).toBeGreaterThan(0);
    expect(longestMs).toBeLessThan(5_200);
    expect(asking.ms).toBeLessThan(5_200);
    expect(confirming.ms).toBeLessThan(1_000);
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
