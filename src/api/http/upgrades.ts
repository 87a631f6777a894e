/**
 * Requests with an Upgrade header. A server may ignore the header (RFC 9110, section 7.8), and
 * clients that would like HTTP/2 (`curl --http2`, Java's HttpClient) rely on it; but Node, once
 * anybody listens for upgrades, takes its parser off every such connection. All but upgrades to
 * WebSocket are therefore given back to the server as the request that they are without the header.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { pathOf } from "./path.js";
import type { UnderWay } from "./under-way.js";

/** Where the WebSocket door listens in place of `server`: it gets the upgrades that are its own. */
export function webSocketUpgrades(server: Server, underWay: UnderWay): Server {
  const door = createServer();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const wanted = request.headers.upgrade?.trim().toLowerCase();
    if (wanted === "websocket" || pathOf(request.url ?? "") === "/v1/ws") {
      door.emit("upgrade", request, socket, head);
      return;
    }
    socket.unshift(Buffer.concat([Buffer.from(plainHead(request), "latin1"), head]));
    // To the server it is a new connection, which knows nothing of answers still under way.
    underWay.whenIdle(request, () => server.emit("connection", socket));
  });
  return door;
}

const HOP_BY_HOP: ReadonlySet<string> = new Set(["upgrade", "http2-settings"]);

/** The request's line and headers as they came, without what asks for another protocol. */
function plainHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const value = rawHeaders[at + 1] ?? "";
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower)) continue;
    text += `${name}: ${lower === "connection" ? withoutUpgrade(value) : value}\r\n`;
  }
  return `${text}\r\n`;
}

/** Never empty: without `close` a connection of HTTP/1.1 is kept. */
function withoutUpgrade(connection: string): string {
  const tokens = connection.split(",").map(token => token.trim());
  const kept = tokens.filter(token => !HOP_BY_HOP.has(token.toLowerCase()));
  return kept.length === 0 ? "keep-alive" : kept.join(", ");
}
