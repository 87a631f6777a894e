/**
 * How a node that was added to a cluster, and holds nothing yet, learns who it is: it asks any
 * member, by name, before it has an identity to say hello with. One question, one answer, on a
 * connection of its own. `Joining` asks one address after the other until somebody knows it, or
 * it is refused for good; the answering side is the door's.
 */
import { assert } from "../base/assert.js";
import { DecodeError, Reader } from "../base/codec.js";
import { isCount, type NodeId, nodeId } from "../base/ids.js";
import type { Address, Connection } from "../base/network.js";
import type { Bytes, Cancel } from "../base/ports.js";
import { Channel, type ChannelOwner } from "./channel.js";
import type { PeerContext } from "./context.js";
import { type Joined, type JoinRequest, REFUSAL, type Refusal } from "./contract.js";
import { FRAME } from "./frame.js";
import { decodeRefusal, readHead, readText, writeHead } from "./hello.js";

/** A configuration of as many members as there may be, with long URLs and names, fits. */
const MAX_JOINED_BYTES = 1024 * 1024;

export function encodeJoin(bytes: Bytes, request: JoinRequest): Uint8Array {
  const writer = writeHead(bytes);
  writer.string(bytes.utf8Encode(request.clusterToken));
  writer.string(bytes.utf8Encode(request.name));
  writer.string(bytes.utf8Encode(request.incarnation));
  return writer.finish();
}

/** Total: a request, the version of one that is not understood here, or DecodeError. */
export function decodeJoin(bytes: Bytes, payload: Uint8Array): JoinRequest | number {
  const reader = new Reader(bytes, payload);
  const { version, understood } = readHead(reader);
  if (!understood) return version;
  const clusterToken = readText(reader, bytes, "cluster token");
  const name = readText(reader, bytes, "name");
  const incarnation = readText(reader, bytes, "incarnation");
  reader.end("join");
  return { clusterToken, name, incarnation };
}

export function encodeJoined(bytes: Bytes, joined: Joined): Uint8Array {
  const writer = writeHead(bytes);
  writer.string(bytes.utf8Encode(joined.clusterId));
  writer.count(joined.nodeId);
  writer.u32(joined.configuration.length);
  writer.raw(joined.configuration);
  return writer.finish();
}

/** Total: who this node is, or DecodeError. */
export function decodeJoined(bytes: Bytes, payload: Uint8Array): Joined {
  const reader = new Reader(bytes, payload);
  const { version, understood } = readHead(reader);
  if (!understood) throw reader.error("version", `${version} is unknown`);
  const clusterId = readText(reader, bytes, "cluster id");
  const id = reader.count("node id");
  if (id === 0 || !isCount(id)) throw reader.error("node id", "must be positive");
  const configuration = reader.raw("configuration", reader.u32("configuration length"));
  reader.end("joined");
  return { clusterId, nodeId: nodeId(id) as NodeId, configuration };
}

/** Somebody knows this name with another directory. Others may know better, and it itself later. */
interface Doubt {
  readonly refusal: Refusal;
  /** By then every address has been asked twice since. */
  readonly endsAtTry: number;
}

export interface JoiningOwner {
  joined(joined: Joined): void;
  /** No other member would say anything else, or none that can be reached does. */
  refused(refusal: Refusal): void;
  /** Told when what keeps it from joining at one of the addresses changes: the tries go on. */
  waits(problem: string): void;
}

export class Joining implements ChannelOwner {
  readonly #context: PeerContext;
  readonly #addresses: readonly Address[];
  readonly #request: JoinRequest;
  readonly #owner: JoiningOwner;
  #tries = 0;
  #doubt: Doubt | null = null;
  /** Told last, by address. */
  readonly #problems = new Map<number, string>();
  #cancel: Cancel = () => undefined;
  #channel: Channel | null = null;
  #over = false;

  constructor(
    context: PeerContext,
    addresses: readonly Address[],
    request: JoinRequest,
    owner: JoiningOwner,
  ) {
    const limits = { ...context.limits, maxHelloBytes: MAX_JOINED_BYTES };
    this.#context = { ...context, limits };
    this.#addresses = addresses;
    this.#request = request;
    this.#owner = owner;
  }

  start(): void {
    const address = this.#addresses[this.#tries++ % this.#addresses.length];
    assert(address !== undefined, "a node joins at some address");
    const { ports, timing } = this.#context;
    this.#cancel = ports.network.connect(address, timing.connectTimeoutMs, (error, connection) => {
      const where = `${address.host}:${address.port}`;
      if (connection !== null) this.#connected(connection);
      else this.#again(`${where}: ${error?.message ?? "cannot connect"}`);
    });
  }

  stop(): void {
    this.#over = true;
    this.#end();
  }

  frame(type: number, payload: Uint8Array): void {
    const { bytes } = this.#context.ports;
    try {
      if (type === FRAME.joined) this.#joined(decodeJoined(bytes, payload));
      else if (type === FRAME.refused) this.#refused(decodeRefusal(bytes, payload));
      else throw new DecodeError("frame type", 0, `${type} is no answer to a join`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#channel?.fail(error.message);
    }
  }

  closed(_startedByUs: boolean, problem: string): void {
    this.#again(problem);
  }

  #connected(connection: Connection): void {
    if (this.#over) {
      connection.destroy();
      return;
    }
    const { ports, limits } = this.#context;
    const channel = new Channel(connection, this.#context, this);
    this.#channel = channel;
    this.#cancel = ports.clock.after(limits.helloTimeoutMs, () =>
      channel.fail("no answer in time"),
    );
    channel.send(FRAME.join, [encodeJoin(ports.bytes, this.#request)]);
  }

  #joined(joined: Joined): void {
    if (this.#over) return;
    this.stop();
    this.#owner.joined(joined);
  }

  #refused(refusal: Refusal): void {
    if (this.#over) return;
    const { reason, message } = refusal;
    // A member that lags knows neither whom the others have added nor whom they have removed; and
    // one of an older version will be updated.
    if (reason === REFUSAL.unknownMember || reason === REFUSAL.versionTooNew) {
      this.#doubt = null;
    } else if (reason === REFUSAL.memberReplaced) {
      const endsAtTry = this.#tries - 1 + 2 * this.#addresses.length;
      this.#doubt ??= { refusal, endsAtTry };
    } else {
      this.#refuse(refusal);
      return;
    }
    this.#again(message);
  }

  #refuse(refusal: Refusal): void {
    this.stop();
    this.#owner.refused(refusal);
  }

  #again(problem: string): void {
    if (this.#over) return;
    const doubt = this.#doubt;
    if (doubt !== null && this.#tries >= doubt.endsAtTry) {
      this.#refuse(doubt.refusal);
      return;
    }
    this.#end();
    const { ports, timing } = this.#context;
    const isRound = this.#tries % this.#addresses.length === 0;
    const pauseMs = isRound ? timing.lastRetryMs : timing.firstRetryMs;
    this.#cancel = ports.clock.after(pauseMs, () => this.start());
    const asked = (this.#tries - 1) % this.#addresses.length;
    if (problem === this.#problems.get(asked)) return;
    this.#problems.set(asked, problem);
    this.#owner.waits(problem);
  }

  #end(): void {
    this.#cancel();
    this.#channel?.drop();
    this.#channel = null;
  }
}
