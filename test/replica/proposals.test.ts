import { describe, expect, it } from "vitest";
import { Writer } from "../../src/base/codec.js";
import {
  QUESTION,
  TAKEN,
  writeQuestion,
  writeStreamHead,
} from "../../src/replica/proposals/questions.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { Setting } from "./setting.js";

const put = (key: string, value = "v") => ({ key, value });
const request = (number: number) => ({
  request: { client: "00000000000000c1", number, low: 1 },
});

describe("proposals", () => {
  it("all commands of one turn are one log entry", () => {
    const s = new Setting();
    const client = s.client();
    const calls = Array.from({ length: 50 }, (_, i) => client.call("kv.put", put(`k${i}`)));
    s.results(...calls);
    expect(s.log(1).appends).toHaveLength(1);
    expect(s.commandsCommitted().at(-1)).toHaveLength(50);
  });

  it("an entry past the limit in commands is followed by another, in order", () => {
    const s = new Setting(1, { maxCommandsPerEntry: 8 });
    const client = s.client();
    const calls = Array.from({ length: 20 }, () => client.call("kv.put", put("k")));
    const revisions = s.results(...calls).map(({ revision }) => revision);
    expect(s.log(1).appends).toHaveLength(3);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  });

  it("all of a follower's turn goes to the leader in one ask and settles at its own applier", () => {
    const s = new Setting(3);
    let asks = 0;
    s.cluster.askFate = () => {
      asks++;
      return "deliver";
    };
    const client = s.client(2);
    s.results(...Array.from({ length: 30 }, (_, i) => client.call("kv.put", put(`k${i}`))));
    expect(asks).toBe(1);
    expect(s.commandsCommitted().at(-1)).toHaveLength(30);
  });

  it("a follower that has not applied its command yet does not answer it", () => {
    const s = new Setting(3);
    s.log(2).lagging = true;
    const call = s.client(2).call("kv.put", put("k"));
    s.loop.advance(200);
    expect(s.commandsCommitted().flat()).toEqual(["kv.put"]);
    expect(call.outcome).toBeNull();
    s.log(2).lagging = false;
    s.log(2).catchUp();
    expect(s.result(call).created).toBe(true);
  });

  it("commands wait for a leader, and commit in the order called", () => {
    const s = new Setting(3);
    s.cluster.depose();
    s.loop.settle();
    const client = s.client(2);
    const calls = [1, 2, 3].map(n => client.call("kv.put", put("k", `${n}`)));
    s.loop.advance(1_000);
    expect(calls.every(({ outcome }) => outcome === null)).toBe(true);
    s.cluster.elect(s.log(3));
    const revisions = s.results(...calls).map(({ revision }) => revision);
    expect(revisions).toEqual([2, 3, 4]);
  });

  it("without a leader until its time is over, a command fails and is certain not to be applied", () => {
    const s = new Setting(3);
    s.cluster.depose();
    s.loop.settle();
    const call = s.client(2).call("kv.put", put("k"));
    expect(s.code(call)).toBe("UNAVAILABLE");
    s.cluster.elect(s.log(1));
    s.loop.advance(10_000);
    expect(s.commandsCommitted().flat()).toEqual([]);
  });

  it("a deposed leader's uncommitted commands are proposed once more, in order, and applied once", () => {
    const s = new Setting(3);
    s.cluster.autoCommit = false;
    const client = s.client(1);
    const calls = [1, 2, 3].map(n => client.call("kv.put", put("k", `${n}`)));
    s.loop.advance(10);
    s.cluster.elect(s.log(2));
    s.loop.settle();
    // Called after the fall: it must not overtake those that go again.
    calls.push(client.call("kv.put", put("k", "4")));
    s.cluster.autoCommit = true;
    s.loop.advance(10);
    s.cluster.commit();
    expect(s.results(...calls).map(({ revision }) => revision)).toEqual([2, 3, 4, 5]);
    expect(s.commandsCommitted().flat()).toHaveLength(4);
  });

  it("a leader that slept through its fall hands each command on once, also those it held back", () => {
    const s = new Setting(3);
    s.cluster.autoCommit = false;
    const client = s.client(1);
    const calls = [40, 60, 20].flatMap(count => {
      const turn = Array.from({ length: count }, () =>
        client.call("kv.append", { prefix: "p", value: "" }),
      );
      s.loop.settle();
      return turn;
    });
    expect(s.log(1).appends).toHaveLength(2); // the third waits for company
    s.cluster.isolate(s.log(1));
    s.cluster.elect(s.log(2));
    s.loop.settle();
    s.cluster.wake(s.log(1));
    s.loop.advance(100);
    s.cluster.autoCommit = true;
    s.cluster.commit();
    const keys = s.results(...calls).map(({ key }) => key);
    s.loop.advance(1_000);
    expect(s.commandsCommitted().flat()).toHaveLength(120);
    expect(keys).toEqual(keys.toSorted());
    expect(s.replicas[0]!.coordinator.status().counters.proposals_pending).toBe(0);
  });

  it("what is handed over in one term is not followed by another term's before it is settled", () => {
    const s = new Setting(3);
    s.cluster.autoCommit = false;
    const client = s.client(1);
    const first = client.call("kv.put", put("k", "1"));
    s.loop.advance(10);
    s.log(1).lagging = true;
    s.cluster.elect(s.log(2), true);
    s.cluster.autoCommit = true;
    const second = client.call("kv.put", put("k", "2"));
    s.loop.advance(300);
    expect(s.commandsCommitted().flat()).toHaveLength(1);
    s.log(1).lagging = false;
    s.log(1).catchUp();
    expect(s.results(first, second).map(({ revision }) => revision)).toEqual([2, 3]);
  });

  it("a command that an isolated leader took is of unknown outcome, and never sent twice", () => {
    const s = new Setting(3);
    s.cluster.isolate(s.log(1));
    const call = s.client(1).call("kv.put", put("k"));
    expect(s.code(call)).toBe("OUTCOME_UNKNOWN");
    s.cluster.elect(s.log(2));
    s.cluster.rejoin(s.log(1));
    s.loop.advance(10_000);
    expect(s.commandsCommitted().flat()).toEqual([]);
  });

  it("an ask that was lost on its way is sent again in the next stream, in order", () => {
    const s = new Setting(3);
    let lose = 1;
    s.cluster.askFate = () => (lose-- > 0 ? "lose" : "deliver");
    const client = s.client(2);
    const first = client.call("kv.put", put("k", "1"));
    s.loop.turn();
    const second = client.call("kv.put", put("k", "2"));
    expect(s.results(first, second).map(({ revision }) => revision)).toEqual([2, 3]);
    expect(s.commandsCommitted().flat()).toHaveLength(2);
  });

  it("an ask whose answer was lost is not sent again: the leader tells what it took", () => {
    const s = new Setting(3);
    s.cluster.autoCommit = false;
    let lose = 1;
    s.cluster.askFate = () => (lose-- > 0 ? "lose answer" : "deliver");
    const client = s.client(2);
    const first = client.call("kv.put", put("k", "1"));
    s.loop.advance(300);
    const second = client.call("kv.put", put("k", "2"));
    s.loop.advance(300);
    s.cluster.autoCommit = true;
    s.cluster.commit();
    expect(s.results(first, second).map(({ revision }) => revision)).toEqual([2, 3]);
    expect(s.commandsCommitted().flat()).toHaveLength(2);
  });

  it("with the link down for good, what was sent on is unknown and what was not is unavailable", () => {
    const s = new Setting(3);
    s.cluster.askFate = () => "lose";
    const client = s.client(2);
    const sent = client.call("kv.put", put("k", "1"));
    s.loop.advance(100);
    const unsent = client.call("kv.put", put("k", "2"));
    expect(s.code(sent)).toBe("OUTCOME_UNKNOWN");
    expect(s.code(unsent)).toBe("UNAVAILABLE");
  });

  it("a leader that takes no more for now makes commands wait, not fail or pass each other", () => {
    const s = new Setting(3);
    s.log(1).refuseAppends = true;
    const near = s.client(1).call("kv.put", put("a"));
    const client = s.client(2);
    const far = [1, 2].map(n => client.call("kv.put", put("k", `${n}`)));
    s.loop.advance(500);
    far.push(client.call("kv.put", put("k", "3")));
    s.log(1).refuseAppends = false;
    const revisions = s.results(...far).map(({ revision }) => revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    expect(s.result(near).created).toBe(true);
    expect(s.commandsCommitted().flat()).toHaveLength(4);
  });

  it("nothing passes a refused entry within the same turn", () => {
    const s = new Setting(1, { maxCommandsPerEntry: 1 });
    s.log(1).refuseNext = 1;
    const client = s.client();
    const calls = [1, 2, 3].map(n => client.call("kv.put", put("k", `${n}`)));
    expect(s.results(...calls).map(({ revision }) => revision)).toEqual([2, 3, 4]);
  });

  it("an ask that arrives when its leader leads in a later term is not taken", () => {
    const s = new Setting(3);
    const call = s.client(2).call("kv.append", { prefix: "p", value: "" });
    s.loop.settle(); // the ask is on its way
    s.cluster.elect(s.log(1));
    s.loop.settle();
    expect(s.log(1).leadership()).toMatchObject({ term: 2, serving: true });
    s.result(call);
    s.loop.advance(1_000);
    expect(s.commandsCommitted().flat()).toEqual(["kv.append"]);
  });

  it("commands that name another term than the leader's are refused whole", () => {
    const s = new Setting(3);
    const w = new Writer(nodeBytes);
    const taken = [0, 1, 2].map(term => {
      writeQuestion(w, QUESTION.propose);
      writeStreamHead(w, term, 77, 1);
      w.count(0);
      w.count(1);
      w.array(Uint8Array.of(1, 2, 3));
      let answer: number | undefined;
      s.log(1).host.asked(s.log(2).id, w.finish(), ([first]) => {
        answer = first;
      });
      s.loop.settle();
      return answer;
    });
    expect(taken).toEqual([TAKEN.notLeader, TAKEN.all, TAKEN.notLeader]);
    expect(s.log(1).appends).toHaveLength(1);
  });

  it("past the limit a command is refused at once, and those before it are not touched", () => {
    const s = new Setting(1, { maxPendingProposals: 3 });
    s.cluster.depose();
    s.loop.settle();
    const client = s.client();
    const calls = [1, 2, 3, 4].map(n => client.call("kv.put", put(`k${n}`)));
    s.loop.settle();
    expect(s.code(calls[3]!)).toBe("OVERLOADED");
    s.cluster.elect(s.log(1));
    s.results(...calls.slice(0, 3));
  });

  it("a command that a snapshot jumped over is unknown; with an identity the table answers it", () => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    s.log(2).lagging = true;
    const client = s.client(2);
    const bare = client.call("kv.put", put("a"));
    const known = client.call("kv.put", put("b"), request(1));
    s.loop.advance(1_000);
    expect(s.commandsCommitted().flat()).toHaveLength(2);
    expect(s.log(1).snapshots.at(-1)?.done).toBe(true);
    s.log(2).jump(s.log(1));
    expect(s.code(bare)).toBe("OUTCOME_UNKNOWN");
    expect(s.result(known)).toEqual({ key: "b", revision: 3, created: true });
  });

  it.each([
    ["its time is over", "OUTCOME_UNKNOWN"],
    ["the node stops", "OUTCOME_UNKNOWN"],
  ])("a request that a snapshot may hold is of unknown outcome when %s first", (end, code) => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    s.log(2).lagging = true;
    const call = s.client(2).call("kv.put", put("b"), request(1));
    s.loop.advance(1_000);
    expect(s.log(1).snapshots.at(-1)?.done).toBe(true);
    s.cluster.depose();
    s.log(2).jump(s.log(1));
    s.loop.advance(100);
    expect(call.outcome).toBeNull();
    if (end === "the node stops") s.replicas[1]!.stop(() => {});
    expect(s.code(call)).toBe(code);
  });

  it("a request that a snapshot held, and whose answer is forgotten, is of unknown outcome", () => {
    const s = new Setting(3, { snapshotAfterBytes: 1 });
    s.log(2).lagging = true;
    const call = s.client(2).call("kv.put", put("b"), request(1));
    s.loop.advance(1_000);
    // The client says elsewhere that it has the answers below 5.
    const later = { request: { ...request(5).request, low: 5 } };
    s.result(s.client(1).call("kv.put", put("c"), later));
    s.loop.advance(1_000);
    s.log(2).jump(s.log(1));
    s.log(2).lagging = false;
    expect(s.code(call)).toBe("OUTCOME_UNKNOWN");
    expect(s.code(s.client(1).call("kv.get", { key: "b" }))).toBe("ok");
  });

  it("a leader that steps down with the end of a lease under way does not remember what comes after", () => {
    const s = new Setting(3);
    const client = s.client(1);
    s.result(client.call("lease.grant", { ttlMs: 1_000 }));
    s.cluster.isolate(s.log(1));
    s.loop.advance(1_200);
    const pending = () => s.replicas[0]!.coordinator.status().counters.proposals_pending;
    expect(pending()).toBe(1);
    s.log(1).see({ ...s.log(1).leadership(), leader: null, serving: false });
    expect(s.code(client.call("kv.put", put("k")))).toBe("UNAVAILABLE");
    expect(pending()).toBe(0);
  });

  it("the same request over two nodes takes effect once and has one answer", () => {
    const s = new Setting(3);
    const one = s.client(2).call("kv.append", { prefix: "p", value: "v" }, request(7));
    const two = s.client(3).call("kv.append", { prefix: "p", value: "v" }, request(7));
    const [a, b] = s.results(one, two);
    expect(a).toEqual(b);
  });

  it("a node that stops refuses what no log has seen", () => {
    const s = new Setting(1);
    s.cluster.depose();
    s.loop.settle();
    const call = s.client().call("kv.put", put("k"));
    s.replicas[0]!.stop(() => {});
    expect(s.code(call)).toBe("SHUTTING_DOWN");
  });
});

describe("reads", () => {
  it("all reads of a turn share one barrier, and serializable ones need none", () => {
    const s = new Setting(3);
    const client = s.client(2);
    s.result(client.call("kv.put", put("k")));
    const calls = Array.from({ length: 20 }, () => client.call("kv.get", { key: "k" }));
    s.results(...calls);
    expect(s.log(2).barriers).toBe(1);
    s.result(client.call("kv.get", { key: "k", consistency: "serializable" }));
    expect(s.log(2).barriers).toBe(1);
  });

  it("a read on a lagging follower waits for what was committed before it", () => {
    const s = new Setting(3);
    s.log(2).lagging = true;
    s.result(s.client(1).call("kv.put", put("k", "new")));
    const read = s.client(2).call("kv.get", { key: "k" });
    s.loop.advance(100);
    expect(read.outcome).toBeNull();
    s.log(2).lagging = false;
    s.log(2).catchUp();
    expect(s.result(read).value).toBe("new");
  });

  it("a minority serves no linearizable read", () => {
    const s = new Setting(3);
    s.cluster.isolate(s.log(1));
    expect(s.code(s.client(1).call("kv.get", { key: "k" }))).toBe("UNAVAILABLE");
  });
});
