/** Messages into frames: as few as a node takes. What no frame can carry is told by its number. */
import { LIMITS } from "holdfast-protocol";
import { encodeFrame } from "./codec.js";
import type { HoldfastError } from "./errors.js";
import { notEncodable, tooLarge } from "./failures.js";
import type { Link } from "./link.js";

type Unsendable = (id: number, failure: HoldfastError) => void;

/** Sends `messages` in order. */
export function sendAll(messages: readonly object[], link: Link, unsendable: Unsendable): void {
  if (messages.length === 0) return;
  if (messages.length <= LIMITS.messagesPerFrame) {
    const failure = trySend(messages, link);
    if (failure === null) return;
    const [first, ...more] = messages;
    if (more.length === 0) {
      unsendable((first as { readonly id?: number }).id ?? 0, failure);
      return;
    }
  }
  const middle = messages.length >> 1;
  sendAll(messages.slice(0, middle), link, unsendable);
  sendAll(messages.slice(middle), link, unsendable);
}

function trySend(messages: readonly object[], link: Link): HoldfastError | null {
  let frame: Uint8Array;
  try {
    frame = encodeFrame(messages);
  } catch (error) {
    return notEncodable(error);
  }
  if (frame.length > LIMITS.frameBytes) return tooLarge(frame.length);
  link.send(frame);
  return null;
}
