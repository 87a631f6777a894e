/**
 * `/v1/ws`: WebSockets to sessions. Picks the subprotocol, decodes and encodes frames, closes dead
 * connections. What the messages mean is session.ts's matter.
 */
import type { Server } from "node:http";
import websocket from "@fastify/websocket";
import type { FastifyInstance } from "fastify";
import { SUBPROTOCOLS, type Subprotocol } from "holdfast-protocol";
import type { WebSocket } from "ws";
import type { Cancel } from "../../base/ports.js";
import { Refusal } from "../calls/failure.js";
import { Border, type Spelling } from "../calls/text.js";
import type { House } from "../house.js";
import { refuseOnSocket } from "../http/socket.js";
import { DecodeError, decodeMsgpack, encodeMsgpack } from "./msgpack.js";
import { CLOSE, FrameSession, type SessionHouse, type SessionSink } from "./session.js";

/** A connection that was silent so long is pinged, and ended when the next sweep hears nothing. */
const SWEEP_EVERY_MS = 20_000;

interface Live {
  readonly socket: WebSocket;
  readonly session: FrameSession;
  heard: boolean;
}

const offered = (header: string | undefined): string[] =>
  (header ?? "")
    .split(",")
    .map(name => name.trim())
    .filter(name => name !== "");

const isOurs = (name: string): name is Subprotocol =>
  (SUBPROTOCOLS as readonly string[]).includes(name);

function refuseForeign(header: string | undefined): void {
  const names = offered(header);
  if (names.length === 0 || names.some(isOurs)) return;
  throw new Refusal({
    code: "INVALID_PARAMETER",
    message: `offer the subprotocol ${SUBPROTOCOLS.join(" or ")}`,
    details: { parameter: "Sec-WebSocket-Protocol" },
  });
}

/** All WebSockets of one node, over every address it listens on. */
export class WebSocketDoor {
  readonly #house: House;
  readonly #live = new Set<Live>();
  readonly #sessions: Readonly<Record<Spelling, SessionHouse>>;
  #cancelSweep: Cancel;

  constructor(house: House) {
    this.#house = house;
    const session = (border: Border): SessionHouse => ({ ...house, border });
    this.#sessions = {
      json: session(house.jsonBorder),
      msgpack: session(new Border(house.bytes, "msgpack")),
    };
    this.#cancelSweep = house.clock.after(SWEEP_EVERY_MS, () => this.#sweep());
  }

  get connections(): number {
    return this.#live.size;
  }

  /** Adds the route to one listener; `upgrades` emits the upgrades that are for it. */
  register(app: FastifyInstance, upgrades: Server): void {
    void app.register(websocket, {
      options: {
        server: upgrades,
        maxPayload: this.#house.limits.maxFrameBytes,
        perMessageDeflate: false,
        handleProtocols: (names: Set<string>) => [...names].find(isOurs) ?? false,
      },
      // Ours are closed by `stop`, with a reason.
      preClose: (done: () => void) => done(),
      // A frame that cannot be taken is being told so (1009, 1002): cutting here would lose that.
      errorHandler: (_error, socket) => {
        if (socket.readyState === socket.OPEN) socket.terminate();
      },
    });
    void app.register(async scope => {
      // What is no handshake would be refused in ws's own words.
      scope.websocketServer.on("wsClientError", (error, socket) => {
        const message = `/v1/ws: ${error.message}`;
        refuseOnSocket(this.#house, { code: "INVALID_REQUEST", message }, socket);
      });
      scope.route({
        method: "GET",
        url: "/v1/ws",
        preValidation: async request => {
          refuseForeign(request.headers["sec-websocket-protocol"]);
          this.#refuseEarly();
        },
        handler: async () => {
          throw new Refusal({
            code: "INVALID_REQUEST",
            message: "/v1/ws speaks WebSocket: ask for an upgrade",
          });
        },
        wsHandler: socket => this.#accept(socket),
      });
    });
  }

  /** Tells all clients that the node stops, and ends their connections. */
  stop(): void {
    this.#cancelSweep();
    for (const { session } of this.#live) session.stop();
  }

  /** Until its directory is open the node does not know whose it is: a welcome would tell untruths. */
  #refuseEarly(): void {
    if (this.#house.coordinator.status().state !== "starting") return;
    throw new Refusal({ code: "UNAVAILABLE", message: "the node is starting", details: {} });
  }

  #accept(socket: WebSocket): void {
    if (this.#live.size >= this.#house.limits.maxConnections) {
      socket.close(CLOSE.tryAgain, "TOO_MANY_CONNECTIONS");
      return;
    }
    const spelling = socket.protocol === "holdfast.v1.msgpack" ? "msgpack" : "json";
    const sink = sinkOf(socket, spelling, this.#house.logger, () => {
      // Nothing is heard of one that is not listened to: its reading is its sign of life.
      if (socket.isPaused) live.heard = true;
      session.drained();
    });
    const session: FrameSession = new FrameSession(this.#sessions[spelling], sink);
    const live: Live = { socket, session, heard: true };
    this.#live.add(live);
    socket.on("message", (data, isBinary) => {
      live.heard = true;
      this.#receive(session, data as Buffer, isBinary, spelling);
    });
    socket.on("pong", () => {
      live.heard = true;
    });
    socket.on("close", () => {
      this.#live.delete(live);
      session.closed();
    });
  }

  #receive(session: FrameSession, data: Buffer, isBinary: boolean, spelling: Spelling): void {
    let frame: unknown;
    try {
      frame = decode(data, isBinary, spelling);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      session.fail({ code: "INVALID_FRAME", message: error.message }, CLOSE.policy);
      return;
    }
    session.receive(frame);
  }

  #sweep(): void {
    for (const live of this.#live) {
      if (!live.heard) live.socket.terminate();
      else {
        live.heard = false;
        live.socket.ping();
      }
    }
    this.#cancelSweep = this.#house.clock.after(SWEEP_EVERY_MS, () => this.#sweep());
  }
}

function decode(data: Buffer, isBinary: boolean, spelling: Spelling): unknown {
  if (spelling === "msgpack") {
    if (!isBinary) throw new DecodeError("holdfast.v1.msgpack travels in binary frames");
    return decodeMsgpack(data);
  }
  try {
    return JSON.parse(data.toString("utf8"));
  } catch {
    throw new DecodeError("the frame is not JSON");
  }
}

const BINARY = { binary: true };
const TEXT = { binary: false };

function sinkOf(
  socket: WebSocket,
  spelling: Spelling,
  logger: House["logger"],
  sent: () => void,
): SessionSink {
  const binary = spelling === "msgpack";
  return {
    send: messages => {
      let frame: Uint8Array | string;
      try {
        frame = binary ? encodeMsgpack(messages) : JSON.stringify(messages);
      } catch (error) {
        logger.error({ err: error }, "a frame could not be encoded");
        throw error;
      }
      socket.send(frame, binary ? BINARY : TEXT, sent);
    },
    bufferedBytes: () => socket.bufferedAmount,
    pause: paused => {
      if (paused) socket.pause();
      else socket.resume();
    },
    close: (code, reason) => {
      socket.close(code, reason);
      // Whoever does not read does not see the close either.
      if (reason === "SLOW_READER") socket.terminate();
    },
  };
}
