/**
 * The Network port: streams of bytes between hosts, as TCP gives them, and no more. Knows no frames
 * and no peers (src/peer does). The real one is src/server/network, the one in memory, whose faults
 * are chosen, src/testing/memory-network. All callbacks come later, in turns of their own; nothing
 * here throws for reasons outside the process.
 */
import type { Cancel } from "./ports.js";

export interface Address {
  /** An IP literal or a name. */
  readonly host: string;
  /** 0…65535; 0 where listening means any free one. */
  readonly port: number;
}

export const NETWORK_ERROR_CODE = {
  /** Nobody listens there. */
  refused: "REFUSED",
  /** No answer in time. */
  timeout: "TIMEOUT",
  /** The name or the host cannot be reached. */
  unreachable: "UNREACHABLE",
  /** Another socket listens on that address. */
  inUse: "IN_USE",
  /** The system does not allow it. */
  denied: "DENIED",
  failed: "FAILED",
} as const;
export type NetworkErrorCode = (typeof NETWORK_ERROR_CODE)[keyof typeof NETWORK_ERROR_CODE];

export interface NetworkError {
  readonly code: NetworkErrorCode;
  readonly address: Address;
  /** What the system said. */
  readonly message: string;
}

/**
 * Why a connection is over. `ended`: the other side closed it, or its process died (FIN). `reset`:
 * it was broken off, or the network failed. `local`: this side closed it.
 */
export type CloseReason = "ended" | "reset" | "local";

/** What the owner of a connection is told. */
export interface ConnectionEvents {
  /** Bytes, in order. The array passes to the receiver: nobody writes into it any more. */
  received(chunk: Uint8Array): void;
  /** All that was written has left this process, after a `write` that returned false. */
  drained(): void;
  /** The last word, exactly once, also after `close` and `destroy`. */
  closed(reason: CloseReason): void;
}

export interface Connection {
  readonly remote: Address;
  /** To be called once, in the turn in which the connection is given: from then on events come. */
  start(events: ConnectionEvents): void;
  /**
   * Sends all parts one after the other, in one system call where it can. False: better wait for
   * `drained` before the next. Parts must not be changed until then. Nothing happens once closed.
   */
  write(parts: readonly Uint8Array[]): boolean;
  /** Bytes written that have not left this process yet. */
  readonly bufferedBytes: number;
  /** No `received` (and so no `ended`) until `resume`. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then closes. Nothing is received any more. */
  close(): void;
  /** Closes at once; what has not left yet is lost. Nothing is received any more. */
  destroy(): void;
}

export interface Listener {
  /** Where it listens: the port is the true one. */
  readonly address: Address;
  /** Accepts no more. Connections that were accepted live on. */
  close(done: () => void): void;
}

export interface Network {
  /** Listens; `accepted` is called for each connection that comes in. One of the two is null. */
  listen(
    address: Address,
    accepted: (connection: Connection) => void,
    done: (error: NetworkError | null, listener: Listener | null) => void,
  ): void;
  /** Connects within `timeoutMs`. One of the two is null. After a cancel, `done` never comes. */
  connect(
    to: Address,
    timeoutMs: number,
    done: (error: NetworkError | null, connection: Connection | null) => void,
  ): Cancel;
}
