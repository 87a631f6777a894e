/**
 * A configuration as bytes: the payload of configuration entries, and part of a snapshot's name.
 * Canonical: equal configurations have equal bytes.
 */
import { assert } from "../../base/assert.js";
import { type NodeId, nodeId } from "../../base/ids.js";
import { type Configuration, MEMBER_ROLE, type Member } from "./entry.js";
import { COUNT_BYTES, textBytes, WireReader, WireWriter } from "./wire.js";

const FORMAT_VERSION = 1;
const FIXED_BYTES = 1 + 2 + 2;
const MAX_URLS = 255;
const MAX_MEMBERS = 0xffff;

export function configurationBytes(configuration: Configuration): number {
  let size = FIXED_BYTES + COUNT_BYTES * configuration.outgoingVoters.length;
  for (const member of configuration.members) size += memberBytes(member);
  return size;
}

/** Asserts what {@link Configuration} promises: ascending ids, and sizes that the format holds. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const writer = new WireWriter(configurationBytes(configuration));
  writeConfiguration(writer, configuration);
  return writer.finish();
}

/** Throws DecodeError for anything that {@link encodeConfiguration} did not write. */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const reader = new WireReader(bytes);
  const configuration = readConfiguration(reader);
  reader.finish();
  return configuration;
}

function memberBytes(member: Member): number {
  let size = COUNT_BYTES + 1 + textBytes(member.name) + 1 + 1 + textBytes(member.incarnation);
  for (const url of member.peerUrls) size += textBytes(url);
  for (const url of member.clientUrls) size += textBytes(url);
  return size;
}

export function writeConfiguration(writer: WireWriter, configuration: Configuration): void {
  assert(configuration.members.length <= MAX_MEMBERS, "a configuration's members fit 16 bits");
  writer.u8(FORMAT_VERSION);
  writer.u16(configuration.members.length);
  let previous = 0;
  for (const member of configuration.members) {
    assert(member.id > previous, "members are in ascending order of id");
    previous = member.id;
    writeMember(writer, member);
  }
  writer.u16(configuration.outgoingVoters.length);
  previous = 0;
  for (const id of configuration.outgoingVoters) {
    assert(id > previous, "outgoing voters are in ascending order of id");
    previous = id;
    writer.count(id);
  }
}

function writeMember(writer: WireWriter, member: Member): void {
  writer.count(member.id);
  writer.flag(member.role === MEMBER_ROLE.voter);
  writer.text(member.name);
  writeTexts(writer, member.peerUrls);
  writeTexts(writer, member.clientUrls);
  writer.text(member.incarnation);
}

function writeTexts(writer: WireWriter, texts: readonly string[]): void {
  assert(texts.length <= MAX_URLS, "a member has at most 255 URLs of a kind");
  writer.u8(texts.length);
  for (const text of texts) writer.text(text);
}

export function readConfiguration(reader: WireReader): Configuration {
  const version = reader.u8();
  if (version !== FORMAT_VERSION) {
    reader.fail(`configuration format ${version} is not known here`);
  }
  const members: Member[] = [];
  let previous = 0;
  for (let left = reader.u16(); left > 0; left--) {
    const member = readMember(reader);
    if (member.id <= previous) reader.fail("members are not in ascending order");
    previous = member.id;
    members.push(member);
  }
  return { members, outgoingVoters: readOutgoing(reader) };
}

function readOutgoing(reader: WireReader): NodeId[] {
  const outgoing: NodeId[] = [];
  let previous = 0;
  for (let left = reader.u16(); left > 0; left--) {
    const id = readNodeId(reader);
    if (id <= previous) reader.fail("outgoing voters are not in ascending order");
    previous = id;
    outgoing.push(id);
  }
  return outgoing;
}

function readMember(reader: WireReader): Member {
  const id = readNodeId(reader);
  const role = reader.flag() ? MEMBER_ROLE.voter : MEMBER_ROLE.learner;
  const name = reader.text();
  const peerUrls = readTexts(reader);
  const clientUrls = readTexts(reader);
  return { id, name, role, peerUrls, clientUrls, incarnation: reader.text() };
}

function readTexts(reader: WireReader): string[] {
  const texts: string[] = [];
  for (let left = reader.u8(); left > 0; left--) texts.push(reader.text());
  return texts;
}

export function readNodeId(reader: WireReader): NodeId {
  const value = reader.count();
  if (value === 0) reader.fail("a node id is positive");
  return nodeId(value);
}
