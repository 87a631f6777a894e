/** A node that was added asks who it is: what is asked, who answers, and what it does meanwhile. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../../src/base/codec.js";
import { nodeId } from "../../src/base/ids.js";
import type { Address } from "../../src/base/network.js";
import { type Joined, type JoinRequest, REFUSAL, type Refusal } from "../../src/peer/index.js";
import { decodeJoin, decodeJoined, encodeJoin, encodeJoined } from "../../src/peer/join.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { memory, type RecordingNode } from "./recording-node.js";

const ASKED: JoinRequest = {
  clusterToken: "token",
  name: "vier",
  incarnation: "4".repeat(16),
};
const ANSWER: Joined = {
  clusterId: "00000000000000c1",
  nodeId: nodeId(4),
  configuration: Uint8Array.of(1, 2, 3),
};

/** What the joining side is told, in order. */
function ask(node: RecordingNode, addresses: readonly Address[], request = ASKED) {
  const told: string[] = [];
  let joined: Joined | null = null;
  let refusal: Refusal | null = null;
  const stop = node.links.join(addresses, request, {
    joined: answer => {
      joined = answer;
    },
    refused: why => {
      refusal = why;
    },
    waits: problem => told.push(problem),
  });
  return { told, stop, joined: () => joined, refusal: () => refusal };
}

describe("a node that was added", () => {
  test("is told who it is, in an answer larger than a hello may be", () => {
    const { loop, node } = memory(3);
    const member = node(1).start([]);
    const configuration = new Uint8Array(60_000).fill(7);
    const asked: JoinRequest[] = [];
    member.onJoin = request => {
      asked.push(request);
      return { ...ANSWER, configuration };
    };
    const { joined } = ask(node(2), [member.address]);
    expect(loop.runUntil(() => joined() !== null, 5_000)).toBe(true);
    expect(joined()).toEqual({ ...ANSWER, configuration });
    expect(asked).toEqual([ASKED]);
    expect(member.strangers).toEqual([]);
  });

  test("asks one after the other until somebody knows it", () => {
    const { loop, node } = memory();
    const [lagging, knowing] = [node(1).start([]), node(3).start([])];
    knowing.onJoin = () => ANSWER;
    const nobody: Address = { host: "nowhere", port: 1 };
    const { joined, told } = ask(node(2), [nobody, lagging.address, knowing.address]);
    expect(loop.runUntil(() => joined() !== null, 10_000)).toBe(true);
    expect(told).toHaveLength(2);
    expect(told[1]).toBe("nobody named vier is known");
    expect(lagging.strangers.map(({ reason }) => reason)).toEqual(["UNKNOWN_MEMBER"]);
  });

  test("goes on asking those who do not know it yet, and says so once", () => {
    const { loop, node } = memory();
    const member = node(1).start([]);
    const { joined, told } = ask(node(2), [member.address]);
    loop.advance(10_000);
    expect(member.strangers.length).toBeGreaterThan(5);
    expect(told).toEqual(["nobody named vier is known"]);
    member.onJoin = () => ANSWER;
    expect(loop.runUntil(() => joined() !== null, 2_000)).toBe(true);
  });

  test("of a version that members do not know yet waits until they are updated", () => {
    const { loop, node } = memory();
    const member = node(1).start([]);
    member.onJoin = () => ({ reason: REFUSAL.versionTooNew, message: "update this node" });
    const { joined, refusal, told } = ask(node(2), [member.address]);
    loop.advance(5_000);
    expect([refusal(), told]).toEqual([null, ["update this node"]]);
    member.onJoin = () => ANSWER;
    expect(loop.runUntil(() => joined() !== null, 5_000)).toBe(true);
  });

  test("says of each address once what is wrong there", () => {
    const { loop, node } = memory();
    const member = node(1).start([]);
    const nobody: Address = { host: "nowhere", port: 1 };
    const { told } = ask(node(2), [nobody, member.address]);
    loop.advance(60_000);
    expect(member.strangers.length).toBeGreaterThan(20);
    expect(told).toHaveLength(2);
  });

  test.each([
    ["another token", { clusterToken: "other" }, REFUSAL.tokenMismatch],
    ["another data directory", {}, REFUSAL.memberReplaced],
  ])("with %s is refused for good", (_, change, reason) => {
    const { loop, node } = memory();
    const member = node(1).start([]);
    member.onJoin = () => ({ reason: REFUSAL.memberReplaced, message: "known with another one" });
    const { refusal, joined } = ask(node(2), [member.address], { ...ASKED, ...change });
    expect(loop.runUntil(() => refusal() !== null, 5_000)).toBe(true);
    expect((refusal() as Refusal | null)?.reason).toBe(reason);
    const { length: asked } = member.strangers;
    loop.advance(10_000);
    expect(member.strangers).toHaveLength(asked);
    expect(joined()).toBeNull();
  });

  describe("that a member knows with another data directory", () => {
    const REPLACED = { reason: REFUSAL.memberReplaced, message: "known with another one" };

    test("asks the others first: that member may not have heard yet that it was removed", () => {
      const { loop, node } = memory();
      const [lagging, knowing] = [node(1).start([]), node(3).start([])];
      lagging.onJoin = () => REPLACED;
      knowing.onJoin = () => ANSWER;
      const { joined, refusal } = ask(node(2), [lagging.address, knowing.address]);
      expect(loop.runUntil(() => joined() !== null, 5_000)).toBe(true);
      expect(refusal()).toBeNull();
    });

    test("waits while others say that it was not added yet", () => {
      const { loop, node } = memory();
      const [lagging, knowing] = [node(1).start([]), node(3).start([])];
      lagging.onJoin = () => REPLACED;
      const { joined, refusal } = ask(node(2), [lagging.address, knowing.address]);
      loop.advance(10_000);
      expect([joined(), refusal()]).toEqual([null, null]);
      knowing.onJoin = () => ANSWER;
      expect(loop.runUntil(() => joined() !== null, 5_000)).toBe(true);
    });

    test("is refused for good when nobody who can be reached says otherwise", () => {
      const { loop, node } = memory();
      const [one, other] = [node(1).start([]), node(3).start([])];
      for (const member of [one, other]) member.onJoin = () => REPLACED;
      const nobody: Address = { host: "nowhere", port: 1 };
      const { refusal } = ask(node(2), [one.address, nobody, other.address]);
      expect(loop.runUntil(() => refusal() !== null, 10_000)).toBe(true);
      expect(refusal()).toEqual(REPLACED);
      // Each was asked twice: what it says may be of the moment before it hears of a change.
      expect([one.strangers.length, other.strangers.length]).toEqual([2, 2]);
    });
  });

  test("that stops asking hears nothing more", () => {
    const { loop, node } = memory();
    const member = node(1).start([]);
    member.onJoin = () => ANSWER;
    const { joined, told, stop } = ask(node(2), [member.address]);
    stop();
    loop.advance(5_000);
    expect([joined(), told]).toEqual([null, []]);
  });

  test("asks again when the member dies in the middle of its answer", () => {
    const world = memory();
    const member = world.node(1).start([]);
    member.onJoin = () => {
      world.network.crash("host1");
      return ANSWER;
    };
    const other = world.node(3).start([]);
    other.onJoin = () => ANSWER;
    const { joined } = ask(world.node(2), [member.address, other.address]);
    expect(world.loop.runUntil(() => joined() !== null, 20_000)).toBe(true);
  });
});

describe("the bytes of a join", () => {
  const text = fc.string({ maxLength: 40, unit: "binary" });

  test("come back as what was written", () => {
    fc.assert(
      fc.property(text, text, text, (clusterToken, name, incarnation) => {
        const request = { clusterToken, name, incarnation };
        expect(decodeJoin(nodeBytes, encodeJoin(nodeBytes, request))).toEqual(request);
      }),
    );
    fc.assert(
      fc.property(text, fc.uint8Array({ maxLength: 300 }), (clusterId, configuration) => {
        const joined = { clusterId, nodeId: nodeId(2 ** 53 - 1), configuration };
        const back = decodeJoined(nodeBytes, encodeJoined(nodeBytes, joined));
        expect({ ...back, configuration: Uint8Array.from(back.configuration) }).toEqual(joined);
      }),
    );
  });

  test("mutilated are a DecodeError or another request, never anything else", () => {
    const good = [encodeJoin(nodeBytes, ASKED), encodeJoined(nodeBytes, ANSWER)];
    fc.assert(
      fc.property(fc.nat(1), fc.nat(100), fc.nat(255), fc.nat(100), (which, at, value, length) => {
        const bytes = Uint8Array.from((good[which] as Uint8Array).slice(0, length));
        if (at < bytes.length) bytes[at] = value;
        for (const decode of [decodeJoin, decodeJoined]) {
          try {
            decode(nodeBytes, bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
