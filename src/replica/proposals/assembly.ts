/**
 * The leader's log entries in the making: all commands that arrive in one turn, own and forwarded,
 * in the order of arrival, become one entry, or several where one would pass the limits. Forwarded
 * commands are not decoded. Once an append of a turn was refused, nothing more is taken in that
 * turn, so that no command overtakes one before it.
 *
 * Each entry costs every node a write, a sync and several system calls, however many commands it
 * has. So while much is under way, an entry waits for company: it is appended when it has at least
 * half as many commands as are not committed yet, at the latest when those are. A lone command
 * never waits, and under load entries grow with the load instead of in number.
 */
import { assert } from "../../base/assert.js";
import type { LogIndex, Term } from "../../base/ids.js";
import { Ring } from "../../base/ring.js";
import type { AppendRefusal, ReplicatedLog } from "../../log/port/index.js";
import type { EntryBuilder } from "../../state/index.js";
import type { ReplicaLimits } from "../limits.js";

/** Whoever put commands into an entry; told once per entry, in order. */
export interface Contributor {
  /** `count` of its commands, the next in order, are in the log in that term, or were refused. */
  appended(count: number, refusal: AppendRefusal | null): void;
}

/** The stamp of an entry, asked for when it is begun. */
export interface EntryClock {
  clusterTimeMs(): number;
  wallMs(): number;
}

/** An entry that is in the log and not committed yet. */
interface UnderWay {
  readonly index: LogIndex;
  readonly commands: number;
}

/** An entry goes when it has this share of the commands that are under way. */
const SHARE_OF_UNDER_WAY = 1 / 2;

export class Assembly {
  readonly #log: Pick<ReplicatedLog, "append">;
  readonly #builder: EntryBuilder;
  readonly #clock: EntryClock;
  readonly #limits: ReplicaLimits;
  readonly #contributors: Contributor[] = [];
  readonly #counts: number[] = [];
  #term: Term | null = null;
  #commands = 0;
  #refusal: AppendRefusal | null = null;
  /** The turn in which the present entry was begun is over. */
  #held = false;
  readonly #underWay = new Ring<UnderWay>();
  #commandsUnderWay = 0;
  entriesAppended = 0;
  commandsAppended = 0;

  constructor(
    log: Pick<ReplicatedLog, "append">,
    builder: EntryBuilder,
    clock: EntryClock,
    limits: ReplicaLimits,
  ) {
    this.#log = log;
    this.#builder = builder;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Takes one command for an entry of `term`, in which this node must lead and serve. False when it
   * was refused at once; otherwise the contributor hears at the latest at the end of this turn,
   * which the caller sees to.
   */
  add(term: Term, command: Uint8Array, contributor: Contributor): boolean {
    if (this.#term !== term) this.#open(term);
    else if (this.#full(command.length)) this.#reopen(term);
    if (this.#refusal !== null) return false;
    this.#builder.add(command);
    this.#commands++;
    const last = this.#contributors.length - 1;
    if (this.#contributors[last] === contributor) {
      this.#counts[last] = (this.#counts[last] ?? 0) + 1;
    } else {
      this.#contributors.push(contributor);
      this.#counts.push(1);
    }
    return true;
  }

  /** The end of the turn: appends what was gathered, if it need not wait, and takes commands again. */
  flush(): void {
    this.#held = this.#waitsForCompany();
    if (this.#term !== null && !this.#held) this.#append();
    this.#refusal = null;
  }

  /** Entries may have been committed: appends what an earlier turn left waiting for that. */
  flushHeld(): void {
    if (this.#held) this.flush();
  }

  /** The entry of this index is committed: what was held for it goes at the next `flushHeld`. */
  committed(index: LogIndex): void {
    for (let first = this.#underWay.peek(); first !== undefined; first = this.#underWay.peek()) {
      if (first.index > index) return;
      this.#underWay.shift();
      this.#commandsUnderWay -= first.commands;
    }
  }

  /**
   * An entry of this term is about to be applied: one in the making for an earlier term comes too
   * late. Its contributors are told now, before anyone hands the same commands over again.
   */
  entryOf(term: number): void {
    if (this.#term !== null && term > this.#term) this.#append();
  }

  /** What is under way may never be committed: nothing waits for it any more. */
  leadershipChanged(): void {
    this.#underWay.clear();
    this.#commandsUnderWay = 0;
  }

  /**
   * An entry that only carries the time, for what is due by it; none where others are on their way
   * and bring it.
   */
  appendTime(term: Term): void {
    if (this.#term !== null || this.#underWay.length > 0) return;
    this.#open(term);
    if (this.#term !== null) this.#append();
    this.#refusal = null;
  }

  #waitsForCompany(): boolean {
    return this.#commands > 0 && this.#commands < this.#commandsUnderWay * SHARE_OF_UNDER_WAY;
  }

  /** Appends what was gathered so far, in the midst of a turn. */
  appendNow(): void {
    if (this.#term !== null && this.#commands > 0) this.#append();
  }

  #open(term: Term): void {
    if (this.#term !== null) this.#append();
    if (this.#refusal !== null) return;
    this.#term = term;
    this.#builder.begin(this.#clock.clusterTimeMs(), this.#clock.wallMs());
  }

  #reopen(term: Term): void {
    this.#append();
    this.#open(term);
  }

  #full(more: number): boolean {
    if (this.#commands === 0) return false;
    return (
      this.#commands >= this.#limits.maxCommandsPerEntry ||
      this.#builder.length + more > this.#limits.maxEntryBytes
    );
  }

  #append(): void {
    const term = this.#term;
    assert(term !== null, "an entry must have been begun");
    const outcome = this.#log.append(this.#builder.finish(), term);
    const refusal = outcome.ok ? null : outcome.refusal;
    if (outcome.ok) {
      this.entriesAppended++;
      this.commandsAppended += this.#commands;
      this.#underWay.push({ index: outcome.index, commands: this.#commands });
      this.#commandsUnderWay += this.#commands;
    } else {
      this.#refusal = refusal;
    }
    this.#term = null;
    this.#commands = 0;
    this.#tell(refusal);
  }

  #tell(refusal: AppendRefusal | null): void {
    const contributors = this.#contributors.splice(0);
    const counts = this.#counts.splice(0);
    for (let i = 0; i < contributors.length; i++) {
      contributors[i]?.appended(counts[i] ?? 0, refusal);
    }
  }
}
