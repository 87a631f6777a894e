/** The types of a transaction, written out since they refer to themselves; see schemas/txn.ts. */
import type { ParamsOf, ResultOf } from "./operations.js";
import type { Guard } from "./shapes.js";

interface Span {
  /** One key, or with `rangeEnd` the first of a range. Not together with `prefix`. */
  readonly key?: string;
  /** The range ends before this key. */
  readonly rangeEnd?: string;
  readonly prefix?: string;
}
type Comparison = "=" | "!=" | "<" | ">";

/**
 * Over a range it must hold for every key in it. An empty range compares as one absent key: with
 * numbers of 0 and no lease, and `value` then never holds.
 */
export type Compare =
  | (Span & {
      readonly target: "version" | "createRevision" | "modRevision";
      readonly op: Comparison;
      /** An absent key has 0. */
      readonly to: number;
    })
  | (Span & { readonly target: "value"; readonly op: Comparison; readonly value: string })
  | (Span & {
      readonly target: "lease";
      readonly op: Comparison;
      /** "0" is no lease. */
      readonly lease: string;
    });

/** One step of a transaction: exactly one of the fields. */
export type TxnOperation =
  | {
      readonly put: {
        readonly key: string;
        readonly value: string;
        readonly lease?: string;
        readonly prev?: boolean;
      };
    }
  | {
      readonly append: { readonly prefix: string; readonly value: string; readonly lease?: string };
    }
  | { readonly delete: Span & { readonly prev?: boolean } }
  | { readonly range: Omit<ParamsOf<"kv.range">, "consistency"> }
  | { readonly txn: TxnBranches };

export interface TxnBranches {
  /** All must hold; none given: they hold. */
  readonly compare?: readonly Compare[];
  readonly success?: readonly TxnOperation[];
  readonly failure?: readonly TxnOperation[];
}

export interface TxnParams extends TxnBranches {
  /** The whole transaction happens only while this grant stands. */
  readonly heldBy?: Guard;
  /** Only for transactions that write nothing. */
  readonly consistency?: "linearizable" | "serializable";
}

export type TxnStepResult =
  | { readonly put: ResultOf<"kv.put"> }
  | { readonly append: ResultOf<"kv.append"> }
  | { readonly delete: ResultOf<"kv.delete"> }
  | { readonly range: ResultOf<"kv.range"> }
  | { readonly txn: TxnResult };

export interface TxnResult {
  readonly succeeded: boolean;
  readonly revision: number;
  /** One a step of the branch that was taken, in its order. */
  readonly results: readonly TxnStepResult[];
}
