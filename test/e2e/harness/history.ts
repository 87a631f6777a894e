/**
 * What the processes of a load asked and were answered, put together from the files they wrote, in
 * the format of a linearizability checker: one object a line, `{process, call, return, op, result}`,
 * times in milliseconds of the machine's monotonic clock. `contradictions` is the one place where a
 * history is judged.
 */
import { readFileSync } from "node:fs";

export type Op =
  | { readonly kind: "put"; readonly key: string; readonly value: string }
  | { readonly kind: "get" | "leader"; readonly key: string }
  | {
      readonly kind: "cas";
      readonly key: string;
      readonly expect: string | null;
      readonly value: string;
    }
  | ({ readonly kind: "acquire"; readonly key: string; readonly holder: string } & Leased)
  | ({
      readonly kind: "lead";
      readonly key: string;
      readonly candidate: string;
      readonly value: string;
    } & Leased)
  | { readonly kind: "release" | "resign"; readonly key: string; readonly token: number };

interface Leased {
  /** Its end may be seen by nobody, but not before `heldUntil`: so long its holder had proof. */
  readonly mayExpire: true;
  readonly heldUntil?: number;
}

/** As answered; which fields there are follows from the kind. */
export interface Answer {
  readonly revision?: number;
  readonly value?: string | null;
  readonly swapped?: boolean;
  readonly token?: number;
  readonly refused?: true;
  readonly released?: boolean;
  readonly resigned?: boolean;
  readonly candidate?: string | null;
}

export interface Call {
  readonly process: string;
  readonly call: number;
  readonly return: number | null;
  readonly op: Op;
  /** `failed`: certainly without effect. `unknown`: with or without, then or later. */
  readonly result: Answer | "unknown" | "failed";
}

interface Line {
  readonly id?: string;
  readonly note?: string;
  readonly process?: string;
  readonly call?: number;
  readonly op?: Op;
  readonly return?: number;
  readonly result?: Call["result"];
  readonly heldUntil?: number;
}

export interface History {
  /** In the order in which they were begun. */
  readonly calls: readonly Call[];
  /** What went wrong, in the words of those to whom it did: not judged, told when all is. */
  readonly notes: readonly string[];
}

/** Whole lines only: the last one of a killed process may be a part. */
function linesOf(file: string): Line[] {
  const text = readFileSync(file, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter(line => line !== "")
    .map(line => JSON.parse(line) as Line);
}

export function readHistory(files: readonly string[]): History {
  const calls = new Map<string, Call>();
  const notes: string[] = [];
  for (const line of files.flatMap(linesOf)) {
    if (line.note !== undefined) notes.push(line.note);
    const { id, process, call, op } = line;
    if (id === undefined) continue;
    const begun = calls.get(id);
    if (process !== undefined && call !== undefined && op !== undefined) {
      calls.set(id, { process, call, return: null, op, result: "unknown" });
    } else if (begun !== undefined) calls.set(id, added(begun, line));
  }
  return { calls: [...calls.values()].sort((a, b) => a.call - b.call), notes };
}

function added(begun: Call, line: Line): Call {
  const { result, return: returned, heldUntil } = line;
  if (result !== undefined && returned !== undefined) return { ...begun, return: returned, result };
  const { op } = begun;
  if (heldUntil === undefined || (op.kind !== "acquire" && op.kind !== "lead")) return begun;
  return { ...begun, op: { ...op, heldUntil: Math.max(heldUntil, op.heldUntil ?? 0) } };
}

export const toJsonl = (calls: readonly Call[]): string =>
  calls.map(call => `${JSON.stringify(call)}\n`).join("");

/** Whatever cannot be, in words; nothing of it depends on how long anything took. */
export function contradictions(calls: readonly Call[]): string[] {
  const byKey = new Map<string, Call[]>();
  for (const call of calls) {
    const family = ["acquire", "release"].includes(call.op.kind)
      ? "lock"
      : ["lead", "leader", "resign"].includes(call.op.kind)
        ? "election"
        : "register";
    const name = `${family} ${call.op.key}`;
    byKey.set(name, [...(byKey.get(name) ?? []), call]);
  }
  return [...byKey].flatMap(([name, own]) => [...staleness(name, own), ...overlaps(name, own)]);
}

interface Numbered {
  readonly call: Call;
  readonly endMs: number;
  readonly number: number;
}

/** The calls that were answered with a number of the cluster's order: a revision or a token. */
function numbered(calls: readonly Call[]): Numbered[] {
  return calls.flatMap(call => {
    const { result, return: endMs } = call;
    if (typeof result !== "object" || endMs === null) return [];
    const number = result.revision ?? result.token;
    return number === undefined ? [] : [{ call, endMs, number }];
  });
}

const makes = ({ op }: Call): boolean => ["put", "cas", "acquire", "lead"].includes(op.kind);

/**
 * Numbers only rise: who begins after another was answered gets no lower number, nor the same one
 * if it makes one; and one number means one value.
 */
function staleness(name: string, calls: readonly Call[]): string[] {
  const found: string[] = [];
  const all = numbered(calls);
  const byEnd = all.toSorted((a, b) => a.endMs - b.endMs);
  const byCall = all.toSorted((a, b) => a.call.call - b.call.call);
  const values = new Map<number, string>();
  let highest: Numbered | undefined;
  let ended = 0;
  for (const one of byCall) {
    for (let next = byEnd[ended]; next !== undefined; next = byEnd[ended]) {
      if (next.endMs >= one.call.call) break;
      if (highest === undefined || next.number > highest.number) highest = next;
      ended += 1;
    }
    const least = (highest?.number ?? 0) + (makes(one.call) ? 1 : 0);
    if (one.number < least) {
      found.push(`${name}: ${told(one.call)} after ${told(highest?.call ?? one.call)}`);
    }
    const value = madeOf(one.call);
    const known = values.get(one.number) ?? value;
    values.set(one.number, known);
    if (known !== value) found.push(`${name}: ${one.number} is ${known} and ${value}`);
  }
  return found;
}

/** What a number stands for: the value written, or who was granted. */
function madeOf({ op, result }: Call): string {
  if (op.kind === "put" || op.kind === "cas") return op.value;
  if (op.kind === "acquire") return op.holder;
  if (op.kind === "lead") return op.candidate;
  const { value, candidate } = result as Answer;
  return value ?? candidate ?? "nobody";
}

/**
 * From a grant's answer to its release, or to the moment to which it was provable, it is alone. One
 * that was not provable when its holder looked proves nothing: the process may have been stopped
 * between the answer and the look.
 */
function overlaps(name: string, calls: readonly Call[]): string[] {
  const releases = new Map<number, number>();
  for (const { op, call } of calls) {
    if (op.kind === "release" || op.kind === "resign") releases.set(op.token, call);
  }
  const holds = calls.flatMap(({ op, result, return: fromMs }) => {
    if ((op.kind !== "acquire" && op.kind !== "lead") || typeof result !== "object") return [];
    const { token } = result;
    if (token === undefined || fromMs === null) return [];
    const releasedMs = releases.get(token) ?? Number.POSITIVE_INFINITY;
    const toMs = Math.min(releasedMs, op.heldUntil ?? fromMs);
    return toMs > fromMs ? [{ token, fromMs, toMs }] : [];
  });
  const found: string[] = [];
  holds.sort((a, b) => a.fromMs - b.fromMs);
  let last = holds[0];
  for (const hold of holds.slice(1)) {
    if (last !== undefined && hold.fromMs < last.toMs) {
      found.push(`${name}: ${last.token} and ${hold.token} are held at once`);
    }
    if (last === undefined || hold.toMs > last.toMs) last = hold;
  }
  return found;
}

const told = (call: Call): string => JSON.stringify(call);
