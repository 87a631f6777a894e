/** What the leader says of a lease, as a value and in bytes. */
import type { Reader, Writer } from "../../base/codec.js";
import type { EndReason } from "../../state/index.js";

/** Milliseconds that are left of it, or why it ended. */
export type LeaseReply = number | EndReason;

/** Every reason has its code: one without would end the node that is asked. */
const CODES: Readonly<Record<EndReason, number>> = {
  released: 0,
  cancelled: 1,
  expired: 2,
  revoked: 3,
  deleted: 4,
  broken: 5,
  forgotten: 6,
  overdue: 7,
  moved: 8,
};
const REASONS = (Object.keys(CODES) as EndReason[]).sort((a, b) => CODES[a] - CODES[b]);

const MAX_REPLIES = 1_000_000;

/** The bytes of an answer; null: this node does not serve. */
export function writeReplies(to: Writer, replies: readonly LeaseReply[] | null): Uint8Array {
  to.reset();
  to.boolean(replies !== null);
  if (replies === null) return to.finish();
  to.count(replies.length);
  for (const reply of replies) {
    if (typeof reply === "number") {
      to.count(reply + REASONS.length);
    } else {
      to.count(CODES[reply]);
    }
  }
  return to.finish();
}

export function readReplies(from: Reader): LeaseReply[] | null {
  if (!from.boolean("replies")) return null;
  const length = from.items("replies", MAX_REPLIES);
  const replies: LeaseReply[] = [];
  for (let i = 0; i < length; i++) {
    const value = from.count("reply");
    replies.push(REASONS[value] ?? value - REASONS.length);
  }
  from.end("replies");
  return replies;
}
