/**
 * The serving leader's side of keep-alives: all that arrived in a turn, own and other nodes', wait
 * for one heartbeat round begun after they came. Only if that confirms the leadership in the
 * present term is any of them extended and answered; one whose lease's end is proposed waits for
 * its fate.
 */
import { type Reader, Writer } from "../../base/codec.js";
import type { Bytes } from "../../base/ports.js";
import type { ReplicatedLog } from "../../log/port/index.js";
import type { EndReason } from "../../state/index.js";
import { decodeOrNull, QUESTION, readLeases } from "../proposals/questions.js";
import type { Turn } from "../turn.js";
import type { LeaseClock } from "./lease-clock.js";
import { type LeaseReply, writeReplies } from "./replies.js";

type Done = (replies: readonly LeaseReply[] | null) => void;

interface Round {
  readonly leases: readonly string[];
  readonly done: Done;
}

export class LeaseKeeper {
  readonly #log: ReplicatedLog;
  readonly #clock: LeaseClock;
  readonly #turn: Turn;
  readonly #endOf: (lease: string) => EndReason;
  readonly #writer: Writer;
  /** Arrived in this turn. */
  #arrived: Round[] = [];
  /** Confirmed, but with a lease whose end is under way. */
  #parked: Round[] = [];
  confirmations = 0;
  extended = 0;

  constructor(
    log: ReplicatedLog,
    bytes: Bytes,
    clock: LeaseClock,
    turn: Turn,
    endOf: (lease: string) => EndReason,
  ) {
    this.#log = log;
    this.#clock = clock;
    this.#turn = turn;
    this.#endOf = endOf;
    this.#writer = new Writer(bytes, 1024);
  }

  /** Another node's question of kind `keepAlive` or `remaining`, the kind read already. */
  asked(kind: number, from: Reader, answer: (bytes: Uint8Array) => void): void {
    const leases = decodeOrNull(() => readLeases(from));
    if (leases === null) return;
    const done: Done = replies => answer(writeReplies(this.#writer, replies));
    if (kind === QUESTION.keepAlive) this.keepAlive(leases, done);
    else this.remaining(leases, done);
  }

  keepAlive(leases: readonly string[], done: Done): void {
    if (!this.#log.leadership().serving) {
      done(null);
      return;
    }
    for (const lease of leases) this.#clock.hear(lease);
    this.#arrived.push({ leases, done });
    this.#turn.wake();
  }

  remaining(leases: readonly string[], done: Done): void {
    if (!this.#log.leadership().serving) {
      done(null);
      return;
    }
    done(leases.map(lease => this.#clock.remainingMs(lease) ?? this.#endOf(lease)));
  }

  /** At the end of a turn: one confirmation for all that arrived in it. */
  flush(): void {
    if (this.#arrived.length === 0) return;
    const rounds = this.#arrived;
    this.#arrived = [];
    this.confirmations++;
    this.#log.confirmLeadership(term => {
      for (const round of rounds) for (const lease of round.leases) this.#clock.unhear(lease);
      const now = this.#log.leadership();
      const confirmed = term !== null && now.serving && now.term === term;
      for (const round of rounds) {
        if (confirmed) this.#answer(round);
        else round.done(null);
      }
    });
  }

  /** Entries were applied: what waited for them is looked at again. */
  applied(): void {
    if (this.#parked.length === 0) return;
    const parked = this.#parked;
    this.#parked = [];
    // Confirmed before, yet extended only now: the leadership must be confirmed anew.
    for (const round of parked) {
      if (this.#waits(round)) this.#parked.push(round);
      else this.keepAlive(round.leases, round.done);
    }
  }

  /** Leadership is lost: nobody here knows what becomes of the leases. */
  end(): void {
    const rounds = this.#parked.concat(this.#arrived);
    this.#parked = [];
    this.#arrived = [];
    for (const round of rounds) round.done(null);
  }

  #waits(round: Round): boolean {
    return round.leases.some(lease => this.#clock.isExpiring(lease));
  }

  #answer(round: Round): void {
    if (this.#waits(round)) {
      this.#parked.push(round);
      // The others of the round are confirmed: they need not share the fate that is waited for.
      for (const lease of round.leases) this.#clock.extend(lease);
      return;
    }
    this.extended += round.leases.length;
    round.done(round.leases.map(lease => this.#clock.extend(lease) ?? this.#endOf(lease)));
  }
}
