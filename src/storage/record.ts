/**
 * Records, of which batches are made: a head of 24 bytes, all of one shape, and for an entry its
 * payload as it is. Encoding is split from placing, so that large payloads are never copied.
 */
import { type LogIndex, logIndex, type NodeId, nodeId, type Term, term } from "../base/ids.js";
import { ENTRY_KIND, type Entry, type HardState } from "../raft/message/entry.js";
import { readHex64, readUint53, viewOf, writeHex64, writeUint53 } from "./layout.js";

export const RECORD_HEAD_BYTES = 24;

export const RECORD_TYPE = {
  entry: 1,
  hardState: 2,
  /** The entries from this index on are dropped. */
  truncate: 3,
  peer: 4,
  /** First in every segment: the last entry before it. */
  position: 5,
  /** The whole log is dropped; it goes on after this index, from a snapshot. */
  reset: 6,
} as const;
type RecordType = (typeof RECORD_TYPE)[keyof typeof RECORD_TYPE];

function writeRecord(
  view: DataView,
  offset: number,
  type: RecordType,
  detail: number,
  length: number,
): void {
  view.setUint8(offset, type);
  view.setUint8(offset + 1, detail);
  view.setUint16(offset + 2, 0, true);
  view.setUint32(offset + 4, length, true);
}

export function writeEntryHead(view: DataView, offset: number, entry: Entry): void {
  writeRecord(view, offset, RECORD_TYPE.entry, entry.kind, entry.payload.length);
  writeUint53(view, offset + 8, entry.index);
  writeUint53(view, offset + 16, entry.term);
}

export function writeHardState(view: DataView, offset: number, state: HardState): void {
  writeRecord(view, offset, RECORD_TYPE.hardState, state.votedFor === null ? 0 : 1, 0);
  writeUint53(view, offset + 8, state.term);
  writeUint53(view, offset + 16, state.votedFor ?? 0);
}

export function writeTruncate(view: DataView, offset: number, from: LogIndex): void {
  writeRecord(view, offset, RECORD_TYPE.truncate, 0, 0);
  writeUint53(view, offset + 8, from);
  writeUint53(view, offset + 16, 0);
}

export function writePeer(view: DataView, offset: number, peer: NodeId, incarnation: string): void {
  writeRecord(view, offset, RECORD_TYPE.peer, 0, 0);
  writeUint53(view, offset + 8, peer);
  writeHex64(view, offset + 16, incarnation);
}

/** A position or a reset. */
export function writePlace(
  view: DataView,
  offset: number,
  type: typeof RECORD_TYPE.position | typeof RECORD_TYPE.reset,
  index: LogIndex,
  atTerm: Term,
): void {
  writeRecord(view, offset, type, 0, 0);
  writeUint53(view, offset + 8, index);
  writeUint53(view, offset + 16, atTerm);
}

export type LogRecord =
  | { readonly type: "entry"; readonly entry: Entry }
  | { readonly type: "hardState"; readonly hardState: HardState }
  | { readonly type: "truncate"; readonly from: LogIndex }
  | { readonly type: "peer"; readonly peer: NodeId; readonly incarnation: string }
  | { readonly type: "position" | "reset"; readonly index: LogIndex; readonly term: Term };

/**
 * Calls `take` for each record of a checked batch's bytes, in order.
 * Returns null, or the offset at which no record of this version stands.
 */
export function readRecords(
  bytes: Uint8Array,
  start: number,
  end: number,
  take: (record: LogRecord) => void,
): number | null {
  const view = viewOf(bytes);
  let at = start;
  while (at < end) {
    if (at + RECORD_HEAD_BYTES > end) return at;
    const payloadEnd = at + RECORD_HEAD_BYTES + view.getUint32(at + 4, true);
    if (payloadEnd > end) return at;
    const record = readRecord(bytes, view, at, payloadEnd);
    if (record === null) return at;
    take(record);
    at = payloadEnd;
  }
  return null;
}

function readRecord(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  payloadEnd: number,
): LogRecord | null {
  const type = view.getUint8(at);
  const detail = view.getUint8(at + 1);
  const first = readUint53(view, at + 8);
  if (first < 0) return null;
  if (type === RECORD_TYPE.peer) {
    if (first === 0) return null;
    return { type: "peer", peer: nodeId(first), incarnation: readHex64(view, at + 16) };
  }
  const second = readUint53(view, at + 16);
  if (second < 0) return null;
  switch (type) {
    case RECORD_TYPE.entry: {
      if (detail !== ENTRY_KIND.normal && detail !== ENTRY_KIND.configuration) return null;
      const payload = bytes.slice(at + RECORD_HEAD_BYTES, payloadEnd);
      return {
        type: "entry",
        entry: { term: term(second), index: logIndex(first), kind: detail, payload },
      };
    }
    case RECORD_TYPE.hardState: {
      if (detail === 1 && second === 0) return null;
      const votedFor = detail === 1 ? nodeId(second) : null;
      return { type: "hardState", hardState: { term: term(first), votedFor } };
    }
    case RECORD_TYPE.truncate:
      return { type: "truncate", from: logIndex(first) };
    case RECORD_TYPE.position:
      return { type: "position", index: logIndex(first), term: term(second) };
    case RECORD_TYPE.reset:
      return { type: "reset", index: logIndex(first), term: term(second) };
    default:
      return null;
  }
}
