/** Runs of jobs as a plain list: what a claim, an outcome and an end make of them. */

export interface TwinClaim {
  readonly key: string;
  readonly job: string;
  readonly slot: number;
  readonly lease: string;
  readonly onAbandon: "reclaim" | "close";
}

interface Over {
  readonly slot: number;
  readonly outcome: "done" | "failed" | "abandoned";
  readonly key: string;
}

export class SlotsTwin {
  /** Held now. */
  claims: TwinClaim[] = [];
  readonly #over = new Map<string, Over[]>();
  readonly #floors = new Map<string, number>();

  constructor(
    readonly perJob: number,
    public wallMs: number,
  ) {}

  /** What a claim of this run is answered, save for its key. */
  verdict(job: string, slot: number, lateMs: number | undefined): string {
    if (slot < (this.#floors.get(job) ?? 0)) return "SLOT_CLOSED floor";
    const over = this.#of(job).find(one => one.slot === slot);
    if (over !== undefined) return `SLOT_CLOSED ${over.outcome}`;
    if (this.claims.some(one => one.job === job && one.slot === slot)) return "SLOT_TAKEN";
    if (lateMs !== undefined && this.wallMs - slot > lateMs) return "SLOT_LATE";
    return "granted";
  }

  claimed(claim: TwinClaim): void {
    this.claims.push(claim);
  }

  /** What an outcome for this claim is answered. */
  finish(claim: TwinClaim, outcome: "done" | "failed"): string {
    if (this.#take(claim)) {
      this.#close(claim, outcome);
      return "slotFinished";
    }
    const over = this.#of(claim.job).find(one => one.key === claim.key);
    return over === undefined ? "NOT_HELD" : `SLOT_CLOSED ${over.outcome}`;
  }

  /** It ended without an outcome. */
  abandon(claim: TwinClaim): boolean {
    if (!this.#take(claim)) return false;
    if (claim.onAbandon === "close") this.#close(claim, "abandoned");
    return true;
  }

  endLease(lease: string): void {
    // In order of their keys, as the state ends them.
    const gone = this.claims.filter(one => one.lease === lease);
    for (const one of gone.toSorted((a, b) => (a.key < b.key ? -1 : 1))) this.abandon(one);
  }

  #take(claim: TwinClaim): boolean {
    const before = this.claims.length;
    this.claims = this.claims.filter(one => one.key !== claim.key);
    return this.claims.length < before;
  }

  #close({ job, slot, key }: TwinClaim, outcome: Over["outcome"]): void {
    if (slot < (this.#floors.get(job) ?? 0)) return;
    const over = [...this.#of(job), { slot, outcome, key }].sort((a, b) => a.slot - b.slot);
    while (over.length > this.perJob) {
      const oldest = over.shift();
      if (oldest !== undefined) this.#floors.set(job, oldest.slot + 1);
    }
    this.#over.set(job, over);
  }

  #of(job: string): readonly Over[] {
    return this.#over.get(job) ?? [];
  }
}
