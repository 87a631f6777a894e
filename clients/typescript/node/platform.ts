/** The world as Node has it: performance's clock, timers, and WebSockets by `ws`. */
import { randomInt } from "node:crypto";
import { performance } from "node:perf_hooks";
import { WebSocket } from "ws";
import type { Cancel, Platform, Wire, WireEvents } from "../core/index.js";

const SUBPROTOCOL = "holdfast.v1.msgpack";
const BINARY = { binary: true };

function dial(url: string, events: WireEvents): Wire {
  const socket = new WebSocket(url, SUBPROTOCOL, {
    perMessageDeflate: false,
    maxPayload: 64 * 1024 * 1024,
    skipUTF8Validation: true,
  });
  let failure = "the connection was closed";
  socket.on("open", () => events.onOpen());
  socket.on("message", data => events.onFrame(data as Buffer));
  socket.on("error", error => {
    failure = error.message === "" ? String((error as NodeJS.ErrnoException).code) : error.message;
  });
  socket.on("close", (_code, reason) =>
    events.onClose(reason.length > 0 ? reason.toString() : failure),
  );
  return {
    send: frame => {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame, BINARY);
    },
    close: () => endSocket(socket),
  };
}

/** What was sent still leaves; a peer that does not answer the close is not waited for. */
function endSocket(socket: WebSocket): void {
  if (socket.readyState !== WebSocket.OPEN) {
    socket.terminate();
    return;
  }
  socket.close(1000);
  setTimeout(() => socket.terminate(), 1000).unref();
}

export const nodePlatform: Platform = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs: number, callback: () => void): Cancel {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  schedule: callback => {
    setImmediate(callback);
  },
  below: bound => randomInt(bound),
  dial,
};
