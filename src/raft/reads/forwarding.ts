/**
 * A follower's reads on their way to the leader: one batch is out at a time, later reads gather
 * for the next. A batch is asked again at every heartbeat interval (asking twice does no harm) and
 * given up after an election timeout.
 */
export class Forwarding {
  private waiting: number[] = [];
  private out: readonly number[] = NO_CONTEXTS;
  private ticksOut = 0;

  /** `batch` is drawn at random, so that an answer meant for an earlier life of this node fits none. */
  constructor(private batch: number) {}

  add(context: number): void {
    this.waiting.push(context);
  }

  /** The number of the batch to be sent now, or null. */
  next(): number | null {
    if (this.out.length > 0 || this.waiting.length === 0) return null;
    this.out = this.waiting;
    this.waiting = [];
    this.batch += 1;
    this.ticksOut = 0;
    return this.batch;
  }

  get hasNext(): boolean {
    return this.out.length === 0 && this.waiting.length > 0;
  }

  /** The contexts of the batch that was answered; none if the answer is to an older one. */
  answered(batch: number): readonly number[] {
    if (batch !== this.batch) return NO_CONTEXTS;
    const contexts = this.out;
    this.out = NO_CONTEXTS;
    return contexts;
  }

  /** Counts a tick; the batch to be asked again now, or null. */
  tick(heartbeatTicks: number): number | null {
    if (this.out.length === 0) return null;
    this.ticksOut += 1;
    return this.ticksOut % heartbeatTicks === 0 ? this.batch : null;
  }

  isOverdue(limitTicks: number): boolean {
    return this.out.length > 0 && this.ticksOut >= limitTicks;
  }

  /** Everything unanswered, oldest first. */
  abandon(): readonly number[] {
    if (this.out.length === 0 && this.waiting.length === 0) return NO_CONTEXTS;
    const lost = [...this.out, ...this.waiting];
    this.out = NO_CONTEXTS;
    this.waiting = [];
    return lost;
  }
}

const NO_CONTEXTS: readonly number[] = [];
