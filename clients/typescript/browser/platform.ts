/** The world as a browser has it. */
import type { Cancel, Platform, Wire, WireEvents } from "../core/index.js";

const SUBPROTOCOL = "holdfast.v1.msgpack";

function dial(url: string, events: WireEvents): Wire {
  const socket = new WebSocket(url, SUBPROTOCOL);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => events.onOpen();
  socket.onmessage = ({ data }) => events.onFrame(new Uint8Array(data as ArrayBuffer));
  socket.onclose = ({ reason }) =>
    events.onClose(reason === "" ? "the connection was closed" : reason);
  return {
    send: frame => {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame as Uint8Array<ArrayBuffer>);
    },
    close: () => socket.close(),
  };
}

/** A message to oneself is a turn of its own, and is not slowed down as timers are. */
function schedule(callback: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    callback();
  };
  port2.postMessage(null);
}

function below(bound: number): number {
  const drawn = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  return Math.floor((drawn / 2 ** 32) * bound);
}

export const browserPlatform: Platform = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs: number, callback: () => void): Cancel {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  schedule,
  below,
  dial,
};
