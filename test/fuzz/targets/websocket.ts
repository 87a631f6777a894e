/**
 * The WebSocket door before a whole node: frames that are none, msgpack trees of any kind, requests
 * in any order on two connections. Every answer is one that the registry or the error table
 * declares, comes once, and to a request that was made; a session goes on or is closed by name; and
 * when the connections are gone, nothing of them is left in the node.
 */
import fc from "fast-check";
import { ERRORS, isErrorCode, isOperationName, OPERATION_KINDS } from "holdfast-protocol";
import { OPERATIONS } from "holdfast-protocol/schemas";
import { Compile } from "typebox/compile";
import { Border, type Spelling } from "../../../src/api/calls/text.js";
import { compileOperations } from "../../../src/api/calls/validation.js";
import { DecodeError, decodeMsgpack, encodeMsgpack } from "../../../src/api/websocket/msgpack.js";
import { CLOSE, FrameSession } from "../../../src/api/websocket/session.js";
import { LIMITS } from "../../../src/base/limits.js";
import type { Replica } from "../../../src/replica/index.js";
import { nodeBytes } from "../../../src/server/ports/index.js";
import { TurnedLoop } from "../../../src/testing/turned-loop.js";
import { mutated } from "../mutator.js";
import { type FuzzTarget, hold } from "../target.js";
import { startNode } from "./one-node.js";
import { request } from "./requests.js";
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

const operations = compileOperations();
const borders = { json: new Border(nodeBytes, "json"), msgpack: new Border(nodeBytes, "msgpack") };
const results = new Map(
  [...operations.keys()].map(name => [name, Compile(OPERATIONS[name as "kv.get"].result)]),
);
const EVENTS = ["watch", "observe", "end", "lost", "leaseEnded", "position", "leader"];
const CLOSE_CODES: readonly number[] = Object.values(CLOSE);
/** Past every wait and every lease of two connections that nobody keeps alive. */
const AFTER_MS = 6_000;

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A client's end of one connection: it remembers what was asked, and judges what comes. */
class Peer {
  readonly #spelling: Spelling;
  readonly #session: FrameSession;
  /** Operations asked for that have no answer yet, by number; one that was refused may come again. */
  readonly asked = new Map<number, string[]>();
  readonly streams = new Set<number>();
  closed: string | null = null;
  unreadBytes = 0;
  answers = 0;
  refusals = 0;

  constructor(replica: Replica, loop: TurnedLoop, spelling: Spelling) {
    this.#spelling = spelling;
    let requests = 0;
    const house = {
      coordinator: replica.coordinator,
      operations,
      border: borders[spelling],
      clock: loop,
      endOfTurn: loop,
      limits: { ...LIMITS, maxPendingPerConnection: 20, maxWatchersPerConnection: 4 },
      observe: () => {},
      nextRequestId: () => `r${++requests}`,
    };
    this.#session = new FrameSession(house, {
      send: messages => this.#take(this.#encoded(messages)),
      bufferedBytes: () => this.unreadBytes,
      close: (code, reason) => {
        hold(this.closed === null, "a connection is closed once");
        hold(CLOSE_CODES.includes(code) && isErrorCode(reason), `closed with ${code} ${reason}`);
        this.closed = reason;
      },
    });
  }

  say(messages: readonly unknown[]): void {
    this.frame(
      this.#spelling === "msgpack"
        ? encodeMsgpack(messages)
        : Buffer.from(JSON.stringify(messages) ?? "null"),
    );
  }

  /** As door.ts does it. */
  frame(bytes: Uint8Array): void {
    let frame: unknown;
    try {
      frame = this.#decoded(bytes);
    } catch (error) {
      hold(error instanceof DecodeError, `a frame fails with ${String(error)}`);
      this.#session.fail({ code: "INVALID_FRAME", message: error.message }, CLOSE.policy);
      return;
    }
    if (Array.isArray(frame)) for (const message of frame) this.#remember(message);
    this.#session.receive(frame);
  }

  cancelAll(): void {
    this.say([...this.asked.keys(), ...this.streams].map(cancel => ({ cancel })));
  }

  drained(): void {
    this.unreadBytes = 0;
    this.#session.drained();
  }

  gone(): void {
    this.#session.closed();
    this.closed ??= "gone";
  }

  #decoded(bytes: Uint8Array): unknown {
    if (this.#spelling === "msgpack") return decodeMsgpack(bytes);
    try {
      return JSON.parse(Buffer.from(bytes).toString("utf8"));
    } catch {
      throw new DecodeError("the frame is not JSON");
    }
  }

  #encoded(messages: readonly unknown[]): unknown {
    if (this.#spelling === "json") return JSON.parse(JSON.stringify(messages));
    return decodeMsgpack(encodeMsgpack(messages));
  }

  #remember(message: unknown): void {
    if (!isFields(message)) return;
    const { id, op } = message;
    if (typeof id !== "number" || typeof op !== "string") return;
    const before = this.asked.get(id);
    if (before === undefined) this.asked.set(id, [op]);
    else before.push(op);
  }

  /** Takes out what the first answer to `id` speaks of. */
  #settle(id: number): string | undefined {
    const [first, ...rest] = this.asked.get(id) ?? [];
    if (rest.length > 0) this.asked.set(id, rest);
    else this.asked.delete(id);
    return first;
  }

  #take(messages: unknown): void {
    hold(this.closed === null, "nothing is sent after the end");
    hold(Array.isArray(messages), "a frame is a list");
    for (const message of messages) {
      hold(isFields(message), "a message is an object");
      if (message.welcome !== undefined) continue;
      if (message.event !== undefined) this.#event(message);
      else if (message.ok !== undefined) this.#answered(Number(message.id), message.ok);
      else this.#refused(Number(message.id), message.error);
    }
  }

  #answered(id: number, ok: unknown): void {
    const op = this.#settle(id);
    hold(op !== undefined, `an answer to ${id}, which was not asked`);
    hold(isFields(ok), "a result is an object");
    const inward = structuredClone(ok) as Record<string, unknown>;
    borders[this.#spelling].inward(inward);
    const check = results.get(op);
    hold(check?.Check(inward) === true, `${op} answers ${JSON.stringify(ok)}`);
    if (isOperationName(op) && OPERATION_KINDS[op] === "stream") this.streams.add(id);
    this.answers += 1;
  }

  #refused(id: number, error: unknown): void {
    hold(isFields(error), "an error is an object");
    const { code, message, retryable, outcome, requestId } = error;
    hold(typeof code === "string" && isErrorCode(code), `${String(code)} is no code`);
    const declared = ERRORS[code];
    hold(code !== "INTERNAL", `INTERNAL: ${String(message)}`);
    hold(
      retryable === declared.retryable && outcome === declared.outcome,
      `${code} is as declared`,
    );
    hold(typeof message === "string" && message !== "", `${code} says what is wrong`);
    hold(!/\bat .*:\d+:\d+/.test(message), `${code} shows a stack`);
    hold(typeof requestId === "string", `${code} can be found in the log`);
    hold(id === 0 || this.#settle(id) !== undefined, `an error to ${id}, which was not asked`);
    this.refusals += 1;
  }

  #event(message: Fields): void {
    const { event, id } = message;
    hold(EVENTS.includes(String(event)), `${String(event)} is no event`);
    if (event === "end") this.streams.delete(Number(id));
  }
}

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
    const fresh = (): Peer => new Peer(replica, loop, spelling);
    const peers = [fresh(), fresh()];
    const all = [...peers];
    for (const peer of peers) peer.say([HELLO]);
    for (const one of steps) {
      if ("waitMs" in one) loop.advance(one.waitMs);
      else {
        const peer = peers[one.on] as Peer;
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

function act(peer: Peer, one: Exclude<Step, { waitMs: number }>): void {
  if ("say" in one) peer.say(one.say);
  else if ("frame" in one) peer.frame(one.frame);
  else if ("gone" in one) peer.gone();
  else peer.unreadBytes = one.unreadBytes;
}

/** Everything is given up: then every request has its answer, and the node is as it was. */
function finish(loop: TurnedLoop, replica: Replica, all: readonly Peer[]): void {
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

function outcomeOf(all: readonly Peer[]): string {
  const served = all.some(({ answers, refusals }) => answers + refusals > 0);
  const ends = [...new Set(all.map(({ closed }) => closed))].filter(one => one !== "gone").sort();
  const closed = ends.length === 0 ? "" : `, closed ${ends.join(" ")}`;
  return `${served ? "served" : "silent"}${closed}`;
}
