/** Watches and observed elections across the deaths of nodes and leaders: all of it, once, in order. */
import { type Client, connect, type Leader } from "holdfast-client";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Actor } from "./harness/actor.js";
import { Cluster, type Node } from "./harness/cluster.js";
import { until } from "./harness/until.js";

let cluster: Cluster;
let clients: Client[];
let actors: Actor[];

beforeAll(async () => {
  cluster = await Cluster.start();
});
beforeEach(() => {
  clients = [];
  actors = [];
});
afterEach(async () => {
  await Promise.all(actors.map(actor => actor.kill()));
  await Promise.all(clients.map(client => client.close()));
});
afterAll(() => cluster.close());

function client(): Client {
  const made = connect(cluster.endpoints, { timeoutMs: 30_000 });
  clients.push(made);
  return made;
}

async function nodeOf(one: Client): Promise<Node> {
  const { name } = await one.cluster.status();
  return cluster.nodes.find(node => node.name === name) as Node;
}

async function killAndStart(node: Node): Promise<void> {
  await node.kill();
  node.start();
  await cluster.ready();
}

/** Appends and deletes below `prefix` without pause, each once, until told to stop; how many. */
function writing(prefix: string): { stop(): Promise<number>; written(): number } {
  const writer = client();
  let written = 0;
  let isOn = true;
  const work = async (lane: number): Promise<void> => {
    while (isOn) {
      await writer.kv.append(`${prefix}/${lane}`, `${written++}`);
      await writer.kv.put(`${prefix}/${lane}/state`, `${written++}`);
      await writer.kv.delete(`${prefix}/${lane}/state`);
      written++;
    }
  };
  const lanes = [0, 1, 2, 3].map(work);
  return {
    written: () => written,
    stop: async () => {
      isOn = false;
      await Promise.all(lanes);
      return written;
    },
  };
}

/** Each change as one word: no two are alike. */
const word = (one: { kind: string; key: string; revision: number }) =>
  `${one.revision} ${one.kind} ${one.key}`;

/** What the history itself tells, read at once when all is written. */
async function history(prefix: string, last: number): Promise<string[]> {
  const words: string[] = [];
  for await (const change of client().kv.watch({ prefix, from: 2 })) {
    words.push(word(change));
    if (change.revision >= last) break;
  }
  return words;
}

test("a watch over WebSocket goes through the deaths of its node and of the leader: every event once, in order", async () => {
  const watcher = client();
  const seen: string[] = [];
  let lastSeen = 0;
  const ended = (async () => {
    for await (const change of watcher.kv.watch({ prefix: "watched/", from: 2 })) {
      seen.push(word(change));
      lastSeen = change.revision;
      if (change.key === "watched/end") break;
    }
  })();
  const writer = writing("watched");
  for (const pick of [() => nodeOf(watcher), () => cluster.leader()]) {
    const [written, told] = [writer.written(), seen.length];
    await until("news", () => writer.written() > written + 40 && seen.length > told + 40);
    await killAndStart(await pick());
  }
  const written = await writer.stop();
  const { revision } = await client().kv.put("watched/end", "");
  await ended;
  expect(lastSeen).toBe(revision);
  expect(seen).toHaveLength(written + 1);
  expect(seen).toEqual(await history("watched/", revision));
});

interface Message {
  readonly revision: number;
  readonly words: readonly string[];
}

/** Reads Server-Sent Events of one connection until it ends; whole messages only. */
async function readEvents(
  url: string,
  lastId: number | undefined,
  onMessage: (message: Message) => void,
): Promise<void> {
  const headers = lastId === undefined ? {} : { "last-event-id": String(lastId) };
  const response = await fetch(url, { headers });
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of response.body as ReadableStream<Uint8Array>) {
    text += decoder.decode(part, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() as string;
    for (const block of blocks) {
      const id = /^id: (\d+)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      expect(block).not.toMatch(/^event: /m);
      if (id === undefined) continue;
      const changes = data === undefined ? [] : JSON.parse(data).changes;
      const revision = Number(id);
      onMessage({
        revision,
        words: changes.map((one: object) => word({ ...one, revision } as never)),
      });
    }
  }
}

test("a watch over Server-Sent Events resumes at another node by its last id: every event once, in order", async () => {
  const writer = writing("streamed");
  const seen: string[] = [];
  let lastId: number | undefined;
  const isOver = () => seen.at(-1)?.endsWith(" put streamed/end") === true;
  let node = cluster.nodes[0] as Node;
  let connections = 0;
  const reading = (async () => {
    while (!isOver()) {
      const url = `${node.url}/v1/watch?prefix=streamed/${lastId === undefined ? "&from=2" : ""}`;
      connections += 1;
      await readEvents(url, lastId, message => {
        expect(message.revision).toBeGreaterThan(lastId ?? 0);
        lastId = message.revision;
        seen.push(...message.words);
        if (isOver()) throw new Error("all was told");
      }).catch(() => {}); // cut, refused or at the end: on to the next
      node = cluster.nodes[(cluster.nodes.indexOf(node) + 1) % 3] as Node;
    }
  })();
  for (let kills = 0; kills < 2; kills++) {
    const told = seen.length;
    await until("news", () => seen.length > told + 40);
    await killAndStart(node);
  }
  const written = await writer.stop();
  const { revision } = await client().kv.put("streamed/end", "");
  await reading;
  expect(connections).toBeGreaterThanOrEqual(3);
  expect(seen).toHaveLength(written + 1);
  expect(seen).toEqual(await history("streamed/", revision));
});

test("an election across the deaths of its leader's process and of the observer's node: every leader seen, in order", async () => {
  const observer = client();
  const seen: Leader[] = [];
  void (async () => {
    for await (const leader of observer.election("boss").observe()) {
      if (leader !== null) seen.push(leader);
    }
  })().catch(() => {});
  for (const name of ["a", "b", "c"]) {
    const actor = await Actor.start(cluster.endpoints, { ttlMs: 2_000, owner: name });
    actors.push(actor);
  }
  const [a, b, c] = actors as [Actor, Actor, Actor];
  const inLine = (count: number) =>
    until(`${count} in line`, async () => {
      const { holders, waiterCount } = await observer.lock("boss").inspect();
      return holders.length + waiterCount === count;
    });
  const campaign = (actor: Actor, value: string) =>
    actor.do<{ token: number }>("campaign", { name: "boss", value });
  const tokens: number[] = [];
  tokens.push((await campaign(a, "a1")).token);
  await until("a1 to be seen", () => seen.length === 1);
  const wonB = campaign(b, "b1");
  await inLine(2);
  const wonC = campaign(c, "c1");
  await inLine(3);
  await a.do("proclaim", { value: "a2" });

  await a.kill();
  tokens.push((await wonB).token);
  await b.do("proclaim", { value: "b2" });
  const node = await nodeOf(observer);
  await node.kill();
  await b.do("proclaim", { value: "b3" });
  expect(await b.do("release")).toEqual({ heldToTheEnd: true });
  tokens.push((await wonC).token);
  node.start();
  expect(await observer.election("boss").leader()).toMatchObject({ value: "c1", owner: "c" });
  await until("c1 to be seen", () => seen.at(-1)?.value === "c1");
  expect(seen.map(leader => leader.value)).toEqual(["a1", "a2", "b1", "b2", "b3", "c1"]);
  expect(seen.map(leader => leader.owner)).toEqual(["a", "a", "b", "b", "b", "c"]);
  const [tokenA, tokenB, tokenC] = tokens as [number, number, number];
  expect(seen.map(leader => leader.token)).toEqual([
    tokenA,
    tokenA,
    tokenB,
    tokenB,
    tokenB,
    tokenC,
  ]);
  expect(tokenB).toBeGreaterThan(tokenA);
  expect(tokenC).toBeGreaterThan(tokenB);
});
