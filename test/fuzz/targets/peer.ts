/**
 * The peers' door, and the connection that a node dials itself, with anything on the other end:
 * strangers who say what they like, and one who passes for a known node and then says what it
 * likes. The node closes on what makes no sense, sets aside no more than its limits, hands on only
 * what its admitted peer may say; and the link to the third node never notices.
 */
import fc from "fast-check";
import { logIndex, nodeId, term } from "../../../src/base/ids.js";
import { FRAME } from "../../../src/peer/frame.js";
import { encodeAccepted, encodeHello, encodeRefusal, PURPOSE } from "../../../src/peer/hello.js";
import type { Refusal } from "../../../src/peer/index.js";
import { encodeMessage } from "../../../src/raft/message/index.js";
import { nodeBytes, nodeChecksum } from "../../../src/server/ports/index.js";
import { text } from "../../peer/recording-node.js";
import { type Mutation, mutate, mutated, mutations } from "../mutator.js";
import { type FuzzTarget, hold } from "../target.js";
import { OtherEnd, Scene, THREE } from "./peer-scene.js";

/** Under a good head: what its payload says is for the receiver to judge. */
interface Frame {
  readonly type: number;
  readonly payload: Uint8Array;
}
type Step =
  | Frame
  /** Bytes as they are; mutated good frames, mostly. */
  | { readonly bytes: Uint8Array }
  | { readonly waitMs: number };

interface Input {
  /** Who the other end is: nobody, or node 3 on a link, or node 3 with a bulk stream. */
  readonly as: "stranger" | "link" | "bulk" | "dialled";
  readonly hello: readonly Mutation[];
  readonly steps: readonly Step[];
  /** How bytes are cut into pieces on the way. */
  readonly seed: number;
}
/** Past hello, silence and asks: whatever nobody keeps alive is closed by then. */
const AFTER_MS = 12_000;

function frame(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(9 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[8] = type;
  bytes.set(payload, 9);
  view.setUint32(0, 1 + payload.length, true);
  view.setUint32(4, nodeChecksum.crc32(bytes.subarray(8)), true);
  return bytes;
}

const u53 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
};

const REFUSED: Refusal = { reason: "UNKNOWN_MEMBER", message: "who are you" };

const ALL_FRAMES = Object.values(FRAME);
const KNOWN_TYPES: ReadonlySet<number> = new Set(ALL_FRAMES);
const head = { from: nodeId(3), to: nodeId(1), term: term(1) };
const number = (value: number): Uint8Array => Uint8Array.of(value, 0, 0, 0);
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

/** Frames as a peer sends them. */
const GOOD: readonly Step[] = [
  {
    type: FRAME.message,
    payload: joined(...encodeMessage({ type: "read", ...head, batch: 6 })),
  },
  {
    type: FRAME.message,
    payload: joined(
      ...encodeMessage({
        type: "append",
        ...head,
        previousIndex: logIndex(4),
        previousTerm: term(1),
        commit: logIndex(4),
        entries: [{ term: term(1), index: logIndex(5), kind: 0, payload: text("payload") }],
      }),
    ),
  },
  { type: FRAME.ask, payload: joined(number(7), text("question")) },
  { type: FRAME.answer, payload: joined(number(7), text("answer")) },
  { type: FRAME.ping, payload: number(3) },
  { type: FRAME.pong, payload: number(3) },
  { type: FRAME.bulkBegin, payload: text("metadata") },
  { type: FRAME.bulkChunk, payload: joined(u53(0), text("some bytes")) },
  { type: FRAME.bulkEnd, payload: u53(10) },
  { type: FRAME.bulkProceed, payload: u53(10) },
  { type: FRAME.bulkResult, payload: Uint8Array.of(1) },
  { type: FRAME.refused, payload: encodeRefusal(nodeBytes, REFUSED) },
];
/** Frames that are well made and still have no place: under another's name, empty, too early. */
const MISPLACED: readonly Frame[] = [
  {
    type: FRAME.message,
    payload: joined(...encodeMessage({ type: "read", ...head, from: nodeId(2), batch: 6 })),
  },
  {
    type: FRAME.message,
    payload: joined(...encodeMessage({ type: "read", ...head, to: nodeId(2), batch: 6 })),
  },
  { type: FRAME.bulkChunk, payload: u53(0) },
  { type: FRAME.ask, payload: Uint8Array.of(1, 2) },
];
const GOOD_FRAMES = GOOD.flatMap(one => ("type" in one ? [one] : []));

function step(size: number): fc.Arbitrary<Step> {
  const one = fc.constantFrom(...GOOD_FRAMES);
  const type = fc.oneof(fc.constantFrom(...ALL_FRAMES), fc.nat(255));
  const bytes = mutated(
    GOOD_FRAMES.map(({ type: known, payload }) => frame(known, payload)),
    size,
  );
  return fc.oneof(
    { weight: 8, arbitrary: one },
    {
      weight: 4,
      arbitrary: fc
        .tuple(one, mutations(size))
        .map(([good, changes]) => ({ ...good, payload: mutate(good.payload, changes) })),
    },
    { weight: 2, arbitrary: fc.constantFrom(...MISPLACED) },
    {
      weight: 2,
      arbitrary: fc.record({
        type,
        payload: fc.constantFrom(0, 1, 4_000, 5_000, 65_535).map(length => new Uint8Array(length)),
      }),
    },
    { weight: 1, arbitrary: fc.record({ bytes }) },
    { weight: 3, arbitrary: fc.record({ waitMs: fc.constantFrom(0, 1, 10, 300, 1_600) }) },
  );
}

export const peer: FuzzTarget<Input> = {
  name: "peer",
  promise: "whoever is on the other end, it is closed or served, and others are served on",
  reaches: ["stranger: let go", "link: let go", "link: heard", "bulk: let go", "bulk: taken"],
  shortRuns: 250,

  samples: () => ({
    link: { as: "link", hello: [], steps: GOOD.slice(0, 3), seed: 1 },
    dialled: { as: "dialled", hello: [], steps: GOOD.slice(3, 4), seed: 1 },
    bulk: {
      as: "bulk",
      hello: [],
      steps: [...GOOD.slice(6, 7), { waitMs: 300 }, ...GOOD.slice(7, 9)],
      seed: 1,
    },
  }),

  inputs: (corpus, size) => {
    const as = fc.constantFrom<Input["as"]>("stranger", "link", "link", "bulk", "dialled");
    const seed = fc.nat(1_000);
    // A hello that was changed is hardly ever believed, so mostly it is as it should be.
    const hello = fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: mutations(size) },
    );
    const steps = fc.array(step(size), { maxLength: 3 + 4 * size });
    const fresh = fc.record({ as, hello, steps, seed });
    if (corpus.length === 0) return fresh;
    const continued = fc
      .tuple(fc.constantFrom(...corpus), steps, seed)
      .map(([before, more, at]) => ({ ...before, steps: [...before.steps, ...more], seed: at }));
    return fc.oneof({ weight: 4, arbitrary: fresh }, { weight: 1, arbitrary: continued });
  },

  fuzz: ({ as, hello, steps, seed }) => {
    const scene = new Scene(seed);
    const { loop } = scene;
    hold(
      loop.runUntil(() => scene.linked(), 5_000),
      "nodes 1 and 2 are linked",
    );
    const other = new OtherEnd(scene, as === "dialled");
    if (as !== "stranger") other.send(mutate(helloOf(as), hello));
    for (const one of steps) {
      if ("waitMs" in one) loop.advance(one.waitMs);
      else other.send("bytes" in one ? one.bytes : frame(one.type, one.payload));
      loop.settle();
      if ("type" in one && !KNOWN_TYPES.has(one.type))
        hold(other.isClosed, `after a frame of type ${one.type} the connection is closed`);
    }
    other.stopListening();
    loop.advance(AFTER_MS);
    check(scene, other);
    return `${as}: ${outcomeOf(scene)}`;
  },
};
const helloOf = (as: Input["as"]): Uint8Array =>
  as === "dialled"
    ? frame(FRAME.accepted, encodeAccepted(nodeBytes, THREE))
    : frame(
        FRAME.hello,
        encodeHello(nodeBytes, as === "bulk" ? PURPOSE.bulk : PURPOSE.link, nodeId(1), THREE),
      );

function check(scene: Scene, other: OtherEnd): void {
  const { loop, network, one, two, three, sinks } = scene;
  hold(other.isClosed, "a connection that fell silent is closed");
  hold(network.openConnections === 4, `${network.openConnections} ends are open, of 4`);
  hold(scene.linked() && !one.events.includes("down 2 by us"), "nodes 1 and 2 stay linked");
  for (const { ends } of sinks) hold(ends === 1, `a stream ended ${ends} times`);
  for (const { from, to } of one.messages)
    hold(from === three.id && to === one.id, `a message from ${from} to ${to} came through`);
  const heard = one.messages.length;
  let answer: Uint8Array | null = null;
  two.links.send(one.id, two.heartbeat(one, 9));
  two.links.ask(one.id, text("still there?"), bytes => {
    answer = bytes;
  });
  loop.advance(100);
  hold(one.messages.length === heard + 1 && answer !== null, "node 2 is served on");
}

function outcomeOf({ sinks, one }: Scene): string {
  if (sinks.some(({ finished }) => finished)) return "taken";
  // The last message and the last question are node 2's own.
  return one.messages.length + one.questions.length > 2 ? "heard" : "let go";
}
