/**
 * Connections over the browser's own WebSocket. A browser tells a page nothing of why a handshake
 * failed, not even that the node answered 403; so one that never stood is asked about over HTTP
 * (`refusal.ts`), once, before it is told as gone.
 */
import type { Wire, WireEvents } from "../core/index.js";
import { whyRefused } from "./refusal.js";

const SUBPROTOCOL = "holdfast.v1.msgpack";

/** Where a connection stood before nobody needs to ask whether this page may have one. */
const stood = new Set<string>();

export function dial(url: string, events: WireEvents): Wire {
  let socket: WebSocket;
  try {
    socket = new WebSocket(url, SUBPROTOCOL);
  } catch (error) {
    return neverWas(error, events);
  }
  let isOpened = false;
  let isGivenUp = false;
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    isOpened = true;
    stood.add(url);
    events.onOpen();
  };
  socket.onmessage = ({ data }) => events.onFrame(new Uint8Array(data as ArrayBuffer));
  socket.onclose = ({ reason }) => {
    if (isOpened) events.onClose(reason === "" ? "the connection was closed" : reason);
    else if (stood.has(url) || isGivenUp) events.onClose("it could not be reached");
    else void whyRefused(url).then(events.onClose);
  };
  return {
    send: frame => {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame as Uint8Array<ArrayBuffer>);
    },
    close: () => {
      isGivenUp = true;
      socket.close();
    },
  };
}

/** The browser itself forbids it: a page that came by https dials ws:, or a policy of the page. */
function neverWas(error: unknown, events: WireEvents): Wire {
  const why = error instanceof Error ? error.message : String(error);
  // Nothing may be told from within `dial`.
  queueMicrotask(() => events.onClose(`the browser does not allow it: ${why}`));
  return { send: () => {}, close: () => {} };
}
