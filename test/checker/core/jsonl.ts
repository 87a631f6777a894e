/** A history as text: one operation a line, in the order of the calls' recording. */
import type { Operation } from "./operation.js";
import { isOperation, judge } from "./shape.js";

/** What was read or recorded is not of the format. The message names the line where there is one. */
export class HistoryError extends Error {
  override readonly name = "HistoryError";
}

export function toJsonl(operations: readonly Operation[]): string {
  return operations.map(line => `${JSON.stringify(inOrder(line))}\n`).join("");
}

const inOrder = ({ process, call, return: returned, op, result }: Operation): Operation => ({
  process,
  call,
  return: returned,
  op,
  result,
});

/** Reads what `toJsonl` wrote. Empty lines count and say nothing; every other is an operation. */
export function fromJsonl(text: string): Operation[] {
  return text.split("\n").flatMap((line, at) => {
    if (line.trim() === "") return [];
    return [parseLine(line, at + 1)];
  });
}

function parseLine(line: string, number: number): Operation {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new HistoryError(`line ${number}: not JSON: ${(error as Error).message}`);
  }
  if (isOperation(value)) return value;
  throw new HistoryError(`line ${number}: ${judge(value)}`);
}
