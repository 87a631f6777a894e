/** Runs of a job: each claimed by one at a time, and over for ever once it is over. */
import { checkOptions, checkText, invalid } from "./arguments.js";
import type { Engine } from "./engine.js";
import { HoldfastError } from "./errors.js";
import { HeldClaim } from "./held.js";
import type { SessionOf } from "./session.js";
import { Standing } from "./standing.js";
import type { CallOptions, Claim, Schedule, ScheduleOptions } from "./surface.js";

/** Somebody else's, over, or too late: no run for who asks. */
const NOT_OURS = ["SLOT_TAKEN", "SLOT_CLOSED", "SLOT_LATE"];

const SCHEDULE_OPTIONS = new Set(["onAbandon", "lateMs"]);

export class ScheduleOf implements Schedule {
  readonly job: string;
  readonly #standing: Standing<HeldClaim>;
  readonly #options: ScheduleOptions;

  constructor(engine: Engine, session: SessionOf, job: string, options: ScheduleOptions) {
    checkText("job", job);
    checkOptions(options, SCHEDULE_OPTIONS);
    this.job = job;
    this.#options = options;
    this.#standing = new Standing(engine, session, "slot.claim", HeldClaim);
  }

  async claim(slot: Date | number, options?: CallOptions): Promise<Claim | null> {
    const at = timeOf(slot);
    if (typeof at !== "number" || !Number.isSafeInteger(at) || at < 0)
      throw invalid("slot", "a Date, or an integer of milliseconds since 1970");
    const { onAbandon, lateMs } = this.#options;
    const params = {
      job: this.job,
      slot: at,
      ...(onAbandon === undefined ? {} : { onAbandon }),
      ...(lateMs === undefined ? {} : { lateMs }),
    };
    try {
      return await this.#standing.stand(params, { ...options, waitMs: 0 });
    } catch (error) {
      if (error instanceof HoldfastError && NOT_OURS.includes(error.code)) return null;
      throw error;
    }
  }
}

/** Not by the class: a Date may be of another realm. */
function timeOf(slot: unknown): unknown {
  if (typeof slot !== "object" || slot === null || !("getTime" in slot)) return slot;
  return typeof slot.getTime === "function" ? slot.getTime() : slot;
}
