/**
 * What clients ask and what they are answered, as a history holds it. Types alone; `shape.ts` holds
 * what comes from outside against them.
 */

/** How a tenure of a lock or an election may end without anybody seeing it. */
export interface Tenure {
  /** It may run out. Without this only a release or an `expire` ends it. */
  readonly mayExpire?: true;
  /** But not before this moment (ms), to which its holder could prove its hold. */
  readonly heldUntil?: number;
}

/** Taken, with its fencing token; or tried and found held. */
export type Taken = { readonly token: number } | { readonly refused: true };

interface Call<Asks, Answer> {
  readonly asks: Asks;
  readonly answer: Answer;
}

export interface Calls {
  readonly put: Call<{ readonly value: string }, { readonly revision?: number }>;
  readonly get: Call<unknown, { readonly value: string | null; readonly revision?: number }>;
  readonly cas: Call<
    { readonly expect: string | null; readonly value: string },
    { readonly swapped: boolean; readonly revision?: number }
  >;
  readonly delete: Call<unknown, { readonly deleted: boolean; readonly revision?: number }>;
  readonly acquire: Call<Tenure & { readonly holder: string }, Taken>;
  readonly release: Call<{ readonly token: number }, { readonly released: boolean }>;
  readonly lead: Call<Tenure & { readonly candidate: string; readonly value: string }, Taken>;
  readonly leader: Call<
    unknown,
    { readonly candidate: string | null; readonly token?: number; readonly value?: string }
  >;
  readonly resign: Call<{ readonly token: number }, { readonly resigned: boolean }>;
  /** Noted by a recorder, asked by nobody: from its call on the tenure may have ended. */
  readonly expire: Call<{ readonly token: number }, never>;
}

export type Kind = keyof Calls;

export type OpOf<K extends Kind> = { readonly kind: K; readonly key: string } & Calls[K]["asks"];
export type AnswerOf<K extends Kind> = Calls[K]["answer"];

export type Op = { [K in Kind]: OpOf<K> }[Kind];
export type Answer = AnswerOf<Kind>;

export interface Operation {
  readonly process: string;
  /** Milliseconds of the one clock of the history. */
  readonly call: number;
  /** null: never answered. */
  readonly return: number | null;
  readonly op: Op;
  /** "failed": provably without effect. "unknown": with effect at some time from its call, or never. */
  readonly result: Answer | "unknown" | "failed";
}

/** An operation without its times: what a model judges. */
export type Move = {
  [K in Kind]: OpOf<K> & { readonly answer: AnswerOf<K> | "unknown" };
}[Kind];
