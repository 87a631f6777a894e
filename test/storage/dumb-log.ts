/**
 * The dumb twin of storage: a list of what was asked for, in order. It knows which answers came,
 * and says which states a recovery may show: a prefix of the requests with all answered ones.
 */
import type { HardState, SnapshotMetadata } from "../../src/raft/message/entry.js";
import type { Recovered } from "../../src/storage/contract.js";

export interface LogState {
  readonly term: number;
  readonly votedFor: number | null;
  readonly baseIndex: number;
  readonly baseTerm: number;
  /** Terms and lengths of the entries after the base. */
  readonly entries: readonly { readonly term: number; readonly length: number }[];
  readonly peers: Readonly<Record<string, string>>;
}

export const EMPTY: LogState = {
  term: 0,
  votedFor: null,
  baseIndex: 0,
  baseTerm: 0,
  entries: [],
  peers: {},
};

export const lastIndexOf = (state: LogState): number => state.baseIndex + state.entries.length;

export function termAt(state: LogState, index: number): number | null {
  if (index === state.baseIndex) return state.baseTerm;
  return state.entries[index - state.baseIndex - 1]?.term ?? null;
}

export const lastTermOf = (state: LogState): number => termAt(state, lastIndexOf(state)) as number;

export function withHardState(state: LogState, hard: HardState): LogState {
  return { ...state, term: hard.term, votedFor: hard.votedFor };
}

/** Entries from `from` on replaced by `added`. */
export function withTail(
  state: LogState,
  from: number,
  added: readonly { term: number; length: number }[],
): LogState {
  const kept = state.entries.slice(0, from - state.baseIndex - 1);
  return { ...state, entries: [...kept, ...added] };
}

/** What is left of a log under a snapshot. */
export function under(state: LogState, snapshot: { index: number; term: number } | null): LogState {
  if (snapshot === null) return state;
  const { index, term } = snapshot;
  const entries = termAt(state, index) === term ? state.entries.slice(index - state.baseIndex) : [];
  return { ...state, baseIndex: index, baseTerm: term, entries };
}

export function shown(recovered: Recovered, snapshot: SnapshotMetadata | null): LogState {
  return {
    term: recovered.hardState.term,
    votedFor: recovered.hardState.votedFor,
    baseIndex: snapshot?.index ?? 0,
    baseTerm: snapshot?.term ?? 0,
    entries: recovered.entries.map(({ payload, term }) => ({ term, length: payload.length })),
    peers: Object.fromEntries(recovered.peers),
  };
}

export class DumbLog {
  /** `states[0]` is durable for sure; each later one adds one request. */
  #states: LogState[] = [EMPTY];
  #snapshots: { index: number; term: number; isAnswered: boolean }[] = [];

  get state(): LogState {
    return this.#states[this.#states.length - 1] as LogState;
  }

  get newestAnswered(): number {
    return Math.max(0, ...this.#snapshots.filter(s => s.isAnswered).map(s => s.index));
  }

  get newestBegun(): number {
    return Math.max(0, ...this.#snapshots.map(s => s.index));
  }

  ask(next: LogState): void {
    this.#states.push(next);
  }

  /** The oldest request that was not answered yet now is. */
  answer(): void {
    if (this.#states.length < 2) throw new Error("an answer without a request");
    this.#states.shift();
  }

  askSnapshot(index: number, term: number): () => void {
    const snapshot = { index, term, isAnswered: false };
    this.#snapshots.push(snapshot);
    return () => {
      snapshot.isAnswered = true;
    };
  }

  /** Checks what a recovery shows and goes on from it. Returns what is wrong with it, or null. */
  recover(recovered: Recovered): string | null {
    const { snapshot } = recovered;
    const found = shown(recovered, snapshot);
    const known = this.#snapshots.some(
      each => each.index === found.baseIndex && each.term === found.baseTerm,
    );
    if (snapshot !== null && !known) return `a snapshot at ${snapshot.index} that nobody wrote`;
    if (found.baseIndex < this.newestAnswered) {
      return `snapshot ${found.baseIndex}, but ${this.newestAnswered} was answered`;
    }
    const text = JSON.stringify(found);
    const allowed = this.#states.map(state => JSON.stringify(under(state, snapshot)));
    if (!allowed.includes(text)) return `${text} is none of\n${allowed.join("\n")}`;
    this.#states = [found];
    this.#snapshots = this.#snapshots.filter(each => each.index === found.baseIndex);
    for (const each of this.#snapshots) each.isAnswered = true;
    return null;
  }
}
