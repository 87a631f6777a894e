/**
 * Nobody dies; the network between a client and its node breaks without a word: both ends think
 * that the connection stands. Each client has proxies of its own before the nodes, all of them
 * listed, and uses the one that it likes.
 */
import { type Client, connect } from "holdfast-client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";
import { type Flow, PASS, STALL } from "./harness/flow.js";
import { TcpProxy } from "./harness/proxy.js";
import { until } from "./harness/until.js";

/** Long enough that a busy machine does not lose a session that is at another node by half of it. */
const TTL_MS = 9_000;
/** 4 s without an answer, another node's welcome, and a busy machine. */
const MOVED_WITHIN_MS = 12_000;

let cluster: Cluster;
/** Clients before their doors. */
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  cluster = await Cluster.start(3, [], { proxied: true });
});
afterEach(async () => {
  cluster.net.heal();
  await cluster.ready();
});
afterAll(async () => {
  for (const one of open) await one.close();
  await cluster.close();
});

interface Doored {
  readonly client: Client;
  readonly doors: readonly TcpProxy[];
}

/** A client with a door of its own before every one of `nodes`. */
async function behindDoors(nodes: readonly Node[] = cluster.nodes): Promise<Doored> {
  const doors: TcpProxy[] = [];
  for (const { url } of nodes) {
    doors.push(await TcpProxy.open({ targetPort: Number(new URL(url).port) }));
  }
  const urls = doors.map(({ url }) => url);
  const client = connect(urls, { ttlMs: TTL_MS, timeoutMs: 60_000 });
  open.push(client, ...doors);
  await client.ready();
  return { client, doors };
}

/** The door in use, and nobody else. */
function doorOf({ doors }: Doored): TcpProxy {
  const used = doors.filter(({ standing }) => standing > 0);
  expect(used).toHaveLength(1);
  return used[0] as TcpProxy;
}

const movedFrom = (door: TcpProxy, { doors }: Doored): Promise<boolean> =>
  until(
    "the client to be at another node",
    () => doors.some(other => other !== door && other.standing > 0),
    60_000,
  );

// They wait for the same few seconds, so they wait together.
const silences: [what: string, flows: { forth: Flow; back: Flow }][] = [
  ["both ways", { forth: STALL, back: STALL }],
  ["from the node", { forth: PASS, back: STALL }],
  ["to the node", { forth: STALL, back: PASS }],
];

test.concurrent.each(silences)(
  "a client whose connection fell silent %s moves on in time, and keeps what it holds",
  async (what, flows) => {
    const doored = await behindDoors();
    const { client } = doored;
    const held = await client.lock(`silent/held/${what}`).acquire();
    const door = doorOf(doored);
    const atMs = performance.now();
    door.set(flows);
    // One call is under way when it happens, the rest of the client is at rest.
    const appended = `silent/${what}`;
    const written = client.kv.append(appended, "once");
    await movedFrom(door, doored);
    const { key } = await written;
    const movedMs = performance.now() - atMs;
    expect(held.signal.aborted).toBe(false);
    held.assertHeld();
    await held.confirm();
    expect(movedMs).toBeLessThan(MOVED_WITHIN_MS);
    console.log(`moved and answered after ${movedMs.toFixed(0)} ms of silence, ttl ${TTL_MS} ms`);
    // What stood in the silent connection arrives now, and is known already.
    door.set({ forth: PASS, back: PASS });
    const { key: next } = await client.kv.append(appended, "twice");
    const kept: string[] = [];
    for await (const entry of client.kv.list({ prefix: `${appended}/` })) {
      kept.push(entry.value);
    }
    expect(kept).toEqual(["once", "twice"]);
    expect(next > key).toBe(true);
    await held.release();
  },
);

test.concurrent("an idle client at a silent connection finds out by its lease alone, and its session survives", async () => {
  const doored = await behindDoors();
  const held = await doored.client.lock("silent/idle").acquire();
  const deadlineMs = () => performance.now() + held.remainingMs;
  const door = doorOf(doored);
  const before = deadlineMs();
  door.set({ forth: STALL, back: STALL });
  await movedFrom(door, doored);
  await until("a keep-alive at the other node", () => deadlineMs() > before + 100);
  expect(held.signal.aborted).toBe(false);
  await held.confirm();
});

test.concurrent("one who waits at a silent connection is granted elsewhere, at its old place", async () => {
  const doored = await behindDoors();
  const holder = connect(cluster.endpoints);
  open.push(holder);
  const held = await holder.lock("silent/line").acquire();
  const waiting = doored.client.lock("silent/line").acquire();
  const inLine = (count: number) =>
    until(`${count} in line`, async () => {
      const { waiterCount } = await holder.lock("silent/line").inspect();
      return waiterCount === count;
    });
  await inLine(1);
  const behind = holder.lock("silent/line").acquire();
  await inLine(2);
  const door = doorOf(doored);
  door.set({ forth: STALL, back: STALL });
  await held.release();
  const granted = await waiting;
  expect(door.standing).toBeGreaterThan(0);
  granted.assertHeld();
  await granted.release();
  expect((await behind).token).toBeGreaterThan(granted.token);
});

test("a client whose node is cut from the others moves on, whether it leads or not", async () => {
  for (const role of ["leader", "follower"] as const) {
    const doored = await behindDoors();
    const leader = await cluster.leader();
    const at = role === "leader" ? leader : (cluster.others(leader)[0] as Node);
    const port = Number(new URL(at.url).port);
    const away = doored.doors.filter(({ targetPort }) => targetPort !== port);
    for (const door of away) door.refuse(true);
    for (const door of away) door.cut("reset");
    const { client } = doored;
    await until("the client to be at that node", async () => {
      return (await client.cluster.status()).name === at.name;
    });
    const held = await client.lock(`cut/${role}`).acquire();
    for (const door of away) door.refuse(false);
    const atMs = performance.now();
    cluster.net.around(at, STALL);
    await client.kv.put(`cut/${role}/key`, "written");
    const tookMs = performance.now() - atMs;
    console.log(`${role} cut off: its client's write took ${tookMs.toFixed(0)} ms`);
    expect(tookMs).toBeLessThan(MOVED_WITHIN_MS);
    expect((await client.cluster.status()).name).not.toBe(at.name);
    held.assertHeld();
    await held.confirm();
    await held.release();
    cluster.net.heal();
    await cluster.ready();
  }
});

test("a client behind a slow and trickling network works as behind a good one, later", async () => {
  const doored = await behindDoors();
  const { client, doors } = doored;
  for (const door of doors) {
    door.set({
      forth: { kind: "delay", ms: 50, jitterMs: 50 },
      back: { kind: "trickle", bytes: 40, everyMs: 5 },
    });
  }
  const held = await client.lock("slow/held").acquire();
  const value = "x".repeat(2_000);
  await client.kv.put("slow/key", value, { heldBy: held });
  expect((await client.kv.get("slow/key"))?.value).toBe(value);
  await held.confirm();
  expect((await held.release()).heldToTheEnd).toBe(true);
});
