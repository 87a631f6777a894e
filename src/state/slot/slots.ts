/**
 * Runs of jobs that are over, and how they ended: a window of so many for each job, and a floor
 * below which every run is over. A run that is claimed now is an entry of a line (`lock/`), not
 * here.
 */
import { KeyMap } from "../kv/key-map.js";
import { twentyDigits } from "../kv/sequence.js";

export type SlotOutcome = "done" | "failed" | "abandoned";

/** How a claim ends, as its holder says. */
export interface ClaimOutcome {
  readonly outcome: "done" | "failed";
  readonly note: string;
}

/** One run that is over. Immutable. */
export interface ClosedSlot {
  readonly job: string;
  readonly slot: number;
  readonly outcome: SlotOutcome;
  readonly note: string;
  /** The token of the claim that it was. */
  readonly token: number;
  readonly owner: string;
  /** The leader's wall clock. */
  readonly endedWallMs: number;
}

/** What is known of a job. Immutable. */
export interface SlotJob {
  readonly name: string;
  /** Runs below it are over, all of them. */
  readonly floor: number;
  /** Runs that are remembered. */
  readonly closed: number;
}

const JOB_BYTES = 160;
const SLOT_BYTES = 240;

export class Slots {
  readonly jobs = new KeyMap<SlotJob>();
  /** By job and slot, in this order. */
  readonly closed = new KeyMap<ClosedSlot>();
  bytes = 0;

  /** The line in which claims of this run stand. */
  static lineOf(job: string, slot: number): string {
    return `${job}/${twentyDigits(slot)}`;
  }

  job(name: string): SlotJob | undefined {
    return this.jobs.get(name);
  }

  find(job: string, slot: number): ClosedSlot | undefined {
    return this.closed.get(keyOf(job, slot));
  }

  /** What remembering one more run of this job may cost. */
  growth(job: string, noteBytes: number): number {
    const own = SLOT_BYTES + 2 * job.length + noteBytes;
    return this.jobs.get(job) === undefined ? own + JOB_BYTES + job.length : own;
  }

  /** Remembers a run that is over, and forgets the oldest of the job's when they are too many. */
  close(ended: ClosedSlot, most: number): void {
    const { job, slot } = ended;
    const known = this.jobs.get(job);
    if (known !== undefined && slot < known.floor) return;
    this.add(ended);
    let floor = known?.floor ?? 0;
    let closed = (known?.closed ?? 0) + 1;
    while (closed > most) {
      const oldest = this.#oldest(job);
      if (oldest === undefined) break;
      this.closed.delete(keyOf(job, oldest.slot));
      this.bytes -= slotBytes(oldest);
      floor = oldest.slot + 1;
      closed--;
    }
    this.setJob({ name: job, floor, closed });
  }

  /** For a loader too. */
  add(ended: ClosedSlot): void {
    this.closed.set(keyOf(ended.job, ended.slot), ended);
    this.bytes += slotBytes(ended);
  }

  setJob(job: SlotJob): void {
    if (!this.jobs.has(job.name)) this.bytes += JOB_BYTES + job.name.length;
    this.jobs.set(job.name, job);
  }

  #oldest(job: string): ClosedSlot | undefined {
    let found: ClosedSlot | undefined;
    this.closed.scan(keyOf(job, 0), null, (_key, slot) => {
      found = slot;
      return false;
    });
    return found?.job === job ? found : undefined;
  }
}

function slotBytes({ job, note, owner }: ClosedSlot): number {
  return SLOT_BYTES + 2 * job.length + note.length + owner.length;
}

/** All of a job's stand together, whatever bytes are in names: each says how long its own is. */
function keyOf(job: string, slot: number): string {
  return `${twentyDigits(job.length)}${job}${twentyDigits(slot)}`;
}
