/**
 * What apply tells its caller, as calls in order. The objects belong to the state: they never
 * change, and may be kept. Implemented by the replica (and by tests); methods must not call the
 * machine's `apply`, its reads are allowed.
 */
import type { CommandResult, EndReason, Grant } from "./command/result.js";
import type { Blame } from "./lock/ended.js";
import type { Change } from "./watch/change.js";

/** A lease that lives. Its clock is the leader's. */
export interface LeaseView {
  readonly id: string;
  readonly ttlMs: number;
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
  /** It belongs to one entry and ends with it: `belongsTo` is that entry's key, else "". */
  readonly belongsTo: string;
}

/** An entry left its line. */
export interface EntryEnd {
  readonly name: string;
  readonly key: string;
  readonly token: number;
  readonly lease: string;
  readonly reason: EndReason;
  /** The revision that removed it. */
  readonly revision: number;
  /** How long it held, or waited, by the cluster's clock. */
  readonly heldMs: number;
  /** Who ended it, where somebody else did. */
  readonly blame?: Blame;
}

/** A holder was asked to hand over. */
export interface YieldAsk {
  readonly name: string;
  readonly key: string;
  readonly lease: string;
  readonly by: string;
  readonly why: string;
  readonly graceMs: number;
}

/** An entry that waits has another place, and another key, since one was let go before it. */
export interface Move {
  readonly name: string;
  readonly key: string;
  readonly newKey: string;
  readonly newToken: number;
  readonly lease: string;
}

export interface MachineOutput {
  /** The answer to one command. Exactly once a command, after all its events. */
  answer(originBoot: number, originNumber: number, result: CommandResult): void;
  /** One change of one key, in (revision, sub) order. */
  wrote(change: Change): void;
  leaseGranted(lease: LeaseView): void;
  leaseEnded(lease: LeaseView, reason: EndReason): void;
  /** An entry holds from now on: at once when it was made, or after waiting. */
  granted(grant: Grant): void;
  /** A grant is over, whatever ended it. */
  grantEnded(end: EntryEnd): void;
  /** An entry left its line without having held. */
  waitEnded(end: EntryEnd): void;
  yieldAsked(ask: YieldAsk): void;
  /** After `waitEnded` of the old key, with reason `moved`. */
  moved(move: Move): void;
}

/** Drops everything: where nobody listens. */
export const SILENT: MachineOutput = {
  answer() {},
  wrote() {},
  leaseGranted() {},
  leaseEnded() {},
  granted() {},
  grantEnded() {},
  waitEnded() {},
  yieldAsked() {},
  moved() {},
};
