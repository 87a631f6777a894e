import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../../src/base/codec.js";
import { nodeId } from "../../src/base/ids.js";
import type { Connection } from "../../src/base/network.js";
import { FRAME } from "../../src/peer/frame.js";
import { FrameBatch, NO_NUMBER } from "../../src/peer/frame-batch.js";
import {
  decodeAccepted,
  decodeHello,
  decodeRefusal,
  encodeAccepted,
  encodeHello,
  encodeRefusal,
  PURPOSE,
} from "../../src/peer/hello.js";
import { REFUSAL, type Refusal } from "../../src/peer/index.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import { linkedPair, memory, type RecordingNode } from "./recording-node.js";

/** A raw connection to a node, and what came of it. */
function knock(
  world: ReturnType<typeof memory>,
  node: RecordingNode,
): { send(bytes: Uint8Array): void; closed(): boolean; received: number[] } {
  let connection: Connection | null = null;
  let closed = false;
  const received: number[] = [];
  world.network.host("stranger").connect(node.address, 1_000, (_, c) => {
    connection = c;
    c?.start({
      received: chunk => received.push(...chunk),
      drained: () => undefined,
      closed: () => {
        closed = true;
      },
    });
  });
  world.loop.runUntil(() => connection !== null, 1_000);
  return {
    send: bytes => (connection as Connection | null)?.write([bytes]),
    closed: () => closed,
    received,
  };
}

function frame(type: number, payload: Uint8Array): Uint8Array {
  const batch = new FrameBatch(nodeBytes, nodeChecksum, 1 << 24);
  batch.add(type, NO_NUMBER, [payload]);
  return Uint8Array.from(batch.take().flatMap(part => [...part]));
}

describe("a hello", () => {
  test.each([
    ["CLUSTER_MISMATCH", { clusterId: "00000000000000c2" }],
    ["TOKEN_MISMATCH", { clusterToken: "other" }],
  ])("of another cluster is refused: %s", (reason, change) => {
    const { loop, node } = memory();
    const a = node(1);
    const b = node(2);
    b.says = { ...b.says, ...change };
    a.start([b]);
    b.start([a]);
    loop.advance(10_000);
    expect(a.links.isUp(b.id)).toBe(false);
    expect(a.events).toEqual([`refused 2 by them: ${reason}`]);
    expect(b.events).toEqual([`refused 1 by them: ${reason}`]);
    expect(a.strangers[0]).toMatchObject({ reason, identity: { name: "node2" } });
    expect(a.links.status()[0]?.problem).toContain(reason);
    expect([a.admitted, a.messages]).toEqual([[], []]);
  });

  test.each([REFUSAL.unknownMember, REFUSAL.memberReplaced])(
    "that the host does not admit is refused by its name: %s",
    reason => {
      const { loop, node } = memory();
      const a = node(1);
      const b = node(2);
      const refusal: Refusal = { reason, message: "remove it and add it again" };
      a.onAdmit = (_, decide) => decide(refusal);
      a.start([b]);
      b.start([a]);
      loop.advance(5_000);
      expect(b.events).toEqual([`refused 1 by them: ${reason}`]);
      expect(b.links.status()[0]?.problem).toContain("remove it and add it again");
      expect(a.events).toEqual([`refused 2 by us: ${reason}`]);
      a.onAdmit = (_, decide) => decide(null);
      expect(loop.runUntil(() => a.links.isUp(b.id) && b.links.isUp(a.id), 1_500)).toBe(true);
    },
  );

  test("at an address where another node answers is refused: WRONG_NODE", () => {
    const { loop, node } = memory();
    const a = node(1);
    const c = node(3);
    c.start([a]);
    a.links.setPeers([{ id: nodeId(2), name: "node2", addresses: [c.address] }]);
    a.links.start();
    loop.advance(2_000);
    expect(a.events).toEqual(["refused 2 by them: WRONG_NODE"]);
  });

  test("answered in another node's name is not believed", () => {
    const { loop, network, node } = memory();
    const a = node(1);
    const b = node(2);
    network.host("host2").listen(
      b.address,
      connection => {
        connection.start({
          received: () => undefined,
          drained: () => undefined,
          closed: () => undefined,
        });
        const identity = { ...b.says, nodeId: nodeId(3), name: "node3" };
        connection.write([frame(FRAME.accepted, encodeAccepted(nodeBytes, identity))]);
      },
      () => undefined,
    );
    a.start([b]);
    loop.advance(1_000);
    expect(a.events).toEqual(["refused 2 by us: WRONG_NODE"]);
    expect(a.admitted).toEqual([]);
  });

  test("waits while the host makes the incarnation durable; nothing passes before", () => {
    const { loop, node } = memory();
    const a = node(1);
    const b = node(2);
    const deciding: ((refusal: Refusal | null) => void)[] = [];
    a.onAdmit = (_, decide) => deciding.push(decide);
    a.start([b]);
    b.start([a]);
    loop.advance(1_000);
    expect(a.events).toEqual([]);
    expect(b.events).toEqual([]);
    expect(b.links.send(a.id, b.heartbeat(a, 1))).toBe(false);
    a.onAdmit = (_, decide) => decide(null);
    for (const decide of deciding) decide(null);
    expect(loop.runUntil(() => a.links.isUp(b.id) && b.links.isUp(a.id), 2_000)).toBe(true);
    expect(a.admitted[0]).toEqual(b.says);
  });

  test("of an unknown version is refused by name, whatever follows the version", () => {
    const world = memory();
    const a = world.node(1).start([]);
    world.loop.settle();
    const hello = encodeHello(nodeBytes, PURPOSE.link, nodeId(1), a.says);
    hello[4] = 9;
    const visitor = knock(world, a);
    visitor.send(frame(FRAME.hello, hello.subarray(0, 20)));
    world.loop.settle();
    expect(visitor.closed()).toBe(true);
    expect(a.strangers.map(s => s.reason)).toEqual(["VERSION_TOO_NEW"]);
    expect(String.fromCharCode(...visitor.received)).toContain("VERSION_TOO_NEW");
  });

  test("that never comes costs a stranger its place; more strangers than allowed are sent away", () => {
    const world = memory();
    const a = world.node(1, { maxStrangerConnections: 5 }).start([]);
    world.loop.settle();
    const visitors = Array.from({ length: 8 }, () => knock(world, a));
    world.loop.settle();
    expect(visitors.map(visitor => visitor.closed())).toEqual([
      ...Array(5).fill(false),
      ...Array(3).fill(true),
    ]);
    world.loop.advance(3_000);
    expect(visitors.every(visitor => visitor.closed())).toBe(true);
    expect(a.strangers.map(s => s.reason)).toEqual([
      ...Array(3).fill("TOO_MANY_STRANGERS"),
      ...Array(5).fill("NO_HELLO"),
    ]);
    expect(world.network.openConnections).toBe(0);
  });

  test("of garbage closes the connection, and sets no memory aside for what it announces", () => {
    const world = memory(3);
    const allocate = nodeBytes.allocate;
    let largest = 0;
    nodeBytes.allocate = length => {
      largest = Math.max(largest, length);
      return allocate(length);
    };
    try {
      const a = world.node(1).start([]);
      world.loop.settle();
      const whole = frame(FRAME.hello, encodeHello(nodeBytes, PURPOSE.link, nodeId(1), a.says));
      const garbage = fc.oneof(
        fc.uint8Array({ minLength: 8, maxLength: 200 }),
        fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
          const bent = whole.slice();
          bent[at] = (bent[at] ?? 0) ^ by;
          return bent;
        }),
        fc.uint8Array({ maxLength: 100 }).map(payload => frame(FRAME.hello, payload)),
        fc.nat(255).map(type => frame(type === FRAME.hello ? 0 : type, new Uint8Array(4))),
      );
      largest = 0;
      fc.assert(
        fc.property(garbage, bytes => {
          const visitor = knock(world, a);
          visitor.send(bytes);
          world.loop.advance(3_000);
          expect(visitor.closed()).toBe(true);
        }),
        { numRuns: 150 },
      );
      expect(largest).toBeLessThanOrEqual(32 * 1024);
      expect(a.admitted).toEqual([]);
    } finally {
      nodeBytes.allocate = allocate;
    }
  });

  test("decodes what was encoded; arbitrary bytes give a value or DecodeError", () => {
    const { a } = linkedPair();
    const identity = { ...a.says, name: "né", isNew: true, clientUrls: ["http://a:1"] };
    const hello = encodeHello(nodeBytes, PURPOSE.bulk, nodeId(9), identity);
    expect(decodeHello(nodeBytes, hello)).toEqual({
      understood: true,
      purpose: PURPOSE.bulk,
      to: 9,
      identity,
    });
    expect(decodeAccepted(nodeBytes, encodeAccepted(nodeBytes, identity))).toEqual(identity);
    const refusal = { reason: REFUSAL.wrongNode, message: "no – elsewhere" };
    expect(decodeRefusal(nodeBytes, encodeRefusal(nodeBytes, refusal))).toEqual(refusal);
    const bent = fc
      .tuple(fc.nat(hello.length - 1), fc.nat(255))
      .map(([at, to]) => hello.map((byte, i) => (i === at ? to : byte)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), bent), bytes => {
        for (const decode of [decodeHello, decodeAccepted, decodeRefusal]) {
          try {
            decode(nodeBytes, bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
