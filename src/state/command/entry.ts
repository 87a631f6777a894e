/**
 * A log entry's payload: a header (format version, cluster time, wall time) and commands, each
 * framed by its length. Built by the leader from bytes that were encoded where the command came
 * in.
 */
import { assert } from "../../base/assert.js";
import { DecodeError, Reader, Writer } from "../../base/codec.js";
import { LIMITS } from "../../base/limits.js";
import type { Bytes } from "../../base/ports.js";
import type { Command, Origin, RequestIdentity } from "./command.js";
import { readBody } from "./decode.js";
import { writeCommand } from "./encode.js";
import { Fingerprint } from "./fingerprint.js";
import { ENTRY_FORMAT, REQUEST_TAG } from "./number.js";
import { RepeatedTexts } from "./repeated.js";

/** Collects one entry. Use: `begin`, then `add` or `encode` for each command, then `finish`. */
export class EntryBuilder {
  readonly #into: Writer;
  readonly #scratch: Writer;
  #commands = 0;

  constructor(bytes: Bytes) {
    this.#into = new Writer(bytes, 4096);
    this.#scratch = new Writer(bytes, 512);
  }

  get commands(): number {
    return this.#commands;
  }

  /** Bytes so far, header included. */
  get length(): number {
    return this.#into.length;
  }

  /** Both times are whole milliseconds. */
  begin(clusterTimeMs: number, wallTimeMs: number): void {
    this.#into.reset();
    this.#commands = 0;
    this.#into.count(ENTRY_FORMAT);
    this.#into.count(clusterTimeMs);
    this.#into.count(wallTimeMs);
  }

  /** Adds a command as `encodeCommand` gave it. */
  add(encoded: Uint8Array): void {
    assert(this.#into.length > 0, "begin an entry before adding to it");
    this.#into.array(encoded);
    this.#commands++;
  }

  encode(command: Command, origin: Origin, request: RequestIdentity | null): void {
    this.#scratch.reset();
    writeCommand(this.#scratch, command, origin, request);
    this.add(this.#scratch.view());
  }

  /** The payload, as bytes of its own. */
  finish(): Uint8Array {
    this.#commands = 0;
    return this.#into.finish();
  }
}

/**
 * Reads an entry command by command, without an object for each frame: after `next()` returned
 * true the fields tell of the present command. Never throws on bad bytes: `open` says false when
 * the header cannot be read, `next` ends at the first broken frame, and a command whose frame is
 * whole but whose content is not has `command === null`.
 */
export class EntryReader {
  readonly #entry: Reader;
  readonly #body: Reader;
  readonly #end = { at: 0 };
  #payload: Uint8Array;

  format = 0;
  clusterTimeMs = 0;
  wallTimeMs = 0;

  originBoot = 0;
  originNumber = 0;
  /** "" when there is none. */
  client = "";
  number = 0;
  low = 0;
  sessionLease = "";
  idempotencyKey = "";
  /** The caller's own, with an idempotency key, else "". */
  keyFingerprint = "";
  /** Of the body, with a client. */
  readonly fingerprint = new Fingerprint();
  command: Command | null = null;
  /** What was wrong, when `command` is null; "" if not even the origin could be read. */
  problem = "";

  constructor(bytes: Bytes) {
    this.#payload = bytes.allocate(0);
    const texts = new RepeatedTexts(bytes);
    this.#entry = new Reader(texts, this.#payload);
    this.#body = new Reader(texts, this.#payload);
  }

  /** False when this is no entry. With a `format` above ENTRY_FORMAT nothing else was read. */
  open(payload: Uint8Array): boolean {
    this.#payload = payload;
    this.#entry.reset(payload);
    try {
      this.format = this.#entry.count("format");
      if (this.format === 0) return false;
      if (this.format > ENTRY_FORMAT) return true;
      this.clusterTimeMs = this.#entry.count("clusterTimeMs");
      this.wallTimeMs = this.#entry.count("wallTimeMs");
      return true;
    } catch (error) {
      return notReadable(error);
    }
  }

  next(): boolean {
    if (this.#entry.remaining === 0) return false;
    let end: number;
    try {
      const length = this.#entry.count("command", LIMITS.maxEntryBytes);
      if (length > this.#entry.remaining) return false;
      end = this.#entry.offset + length;
    } catch (error) {
      return notReadable(error);
    }
    this.#body.reset(this.#payload, this.#entry.offset, end);
    this.#entry.reset(this.#payload, end);
    this.#readCommand();
    return true;
  }

  #readCommand(): void {
    this.command = null;
    this.problem = "";
    let known = false;
    try {
      this.#readOrigin();
      known = true;
      this.#readRequest();
      const number = this.#body.count("command");
      const start = this.#body.offset;
      const command = readBody(this.#body, number, this.format, this.#end);
      if (this.client !== "") {
        this.fingerprint.take(this.#payload, start, this.#end.at, number);
      }
      this.command = command;
    } catch (error) {
      notReadable(error);
      if (known && error instanceof DecodeError) this.problem = error.message;
    }
  }

  #readOrigin(): void {
    const low = this.#body.u32("origin");
    this.originBoot = this.#body.u16("origin") * 0x1_0000_0000 + low;
    this.originNumber = this.#body.count("origin");
  }

  #readRequest(): void {
    const body = this.#body;
    this.client = "";
    this.idempotencyKey = "";
    this.sessionLease = "";
    this.keyFingerprint = "";
    this.number = 0;
    this.low = 0;
    const tag = body.u8("request");
    if (tag === REQUEST_TAG.none) return;
    if (tag === REQUEST_TAG.client) {
      const client = body.string("client", 16);
      if (client.length !== 16) throw body.error("client", "must have 16 digits");
      this.number = body.count("request number");
      this.low = body.count("low");
      this.sessionLease = body.string("session", LIMITS.maxLeaseIdBytes);
      this.client = client;
    } else if (tag === REQUEST_TAG.idempotent) {
      const key = body.string("idempotency key", LIMITS.maxIdempotencyKeyBytes);
      if (key === "") throw body.error("idempotency key", "is empty");
      this.keyFingerprint = body.string("fingerprint", 64);
      this.idempotencyKey = key;
    } else {
      throw body.error("request", `is of unknown kind ${tag}`);
    }
  }
}

/** Lets only errors of ours pass for "not readable"; anything else is a bug and goes on. */
function notReadable(error: unknown): false {
  if (error instanceof DecodeError) return false;
  throw error;
}

export interface DecodedCommand {
  readonly originBoot: number;
  readonly originNumber: number;
  readonly request: RequestIdentity | null;
  /** null: the content cannot be read, `problem` says why. */
  readonly command: Command | null;
  readonly problem: string;
}

export interface DecodedEntry {
  readonly format: number;
  readonly clusterTimeMs: number;
  readonly wallTimeMs: number;
  readonly commands: readonly DecodedCommand[];
}

/** A whole entry as objects, for tools and tests; null when it is none. */
export function decodeEntry(bytes: Bytes, payload: Uint8Array): DecodedEntry | null {
  const reader = new EntryReader(bytes);
  if (!reader.open(payload)) return null;
  const { format, clusterTimeMs, wallTimeMs } = reader;
  const commands: DecodedCommand[] = [];
  if (format > ENTRY_FORMAT) return { format, clusterTimeMs: 0, wallTimeMs: 0, commands };
  while (reader.next()) {
    const { originBoot, originNumber, command, problem } = reader;
    commands.push({ originBoot, originNumber, request: requestOf(reader), command, problem });
  }
  return { format, clusterTimeMs, wallTimeMs, commands };
}

function requestOf(reader: EntryReader): RequestIdentity | null {
  const { client, number, low, sessionLease, idempotencyKey, keyFingerprint } = reader;
  if (idempotencyKey !== "") return { key: idempotencyKey, fingerprint: keyFingerprint };
  if (client === "") return null;
  return { client, number, low, ...(sessionLease === "" ? {} : { lease: sessionLease }) };
}
