/**
 * The client before a node that says whatever it likes: frames that are none, messages that fit
 * nothing, answers of other calls. Every call must come to an end, with a value or with one of the
 * client's own errors; nothing may be thrown where nobody can catch it; closing always works.
 */
import fc from "fast-check";
import { encodeFrame, packable } from "../../../clients/typescript/core/codec.js";
import { type Client, HoldfastError } from "../../../clients/typescript/core/index.js";
import { type FakeConnection, World } from "../../client/world.js";
import { mutated } from "../mutator.js";
import { type FuzzTarget, hold } from "../target.js";
import { anything, mostly, nest, oddNumber, oddText, wireError } from "./wire-values.js";

type Step =
  /** What a user calls. */
  | { readonly call: keyof typeof CALLS }
  /** What the node sends: messages, or a frame as it is. */
  | { readonly say: readonly unknown[] }
  | { readonly frame: Uint8Array }
  | { readonly waitMs: number }
  | { readonly cut: string };

interface Input {
  /** What the node says in place of its welcome; undefined: it welcomes as it should. */
  readonly welcome?: unknown;
  /** It does not welcome at all, but by what it is told to say. */
  readonly isMute?: boolean;
  readonly steps: readonly Step[];
}

/** Every call of the surface that waits for something that a node says. */
const CALLS = {
  get: client => client.kv.get("a"),
  put: client => client.kv.put("a", "b"),
  putOnLease: client => client.kv.put("a", "b", { session: client }),
  delete: client => client.kv.delete("a"),
  append: client => client.kv.append("a", "b"),
  txn: client => client.kv.txn({ success: [] }),
  list: client => take(client.kv.list({ prefix: "" })),
  watch: client => take(client.kv.watch({ prefix: "" })),
  acquire: client => client.lock("n").acquire({ waitMs: 500, onWaiting: () => {} }),
  tryAcquire: client => client.lock("n").tryAcquire(),
  run: client => client.lock("n").run(held => held.confirm()),
  inspect: client => client.lock("n").inspect(),
  locks: client => take(client.locks()),
  campaign: client => client.election("n").campaign("v", { waitMs: 500 }),
  leader: client => client.election("n").leader(),
  observe: client => take(client.election("n").observe()),
  grant: client => client.leases.grant({ ttlMs: 5_000 }),
  keepalive: client => client.leases.keepalive("1"),
  revoke: client => client.leases.revoke("1"),
  lease: client => client.leases.get("1"),
  leases: client => take(client.leases.list()),
  status: client => client.cluster.status(),
  members: client => client.cluster.members(),
  ready: client => client.ready(),
} as const satisfies Readonly<Record<string, (client: Client) => Promise<unknown>>>;

const MOST_ITEMS = 20;

/** Reads what comes, up to a few, as a user would. */
async function take(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of stream) {
    items.push(item);
    JSON.stringify(item);
    if (items.length >= MOST_ITEMS) break;
  }
  return items;
}

const id = fc.oneof(fc.integer({ min: 0, max: 8 }), oddNumber);
const lease = fc.constantFrom<unknown>("a1", "a2", "1");
const field = mostly(fc.oneof(fc.integer({ min: 0, max: 9 }), oddText, fc.boolean()));
const record = fc.record(
  { key: field, value: field, modRevision: field, lease },
  {
    requiredKeys: ["key"],
  },
);
/** Fields of all results together: each call finds some of what it looks for. */
const result = fc.record(
  {
    lease,
    ttlMs: mostly(fc.constant(5_000)),
    remainingMs: mostly(fc.constant(5_000)),
    stamp: mostly(fc.constant(0)),
    leases: mostly(fc.array(mostly(fc.record({ lease, ttlMs: field, remainingMs: field })))),
    key: field,
    name: field,
    token: field,
    revision: field,
    value: field,
    records: mostly(fc.array(mostly(record), { maxLength: 3 })),
    locks: mostly(fc.array(mostly(fc.record({ name: field, holders: field })), { maxLength: 2 })),
    holders: mostly(fc.array(mostly(record), { maxLength: 2 })),
    recent: mostly(fc.array(mostly(record), { maxLength: 2 })),
    waiters: mostly(fc.array(mostly(record), { maxLength: 2 })),
    leader: mostly(record),
    keys: mostly(fc.array(field, { maxLength: 2 })),
    ended: mostly(fc.record({ reason: field })),
    more: mostly(fc.boolean()),
    released: mostly(fc.boolean()),
    state: mostly(fc.constant("ready")),
  },
  { requiredKeys: [] },
);
const event = fc.record(
  {
    event: mostly(
      fc.constantFrom("watch", "observe", "end", "lost", "leaseEnded", "position", "leader"),
    ),
    id,
    lease,
    key: field,
    reason: field,
    revision: field,
    changes: mostly(fc.array(mostly(record), { maxLength: 3 })),
    leader: mostly(record),
    position: field,
    holders: mostly(fc.array(mostly(record), { maxLength: 2 })),
    error: wireError,
  },
  { requiredKeys: ["event"] },
);
const welcome = fc.record(
  {
    v: mostly(fc.constant(1)),
    clusterId: mostly(fc.constant("c1")),
    nodeId: mostly(fc.constant("a1")),
    leader: mostly(fc.constantFrom("a1", "a2")),
    leaderUrls: mostly(fc.array(mostly(fc.constant("http://node0:2379")), { maxLength: 2 })),
    limits: anything,
    leases: mostly(fc.array(mostly(fc.record({ lease, ended: anything })), { maxLength: 2 })),
  },
  { requiredKeys: [] },
);
const message: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ id, ok: mostly(result) }) },
  { weight: 3, arbitrary: fc.record({ id, error: wireError }) },
  { weight: 4, arbitrary: event },
  { weight: 1, arbitrary: fc.record({ welcome: mostly(welcome) }) },
  { weight: 1, arbitrary: anything },
  { weight: 1, arbitrary: fc.constantFrom(nest(70, null), nest(40, "x")) },
);

const GOOD_FRAMES: readonly Uint8Array[] = [
  encodeFrame([packable({ id: 1, ok: { key: "a", value: "b", modRevision: 2 ** 40 } })]),
  encodeFrame([packable({ id: 1, error: { code: "NO_SUCH_KEY", message: "none" } })]),
  encodeFrame([packable({ event: "watch", id: 1, revision: 3, changes: [{ key: "a" }] })]),
];

const step = (size: number): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        call: fc.constantFrom(...(Object.keys(CALLS) as (keyof typeof CALLS)[])),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({ say: fc.array(message, { minLength: 1, maxLength: 3 }) }),
    },
    { weight: 1, arbitrary: fc.record({ frame: mutated(GOOD_FRAMES, size) }) },
    { weight: 2, arbitrary: fc.record({ waitMs: fc.constantFrom(0, 1, 300, 4_000) }) },
    { weight: 1, arbitrary: fc.record({ cut: oddText }) },
  );

export const client: FuzzTarget<Input> = {
  name: "client",
  promise: "whatever a node says, every call ends with a value or with an error of the client's",
  reaches: ["values", "errors", "values and errors"],
  shortRuns: 250,

  samples: () => ({
    get: { steps: [{ call: "get" }, { waitMs: 0 }, { say: [{ id: 1, ok: { key: "a" } }] }] },
    refusal: { steps: [{ call: "put" }, { waitMs: 0 }, { say: [{ id: 1, error: null }] }] },
  }),

  inputs: (corpus, size) => {
    const fresh = fc.record(
      {
        welcome: mostly(welcome),
        isMute: fc.constant(true),
        steps: fc.array(step(size), { maxLength: 4 + 4 * size }),
      },
      { requiredKeys: ["steps"] },
    );
    if (corpus.length === 0) return fresh;
    const continued = fc
      .tuple(fc.constantFrom(...corpus), fc.array(step(size), { maxLength: 3 * size }))
      .map(([before, more]) => ({ ...before, steps: [...before.steps, ...more] }));
    return fc.oneof({ weight: 5, arbitrary: fresh }, { weight: 1, arbitrary: continued });
  },

  fuzz: async ({ welcome: odd, isMute = false, steps }) => {
    const world = new World();
    for (const op of Object.keys(world.scripts))
      delete world.scripts[op as keyof typeof world.scripts];
    world.node.isDeaf = isMute || odd !== undefined;
    const connected = world.connect({ ttlMs: 5_000, timeoutMs: 2_000 });
    const fates: Promise<string>[] = [];
    const greeted = new Set<FakeConnection>();
    for (const one of steps) {
      if ("call" in one) fates.push(fateOf(() => CALLS[one.call](connected)));
      await world.settle();
      const connection = world.node.connections.at(-1);
      if (connection === undefined) continue;
      if (odd !== undefined && !greeted.has(connection))
        connection.sendBytes(encodeFrame([{ welcome: odd }]));
      greeted.add(connection);
      if (!("call" in one)) await act(world, connection, one);
    }
    await world.close();
    await world.advance(30_000);
    return told(await allOf(fates));
  },
};

async function act(
  world: World,
  connection: FakeConnection,
  one: Exclude<Step, { call: string }>,
): Promise<void> {
  if ("waitMs" in one) await world.advance(one.waitMs);
  else if ("cut" in one) connection.cut(one.cut);
  else if (connection.isOpen)
    connection.sendBytes("frame" in one ? one.frame : encodeFrame(one.say as object[]));
  await world.settle();
}

async function fateOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return "values";
  } catch (error) {
    if (error instanceof HoldfastError) return "errors";
    throw error;
  }
}

/** All of them, by now: the client is closed and half a minute is over. */
async function allOf(fates: readonly Promise<string>[]): Promise<readonly string[]> {
  const late = new Promise<null>(resolve => setImmediate(() => resolve(null)));
  const ended = await Promise.race([Promise.all(fates), late]);
  hold(ended !== null, "every call has ended once the client is closed");
  return ended;
}

function told(fates: readonly string[]): string {
  const kinds = [...new Set(fates)].sort().reverse();
  return kinds.length === 0 ? "no calls" : kinds.join(" and ");
}
