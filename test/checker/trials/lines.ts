/** Histories by hand: one operation a line of code, so that a test shows what happened. */
import type { Answer, Op, Operation } from "../core/index.js";

type Asked = Op extends infer One ? (One extends Op ? Omit<One, "key"> : never) : never;

/** Who, from when to when, what, and what was heard of it; times in ms, all of the key "k". */
export function did(
  process: string,
  [call, returned]: readonly [number, number | null],
  asked: Asked,
  result: Answer | "unknown" | "failed" = "unknown",
): Operation {
  const op = { ...asked, key: "k" } as Op;
  return { process, call, return: returned, op, result };
}

export const put = (value: string) => ({ kind: "put", value }) as const;
export const get = { kind: "get" } as const;
export const cas = (expect: string | null, value: string) =>
  ({ kind: "cas", expect, value }) as const;
export const remove = { kind: "delete" } as const;
export const acquire = (holder: string, heldUntil?: number) => {
  const tenure = heldUntil === undefined ? {} : ({ mayExpire: true, heldUntil } as const);
  return { kind: "acquire", holder, ...tenure } as const;
};
export const release = (token: number) => ({ kind: "release", token }) as const;
export const expire = (token: number) => ({ kind: "expire", token }) as const;
export const lead = (candidate: string, value = "") =>
  ({ kind: "lead", candidate, value }) as const;
export const leader = { kind: "leader" } as const;
export const resign = (token: number) => ({ kind: "resign", token }) as const;
