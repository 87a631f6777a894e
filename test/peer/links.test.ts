import { describe, expect, test } from "vitest";
import type { Connection } from "../../src/base/network.js";
import { addressOf } from "../../src/peer/index.js";
import { linkedPair, memory, type RecordingNode } from "./recording-node.js";

const upAndDown = (node: RecordingNode): string[] =>
  node.events.filter(event => !event.startsWith("refused"));

describe("a link", () => {
  test("comes up between all nodes, and carries messages in order in odd pieces", () => {
    const { loop, node } = memory(7);
    const nodes = [node(1), node(2), node(3)];
    for (const one of nodes) one.start(nodes.filter(other => other !== one));
    const allUp = (): boolean => nodes.every(one => one.links.status().every(peer => peer.up));
    expect(loop.runUntil(allUp, 2_000)).toBe(true);
    const [a, b] = nodes as [RecordingNode, RecordingNode];
    for (let i = 0; i < 50; i++) a.links.send(b.id, a.heartbeat(b, i));
    loop.runUntil(() => b.messages.length === 50);
    expect(b.rounds).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(upAndDown(a).toSorted()).toEqual(["up 2", "up 3"]);
  });

  test("sends all of one turn in one write, and at once on flush", () => {
    const world = memory();
    const network = world.network.host("host1");
    const writes: number[] = [];
    const counting = {
      ...network,
      connect: (...[to, ms, done]: Parameters<typeof network.connect>) =>
        network.connect(to, ms, (error, connection) => done(error, counted(connection, writes))),
    };
    const b = world.node(2);
    const spied = world.node(1);
    const a = new (spied.constructor as typeof RecordingNode)(1, spied.address, {
      network: counting,
      clock: world.loop,
      endOfTurn: world.loop,
    });
    a.start([b]);
    b.start([a]);
    world.loop.runUntil(() => a.links.isUp(b.id));
    world.loop.settle();
    writes.length = 0;
    for (let i = 0; i < 100; i++) a.links.send(b.id, a.heartbeat(b, i));
    expect(writes).toHaveLength(0);
    world.loop.settle();
    expect(writes).toHaveLength(1);
    a.links.send(b.id, a.heartbeat(b, 100));
    a.links.flush();
    expect(writes).toHaveLength(2);
    world.loop.settle();
    expect(b.rounds).toHaveLength(101);
    expect(writes).toHaveLength(2);
  });

  test("whose peer's process dies is down at once, by them, and once; and comes back soon", () => {
    const { loop, network, a, b, node } = linkedPair();
    network.crash("host2");
    loop.settle();
    expect(a.events).toEqual(["up 2", "down 2 by them"]);
    expect(a.links.send(b.id, a.heartbeat(b, 1))).toBe(false);
    loop.advance(10_000);
    const again = node(2).start([a]);
    const start = loop.monotonicMs();
    expect(loop.runUntil(() => a.links.isUp(b.id), 1_000)).toBe(true);
    expect(loop.monotonicMs() - start).toBeLessThan(20);
    expect(a.events).toEqual(["up 2", "down 2 by them", "up 2"]);
    loop.settle();
    expect(again.events).toEqual(["up 1"]);
  });

  test("that breaks is down on both sides once, and up again within 100 ms", () => {
    const { loop, network, a, b } = linkedPair();
    for (let i = 1; i <= 5; i++) {
      network.reset("host1", "host2");
      const start = loop.monotonicMs();
      loop.turn();
      expect(loop.runUntil(() => a.links.isUp(b.id) && b.links.isUp(a.id), 200)).toBe(true);
      expect(loop.monotonicMs() - start).toBeLessThanOrEqual(100);
      loop.advance(500);
      for (const node of [a, b]) {
        expect(node.events).toHaveLength(1 + 2 * i);
        node.events.forEach((event, at) => {
          expect(event.startsWith(at % 2 === 0 ? "up" : "down")).toBe(true);
        });
      }
    }
    expect(a.events[1]).toBe("down 2 by them");
  });

  test.each(["host1", "host2"])(
    "cut in the middle of a frame from %s delivers whole frames alone, and recovers",
    from => {
      for (let bytes = 0; bytes < 140; bytes += 7) {
        const { loop, network, a, b } = linkedPair(bytes + 1);
        network.cutAfter(from, from === "host1" ? "host2" : "host1", bytes);
        for (let i = 0; i < 5; i++) a.links.send(b.id, a.heartbeat(b, i));
        for (let i = 0; i < 5; i++) b.links.send(a.id, b.heartbeat(a, i));
        loop.advance(2_000);
        for (const node of [a, b])
          expect(node.rounds).toEqual([0, 1, 2, 3, 4].slice(0, node.rounds.length));
        expect(a.links.isUp(b.id) && b.links.isUp(a.id)).toBe(true);
        expect(a.events).toEqual(["up 2", "down 2 by them", "up 2"]);
      }
    },
  );

  test("that falls silent, even one way, is closed by us after the silent ticks; and heals", () => {
    for (const oneWay of [true, false]) {
      const { loop, network, a, b } = linkedPair();
      network.silence("host2", "host1");
      if (!oneWay) network.silence("host1", "host2");
      loop.advance(1_000);
      expect(a.links.isUp(b.id)).toBe(true);
      loop.advance(1_000);
      expect(a.events).toEqual(["up 2", "down 2 by us"]);
      loop.advance(10_000);
      network.heal();
      expect(loop.runUntil(() => a.links.isUp(b.id) && b.links.isUp(a.id), 4_500)).toBe(true);
      loop.advance(5_000);
      expect(a.events).toEqual(["up 2", "down 2 by us", "up 2"]);
    }
  });

  test("whose peer comes back before its loss was noticed is down and up again", () => {
    const { loop, network, a, node } = linkedPair();
    network.vanish("host2");
    const again = node(2).start([a]);
    expect(loop.runUntil(() => again.links.isUp(a.id), 100)).toBe(true);
    loop.advance(10_000);
    expect(a.events).toEqual(["up 2", "down 2 by them", "up 2"]);
    expect(again.events).toEqual(["up 1"]);
  });

  test("stands while it is idle", () => {
    const { loop, a, b } = linkedPair();
    loop.advance(60_000);
    expect([a.events, b.events]).toEqual([["up 2"], ["up 1"]]);
  });

  test("to a peer that is nowhere is tried again at bounded intervals, and says why", () => {
    const { loop, node, network } = memory();
    const b = node(2);
    const a = node(1).start([b]);
    let dials = 0;
    loop.advance(30_000);
    expect(a.links.status()[0]).toMatchObject({ id: 2, up: false });
    expect(a.links.status()[0]?.problem).toContain("host2:2380");
    network.host("host2").listen(
      b.address,
      connection => {
        dials++;
        connection.destroy();
      },
      () => undefined,
    );
    loop.advance(20_000);
    expect(dials).toBeGreaterThan(18);
    expect(dials).toBeLessThan(45);
  });

  test("that stands one way alone is not up, and says what is missing", () => {
    const { loop, node } = memory();
    const a = node(1);
    const b = node(2);
    a.start([b]);
    b.start([]);
    b.links.setPeers([{ id: a.id, name: "node1", addresses: [{ host: "host1", port: 1 }] }]);
    loop.advance(10_000);
    expect([a.events, b.events]).toEqual([[], []]);
    expect(a.links.status()[0]?.problem).toContain("has not dialled us");
    expect(b.links.status()[0]?.problem).toContain("host1:1");
    expect(a.links.send(b.id, a.heartbeat(b, 1))).toBe(true);
    b.links.setPeers([{ id: a.id, name: "node1", addresses: [a.address] }]);
    expect(loop.runUntil(() => a.links.isUp(b.id) && b.links.isUp(a.id), 1_500)).toBe(true);
    expect(a.events).toEqual(["up 2"]);
  });

  test("whose backlog is full drops what is sent and says so", () => {
    const { loop, network, a, b } = linkedPair(undefined, { maxPeerBacklogBytes: 10_000 });
    network.silence("host1", "host2");
    let sent = 0;
    while (a.links.send(b.id, a.heartbeat(b, sent))) {
      sent++;
      if (sent % 100 === 0) a.links.flush();
      expect(sent).toBeLessThan(10_000);
    }
    network.heal();
    loop.settle();
    expect(b.rounds).toEqual(Array.from({ length: sent }, (_, i) => i));
    expect(a.links.send(b.id, a.heartbeat(b, 1))).toBe(true);
  });

  test("left out by setPeers ends without a word, and its node is a stranger then", () => {
    const { loop, a, b } = linkedPair();
    a.links.setPeers([]);
    loop.advance(3_000);
    expect(a.events).toEqual(["up 2"]);
    expect(b.events).toEqual(["up 1", "down 1 by them", "refused 1 by them: UNKNOWN_MEMBER"]);
    expect(a.strangers[0]).toMatchObject({ reason: "UNKNOWN_MEMBER", identity: { name: "node2" } });
    a.links.setPeers([{ id: b.id, name: "node2", addresses: [b.address] }]);
    expect(loop.runUntil(() => a.links.isUp(b.id), 1_500)).toBe(true);
  });

  test("stop closes everything, and no event follows", () => {
    const { loop, network, a, b } = linkedPair();
    let answer: unknown = "none yet";
    let stopped = false;
    b.onAsk = () => undefined;
    a.links.ask(b.id, new Uint8Array(1), bytes => {
      answer = bytes;
    });
    a.links.stop(() => {
      stopped = true;
    });
    loop.settle();
    expect([stopped, answer]).toEqual([true, null]);
    expect(a.events).toEqual(["up 2"]);
    expect(b.events).toEqual(["up 1", "down 1 by them"]);
    b.links.stop(() => undefined);
    loop.advance(10_000);
    expect(network.openConnections).toBe(0);
  });

  test("leads to where the URL says", () => {
    expect(addressOf("http://127.0.0.1:2380")).toEqual({ host: "127.0.0.1", port: 2380 });
    expect(addressOf("https://[::1]:2380/")).toEqual({ host: "::1", port: 2380 });
    expect(addressOf("http://node-a.example:80")).toEqual({ host: "node-a.example", port: 80 });
    for (const bad of ["", "http://a", "a:1", "http://a:0", "http://a:65536", "http://a:1/x"]) {
      expect(addressOf(bad)).toBeNull();
    }
  });
});

function counted(connection: Connection | null, writes: number[]): Connection | null {
  if (connection === null) return null;
  const write = connection.write.bind(connection);
  connection.write = parts => {
    writes.push(parts.length);
    return write(parts);
  };
  return connection;
}
