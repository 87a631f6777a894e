/** Messages from other terms: greater ones are adopted, with care; lesser ones are told so. */
import { logIndex } from "../base/ids.js";
import type { Core } from "./core.js";
import type { Message } from "./message/message.js";

/**
 * A message of a greater term. True if it is to be handled further. A pre-vote and its grant only
 * speak of a term to come; a vote asked while the leader is heard is ignored, term and all.
 */
export function entersTerm(core: Core, message: Message): boolean {
  switch (message.type) {
    case "pre-vote":
      return true;
    case "pre-vote-reply":
      if (!message.granted) core.becomeFollower(message.term, null);
      return message.granted;
    case "vote":
      if (!message.forced && core.hearsLeader) return false;
      core.becomeFollower(message.term, null);
      return true;
    case "append":
    case "heartbeat":
    case "commit":
      core.becomeFollower(message.term, message.from);
      return true;
    default:
      core.becomeFollower(message.term, null);
      return true;
  }
}

/**
 * A message of a lesser term. A deposed leader and a candidate of the past must learn of this
 * term, or a node whose term ran ahead would never be taken back; all else is dropped.
 */
export function answerStale(core: Core, message: Message): void {
  const { from: to } = message;
  const { id: from, term } = core;
  switch (message.type) {
    case "append":
    case "heartbeat": {
      const none = logIndex(0);
      core.outbox.push({
        type: "append-reply",
        from,
        to,
        term,
        index: none,
        rejected: true,
        hintIndex: none,
        hintTerm: core.log.baseTerm,
      });
      return;
    }
    case "pre-vote":
      core.outbox.push({ type: "pre-vote-reply", from, to, term, granted: false });
      return;
    case "vote":
      core.outbox.push({ type: "vote-reply", from, to, term, granted: false });
      return;
    case "read":
      core.replyRead(to, message.batch, null);
      return;
    default:
      return;
  }
}
