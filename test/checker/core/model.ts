/**
 * What a model is: the object that clients seemed to talk to, one operation at a time. Pure; the
 * search knows nothing else of it. `step` alone decides verdicts: the other hooks only spare the
 * search what cannot lead anywhere, and the tests hold them to that.
 */
import type { Entry } from "./entries.js";
import type { Kind, Move } from "./operation.js";

export interface Model<State = unknown> {
  readonly name: string;
  readonly kinds: readonly Kind[];
  readonly initial: State;
  /**
   * The state after a move, or null where it cannot have been answered so in this state. The same
   * object where nothing changes. It took place at `latestMs` or before; an outcome that only time
   * makes possible is possible if it is by then. An unknown answer means the effect it has if any.
   */
  step(state: State, move: Move, latestMs: number): State | null;
  /** Equal texts, equal states. */
  identify(state: State): string;
  /** For people. */
  describe(state: State): string;
  /** It never changes a state, at most what is known of it. */
  reads(move: Move): boolean;
  /** Whatever can follow `less` can follow `more`. Equal states need not be told. */
  allowsMore(more: State, less: State): boolean;
  /** States of different kin never allow more than one another. */
  kin(state: State): string;
  /** In every legal order ranks never fall; null has no rank. */
  rank(move: Move): number | null;
  /** What can be seen of the object, where that ties moves to each other. */
  readonly sight?: Sight<State>;
  /** Entries with what can be concluded from all of them: the same history, better told. */
  prepare(entries: readonly Entry[]): readonly Entry[];
}

/** With unknown answers these tell of the effect, if there is one. */
export interface Sight<State = unknown> {
  /** What is seen; null: it cannot be told. */
  of(state: State): string | null;
  /** What must be seen for the move to be possible; null: this does not decide. */
  needs(move: Move): string | null;
  /** What is seen after the move; null: as before, or it cannot be told. */
  gives(move: Move): string | null;
}
