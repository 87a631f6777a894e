/**
 * The hello exchange as bytes, and what of it can be judged without knowing the members. Layouts
 * are in README.md; texts go as UTF-8.
 */
import { assert } from "../base/assert.js";
import { DecodeError, Reader, Writer } from "../base/codec.js";
import { isCount, type NodeId, nodeId } from "../base/ids.js";
import { LIMITS } from "../base/limits.js";
import type { Bytes } from "../base/ports.js";
import { type PeerIdentity, REFUSAL, type Refusal, type RefusalReason } from "./contract.js";

const MAGIC = 0x4c50_4648; // "HFPL"
export const PEER_VERSION = 1;

export const PURPOSE = { link: 0, bulk: 1 } as const;
export type Purpose = (typeof PURPOSE)[keyof typeof PURPOSE];

export type Hello =
  | { readonly understood: true; purpose: Purpose; to: NodeId; identity: PeerIdentity }
  /** It speaks a version that is not known here; what follows the version cannot be read. */
  | { readonly understood: false; readonly version: number };

const MAX_TEXT_BYTES = LIMITS.maxNameBytes;
/** Of a kind: where clients, or peers, reach a node. */
const MAX_URLS = 16;
const REASONS: readonly string[] = Object.values(REFUSAL);

export function encodeHello(
  bytes: Bytes,
  purpose: Purpose,
  to: NodeId,
  identity: PeerIdentity,
): Uint8Array {
  const writer = writeHead(bytes);
  writer.u8(purpose);
  writer.count(to);
  writeIdentity(writer, bytes, identity);
  return writer.finish();
}

/** Total: a hello, or DecodeError. */
export function decodeHello(bytes: Bytes, payload: Uint8Array): Hello {
  const reader = new Reader(bytes, payload);
  const { version, understood } = readHead(reader);
  if (!understood) return { understood, version };
  const purpose = readPurpose(reader);
  const to = readNodeId(reader);
  const identity = readIdentity(reader, bytes);
  reader.end("hello");
  return { understood: true, purpose, to, identity };
}

export function encodeAccepted(bytes: Bytes, identity: PeerIdentity): Uint8Array {
  const writer = writeHead(bytes);
  writeIdentity(writer, bytes, identity);
  return writer.finish();
}

/** Total: who accepted, or DecodeError. */
export function decodeAccepted(bytes: Bytes, payload: Uint8Array): PeerIdentity {
  const reader = new Reader(bytes, payload);
  const { version, understood } = readHead(reader);
  if (!understood) throw reader.error("version", `${version} is unknown`);
  const identity = readIdentity(reader, bytes);
  reader.end("accepted");
  return identity;
}

export function encodeRefusal(bytes: Bytes, refusal: Refusal): Uint8Array {
  const writer = new Writer(bytes);
  writer.string(refusal.reason);
  writer.string(bytes.utf8Encode(refusal.message).slice(0, MAX_TEXT_BYTES / 2));
  return writer.finish();
}

/** Total: a refusal whose reason is known, or DecodeError. */
export function decodeRefusal(bytes: Bytes, payload: Uint8Array): Refusal {
  const reader = new Reader(bytes, payload);
  const reason = reader.string("refusal.reason", 64);
  if (!isReason(reason)) throw reader.error("refusal.reason", `${reason} is unknown`);
  const text = reader.string("refusal.message", MAX_TEXT_BYTES);
  reader.end("refusal");
  return { reason, message: bytes.utf8Decode(text) ?? text };
}

/** Refuses who speaks another version or is of another cluster; null when neither. */
export function judge(hello: Hello, own: PeerIdentity): Refusal | null {
  if (!hello.understood) return unknownVersion(hello.version);
  const mismatch = judgeCluster(hello.identity, own);
  if (mismatch !== null) return mismatch;
  if (hello.to === own.nodeId) return null;
  const message = `${own.name} is not the node that was meant: check the peer URLs`;
  return { reason: REFUSAL.wrongNode, message };
}

export function unknownVersion(version: number): Refusal {
  const message = `peer protocol ${version} is unknown here (${PEER_VERSION}): update this node`;
  return { reason: REFUSAL.versionTooNew, message };
}

type Tokened = Pick<PeerIdentity, "name" | "clusterToken">;

export function judgeToken(theirs: Tokened, own: Tokened): Refusal | null {
  if (theirs.clusterToken === own.clusterToken) return null;
  const message = `${theirs.name} has another cluster token than ${own.name}`;
  return { reason: REFUSAL.tokenMismatch, message };
}

/** The part of `judge` that holds for either side. */
export function judgeCluster(theirs: PeerIdentity, own: PeerIdentity): Refusal | null {
  const mismatch = judgeToken(theirs, own);
  if (mismatch !== null) return mismatch;
  if (theirs.clusterId !== own.clusterId) {
    const message = `${theirs.name} is of cluster ${theirs.clusterId}, ${own.name} of ${own.clusterId}`;
    return { reason: REFUSAL.clusterMismatch, message };
  }
  return null;
}

/** Magic and version: every first frame begins so. */
export function writeHead(bytes: Bytes): Writer {
  const writer = new Writer(bytes);
  writer.u32(MAGIC);
  writer.u16(PEER_VERSION);
  return writer;
}

export function readHead(reader: Reader): { version: number; understood: boolean } {
  if (reader.u32("magic") !== MAGIC) throw reader.error("magic", "this is not a Holdfast peer");
  const version = reader.u16("version");
  return { version, understood: version === PEER_VERSION };
}

function readPurpose(reader: Reader): Purpose {
  const purpose = reader.u8("purpose");
  if (purpose === PURPOSE.link || purpose === PURPOSE.bulk) return purpose;
  throw reader.error("purpose", `${purpose} is unknown`);
}

function readNodeId(reader: Reader): NodeId {
  const id = reader.count("node id");
  if (id === 0 || !isCount(id)) throw reader.error("node id", "must be positive");
  return nodeId(id);
}

function writeIdentity(writer: Writer, bytes: Bytes, identity: PeerIdentity): void {
  writer.string(bytes.utf8Encode(identity.clusterId));
  writer.string(bytes.utf8Encode(identity.clusterToken));
  writer.count(identity.nodeId);
  writer.string(bytes.utf8Encode(identity.name));
  writer.string(bytes.utf8Encode(identity.incarnation));
  writer.boolean(identity.isNew);
  writeUrls(writer, bytes, identity.clientUrls ?? []);
  writeUrls(writer, bytes, identity.peerUrls ?? []);
}

function writeUrls(writer: Writer, bytes: Bytes, urls: readonly string[]): void {
  assert(urls.length <= MAX_URLS, "a node has at most 16 URLs of a kind");
  writer.u8(urls.length);
  for (const url of urls) writer.string(bytes.utf8Encode(url));
}

function readIdentity(reader: Reader, bytes: Bytes): PeerIdentity {
  const clusterId = readText(reader, bytes, "cluster id");
  const clusterToken = readText(reader, bytes, "cluster token");
  const id = readNodeId(reader);
  const name = readText(reader, bytes, "name");
  const incarnation = readText(reader, bytes, "incarnation");
  const isNew = reader.boolean("is new");
  const clientUrls = readUrls(reader, bytes, "client urls");
  const peerUrls = readUrls(reader, bytes, "peer urls");
  const identity = { clusterId, clusterToken, nodeId: id, name, incarnation, isNew };
  return {
    ...identity,
    ...(clientUrls.length === 0 ? {} : { clientUrls }),
    ...(peerUrls.length === 0 ? {} : { peerUrls }),
  };
}

function readUrls(reader: Reader, bytes: Bytes, what: string): string[] {
  const count = reader.u8(what);
  if (count > MAX_URLS) throw reader.error(what, `${count} are too many`);
  const urls: string[] = [];
  for (let at = 0; at < count; at++) urls.push(readText(reader, bytes, what));
  return urls;
}

export function readText(reader: Reader, bytes: Bytes, what: string): string {
  const text = bytes.utf8Decode(reader.string(what, MAX_TEXT_BYTES));
  if (text === null) throw new DecodeError(what, reader.offset, "is not UTF-8");
  return text;
}

function isReason(reason: string): reason is RefusalReason {
  return REASONS.includes(reason);
}
