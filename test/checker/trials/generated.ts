/**
 * Histories that are linearizable because they come from one object: processes call, at some moment
 * the object does what was asked, they hear of it later or never. Seeded, no clock: an event takes
 * one millisecond.
 */
import { type Answer, History, type Op, type Pending } from "../core/index.js";
import type { Kind } from "../core/operation.js";

/** A whole number from 0, below the given one. */
export type Draw = (below: number) => number;

/** Something real: does what is asked, at once, and answers. */
export interface Real {
  ask(draw: Draw, process: string, serial: number, nowMs: number): Op;
  apply(op: Op, nowMs: number): Answer;
}

export interface Setting {
  readonly operations: number;
  readonly processes: number;
  /** One in so many calls is given up by its process; 0: none. */
  readonly unknownOneIn: number;
}

interface Call {
  readonly op: Op;
  readonly pending: Pending<Kind>;
  answer: Answer | null;
}

export function generate(real: Real, draw: Draw, setting: Setting): History {
  let nowMs = 0;
  const history = new History(() => {
    nowMs += 1;
    return nowMs;
  });
  const calls: (Call | null)[] = Array.from({ length: setting.processes }, () => null);
  const abandoned: Call[] = [];
  let serial = 0;
  const next = (call: Call | null, process: string): Call | null => {
    if (call !== null) return advance(real, draw, setting, call, abandoned, nowMs);
    if (serial >= setting.operations) return null;
    const op = real.ask(draw, process, serial, nowMs);
    serial += 1;
    return { op, pending: history.begin<Kind>(process, op), answer: null };
  };
  while (serial < setting.operations || calls.some(call => call !== null)) {
    if (abandoned.length > 0 && draw(40) === 0) {
      const [late] = abandoned.splice(draw(abandoned.length), 1);
      if (late !== undefined && draw(2) === 0) real.apply(late.op, nowMs);
    }
    const at = draw(setting.processes);
    calls[at] = next(calls[at] ?? null, `w${at}`);
  }
  return history;
}

function advance(
  real: Real,
  draw: Draw,
  { unknownOneIn }: Setting,
  call: Call,
  abandoned: Call[],
  nowMs: number,
): Call | null {
  if (unknownOneIn > 0 && draw(unknownOneIn * 2) === 0) {
    call.pending.unknown();
    if (call.answer === null) abandoned.push(call);
    return null;
  }
  if (call.answer === null) return { ...call, answer: real.apply(call.op, nowMs) };
  call.pending.ok(call.answer);
  return null;
}

/** Numbers from a seed (mulberry32). */
export function seeded(seed: number): Draw {
  let state = seed >>> 0;
  return below => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** A lock whose leases run out, each as soon as its holder can no longer prove that it holds. */
export function realLock(): Real {
  let holder: { readonly token: number; readonly untilMs: number } | null = null;
  let lastToken = 0;
  const tokens = new Map<string, number>();
  return {
    ask(draw, process, _serial, nowMs) {
      const token = tokens.get(process);
      tokens.delete(process);
      if (token !== undefined) return { kind: "release", key: "l", token };
      const heldUntil = nowMs + 1 + draw(80);
      return { kind: "acquire", key: "l", holder: process, mayExpire: true, heldUntil };
    },
    apply(op, nowMs) {
      if (holder !== null && holder.untilMs <= nowMs) holder = null;
      if (op.kind === "release") {
        const released = holder?.token === op.token;
        if (released) holder = null;
        return { released };
      }
      if (op.kind !== "acquire") throw new TypeError(`a lock knows no ${op.kind}`);
      if (holder !== null) return { refused: true };
      lastToken += 2;
      holder = { token: lastToken, untilMs: op.heldUntil ?? nowMs };
      tokens.set(op.holder, lastToken);
      return { token: lastToken };
    },
  };
}

export interface RegisterSetting {
  /** How many different values; 0: every write has its own. */
  readonly values: number;
  readonly tellsRevisions: boolean;
  readonly mix: readonly ("put" | "get" | "cas" | "delete")[];
}

export function realRegister({ values, tellsRevisions, mix }: RegisterSetting): Real {
  let value: string | null = null;
  let lastRevision = 0;
  let storeRevision = 0;
  const revision = () => (tellsRevisions ? { revision: lastRevision } : {});
  const write = (next: string | null): void => {
    value = next;
    storeRevision += 1;
    lastRevision = storeRevision;
  };
  return {
    ask(draw, process, serial) {
      const kind = mix[draw(mix.length)] ?? "get";
      const fresh = values === 0 ? `${process}:${serial}` : `v${draw(values)}`;
      // Other keys of the store take revisions too.
      storeRevision += draw(3);
      if (kind === "put") return { kind, key: "r", value: fresh };
      if (kind !== "cas") return { kind, key: "r" };
      return { kind, key: "r", expect: draw(4) === 0 ? null : value, value: fresh };
    },
    apply(op) {
      if (op.kind === "put") {
        write(op.value);
        return revision();
      }
      if (op.kind === "get") return value === null ? { value } : { value, ...revision() };
      if (op.kind === "cas") {
        if (value !== op.expect) return { swapped: false };
        write(op.value);
        return { swapped: true, ...revision() };
      }
      if (value === null) return { deleted: false };
      write(null);
      return { deleted: true };
    },
  };
}
