/** Lines of all kinds against their dumb twin, and against themselves after a restore. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { nodeBytes } from "../../src/server/ports/bytes.js";
import { type Command, type CommandResult, Machine, STATE_LIMITS } from "../../src/state/index.js";
import { World } from "../../src/state/world.js";
import { Driver, restored } from "./driver.js";
import { LinesTwin, type TwinEntry } from "./lines-twin.js";

const ROUNDS = { numRuns: Number(process.env.STATE_RUNS ?? 250) };
const NAMES = ["a", "b", "c", "d"];
const POOL = "pool";
const LEASES = ["a1", "b1", "c1", "d1"];

type Act =
  | { readonly act: "acquire"; readonly command: Extract<Command, { kind: "lock.acquire" }> }
  | { readonly act: "end"; readonly how: "release" | "cancel" | "break"; readonly nth: number }
  | { readonly act: "handOver"; readonly nth: number; readonly to: number }
  | { readonly act: "endLease"; readonly how: "expired" | "revoked"; readonly lease: string }
  | { readonly act: "grantLease"; readonly lease: string }
  | { readonly act: "configure"; readonly command: Extract<Command, { kind: "lock.configure" }> }
  | { readonly act: "pass"; readonly ms: number };

const name = fc.constantFrom(...NAMES);
const lease = fc.constantFrom(...LEASES);
const actor = fc.constantFrom("", "t", "t", "t", "u");
const wait = fc.constantFrom(true, true, true, true, false);
const one = (fields: object) =>
  fc.record({ name, lease, actor, wait }).map(a => ({ ...a, ...fields }));
const asking = (fields: object): Act => {
  const command = { kind: "lock.acquire", ...fields } as Extract<
    Act,
    { act: "acquire" }
  >["command"];
  return { act: "acquire", command };
};
const acquire = fc
  .oneof(
    { weight: 4, arbitrary: one({}) },
    { weight: 3, arbitrary: one({ mode: "shared" }) },
    { weight: 2, arbitrary: one({ mode: "permit", permits: 2 }) },
    { weight: 1, arbitrary: one({ mode: "permit", permits: 3 }) },
    {
      weight: 2,
      arbitrary: fc
        .record({
          names: fc.uniqueArray(name, { minLength: 2, maxLength: 3 }),
          lease,
          actor,
          wait,
        })
        .map(a => ({ ...a, name: a.names[0] ?? "" })),
    },
  )
  .map(asking);
/** Threads that name themselves, each line of one kind: most of these requests have a place. */
const thread = fc
  .oneof(
    { weight: 5, arbitrary: fc.record({ name, lease }) },
    { weight: 2, arbitrary: fc.record({ name, lease, mode: fc.constant("shared") }) },
    {
      weight: 3,
      arbitrary: lease.map(of => ({ name: POOL, lease: of, mode: "permit", permits: 2 })),
    },
    {
      weight: 1,
      arbitrary: fc
        .record({ names: fc.uniqueArray(name, { minLength: 2, maxLength: 2 }), lease })
        .map(a => ({ ...a, name: a.names[0] ?? "" })),
    },
  )
  .map(fields => asking({ actor: "t", wait: true, ...fields }));
const nth = fc.nat(30);
const acts = (acquire: fc.Arbitrary<Act>): fc.Arbitrary<Act[]> =>
  fc.array(fc.oneof({ weight: 12, arbitrary: acquire }, ...others), { maxLength: 60, size: "max" });
const others: { weight: number; arbitrary: fc.Arbitrary<Act> }[] = [
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constant("end" as const),
      how: fc.constantFrom("release" as const, "cancel" as const, "break" as const),
      nth,
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("handOver" as const), nth, to: nth }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant("endLease" as const),
      how: fc.constantFrom("expired" as const, "revoked" as const),
      lease,
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("grantLease" as const), lease }) },
  {
    weight: 1,
    arbitrary: fc
      .record({
        name: fc.constantFrom(...NAMES, POOL),
        field: fc.constantFrom("permits", "lockDelayMs", "maxHoldMs"),
        value: fc.constantFrom(0, 1, 2, 3),
      })
      .map(({ name: of, field, value }): Act => {
        const set = { [field]: field === "permits" ? value : 1_000 * value };
        return { act: "configure", command: { kind: "lock.configure", name: of, ...set } };
      }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("pass" as const), ms: fc.nat(3_000) }) },
];

const limit = fc.constantFrom(3, 5, 8, 10_000, 10_000);

class Both {
  readonly driver: Driver;
  /** It is told the same, and never restored. */
  readonly steady: Driver;
  /** What the steady one holds. */
  readonly world: World;
  readonly twin: LinesTwin;
  circles = 0;
  full = 0;

  constructor(maxEntangledEntries: number) {
    const limits = { ...STATE_LIMITS, minTtlMs: 1, maxEntangledEntries };
    this.driver = new Driver(limits);
    this.steady = new Driver(limits);
    this.world = new World(nodeBytes, limits);
    this.steady.machine = new Machine(nodeBytes, limits, this.world);
    this.twin = new LinesTwin(maxEntangledEntries);
    for (const lease of LEASES) this.#grant(lease);
  }

  #grant(lease: string): void {
    const isNew = this.twin.grantLease(lease);
    const result = this.#say({ kind: "lease.grant", lease, ttlMs: 1_000 });
    expect(result.kind).toBe(isNew ? "leaseGranted" : "refused");
  }

  #say(command: Command): CommandResult {
    const result = this.driver.do(command);
    expect(this.steady.do(command)).toEqual(result);
    return result;
  }

  #entry(nth: number): TwinEntry | undefined {
    return this.twin.entries[nth % Math.max(1, this.twin.entries.length)];
  }

  do(act: Act): void {
    const { twin, driver } = this;
    switch (act.act) {
      case "acquire": {
        const result = this.#say(act.command);
        const said = result.kind === "refused" ? result.code : result.kind;
        const wanted = twin.acquire(act.command);
        if (said === "DEADLOCK") this.circles++;
        if (said === "STATE_FULL") this.full++;
        // Whose threads wait for ever already, may or may not be in a circle with this one.
        if (wanted !== "waiting or DEADLOCK") expect(said).toBe(wanted);
        else if (said === "DEADLOCK") throw new Skip();
        return;
      }
      case "end": {
        const entry = this.#entry(act.nth);
        if (entry === undefined) return;
        const { key } = entry;
        const isShut = entry.shutUntilMs > 0;
        const grant = { key };
        if (act.how === "break") {
          const result = this.#say({ kind: "lock.break", grant });
          expect(result.kind).toBe(entry.granted ? "broken" : "refused");
          if (entry.granted) twin.end(key);
        } else if (act.how === "release") {
          const result = this.#say({ kind: "lock.release", grant });
          const isDone = result.kind === "released" && result.released;
          expect(isDone).toBe(entry.granted && !isShut);
          if (isDone) twin.end(key);
        } else {
          const result = this.#say({ kind: "lock.cancel", key });
          expect(result.kind).toBe(isShut ? "entryEnded" : entry.granted ? "granted" : "cancelled");
          if (!entry.granted) twin.end(key);
        }
        return;
      }
      case "handOver": {
        const holder = this.#entry(act.nth);
        const to = this.#entry(act.to);
        if (holder === undefined || to === undefined) return;
        const result = this.#say({ kind: "lock.handOver", grant: { key: holder.key }, to: to.key });
        const isDone = result.kind === "released" && result.released;
        expect(isDone).toBe(twin.handOver(holder.key, to.key));
        return;
      }
      case "endLease":
        if (act.how === "revoked") this.#say({ kind: "lease.revoke", lease: act.lease });
        else {
          const asOfIndex = Number.MAX_SAFE_INTEGER;
          this.#say({ kind: "lease.expire", leases: [act.lease], asOfIndex });
        }
        twin.endLease(act.lease, act.how);
        return;
      case "grantLease":
        this.#grant(act.lease);
        return;
      case "configure":
        {
          const result = this.#say(act.command);
          const said = result.kind === "refused" ? result.code : result.kind;
          expect(said).toBe(twin.configure(act.command));
        }
        return;
      case "pass":
        for (const one of [driver, this.steady]) {
          one.nowMs += act.ms;
          one.apply();
        }
        twin.passTo(driver.nowMs);
    }
  }

  compare(): void {
    const { machine } = this.driver;
    expect(machine.revision).toBe(this.twin.revision);
    for (const of of [...NAMES, POOL]) {
      const line = this.twin.line(of);
      const seen = machine.inspect(of, 100);
      expect([...seen.holders, ...seen.waiters].map(e => e.key)).toEqual(line.map(e => e.key));
      const holders = line.filter(e => e.granted);
      expect(seen.holders.map(e => [e.key, e.token])).toEqual(holders.map(e => [e.key, e.token]));
      expect(seen.holderCount).toBe(holders.length);
      const knots = this.world.lines.get(of)?.knots(0, 100) ?? [];
      const tied = line.filter(e => this.twin.isEntangled(e));
      expect(knots.map(e => e.key)).toEqual(tied.map(e => e.key));
    }
    expect(this.world.actors.entangled).toBe(this.twin.entangled());
  }
}

/** The rest of this run tells nothing. */
class Skip extends Error {}

function likeTheTwin(asked: Parameters<typeof acts>[0]): void {
  let circles = 0;
  let full = 0;
  fc.assert(
    fc.property(acts(asked), limit, (all, limit) => {
      const both = new Both(limit);
      try {
        for (const one of all) {
          both.do(one);
          both.compare();
          if (one.act !== "pass") continue;
          const again = restored(both.driver.machine, 4_096);
          expect(again.hash()).toBe(both.driver.machine.hash());
          both.driver.machine = again;
        }
      } catch (error) {
        if (!(error instanceof Skip)) throw error;
      }
      circles += both.circles;
      full += both.full;
    }),
    ROUNDS,
  );
  expect(circles).toBeGreaterThan(0);
  expect(full).toBeGreaterThan(0);
}

test("lines of all kinds do what their dumb twin does, and go on alike after a restore", () => {
  likeTheTwin(acquire);
});

test("threads that now hold all they asked for and now wait are told of circles and bounds", () => {
  likeTheTwin(thread);
});
