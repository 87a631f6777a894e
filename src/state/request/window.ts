/**
 * One client's answers, by request number. Changed in place, but only by its owner: a window that
 * a snapshot may be reading is copied before its first change (see `Requests`).
 */
import type { CommandResult } from "../command/result.js";
import { Answers, type KeptAnswer } from "./answers.js";

const WINDOW_BYTES = 200;

export class ClientWindow {
  readonly client: string;
  /** Which generation of snapshots it belongs to. */
  readonly epoch: number;
  /** The session's lease while it lives, else "". */
  lease = "";
  lastUsedMs = 0;
  /** Numbers below it are refused, unless their answer is still here. */
  floor = 0;
  /** How many answers there may be before the lowest settled ones are dropped. */
  overflowAt: number;
  bytes = WINDOW_BYTES;
  readonly answers: Answers;
  /** There may be answers below the floor, left there by an overflow. */
  #strays = true;

  constructor(client: string, epoch: number, overflowAt: number, answers: Answers) {
    this.client = client;
    this.epoch = epoch;
    this.overflowAt = overflowAt;
    this.answers = answers;
  }

  copy(epoch: number): ClientWindow {
    const copy = new ClientWindow(this.client, epoch, this.overflowAt, new Answers(this.answers));
    copy.lease = this.lease;
    copy.lastUsedMs = this.lastUsedMs;
    copy.floor = this.floor;
    copy.bytes = this.bytes;
    return copy;
  }

  /** An answer under a number that has none. */
  keep(answer: KeptAnswer): void {
    this.answers.add(answer);
    this.bytes += answer.bytes;
  }

  /** The client has the answers below `low`. */
  raiseFloor(low: number): void {
    if (low <= this.floor) return;
    if (!this.#strays && low - this.floor <= this.answers.size) {
      for (let number = this.floor; number < low; number++) this.#drop(number);
    } else {
      for (const number of this.answers.numbers()) if (number < low) this.#drop(number);
    }
    this.#strays = false;
    this.floor = low;
  }

  /**
   * There are answers to drop for a window of `capacity`: it is full, or was filled when windows
   * were larger. False after an `overflow` that could drop no more, until more have come.
   */
  isBeyond(capacity: number): boolean {
    const { size } = this.answers;
    if (size > this.overflowAt) return true;
    return size > capacity && this.overflowAt > capacity + 2 * size;
  }

  /**
   * Drops the lowest answers until a quarter of the window is free. Those for which `live` is true
   * stay: they belong to entries that stand in line, however long that lasts.
   */
  overflow(capacity: number, live: (result: CommandResult) => boolean): void {
    const numbers = this.answers.numbers();
    const settled = numbers.filter(number => {
      const result = this.answers.get(number)?.result;
      return result === undefined || result === null || !live(result);
    });
    const drop = Math.max(settled.length - Math.floor((capacity * 3) / 4), 0);
    for (let i = 0; i < drop; i++) {
      const number = settled[i] as number;
      this.#drop(number);
      if (number >= this.floor) this.floor = number + 1;
    }
    this.overflowAt = capacity + 2 * (numbers.length - settled.length);
    this.#strays = true;
  }

  /** Whether one of its answers is `live`: speaks of an entry that stands in line. */
  holdsLive(live: (result: CommandResult) => boolean): boolean {
    return this.answers.numbers().some(number => {
      const result = this.answers.get(number)?.result ?? null;
      return result !== null && live(result);
    });
  }

  #drop(number: number): void {
    const answer = this.answers.delete(number);
    if (answer !== undefined) this.bytes -= answer.bytes;
  }
}
