/** The Network port over node:net. Used by the composition root and by tests on real sockets. */
import { createServer, connect as dial, type Server } from "node:net";
import type {
  Address,
  Connection,
  Listener,
  Network,
  NetworkError,
  NetworkErrorCode,
} from "../../base/network.js";
import { NETWORK_ERROR_CODE } from "../../base/network.js";
import type { Cancel } from "../../base/ports.js";
import { SocketConnection } from "./connection.js";

const CODES: Readonly<Record<string, NetworkErrorCode>> = {
  ECONNREFUSED: NETWORK_ERROR_CODE.refused,
  ETIMEDOUT: NETWORK_ERROR_CODE.timeout,
  EHOSTUNREACH: NETWORK_ERROR_CODE.unreachable,
  ENETUNREACH: NETWORK_ERROR_CODE.unreachable,
  ENOTFOUND: NETWORK_ERROR_CODE.unreachable,
  EAI_AGAIN: NETWORK_ERROR_CODE.unreachable,
  EADDRINUSE: NETWORK_ERROR_CODE.inUse,
  EADDRNOTAVAIL: NETWORK_ERROR_CODE.unreachable,
  EACCES: NETWORK_ERROR_CODE.denied,
  EPERM: NETWORK_ERROR_CODE.denied,
};

function networkError(address: Address, error: NodeJS.ErrnoException): NetworkError {
  const code = CODES[error.code ?? ""] ?? NETWORK_ERROR_CODE.failed;
  return { code, address, message: error.message };
}

class SocketListener implements Listener {
  readonly address: Address;
  readonly #server: Server;

  constructor(server: Server, asked: Address) {
    const bound = server.address();
    const port = bound !== null && typeof bound === "object" ? bound.port : asked.port;
    this.address = { host: asked.host, port };
    this.#server = server;
  }

  close(done: () => void): void {
    this.#server.close();
    setImmediate(done); // the server's own callback would wait for every accepted connection
  }
}

function listen(
  address: Address,
  accepted: (connection: Connection) => void,
  done: (error: NetworkError | null, listener: Listener | null) => void,
): void {
  const server = createServer({ noDelay: true }, socket => accepted(new SocketConnection(socket)));
  const failed = (error: Error): void => done(networkError(address, error), null);
  server.once("error", failed);
  server.listen({ host: address.host, port: address.port }, () => {
    server.off("error", failed);
    server.on("error", () => undefined); // a failed accept (out of handles): the next may succeed
    done(null, new SocketListener(server, address));
  });
}

function connect(
  to: Address,
  timeoutMs: number,
  done: (error: NetworkError | null, connection: Connection | null) => void,
): Cancel {
  const socket = dial({ host: to.host, port: to.port, noDelay: true });
  let pending = true;
  const timer = setTimeout(() => {
    const message = `no answer within ${timeoutMs} ms`;
    fail({ code: NETWORK_ERROR_CODE.timeout, address: to, message });
  }, timeoutMs);
  function settle(): boolean {
    const first = pending;
    pending = false;
    clearTimeout(timer);
    return first;
  }
  function fail(error: NetworkError): void {
    if (!settle()) return;
    socket.destroy();
    done(error, null);
  }
  socket.on("error", error => fail(networkError(to, error)));
  socket.once("connect", () => {
    if (settle()) done(null, new SocketConnection(socket));
  });
  return () => {
    if (settle()) socket.destroy();
  };
}

export const nodeNetwork: Network = { listen, connect };
