/**
 * Messages as bytes: a fixed, versioned, little-endian layout of our own.
 *
 *   u8 version, u8 type, count from, count to, count term, then the fields of the type;
 *   a *count* is an integer below 2^53 in 8 bytes. In an append all entries' heads come first
 *   (count term, u8 kind, u32 payload length), then all payloads, so that payloads are passed on
 *   by reference and never copied here. Indices of entries follow from their order.
 *
 * Called by links, and by whoever streams a snapshot (a snapshot message is that stream's head).
 */
import { assert, unreachable } from "../../base/assert.js";
import { type LogIndex, logIndex, type NodeId, type Term, term } from "../../base/ids.js";
import {
  configurationBytes,
  decodeConfiguration,
  readConfiguration,
  readNodeId,
  writeConfiguration,
} from "./configuration.js";
import { ENTRY_KIND, type Entry, type EntryKind } from "./entry.js";
import type { Append, AppendReply, Message, MessageType } from "./message.js";
import { COUNT_BYTES, WireReader, WireWriter } from "./wire.js";

const FORMAT_VERSION = 1;
const HEAD_BYTES = 2 + 3 * COUNT_BYTES;
const ENTRY_HEAD_BYTES = COUNT_BYTES + 1 + 4;

/** The numbers on the wire. Never reuse one. */
const TYPE_NUMBER: Readonly<Record<MessageType, number>> = {
  "pre-vote": 1,
  "pre-vote-reply": 2,
  vote: 3,
  "vote-reply": 4,
  append: 5,
  "append-reply": 6,
  heartbeat: 7,
  "heartbeat-reply": 8,
  commit: 9,
  read: 10,
  "read-reply": 11,
  "timeout-now": 12,
  snapshot: 13,
};

function head(message: Message, bodyBytes: number): WireWriter {
  const writer = new WireWriter(HEAD_BYTES + bodyBytes);
  writer.u8(FORMAT_VERSION);
  writer.u8(TYPE_NUMBER[message.type]);
  writer.count(message.from);
  writer.count(message.to);
  writer.count(message.term);
  return writer;
}

/**
 * The message as parts to be written one after the other. All but the first are the payloads of
 * its entries themselves: neither may be changed before they are written.
 */
export function encodeMessage(message: Message): Uint8Array[] {
  if (message.type === "append") return encodeAppend(message);
  return [encodeFlat(message).finish()];
}

function encodeFlat(message: Exclude<Message, Append>): WireWriter {
  switch (message.type) {
    case "pre-vote": {
      const writer = head(message, 2 * COUNT_BYTES);
      writer.count(message.lastIndex);
      writer.count(message.lastTerm);
      return writer;
    }
    case "vote": {
      const writer = head(message, 2 * COUNT_BYTES + 1);
      writer.count(message.lastIndex);
      writer.count(message.lastTerm);
      writer.flag(message.forced);
      return writer;
    }
    case "pre-vote-reply":
    case "vote-reply": {
      const writer = head(message, 1);
      writer.flag(message.granted);
      return writer;
    }
    case "append-reply":
      return encodeAppendReply(message);
    case "heartbeat": {
      const writer = head(message, 4 * COUNT_BYTES);
      writer.count(message.commit);
      writer.count(message.commitTerm);
      writer.count(message.round);
      writer.count(message.held);
      return writer;
    }
    case "heartbeat-reply": {
      const writer = head(message, COUNT_BYTES);
      writer.count(message.round);
      return writer;
    }
    case "commit": {
      const writer = head(message, 2 * COUNT_BYTES);
      writer.count(message.commit);
      writer.count(message.commitTerm);
      return writer;
    }
    case "read": {
      const writer = head(message, COUNT_BYTES);
      writer.count(message.batch);
      return writer;
    }
    case "read-reply": {
      const writer = head(message, 2 * COUNT_BYTES + 1);
      writer.count(message.batch);
      writer.flag(message.confirmed);
      writer.count(message.index);
      return writer;
    }
    case "timeout-now":
      return head(message, 0);
    case "snapshot": {
      const { index, term: at, configuration } = message.metadata;
      const writer = head(message, 2 * COUNT_BYTES + configurationBytes(configuration));
      writer.count(index);
      writer.count(at);
      writeConfiguration(writer, configuration);
      return writer;
    }
    default:
      return unreachable(message, "encodeFlat");
  }
}

function encodeAppendReply(message: AppendReply): WireWriter {
  const writer = head(message, 3 * COUNT_BYTES + 1);
  writer.count(message.index);
  writer.flag(message.rejected);
  writer.count(message.hintIndex);
  writer.count(message.hintTerm);
  return writer;
}

function encodeAppend(message: Append): Uint8Array[] {
  const { entries } = message;
  const writer = head(message, 3 * COUNT_BYTES + 4 + ENTRY_HEAD_BYTES * entries.length);
  writer.count(message.previousIndex);
  writer.count(message.previousTerm);
  writer.count(message.commit);
  writer.u32(entries.length);
  const parts: Uint8Array[] = [writer.bytes];
  let index: number = message.previousIndex;
  for (const entry of entries) {
    index += 1;
    assert(entry.index === index, "an append's entries are contiguous");
    writer.count(entry.term);
    writer.u8(entry.kind);
    writer.u32(entry.payload.length);
    if (entry.payload.length > 0) parts.push(entry.payload);
  }
  writer.finish();
  return parts;
}

/**
 * Total: the message, or DecodeError. Payloads are views of `bytes`, which the log will
 * keep for as long as it keeps the entries; so `bytes` should be memory of the message's own.
 * Checked here, so that Raft need not: ids, ranges, contiguous entries whose terms never fall and
 * never pass the message's own, configurations that can be read.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new WireReader(bytes);
  const version = reader.u8();
  if (version !== FORMAT_VERSION) reader.fail(`message format ${version} is unknown`);
  const type = reader.u8();
  const from = readNodeId(reader);
  const to = readNodeId(reader);
  const at = term(reader.count());
  const message = decodeBody(reader, type, from, to, at);
  reader.finish();
  return message;
}

const readIndex = (reader: WireReader): LogIndex => logIndex(reader.count());
const readTerm = (reader: WireReader): Term => term(reader.count());

function decodeBody(r: WireReader, type: number, from: NodeId, to: NodeId, at: Term): Message {
  switch (type) {
    case TYPE_NUMBER["pre-vote"]: {
      const lastIndex = readIndex(r);
      return { type: "pre-vote", from, to, term: at, lastIndex, lastTerm: readTerm(r) };
    }
    case TYPE_NUMBER["pre-vote-reply"]:
      return { type: "pre-vote-reply", from, to, term: at, granted: r.flag() };
    case TYPE_NUMBER.vote: {
      const lastIndex = readIndex(r);
      const lastTerm = readTerm(r);
      return { type: "vote", from, to, term: at, lastIndex, lastTerm, forced: r.flag() };
    }
    case TYPE_NUMBER["vote-reply"]:
      return { type: "vote-reply", from, to, term: at, granted: r.flag() };
    case TYPE_NUMBER.append:
      return decodeAppend(r, from, to, at);
    case TYPE_NUMBER["append-reply"]: {
      const index = readIndex(r);
      const rejected = r.flag();
      const hintIndex = readIndex(r);
      const hintTerm = readTerm(r);
      return { type: "append-reply", from, to, term: at, index, rejected, hintIndex, hintTerm };
    }
    case TYPE_NUMBER.heartbeat: {
      const commit = readIndex(r);
      const commitTerm = readTerm(r);
      const round = r.count();
      const held = readIndex(r);
      return { type: "heartbeat", from, to, term: at, commit, commitTerm, round, held };
    }
    case TYPE_NUMBER["heartbeat-reply"]:
      return { type: "heartbeat-reply", from, to, term: at, round: r.count() };
    case TYPE_NUMBER.commit: {
      const commit = readIndex(r);
      return { type: "commit", from, to, term: at, commit, commitTerm: readTerm(r) };
    }
    case TYPE_NUMBER.read:
      return { type: "read", from, to, term: at, batch: r.count() };
    case TYPE_NUMBER["read-reply"]: {
      const batch = r.count();
      const confirmed = r.flag();
      return { type: "read-reply", from, to, term: at, batch, confirmed, index: readIndex(r) };
    }
    case TYPE_NUMBER["timeout-now"]:
      return { type: "timeout-now", from, to, term: at };
    case TYPE_NUMBER.snapshot: {
      const index = readIndex(r);
      const snapshotTerm = readTerm(r);
      const configuration = readConfiguration(r);
      const metadata = { index, term: snapshotTerm, configuration };
      return { type: "snapshot", from, to, term: at, metadata };
    }
    default:
      return r.fail(`message type ${type} is unknown`);
  }
}

function decodeAppend(reader: WireReader, from: NodeId, to: NodeId, at: Term): Append {
  const previousIndex = readIndex(reader);
  const previousTerm = readTerm(reader);
  const commit = readIndex(reader);
  const entries = decodeEntries(reader, previousIndex, previousTerm, at);
  return { type: "append", from, to, term: at, previousIndex, previousTerm, commit, entries };
}

function decodeEntries(reader: WireReader, after: number, lowest: Term, highest: Term): Entry[] {
  const count = reader.u32();
  if (count * ENTRY_HEAD_BYTES > reader.remainingBytes) {
    reader.fail(`${count} entries do not fit the message`);
  }
  if (!Number.isSafeInteger(after + count)) reader.fail("an index is past 2^53-1");
  const heads = new WireReader(reader.slice(count * ENTRY_HEAD_BYTES));
  const entries: Entry[] = [];
  let previousTerm = lowest;
  for (let i = 1; i <= count; i++) {
    const entryTerm = term(heads.count());
    if (entryTerm < previousTerm || entryTerm > highest) {
      reader.fail(`term ${entryTerm} is out of order among entries`);
    }
    previousTerm = entryTerm;
    const kind = readKind(heads);
    const payload = reader.slice(heads.u32());
    if (kind === ENTRY_KIND.configuration) decodeConfiguration(payload);
    entries.push({ term: entryTerm, index: logIndex(after + i), kind, payload });
  }
  return entries;
}

function readKind(reader: WireReader): EntryKind {
  const kind = reader.u8();
  if (kind === ENTRY_KIND.normal || kind === ENTRY_KIND.configuration) return kind;
  return reader.fail(`entry kind ${kind} is unknown`);
}
