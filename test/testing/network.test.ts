/** One contract, held by the network of sockets and by the one in memory. */
import { describe, expect, test } from "vitest";
import type {
  Address,
  Connection,
  Listener,
  Network,
  NetworkError,
} from "../../src/base/network.js";
import { randomStream } from "../../src/base/random.js";
import { nodeNetwork } from "../../src/server/network/index.js";
import { MemoryNetwork } from "../../src/testing/memory-network.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";

interface Side {
  readonly connection: Connection;
  readonly bytes: number[];
  drained: number;
  reasons: string[];
}

function attach(connection: Connection): Side {
  const side: Side = { connection, bytes: [], drained: 0, reasons: [] };
  connection.start({
    received: chunk => {
      for (const byte of chunk) side.bytes.push(byte);
    },
    drained: () => {
      side.drained++;
    },
    closed: reason => side.reasons.push(reason),
  });
  return side;
}

interface World {
  readonly near: Network;
  readonly far: Network;
  readonly farHost: string;
  /** Waits for a condition, by turning the loop or by letting time pass. */
  until(condition: () => boolean): Promise<void>;
}

function memoryWorld(): World {
  const loop = new TurnedLoop();
  const network = new MemoryNetwork(loop, { random: randomStream(1, "network") });
  const until = async (condition: () => boolean): Promise<void> => {
    expect(loop.runUntil(condition)).toBe(true);
  };
  return { near: network.host("a"), far: network.host("b"), farHost: "b", until };
}

function socketWorld(): World {
  const until = async (condition: () => boolean): Promise<void> => {
    await expect.poll(condition, { interval: 2, timeout: 5_000 }).toBe(true);
  };
  return { near: nodeNetwork, far: nodeNetwork, farHost: "127.0.0.1", until };
}

const { VITEST_POOL_ID = "0" } = process.env;
let nextPort = 23_000 + Number(VITEST_POOL_ID) * 50;

async function listen(world: World, accepted: (c: Connection) => void): Promise<Listener> {
  for (;;) {
    let listener: Listener | null = null;
    let error: NetworkError | null = null;
    world.far.listen({ host: world.farHost, port: nextPort++ }, accepted, (e, l) => {
      error = e;
      listener = l;
    });
    await world.until(() => listener !== null || error !== null);
    if (listener !== null) return listener;
  }
}

async function pair(world: World): Promise<{ near: Side; far: Side; listener: Listener }> {
  const sides: Side[] = [];
  let dialled: Side | null = null;
  const listener = await listen(world, c => sides.push(attach(c)));
  world.near.connect(listener.address, 2_000, (_, c) => {
    if (c !== null) dialled = attach(c);
  });
  await world.until(() => dialled !== null && sides.length === 1);
  const [far] = sides;
  if (dialled === null || far === undefined) throw new Error("no connection");
  return { near: dialled, far, listener };
}

describe.each([
  ["in memory", memoryWorld],
  ["of sockets", socketWorld],
])("a network %s", (_name, makeWorld) => {
  test("carries parts in order, both ways", async () => {
    const world = makeWorld();
    const { near, far, listener } = await pair(world);
    near.connection.write([Uint8Array.of(1, 2), Uint8Array.of(3)]);
    near.connection.write([Uint8Array.of(4)]);
    far.connection.write([Uint8Array.of(9)]);
    await world.until(() => far.bytes.length === 4 && near.bytes.length === 1);
    expect(far.bytes).toEqual([1, 2, 3, 4]);
    listener.close(() => undefined);
    near.connection.destroy();
    await world.until(() => far.reasons.length > 0 && near.reasons.length > 0);
    expect(near.reasons).toEqual(["local"]);
    expect(far.reasons).toEqual(["ended"]);
  });

  test("close sends what was written first; destroy twice is told once", async () => {
    const world = makeWorld();
    const { near, far, listener } = await pair(world);
    near.connection.write([new Uint8Array(300_000).fill(7)]);
    near.connection.close();
    await world.until(() => far.reasons.length > 0 && near.reasons.length > 0);
    expect(far.bytes.length).toBe(300_000);
    far.connection.destroy();
    far.connection.write([Uint8Array.of(1)]);
    near.connection.destroy();
    listener.close(() => undefined);
    let settled = false;
    world.near.connect(listener.address, 500, () => {
      settled = true;
    });
    await world.until(() => settled);
    expect([near.reasons, far.reasons]).toEqual([["local"], ["ended"]]);
  });

  test("a paused reader makes bytes pile up; drained tells when they are gone", async () => {
    const world = makeWorld();
    const { near, far, listener } = await pair(world);
    far.connection.pause();
    let sent = 0;
    let welcome = true;
    while (welcome || near.connection.bufferedBytes < 1_000_000) {
      welcome = near.connection.write([new Uint8Array(200_000)]);
      sent += 200_000;
    }
    expect(near.drained).toBe(0);
    far.connection.resume();
    await world.until(() => near.drained > 0 && far.bytes.length === sent);
    expect(near.connection.bufferedBytes).toBe(0);
    near.connection.destroy();
    await world.until(() => far.reasons.length === 1);
    listener.close(() => undefined);
  });

  test("where nobody listens is REFUSED; a taken address is IN_USE", async () => {
    const world = makeWorld();
    const listener = await listen(world, c => attach(c));
    const codes: (string | undefined)[] = [];
    world.far.listen(
      listener.address,
      () => undefined,
      e => codes.push(e?.code),
    );
    await world.until(() => codes.length === 1);
    listener.close(() => codes.push("closed"));
    await world.until(() => codes.length === 2);
    world.near.connect(listener.address, 2_000, e => codes.push(e?.code));
    await world.until(() => codes.length === 3);
    expect(codes).toEqual(["IN_USE", "closed", "REFUSED"]);
  });
});

describe("a network in memory", () => {
  async function joined(made = (loop: TurnedLoop) => new MemoryNetwork(loop)): Promise<{
    loop: TurnedLoop;
    network: MemoryNetwork;
    near: Side;
    far: Side;
    address: Address;
  }> {
    const loop = new TurnedLoop();
    const network = made(loop);
    const world: World = {
      near: network.host("a"),
      far: network.host("b"),
      farHost: "b",
      until: async condition => {
        expect(loop.runUntil(condition)).toBe(true);
      },
    };
    const { near, far, listener } = await pair(world);
    return { loop, network, near, far, address: listener.address };
  }

  test("silence holds bytes and ends back until it is healed, one way", async () => {
    const { loop, network, near, far } = await joined();
    network.silence("a", "b");
    near.connection.write([Uint8Array.of(1)]);
    near.connection.destroy();
    far.connection.write([Uint8Array.of(2)]);
    loop.advance(10_000);
    expect([far.bytes, far.reasons]).toEqual([[], []]);
    network.heal();
    loop.settle();
    expect([far.bytes, far.reasons]).toEqual([[1], ["ended"]]);
  });

  test("a cut in the middle delivers exactly so many bytes, then both see a reset", async () => {
    const { loop, network, near, far } = await joined();
    network.cutAfter("a", "b", 3);
    near.connection.write([Uint8Array.of(1, 2, 3, 4, 5)]);
    loop.settle();
    expect(far.bytes).toEqual([1, 2, 3]);
    expect([near.reasons, far.reasons]).toEqual([["reset"], ["reset"]]);
    expect(network.openConnections).toBe(0);
  });

  test("a host that dies is seen to end, hears nothing, and listens no more", async () => {
    const { loop, network, near, far, address } = await joined();
    const dead = network.host("b");
    network.crash("b");
    near.connection.write([Uint8Array.of(1)]);
    const codes: (string | undefined)[] = [];
    dead.connect(address, 1_000, () => codes.push("a dead process was answered"));
    network.host("a").connect(address, 1_000, e => codes.push(e?.code));
    loop.settle();
    expect([near.reasons, far.reasons, far.bytes]).toEqual([["ended"], [], []]);
    expect(codes).toEqual(["REFUSED"]);
  });

  test("a host without power is not seen to end, and what is sent to it is lost", async () => {
    const { loop, network, near, far } = await joined();
    network.vanish("b");
    near.connection.write([Uint8Array.of(1)]);
    loop.advance(60_000);
    expect([near.reasons, far.reasons, far.bytes]).toEqual([[], [], []]);
    near.connection.destroy();
    loop.settle();
    expect(near.reasons).toEqual(["local"]);
    expect(network.openConnections).toBe(0);
  });

  test("delay keeps the order; connecting through silence runs out of time", async () => {
    const { loop, network, near, far, address } = await joined();
    network.setDelay(20);
    near.connection.write([Uint8Array.of(1)]);
    network.setDelay(0);
    near.connection.write([Uint8Array.of(2)]);
    loop.advance(19);
    expect(far.bytes).toEqual([]);
    loop.advance(1);
    expect(far.bytes).toEqual([1, 2]);
    network.isolate("a", ["b"]);
    const codes: (string | undefined)[] = [];
    network.host("a").connect(address, 1_000, e => codes.push(e?.code));
    loop.advance(1_000);
    expect(codes).toEqual(["TIMEOUT"]);
  });

  test("a way may crawl, a few bytes a millisecond, or be late, while the other is not", async () => {
    class OneWay extends MemoryNetwork {
      override bytesEachMs(from: string): number | null {
        return from === "a" ? 3 : null;
      }
      override delayBetween(from: string): number {
        return from === "b" ? 20 : 0;
      }
    }
    const { loop, near, far } = await joined(loop => new OneWay(loop));
    near.connection.write([new Uint8Array(10)]);
    far.connection.write([new Uint8Array(10)]);
    const got: number[][] = [];
    for (const ms of [2, 2, 15, 1]) {
      loop.advance(ms);
      got.push([far.bytes.length, near.bytes.length]);
    }
    expect(got).toEqual([
      [6, 0],
      [10, 0],
      [10, 0],
      [10, 10],
    ]);
  });
});
