/** Runs of jobs against their dumb twin, and against themselves after a restore. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CommandResult } from "../../src/state/index.js";
import { Driver, restored } from "./driver.js";
import { SlotsTwin, type TwinClaim } from "./slots-twin.js";

const ROUNDS = { numRuns: Number(process.env.STATE_RUNS ?? 250) };
const PER_JOB = 3;
const WALL_MS = 1_700_000_000_000;
const STEP_MS = 1_000;
const SLOTS = 8;
const TTL_MS = 60_000;

type Act =
  | {
      readonly act: "claim";
      readonly job: string;
      readonly nth: number;
      readonly lease: number;
      readonly isPrivate: boolean;
      readonly onAbandon: "reclaim" | "close";
      readonly lateMs: number | undefined;
    }
  | { readonly act: "finish"; readonly nth: number; readonly outcome: "done" | "failed" }
  | { readonly act: "end"; readonly how: "release" | "break"; readonly nth: number }
  | { readonly act: "endLease"; readonly how: "expired" | "revoked"; readonly lease: number }
  | { readonly act: "pass"; readonly ms: number };

const nth = fc.nat(40);
const lease = fc.nat(2);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      act: fc.constant("claim" as const),
      job: fc.constantFrom("j", "j/k"),
      nth: fc.nat(SLOTS - 1),
      lease,
      isPrivate: fc.boolean(),
      onAbandon: fc.constantFrom("reclaim" as const, "close" as const),
      lateMs: fc.constantFrom(undefined, undefined, 0, STEP_MS, 3 * STEP_MS),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("finish" as const),
      nth,
      outcome: fc.constantFrom("done" as const, "failed" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant("end" as const),
      how: fc.constantFrom("release" as const, "break" as const),
      nth,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant("endLease" as const),
      how: fc.constantFrom("expired" as const, "revoked" as const),
      lease,
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("pass" as const), ms: fc.nat(2_000) }) },
);

const said = (result: CommandResult): string => {
  if (result.kind !== "refused") return result.kind;
  if (result.code !== "SLOT_CLOSED") return result.code;
  return `SLOT_CLOSED ${String(result.details.outcome ?? "floor")}`;
};

class Both {
  readonly driver = new Driver({ slotsPerJob: PER_JOB });
  readonly twin = new SlotsTwin(PER_JOB, WALL_MS);
  /** Every claim that ever was granted. */
  readonly #granted: TwinClaim[] = [];
  readonly #leases: string[] = [];
  #drawn = 0x100;

  constructor() {
    for (const at of [0, 1, 2]) this.#leases[at] = this.#lease();
  }

  #id(): string {
    return (this.#drawn++).toString(16);
  }

  #lease(): string {
    const id = this.#id();
    this.driver.do({ kind: "lease.grant", lease: id, ttlMs: TTL_MS });
    return id;
  }

  #nth(nth: number): TwinClaim | undefined {
    return this.#granted[nth % Math.max(1, this.#granted.length)];
  }

  do(one: Act): void {
    const { driver, twin } = this;
    switch (one.act) {
      case "claim":
        this.#claim(one);
        return;
      case "finish": {
        const claim = this.#nth(one.nth);
        if (claim === undefined) return;
        const { key } = claim;
        const result = driver.do({ kind: "slot.finish", grant: { key }, outcome: one.outcome });
        expect(said(result)).toBe(twin.finish(claim, one.outcome));
        return;
      }
      case "end": {
        const claim = this.#nth(one.nth);
        if (claim === undefined) return;
        const { key } = claim;
        const kind = one.how === "release" ? "lock.release" : "lock.break";
        const result = driver.do({ kind, grant: { key } }) as { released?: true; broken?: true };
        expect(result.released === true || result.broken === true).toBe(twin.abandon(claim));
        return;
      }
      case "endLease": {
        const id = this.#leases[one.lease] ?? "";
        const asOfIndex = driver.machine.appliedIndex;
        if (one.how === "revoked") driver.do({ kind: "lease.revoke", lease: id });
        else driver.do({ kind: "lease.expire", leases: [id], asOfIndex });
        twin.endLease(id);
        this.#leases[one.lease] = this.#lease();
        return;
      }
      case "pass":
        driver.nowMs += one.ms;
        twin.wallMs += one.ms;
        // Time is what entries say it is.
        this.#lease();
    }
  }

  #claim(one: Extract<Act, { act: "claim" }>): void {
    const { job, onAbandon, lateMs } = one;
    const slot = WALL_MS + one.nth * STEP_MS - 4 * STEP_MS;
    const own = this.#leases[one.lease] ?? "";
    const id = one.isPrivate ? this.#id() : own;
    const result = this.driver.do({
      kind: "slot.claim",
      job,
      slot,
      lease: one.isPrivate ? { id, ttlMs: TTL_MS } : id,
      onAbandon,
      ...(lateMs === undefined ? {} : { lateMs }),
    });
    expect(said(result)).toBe(this.twin.verdict(job, slot, lateMs));
    if (result.kind !== "granted") return;
    const { key, token } = result.grant;
    // A later claim of the same run has a greater token.
    for (const before of this.#granted)
      if (before.job === job && before.slot === slot) expect(key > before.key).toBe(true);
    expect(token).toBe(this.driver.machine.revision);
    const claim = { key, job, slot, lease: id, onAbandon };
    this.#granted.push(claim);
    this.twin.claimed(claim);
  }

  /** Those who hold are those who should. */
  compare(): void {
    const { machine } = this.driver;
    const held = this.#granted.filter(({ key }) => machine.check({ key }).held);
    expect(held.map(({ key }) => key)).toEqual(this.twin.claims.map(({ key }) => key));
  }

  /** What is over stays over: asked of all of them, at the end. */
  ask(): void {
    for (const job of ["j", "j/k"])
      for (let at = 0; at < SLOTS; at++)
        this.do({
          act: "claim",
          job,
          nth: at,
          lease: 0,
          isPrivate: false,
          onAbandon: "close",
          lateMs: undefined,
        });
  }
}

test("runs of jobs do what their dumb twin does, and go on alike after a restore", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60, size: "max" }), acts => {
      const both = new Both();
      for (const one of acts) {
        both.do(one);
        both.compare();
        if (one.act !== "pass") continue;
        const again = restored(both.driver.machine, 4_096);
        expect(again.hash()).toBe(both.driver.machine.hash());
        both.driver.machine = again;
      }
      both.ask();
    }),
    ROUNDS,
  );
});
