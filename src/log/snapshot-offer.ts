/**
 * What is said of a snapshot before its content is streamed: raft's message and what identifies the
 * content. Two offers of the same content may come from different nodes, in different terms: what
 * came of the one can be gone on with by the other. Pure; called by the sender and the receiver.
 */
import { Reader, Writer } from "../base/codec.js";
import type { Bytes } from "../base/ports.js";
import {
  DecodeError,
  decodeMessage,
  encodeConfiguration,
  encodeMessage,
  type Snapshot,
} from "../raft/message/index.js";
import type { SnapshotContent } from "../storage/contract.js";

export interface SnapshotOffer {
  readonly message: Snapshot;
  readonly content: SnapshotContent;
}

/** `u53` size, `u32` CRC-32 of the content, then the message. */
export function encodeOffer({ message, content }: SnapshotOffer, bytes: Bytes): Uint8Array {
  const writer = new Writer(bytes);
  writer.u53(content.sizeBytes);
  writer.u32(content.crc32);
  for (const part of encodeMessage(message)) writer.raw(part);
  return writer.finish();
}

/** Null for anything but the offer of a snapshot. */
export function decodeOffer(encoded: Uint8Array, bytes: Bytes): SnapshotOffer | null {
  try {
    const reader = new Reader(bytes, encoded);
    const sizeBytes = reader.u53("offer.size");
    const crc32 = reader.u32("offer.crc32");
    const message = decodeMessage(reader.raw("offer.message", reader.remaining));
    return message.type === "snapshot" ? { message, content: { sizeBytes, crc32 } } : null;
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}

export function isSameContent(a: SnapshotContent, b: SnapshotContent): boolean {
  return a.sizeBytes === b.sizeBytes && a.crc32 === b.crc32;
}

/** Whether the one can be gone on with where the other broke off, whoever sends it. */
export function isSameSnapshot(a: SnapshotOffer, b: SnapshotOffer): boolean {
  const [one, other] = [a.message.metadata, b.message.metadata];
  return (
    one.index === other.index &&
    one.term === other.term &&
    isSameContent(a.content, b.content) &&
    isSameBytes(encodeConfiguration(one.configuration), encodeConfiguration(other.configuration))
  );
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
