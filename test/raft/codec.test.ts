import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { logIndex, nodeId, term } from "../../src/base/ids.js";
import {
  type Configuration,
  DecodeError,
  decodeConfiguration,
  decodeMessage,
  encodeConfiguration,
  encodeMessage,
  type Message,
} from "../../src/raft/message/index.js";

const count = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const index = count.map(logIndex);
const id = count.filter(n => n > 0).map(nodeId);
const terms = count.map(term);
const text = fc.string({ maxLength: 12, unit: "binary" });

const member = fc.record({
  name: text,
  role: fc.constantFrom("voter" as const, "learner" as const, "leaving" as const),
  peerUrls: fc.array(text, { maxLength: 3 }),
  clientUrls: fc.array(text, { maxLength: 3 }),
  incarnation: text,
  since: fc.oneof(fc.constant(logIndex(0)), index),
});
const ascending = fc.uniqueArray(id, { maxLength: 4 }).map(list => list.sort((a, b) => a - b));
const configuration: fc.Arbitrary<Configuration> = fc
  .tuple(
    ascending,
    fc.array(member, { minLength: 4, maxLength: 4 }),
    fc.nat(15),
    fc.uniqueArray(id, { maxLength: 3 }),
  )
  .map(([ids, parts, outgoing, removed]) => ({
    members: ids.map((one, i) => ({ id: one, ...(parts[i] as (typeof parts)[number]) })),
    outgoingVoters: ids.filter((_, i) => ((outgoing >> i) & 1) === 1),
    removed,
  }));

const head = { from: id, to: id, term: terms };
const payload = fc.uint8Array({ maxLength: 20 });

/** Entries contiguous after `previousIndex`, of terms between `previousTerm` and the message's. */
const append: fc.Arbitrary<Message> = fc
  .record({
    from: id,
    to: id,
    lowest: fc.nat(1000),
    steps: fc.array(fc.tuple(fc.nat(3), payload, fc.option(configuration)), { maxLength: 5 }),
    previousIndex: fc.nat(2 ** 40),
    commit: index,
  })
  .map(({ from, to, lowest, steps, previousIndex, commit }) => {
    let at = lowest;
    const entries = steps.map(([step, bytes, configured], i) => {
      at += step;
      return {
        term: term(at),
        index: logIndex(previousIndex + 1 + i),
        kind: configured === null ? (0 as const) : (1 as const),
        payload: configured === null ? bytes : encodeConfiguration(configured),
      };
    });
    return {
      type: "append",
      from,
      to,
      term: term(at + 1),
      previousIndex: logIndex(previousIndex),
      previousTerm: term(lowest),
      commit,
      entries,
    };
  });

const type = <T extends string>(name: T): fc.Arbitrary<T> => fc.constant(name);
const message: fc.Arbitrary<Message> = fc.oneof(
  append,
  fc.record({ type: type("pre-vote"), ...head, lastIndex: index, lastTerm: terms }),
  fc.record({ type: type("pre-vote-reply"), ...head, granted: fc.boolean() }),
  fc.record({
    type: type("vote"),
    ...head,
    lastIndex: index,
    lastTerm: terms,
    forced: fc.boolean(),
  }),
  fc.record({ type: type("vote-reply"), ...head, granted: fc.boolean() }),
  fc.record({
    type: type("append-reply"),
    ...head,
    index,
    rejected: fc.boolean(),
    hintIndex: index,
    hintTerm: terms,
  }),
  fc.record({
    type: type("heartbeat"),
    ...head,
    commit: index,
    commitTerm: terms,
    round: count,
    held: index,
  }),
  fc.record({ type: type("heartbeat-reply"), ...head, round: count }),
  fc.record({ type: type("commit"), ...head, commit: index, commitTerm: terms }),
  fc.record({ type: type("read"), ...head, batch: count }),
  fc.record({ type: type("read-reply"), ...head, batch: count, confirmed: fc.boolean(), index }),
  fc.record({ type: type("timeout-now"), ...head }),
  fc.record({ ...head, index, configuration }).map(({ from, to, term: at, ...rest }) => ({
    type: "snapshot" as const,
    from,
    to,
    term: at,
    metadata: { index: rest.index, term: at, configuration: rest.configuration },
  })),
);

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** What is wrong with the bytes, or the message. Anything else thrown fails the test. */
function attempt(bytes: Uint8Array): Message | DecodeError {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}

describe("the messages' codec", () => {
  test("every message comes back as it went", () => {
    fc.assert(
      fc.property(message, sent => {
        expect(decodeMessage(joined(encodeMessage(sent)))).toEqual(sent);
      }),
      { numRuns: 500 },
    );
  });

  test("payloads are passed on by reference and read as views, never copied", () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const entry = { term: term(1), index: logIndex(1), kind: 0 as const, payload: bytes };
    const parts = encodeMessage({
      type: "append",
      from: nodeId(1),
      to: nodeId(2),
      term: term(1),
      previousIndex: logIndex(0),
      previousTerm: term(0),
      commit: logIndex(0),
      entries: [entry],
    });
    expect(parts[1]).toBe(bytes);
    const frame = joined(parts);
    const read = decodeMessage(frame);
    expect(read.type === "append" && read.entries[0]?.payload.buffer).toBe(frame.buffer);
  });

  test("a message cut short anywhere, or with a byte too many, is refused", () => {
    fc.assert(
      fc.property(message, sent => {
        const bytes = joined(encodeMessage(sent));
        for (let end = 0; end < bytes.length; end += Math.max(1, bytes.length >> 5)) {
          expect(attempt(bytes.subarray(0, end))).toBeInstanceOf(DecodeError);
        }
        expect(attempt(joined([bytes, new Uint8Array(1)]))).toBeInstanceOf(DecodeError);
      }),
      { numRuns: 200 },
    );
  });

  test("whatever the bytes, the answer is a message that encodes to them, or a DecodeError", () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(255), (sent, at, value) => {
        const bytes = joined(encodeMessage(sent));
        bytes[at % bytes.length] = value;
        const read = attempt(bytes);
        if (!(read instanceof DecodeError)) expect(joined(encodeMessage(read))).toEqual(bytes);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), bytes => void attempt(bytes)),
      { numRuns: 1000 },
    );
  });

  test("a configuration entry that cannot be read is refused at the door", () => {
    const entry = { term: term(1), index: logIndex(1), kind: 1 as const, payload: bytesOf(9) };
    const parts = encodeMessage({
      type: "append",
      from: nodeId(1),
      to: nodeId(2),
      term: term(1),
      previousIndex: logIndex(0),
      previousTerm: term(0),
      commit: logIndex(0),
      entries: [entry],
    });
    expect(attempt(joined(parts))).toBeInstanceOf(DecodeError);
  });

  test("a configuration comes back as it went", () => {
    fc.assert(
      fc.property(configuration, sent => {
        expect(decodeConfiguration(encodeConfiguration(sent))).toEqual(sent);
      }),
    );
  });
});

const bytesOf = (...values: number[]): Uint8Array => Uint8Array.from(values);
