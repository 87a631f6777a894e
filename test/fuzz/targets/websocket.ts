/**
 * The WebSocket door before a whole node: frames that are none, msgpack trees of any kind, requests
 * in any order on two connections. Every answer is one that the registry or the error table
 * declares, comes once, and to a request that was made; a session goes on or is closed by name; and
 * when the connections are gone, nothing of them is left in the node.
 */
import fc from "fast-check";
import type { Spelling } from "../../../src/api/calls/text.js";
import { encodeMsgpack } from "../../../src/api/websocket/msgpack.js";
import type { Replica } from "../../../src/replica/index.js";
import { TurnedLoop } from "../../../src/testing/turned-loop.js";
import { mutated } from "../mutator.js";
import { type FuzzTarget, hold } from "../target.js";
import { startNode } from "./one-node.js";
import { request } from "./requests.js";
import { SocketClient } from "./websocket-client.js";
import { anything, nest } from "./wire-values.js";

type Step =
  | { readonly on: number; readonly say: readonly unknown[] }
  | { readonly on: number; readonly frame: Uint8Array }
  /** The connection is gone, and another takes its place. */
  | { readonly on: number; readonly gone: true }
  /** So many bytes wait to be read by the client. */
  | { readonly on: number; readonly unreadBytes: number }
  | { readonly waitMs: number };

interface Input {
  readonly spelling: Spelling;
  readonly steps: readonly Step[];
}
/** Past every wait and every lease of two connections that nobody keeps alive. */
const AFTER_MS = 6_000;

const HELLO = { hello: { v: 1, client: "00112233445566aa" } };
const on = fc.nat(1);
const id = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 1, arbitrary: anything },
);
const message: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 16,
    arbitrary: fc
      .tuple(fc.record({ id, low: id }, { requiredKeys: ["id"] }), request)
      .map(([head, body]) => ({ ...head, ...body })),
  },
  { weight: 2, arbitrary: fc.record({ cancel: id }) },
  { weight: 1, arbitrary: anything },
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown>(
      HELLO,
      { hello: { v: 1, leases: ["1", "2"] } },
      { id: 1, op: "nothing" },
      null,
      "x",
      nest(70, null),
      nest(63, "x"),
    ),
  },
);

/** Good frames, and what msgpack can say that no frame may: records, dates, lengths that lie. */
const FRAMES: readonly Uint8Array[] = [
  encodeMsgpack([HELLO]),
  encodeMsgpack([{ id: 1, op: "kv.put", params: { key: "a", value: "b" } }]),
  encodeMsgpack([{ id: 2, op: "lock.acquire", params: { name: "n", ttlMs: 1000, waitMs: -1 } }]),
  Uint8Array.of(0x91, 0xd4, 0x72, 0x40),
  Uint8Array.of(0x91, 0xc7, 0x0c, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
  Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff, 0x01),
  Uint8Array.of(0x91, 0xdf, 0x7f, 0xff, 0xff, 0xff),
  Uint8Array.of(0x91, 0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x02),
  Uint8Array.of(0x91, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Buffer.from(JSON.stringify([HELLO])),
];

const step = (size: number): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 16,
      arbitrary: fc.record({ on, say: fc.array(message, { minLength: 1, maxLength: 6 }) }),
    },
    { weight: 1, arbitrary: fc.record({ on, frame: mutated(FRAMES, size) }) },
    { weight: 1, arbitrary: fc.record({ on, gone: fc.constant(true as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ on, unreadBytes: fc.constantFrom(0, 9_000_000, 20_000_000) }),
    },
    { weight: 3, arbitrary: fc.record({ waitMs: fc.constantFrom(0, 10, 300, 1_200) }) },
  );

export const websocket: FuzzTarget<Input> = {
  name: "websocket",
  promise: "answers are as declared, sessions go on or close by name, and nothing is left behind",
  reaches: ["served", "served, closed INVALID_FRAME"],
  shortRuns: 40,

  samples: () => ({
    lock: {
      spelling: "msgpack",
      steps: [
        { on: 0, say: [{ id: 1, op: "lock.acquire", params: { name: "n", ttlMs: 1000 } }] },
        { waitMs: 10 },
        {
          on: 1,
          say: [{ id: 1, op: "lock.acquire", params: { name: "n", ttlMs: 1000, waitMs: -1 } }],
        },
        { waitMs: 10 },
        { on: 0, gone: true },
        { waitMs: 1200 },
      ],
    },
  }),

  inputs: (_corpus, size) =>
    fc.record({
      spelling: fc.constantFrom<Spelling>("msgpack", "msgpack", "json"),
      steps: fc.array(step(size), { maxLength: 6 + 8 * size }),
    }),

  fuzz: ({ spelling, steps }) => {
    const loop = new TurnedLoop();
    const replica = startNode({ clock: loop, endOfTurn: loop });
    hold(
      loop.runUntil(() => isReady(replica)),
      "the node becomes ready",
    );
    loop.advance(1_000);
    const fresh = (): SocketClient => new SocketClient(replica, loop, spelling);
    const peers = [fresh(), fresh()];
    const all = [...peers];
    for (const peer of peers) peer.say([HELLO]);
    for (const one of steps) {
      if ("waitMs" in one) loop.advance(one.waitMs);
      else {
        const peer = peers[one.on] as SocketClient;
        act(peer, one);
        if (peer.closed !== null) {
          peer.gone();
          const next = fresh();
          peers[one.on] = next;
          all.push(next);
          next.say([HELLO]);
        }
      }
      loop.settle();
    }
    finish(loop, replica, all);
    return outcomeOf(all);
  },
};

const isReady = (replica: Replica): boolean => replica.coordinator.status().state === "ready";

function act(peer: SocketClient, one: Exclude<Step, { waitMs: number }>): void {
  if ("say" in one) peer.say(one.say);
  else if ("frame" in one) peer.frame(one.frame);
  else if ("gone" in one) peer.gone();
  else peer.unreadBytes = one.unreadBytes;
}

/** Everything is given up: then every request has its answer, and the node is as it was. */
function finish(loop: TurnedLoop, replica: Replica, all: readonly SocketClient[]): void {
  for (const peer of all) if (peer.closed === null) peer.drained();
  loop.advance(10);
  for (const peer of all) if (peer.closed === null) peer.cancelAll();
  loop.advance(AFTER_MS);
  for (const peer of all) {
    if (peer.closed !== null) continue;
    hold(peer.asked.size === 0, `no answer came to ${JSON.stringify([...peer.asked])}`);
    hold(peer.streams.size === 0, "every stream that was cancelled has ended");
  }
  for (const peer of all) peer.gone();
  loop.advance(AFTER_MS);
  const { counters } = replica.coordinator.status();
  for (const name of ["connections", "proposals_pending", "leases_attached", "waits", "watches"])
    hold(counters[name] === 0, `${name} is ${counters[name]} after the last connection`);
}

function outcomeOf(all: readonly SocketClient[]): string {
  const served = all.some(({ answers, refusals }) => answers + refusals > 0);
  const ends = [...new Set(all.map(({ closed }) => closed))].filter(one => one !== "gone").sort();
  const closed = ends.length === 0 ? "" : `, closed ${ends.join(" ")}`;
  return `${served ? "served" : "silent"}${closed}`;
}
