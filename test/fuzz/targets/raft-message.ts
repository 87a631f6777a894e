/**
 * Raft messages from bytes. Whatever is decoded must be written again as the very same bytes: so
 * nothing can be smuggled past the decoder, and equal messages are equal bytes.
 */
import fc from "fast-check";
import { DecodeError } from "../../../src/base/codec.js";
import { logIndex, nodeId, term } from "../../../src/base/ids.js";
import {
  decodeConfiguration,
  decodeMessage,
  encodeConfiguration,
  encodeMessage,
  type Message,
} from "../../../src/raft/message/index.js";
import { CONFIGURATION, entry, metadata } from "../../storage/world.js";
import { mutated } from "../mutator.js";
import { type FuzzTarget, hold } from "../target.js";

const head = { from: nodeId(1), to: nodeId(2), term: term(3) };
const configurationEntry = {
  ...entry(6, 2),
  kind: 1 as const,
  payload: encodeConfiguration(CONFIGURATION),
};

const MESSAGES: readonly Message[] = [
  { type: "pre-vote", ...head, lastIndex: logIndex(9), lastTerm: term(2) },
  { type: "pre-vote-reply", ...head, granted: true },
  { type: "vote", ...head, lastIndex: logIndex(9), lastTerm: term(2), forced: true },
  { type: "vote-reply", ...head, granted: false },
  {
    type: "append",
    ...head,
    previousIndex: logIndex(4),
    previousTerm: term(1),
    commit: logIndex(4),
    entries: [
      { ...entry(5, 2, 9), term: term(3) },
      { ...configurationEntry, term: term(3) },
    ],
  },
  {
    type: "append-reply",
    ...head,
    index: logIndex(9),
    rejected: true,
    hintIndex: logIndex(7),
    hintTerm: term(2),
  },
  {
    type: "heartbeat",
    ...head,
    commit: logIndex(8),
    commitTerm: term(2),
    round: 4,
    held: logIndex(7),
  },
  { type: "heartbeat-reply", ...head, round: 4 },
  { type: "commit", ...head, commit: logIndex(8), commitTerm: term(2) },
  { type: "read", ...head, batch: 6 },
  { type: "read-reply", ...head, batch: 6, confirmed: true, index: logIndex(8) },
  { type: "timeout-now", ...head },
  { type: "snapshot", ...head, metadata: metadata(12, 2) },
];

const whole = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

export const raftMessage: FuzzTarget<Uint8Array> = {
  name: "raft-message",
  promise: "bytes are a message that is written as these same bytes, or are refused by name",
  reaches: ["refused", ...MESSAGES.map(({ type }) => type), "configuration"],
  shortRuns: 6000,

  samples: () => ({
    ...Object.fromEntries(MESSAGES.map(one => [one.type, whole(encodeMessage(one))])),
    configuration: encodeConfiguration(CONFIGURATION),
  }),

  inputs: (corpus, size) =>
    corpus.length === 0 ? fc.uint8Array({ maxLength: 100 * size }) : mutated(corpus, size),

  fuzz: bytes => {
    const asConfiguration = decoded(() => decodeConfiguration(bytes));
    if (asConfiguration !== null) {
      const again = encodeConfiguration(asConfiguration);
      hold(same(again, bytes), "a configuration is written as it was read");
      return "configuration";
    }
    const message = decoded(() => decodeMessage(bytes));
    if (message === null) return "refused";
    hold(same(whole(encodeMessage(message)), bytes), "a message is written as it was read");
    return message.type;
  },
};

function decoded<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
