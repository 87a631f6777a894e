/**
 * What lock and election share: somebody holds it or nobody, by a grant with a token. A grant whose
 * token was not told took one at least one above the last. Part of both models.
 */
import type { Sight } from "./model.js";
import type { Move, Tenure } from "./operation.js";

export interface Tenant {
  readonly held: boolean;
  /** The last grant's token: exactly, or at least. */
  readonly token: number;
  readonly exact: boolean;
  /** From here on the tenure may have ended unseen; Infinity: never. */
  readonly mayEndMs: number;
  /** An election's leader and his value; a lock keeps them empty, since nobody can read them. */
  readonly candidate: string;
  readonly value: string;
}

export const VACANT: Tenant = {
  held: false,
  token: 0,
  exact: true,
  mayEndMs: Number.POSITIVE_INFINITY,
  candidate: "",
  value: "",
};

/** Held at `latestMs`, and certainly so: no unseen end can explain anything else. */
const isFirm = (state: Tenant, latestMs: number): boolean =>
  state.held && state.mayEndMs > latestMs;

export const vacated = ({ token }: Tenant): Tenant => ({ ...VACANT, token });

function endOf({ mayExpire, heldUntil }: Tenure): number {
  if (mayExpire !== true) return Number.POSITIVE_INFINITY;
  return heldUntil ?? Number.NEGATIVE_INFINITY;
}

/** A grant, or the attempt that found it held. */
export function take(
  state: Tenant,
  move: Move & { kind: "acquire" | "lead" },
  latestMs: number,
): Tenant | null {
  const { answer } = move;
  if (answer !== "unknown" && "refused" in answer) return state.held ? state : null;
  if (isFirm(state, latestMs)) return null;
  const exact = answer !== "unknown";
  const token = exact ? answer.token : state.token + 1;
  if (token <= state.token) return null;
  const [candidate, value] = move.kind === "lead" ? [move.candidate, move.value] : ["", ""];
  return { held: true, token, exact, mayEndMs: endOf(move), candidate, value };
}

/** Might `token` be the present tenure's? */
export const mayBe = (state: Tenant, token: number): boolean =>
  state.held && (state.exact ? state.token === token : state.token <= token);

/** A tenure's end by its token; `ended` null: unknown, and so the end if there is one. */
export function give(
  state: Tenant,
  token: number,
  ended: boolean | null,
  latestMs: number,
): Tenant | null {
  if (ended !== false) return mayBe(state, token) ? { ...VACANT, token } : null;
  // That nobody's token is known says nothing about this one.
  if (!state.exact || !mayBe(state, token)) return state;
  return isFirm(state, latestMs) ? null : vacated(state);
}

/** Nobody was seen to hold it. */
export function seenVacant(state: Tenant, latestMs: number): Tenant | null {
  if (!state.held) return state;
  return isFirm(state, latestMs) ? null : vacated(state);
}

/** As text, since JSON has one word for "never" and "at any time". */
export function identifyTenant({ held, token, exact, mayEndMs, candidate, value }: Tenant): string {
  return held ? JSON.stringify([token, exact, `${mayEndMs}`, candidate, value]) : `${token}`;
}

/** Tenants of different kin never allow more than one another. */
export const kinOfTenant = ({ held, candidate, value }: Tenant): string =>
  held ? JSON.stringify([candidate, value]) : "";

/**
 * What is seen of a tenure is its token: an end needs the one that it names. A token comes once,
 * since tokens rise.
 */
export const sightOfTenure: Sight<Tenant> = {
  of({ held, token, exact }) {
    if (!held) return "nobody";
    return exact ? `${token}` : null;
  },
  needs(move) {
    const { kind, answer } = move;
    if (kind === "expire") return `${move.token}`;
    if (kind === "release" && (answer === "unknown" || answer.released)) return `${move.token}`;
    if (kind === "resign" && (answer === "unknown" || answer.resigned)) return `${move.token}`;
    const told = kind === "leader" && answer !== "unknown" ? answer.token : undefined;
    return told === undefined ? null : `${told}`;
  },
  gives({ kind, answer }) {
    if ((kind !== "acquire" && kind !== "lead") || answer === "unknown") return null;
    return "token" in answer ? `${answer.token}` : null;
  },
};

/** Text for people: "token 7", "token 7 or above". */
export const describeToken = ({ token, exact }: Tenant): string =>
  exact ? `token ${token}` : `a token from ${token}`;

export function allowsMoreTenant(more: Tenant, less: Tenant): boolean {
  if (more.held !== less.held) return false;
  if (!more.held) return more.token <= less.token;
  if (more.candidate !== less.candidate || more.value !== less.value) return false;
  if (more.mayEndMs > less.mayEndMs) return false;
  if (!more.exact) return more.token <= less.token;
  return less.exact && more.token === less.token;
}
