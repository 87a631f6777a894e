/**
 * When something happened, by both clocks of an entry. Shared by all that one entry did: numbers
 * of this size are objects of their own in memory, and there are four of them in a lock's life.
 */
export class Moment {
  /** The cluster's time. */
  readonly ms: number;
  /** The leader's wall clock. */
  readonly wallMs: number;

  constructor(ms: number, wallMs: number) {
    this.ms = ms;
    this.wallMs = wallMs;
  }
}

/** Of what has not happened. */
export const NEVER = new Moment(0, 0);
