/**
 * A change of the members, or a hand-over, as a follower sends it on to the leader, and what comes
 * back. Strings are byte strings. The decoders throw `DecodeError` and nothing else.
 */
import { isErrorCode } from "holdfast-protocol";
import type { Reader, Writer } from "../../base/codec.js";
import { isCount } from "../../base/ids.js";
import { LIMITS } from "../../base/limits.js";
import type { Failure } from "../coordinator/index.js";
import { QUESTION, writeQuestion } from "../proposals/questions.js";
import type { MemberReply, MemberRequest, MemberView } from "./request.js";

/** Ids and names of members, URLs: the doors let nothing longer through. */
const MAX_TEXT_BYTES = 1024;
const MAX_URLS = 64;
const MAX_MESSAGE_BYTES = 64 * 1024;
const MAX_DETAILS = 16;

const KINDS = ["add", "promote", "remove", "transfer"] as const;
const ROLES = ["voter", "learner", "leaving"] as const;

/** The question in whole. */
export function writeRequest(to: Writer, request: MemberRequest): Uint8Array {
  to.reset();
  writeQuestion(to, QUESTION.members);
  to.u8(KINDS.indexOf(request.kind));
  switch (request.kind) {
    case "add":
      to.string(request.name);
      writeTexts(to, request.peerUrls);
      break;
    case "promote":
      to.string(request.member);
      writeOptional(to, request.replacing);
      break;
    case "remove":
      to.string(request.member);
      break;
    case "transfer":
      writeOptional(to, request.to);
      break;
  }
  return to.finish();
}

/** After `readQuestion` has said that it is one. */
export function readRequest(from: Reader): MemberRequest {
  const request = readParts(from);
  from.end("members request");
  return request;
}

function readParts(from: Reader): MemberRequest {
  const kind = KINDS[from.u8("members.kind")];
  switch (kind) {
    case "add": {
      const name = from.string("members.name", MAX_TEXT_BYTES);
      return { kind, name, peerUrls: readTexts(from, "members.peerUrls") };
    }
    case "promote": {
      const member = from.string("members.member", MAX_TEXT_BYTES);
      return { kind, member, replacing: readOptional(from, "members.replacing") };
    }
    case "remove":
      return { kind, member: from.string("members.member", MAX_TEXT_BYTES) };
    case "transfer":
      return { kind, to: readOptional(from, "members.to") };
    default:
      throw from.error("members.kind", "is unknown here");
  }
}

export function writeReply(to: Writer, reply: MemberReply): Uint8Array {
  to.reset();
  to.boolean(reply.ok);
  if (reply.ok) {
    to.string(reply.member);
    to.count(reply.members.length);
    for (const member of reply.members) writeMember(to, member);
  } else {
    writeFailure(to, reply.failure);
  }
  return to.finish();
}

export function readReply(from: Reader): MemberReply {
  const reply: MemberReply = from.boolean("members.ok")
    ? { ok: true, member: from.string("members.member", 16), members: readMembers(from) }
    : { ok: false, failure: readFailure(from) };
  from.end("members reply");
  return reply;
}

function writeMember(to: Writer, member: MemberView): void {
  to.string(member.id);
  to.string(member.name);
  to.u8(ROLES.indexOf(member.role));
  writeTexts(to, member.peerUrls);
  writeTexts(to, member.clientUrls);
}

function readMembers(from: Reader): MemberView[] {
  const length = from.items("members", LIMITS.maxMembers * 2);
  const members: MemberView[] = [];
  for (let at = 0; at < length; at++) {
    const id = from.string("member.id", 16);
    const name = from.string("member.name", MAX_TEXT_BYTES);
    const role = ROLES[from.u8("member.role")];
    if (role === undefined) throw from.error("member.role", "is unknown here");
    const peerUrls = readTexts(from, "member.peerUrls");
    members.push({ id, name, role, peerUrls, clientUrls: readTexts(from, "member.clientUrls") });
  }
  return members;
}

/** Details of these failures are texts and counts. */
function writeFailure(to: Writer, { code, message, details = {} }: Failure): void {
  to.string(code);
  to.string(message);
  const plain = Object.entries(details).filter(([, value]) => isPlain(value));
  to.count(plain.length);
  for (const [name, value] of plain) {
    to.string(name);
    to.boolean(typeof value === "string");
    if (typeof value === "string") to.string(value);
    else to.count(value as number);
  }
}

const isPlain = (value: unknown): boolean => typeof value === "string" || isCount(value);

function readFailure(from: Reader): Failure {
  const code = from.string("failure.code", MAX_TEXT_BYTES);
  if (!isErrorCode(code)) throw from.error("failure.code", "is unknown here");
  const message = from.string("failure.message", MAX_MESSAGE_BYTES);
  const details: Record<string, string | number> = {};
  const length = from.items("failure.details", MAX_DETAILS);
  for (let at = 0; at < length; at++) {
    const name = from.string("detail.name", MAX_TEXT_BYTES);
    const isText = from.boolean("detail.value");
    details[name] = isText ? from.string("detail.value", MAX_MESSAGE_BYTES) : from.count("detail");
  }
  return length === 0 ? { code, message } : { code, message, details };
}

function writeTexts(to: Writer, texts: readonly string[]): void {
  to.count(texts.length);
  for (const text of texts) to.string(text);
}

function readTexts(from: Reader, what: string): string[] {
  const length = from.items(what, MAX_URLS);
  const texts: string[] = [];
  for (let at = 0; at < length; at++) texts.push(from.string(what, MAX_TEXT_BYTES));
  return texts;
}

function writeOptional(to: Writer, text: string | null): void {
  to.boolean(text !== null);
  if (text !== null) to.string(text);
}

function readOptional(from: Reader, what: string): string | null {
  return from.boolean(what) ? from.string(what, MAX_TEXT_BYTES) : null;
}
