/**
 * A configuration as bytes: the payload of configuration entries, and part of a snapshot's name.
 * Canonical: equal configurations have equal bytes.
 */
import { assert } from "../../base/assert.js";
import { type LogIndex, logIndex, type NodeId, nodeId } from "../../base/ids.js";
import {
  type Configuration,
  MAX_REMOVED,
  MEMBER_ROLE,
  type Member,
  type MemberRole,
} from "./entry.js";
import { COUNT_BYTES, textBytes, WireReader, WireWriter } from "./wire.js";

/** Nobody was ever added or removed: no `since`, no `removed`, no role but voter and learner. */
const FIRST_VERSION = 1;
const VERSION = 2;
const FIXED_BYTES = 1 + 2 + 2;
/** A role's number in the format is its place here. */
const ROLES: readonly MemberRole[] = [MEMBER_ROLE.learner, MEMBER_ROLE.voter, MEMBER_ROLE.leaving];
const MAX_URLS = 255;
const MAX_MEMBERS = 0xffff;

/** The oldest version that can say it, so that a cluster which never changed stays readable. */
function versionOf({ members, removed }: Configuration): number {
  const isNew = ({ since, role }: Member): boolean => since > 0 || role === MEMBER_ROLE.leaving;
  return removed.length > 0 || members.some(isNew) ? VERSION : FIRST_VERSION;
}

export function configurationBytes(configuration: Configuration): number {
  const { members, outgoingVoters, removed } = configuration;
  let size = FIXED_BYTES + COUNT_BYTES * outgoingVoters.length;
  for (const member of members) size += memberBytes(member);
  if (versionOf(configuration) === FIRST_VERSION) return size;
  return size + COUNT_BYTES * members.length + 2 + COUNT_BYTES * removed.length;
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
  assert(configuration.removed.length <= MAX_REMOVED, "the oldest members removed are forgotten");
  const version = versionOf(configuration);
  writer.u8(version);
  writer.u16(configuration.members.length);
  let previous = 0;
  for (const member of configuration.members) {
    assert(member.id > previous, "members are in ascending order of id");
    previous = member.id;
    writeMember(writer, member, version);
  }
  writeOutgoing(writer, configuration);
  if (version === FIRST_VERSION) return;
  writer.u16(configuration.removed.length);
  for (const id of configuration.removed) writer.count(id);
}

function writeOutgoing(writer: WireWriter, { members, outgoingVoters }: Configuration): void {
  writer.u16(outgoingVoters.length);
  let previous = 0;
  for (const id of outgoingVoters) {
    assert(id > previous, "outgoing voters are in ascending order of id");
    assert(
      members.some(member => member.id === id),
      "an outgoing voter is a member until the joint configuration is left",
    );
    previous = id;
    writer.count(id);
  }
}

function writeMember(writer: WireWriter, member: Member, version: number): void {
  writer.count(member.id);
  writer.u8(ROLES.indexOf(member.role));
  if (version !== FIRST_VERSION) writer.count(member.since);
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
  if (version !== FIRST_VERSION && version !== VERSION) {
    reader.fail(`configuration format ${version} is not known here`);
  }
  const members: Member[] = [];
  let previous = 0;
  for (let left = reader.u16(); left > 0; left--) {
    const member = readMember(reader, version);
    if (member.id <= previous) reader.fail("members are not in ascending order");
    previous = member.id;
    members.push(member);
  }
  const outgoingVoters = readOutgoing(reader, members);
  const removed = version === FIRST_VERSION ? [] : readRemoved(reader);
  const configuration = { members, outgoingVoters, removed };
  if (versionOf(configuration) !== version) reader.fail("a newer format than it takes");
  return configuration;
}

function readRemoved(reader: WireReader): NodeId[] {
  const count = reader.u16();
  if (count > MAX_REMOVED) reader.fail(`${count} members removed are too many`);
  const removed: NodeId[] = [];
  for (let left = count; left > 0; left--) {
    const id = readNodeId(reader);
    if (removed.includes(id)) reader.fail("a member was removed twice");
    removed.push(id);
  }
  return removed;
}

function readOutgoing(reader: WireReader, members: readonly Member[]): NodeId[] {
  const outgoing: NodeId[] = [];
  let previous = 0;
  for (let left = reader.u16(); left > 0; left--) {
    const id = readNodeId(reader);
    if (id <= previous) reader.fail("outgoing voters are not in ascending order");
    if (!members.some(member => member.id === id)) reader.fail("an outgoing voter is no member");
    previous = id;
    outgoing.push(id);
  }
  return outgoing;
}

function readMember(reader: WireReader, version: number): Member {
  const id = readNodeId(reader);
  const role = readRole(reader);
  const since = version === FIRST_VERSION ? NEVER_ADDED : logIndex(reader.count());
  const name = reader.text();
  const peerUrls = readTexts(reader);
  const clientUrls = readTexts(reader);
  return { id, name, role, peerUrls, clientUrls, incarnation: reader.text(), since };
}

const NEVER_ADDED: LogIndex = logIndex(0);

function readRole(reader: WireReader): MemberRole {
  const number = reader.u8();
  const role = ROLES[number];
  return role ?? reader.fail(`role ${number} is unknown`);
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
