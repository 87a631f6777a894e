/**
 * What replicas of one cluster ask each other, over the log's `ask`: to take commands, to keep
 * leases alive, to tell what is left of leases, to change the members. Decoders throw `DecodeError`
 * and nothing else; whoever gets one does not answer.
 */
import { DecodeError, type Reader, type Writer } from "../../base/codec.js";
import { isLeaseId } from "../../base/ids.js";

export const QUESTION = {
  propose: 1,
  openStream: 2,
  keepAlive: 3,
  remaining: 4,
  members: 5,
} as const;

export const TAKEN = {
  /** All of it is in the log of this term's leader. */
  all: 0,
  /** This node does not lead in that term, and never will again: nothing of it was taken. */
  notLeader: 1,
  /** Not all of it was taken, or it came out of order: open a new stream to learn what was. */
  broken: 2,
} as const;

const VERSION = 1;
const MAX_LEASES = 1_000_000;

export function writeQuestion(to: Writer, kind: number): void {
  to.u8(VERSION);
  to.u8(kind);
}

/** The kind of question, one of {@link QUESTION}. */
export function readQuestion(from: Reader): number {
  const version = from.u8("question.version");
  if (version !== VERSION) throw from.error("question.version", `${version} is unknown here`);
  return from.u8("question.kind");
}

export interface StreamHead {
  readonly term: number;
  /** The origin's boot id. */
  readonly boot: number;
  readonly stream: number;
}

export function writeStreamHead(to: Writer, term: number, boot: number, stream: number): void {
  to.count(term);
  to.u53(boot);
  to.count(stream);
}

export function readStreamHead(from: Reader): StreamHead {
  return {
    term: from.count("propose.term"),
    boot: from.u53("propose.boot"),
    stream: from.count("propose.stream"),
  };
}

export function writeTaken(to: Writer, taken: number, offset: number): Uint8Array {
  to.reset();
  to.u8(taken);
  to.count(offset);
  return to.finish();
}

export function writeLeases(to: Writer, kind: number, leases: readonly string[]): Uint8Array {
  to.reset();
  writeQuestion(to, kind);
  to.count(leases.length);
  for (const lease of leases) to.string(lease);
  return to.finish();
}

export function readLeases(from: Reader): string[] {
  const length = from.items("leases", MAX_LEASES);
  const leases: string[] = [];
  for (let i = 0; i < length; i++) {
    const lease = from.string("lease", 16);
    if (!isLeaseId(lease)) throw from.error("lease", "is not a lease's id");
    leases.push(lease);
  }
  from.end("leases");
  return leases;
}

/** Runs `read`, or gives null when the bytes are not what they should be. */
export function decodeOrNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}
