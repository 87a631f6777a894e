/**
 * The serving leader's side of keep-alives: all that arrived in a turn, own and other nodes', wait
 * for one heartbeat round begun after they came. Only if that confirms the leadership in the
 * present term is any of them extended and answered; one whose lease's end is proposed waits for
 * its fate. A round that the log never answers holds up no lease's end for long.
 */
import { type Reader, Writer } from "../../base/codec.js";
import type { Bytes } from "../../base/ports.js";
import type { ReplicatedLog } from "../../log/port/index.js";
import type { EndReason } from "../../state/index.js";
import type { ReplicaLimits } from "../limits.js";
import { decodeOrNull, QUESTION, readLeases } from "../proposals/questions.js";
import type { Turn } from "../turn.js";
import type { Heard, LeaseClock } from "./lease-clock.js";
import { type LeaseReply, writeReplies } from "./replies.js";

type Done = (replies: readonly LeaseReply[] | null) => void;

interface Round {
  readonly leases: readonly string[];
  readonly done: Done;
  readonly heard: readonly Heard[];
}

/** What was asked of the log together. */
interface Confirmation {
  readonly rounds: readonly Round[];
  /** In the lease clock's time, which a stall of this node hardly moves. */
  readonly deadlineMs: number;
}

export class LeaseKeeper {
  readonly #log: ReplicatedLog;
  readonly #clock: LeaseClock;
  readonly #limits: ReplicaLimits;
  readonly #turn: Turn;
  readonly #endOf: (lease: string) => EndReason;
  readonly #writer: Writer;
  /** Arrived in this turn. */
  #arrived: Round[] = [];
  /** Asked of the log, in their order; one that is not in here is over. */
  readonly #underWay = new Set<Confirmation>();
  /** Confirmed, but with a lease whose end is under way. */
  #parked: Round[] = [];
  confirmations = 0;
  extended = 0;

  constructor(
    log: ReplicatedLog,
    bytes: Bytes,
    clock: LeaseClock,
    limits: ReplicaLimits,
    turn: Turn,
    endOf: (lease: string) => EndReason,
  ) {
    this.#log = log;
    this.#clock = clock;
    this.#limits = limits;
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
    this.#arrived.push({ leases, done, heard: this.#clock.hear(leases) });
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
    const deadlineMs = this.#clock.nowMs + this.#limits.keepAliveTimeoutMs;
    const confirmation = { rounds, deadlineMs };
    this.#underWay.add(confirmation);
    this.#log.confirmLeadership(term => {
      const now = this.#log.leadership();
      this.#confirmed(confirmation, term !== null && now.serving && now.term === term);
    });
  }

  /** Lets go of what the log has not confirmed in time: its origin has given it up. */
  tick(): void {
    for (const confirmation of this.#underWay) {
      if (confirmation.deadlineMs > this.#clock.nowMs) break;
      this.#confirmed(confirmation, false);
    }
  }

  #confirmed(confirmation: Confirmation, isConfirmed: boolean): void {
    if (!this.#underWay.delete(confirmation)) return;
    for (const round of confirmation.rounds) {
      this.#clock.unhear(round.heard);
      if (!isConfirmed) round.done(null);
    }
    if (isConfirmed) for (const round of confirmation.rounds) this.#answer(round);
  }

  /** Ends may have been decided: what waited for them is looked at again. */
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
    for (const confirmation of this.#underWay) this.#confirmed(confirmation, false);
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
