/** Operations in a few words, for the command and the picture. */
import type { Answer, Op, Operation } from "./operation.js";

const quote = (text: string | null): string => (text === null ? "nothing" : JSON.stringify(text));

/** What was asked: `put "a"`, `acquire`. The key goes without saying. */
export function wordsOfOp(op: Op): string {
  switch (op.kind) {
    case "put":
      return `put ${quote(op.value)}`;
    case "cas":
      return `cas ${quote(op.expect)} to ${quote(op.value)}`;
    case "acquire":
      return `acquire as ${op.holder}`;
    case "lead":
      return `lead as ${op.candidate}`;
    case "release":
    case "resign":
    case "expire":
      return `${op.kind} token ${op.token}`;
    default:
      return op.kind;
  }
}

/** What became of it: `"a" at revision 7`, `token 3`, `?` where nobody knows. */
export function wordsOfResult(result: Operation["result"]): string {
  if (result === "unknown") return "?";
  if (result === "failed") return "failed";
  return wordsOfAnswer(result);
}

function wordsOfAnswer(answer: Answer): string {
  const revision =
    "revision" in answer && answer.revision !== undefined ? ` at revision ${answer.revision}` : "";
  if ("swapped" in answer) return (answer.swapped ? "swapped" : "not swapped") + revision;
  if ("deleted" in answer) return (answer.deleted ? "deleted" : "nothing to delete") + revision;
  if ("released" in answer) return answer.released ? "released" : "not its holder";
  if ("resigned" in answer) return answer.resigned ? "resigned" : "not the leader";
  if ("refused" in answer) return "refused";
  if ("candidate" in answer) {
    if (answer.candidate === null) return "nobody";
    const token = answer.token === undefined ? "" : ` with token ${answer.token}`;
    const value = answer.value === undefined ? "" : ` saying ${quote(answer.value)}`;
    return answer.candidate + token + value;
  }
  if ("value" in answer) return quote(answer.value) + revision;
  if ("token" in answer) return `token ${answer.token}`;
  return `done${revision}`;
}

export function wordsOf({ op, result }: Operation): string {
  const held =
    "heldUntil" in op && op.heldUntil !== undefined ? `, held to ${timeText(op.heldUntil)}` : "";
  return `${wordsOfOp(op)} → ${wordsOfResult(result)}${held}`;
}

/** A time in ms with as many digits as it needs, and no more than three after the point. */
export const timeText = (atMs: number): string => `${Math.round(atMs * 1_000) / 1_000}`;

export const spanText = (operation: Operation): string =>
  operation.return === null
    ? `${timeText(operation.call)} ms, never answered`
    : `${timeText(operation.call)} to ${timeText(operation.return)} ms`;
