/** The machine against its dumb twin, and against itself after a restore. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Command, CommandResult } from "../../src/state/index.js";
import { command } from "./arbitrary.js";
import { Driver, type Event, restored } from "./driver.js";
import { Model, type Said } from "./model.js";

const ROUNDS = { numRuns: Number(process.env.STATE_RUNS ?? 250) };

/** What the twin can say of a real answer. */
function reduced(result: CommandResult): Said {
  switch (result.kind) {
    case "refused":
      if (result.code === "NO_SUCH_GRANT") return { kind: "gone" };
      return { kind: "refused", code: result.code };
    case "granted":
      return { kind: "granted", token: result.grant.token };
    case "waiting":
      return { kind: "waiting", key: result.key, position: result.position };
    case "entryEnded":
      return { kind: "gone" };
    case "released":
      return result.released ? { kind: "released", released: true } : { kind: "gone" };
    case "cancelled":
      return { kind: "cancelled", position: result.position };
    case "put":
      return { kind: "put", revision: result.revision, created: result.created };
    case "append":
      return { kind: "append", key: result.key };
    case "delete":
      return { kind: "delete", deleted: result.deleted, revision: result.revision };
    case "txn":
      return { kind: "txn", succeeded: result.succeeded, revision: result.revision };
    case "leaseRevoked":
      return { kind: "leaseRevoked", revoked: result.revoked };
    case "leasesExpired":
      return { kind: "leasesExpired", count: result.count };
    case "proclaimed":
      return { kind: "proclaimed", revision: result.revision };
    default:
      return { kind: result.kind };
  }
}

function answerOf(events: readonly Event[]): CommandResult {
  const last = events.at(-1);
  if (last?.event !== "answer") throw new Error("an answer must come last");
  return last.result;
}

/** The whole state as both sides tell it. */
function compareStates(driver: Driver, model: Model): void {
  const { machine } = driver;
  expect(machine.revision).toBe(model.revision);
  const range = machine.range({ span: { from: "", to: null } });
  if (range.kind !== "range") throw new Error("a range must be readable");
  const mine = range.records.map(r => [
    r.key,
    r.value,
    r.createRevision,
    r.modRevision,
    r.version,
    r.lease ?? "",
  ]);
  expect(mine).toEqual(
    model.sorted().map(r => [r.key, r.value, r.create, r.mod, r.version, r.lease]),
  );
  const leases = machine.leases("", 100).leases.map(l => l.lease.id);
  expect(leases).toEqual([...model.leases].sort());
  for (const lease of leases) {
    const keys = model.sorted().filter(r => r.lease === lease);
    expect(machine.leaseKeys(lease, 1_000)).toEqual(keys.map(r => r.key));
  }
  for (const name of ["a", "b", "n/m", "n"]) {
    const line = model.line(name);
    const seen = machine.inspect(name, 100);
    expect([...seen.holders, ...seen.waiters].map(e => e.key)).toEqual(line.map(r => r.key));
    expect(seen.holders.length).toBe(Math.min(line.length, 1));
    line.forEach((r, i) => {
      expect(machine.position(r.key)).toBe(i);
    });
  }
}

test("every command says and does what the dumb twin says and does", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), commands => {
      const driver = new Driver({ maxTxnDepth: 4 });
      const model = new Model();
      const grants: string[] = [];
      const lastToken = new Map<string, number>();
      for (const command of commands) {
        const quiet = restored(driver.machine, 4_096);
        const grantsBefore = model.grants.length;
        const events = driver.apply({ command });
        const said = reduced(answerOf(events));
        const wanted = model.say(command, driver.machine.appliedIndex);
        // Of several faults of one transaction, either may be named.
        if (command.kind === "kv.txn" && wanted.kind === "refused")
          expect(said.kind).toBe("refused");
        else expect(said).toEqual(wanted);
        const given: string[] = [];
        for (const event of events) {
          if (event.event !== "granted") continue;
          given.push(event.grant.key);
          expect(event.grant.token).toBeGreaterThan(lastToken.get(event.grant.name) ?? 0);
          lastToken.set(event.grant.name, event.grant.token);
        }
        grants.push(...given);
        expect([...given].sort()).toEqual(model.grants.slice(grantsBefore).sort());
        if (said.kind === "refused" || said.kind === "gone") {
          expect(events.length).toBe(1);
          quiet.apply(quiet.appliedIndex + 1, driver.entry([]), driver.recorder);
          expect(driver.machine.hash()).toBe(quiet.hash());
        }
      }
      compareStates(driver, model);
      expect(new Set(grants).size).toBe(grants.length);
    }),
    ROUNDS,
  );
});

test("a restored machine answers every later command as the first one does", () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 25 }),
      fc.array(command, { maxLength: 25 }),
      fc.integer({ min: 1, max: 300 }),
      (first, second, sliceBytes) => {
        const one = new Driver({
          historyRevisions: 12,
          endedEntriesKept: 5,
          endedLeasesKept: 3,
          requestWindowPerClient: 4,
        });
        first.forEach((command, i) => {
          one.apply(identified(command, i));
        });
        const two = new Driver();
        two.machine = restored(one.machine, sliceBytes);
        expect(two.machine.hash()).toBe(one.machine.hash());
        expect(two.machine.counters()).toEqual(one.machine.counters());
        second.forEach((command, i) => {
          one.nowMs += 50_000;
          const payload = one.entry([identified(command, i)]);
          one.applyBytes(payload);
          two.applyBytes(payload);
          expect(plainEvents(two.recorder.take())).toEqual(plainEvents(one.recorder.take()));
          expect(two.machine.hash()).toBe(one.machine.hash());
        });
        expect(two.machine.counters()).toEqual(one.machine.counters());
      },
    ),
    ROUNDS,
  );
});

/** Some with a client's number, some with a key, some with neither; numbers come again. */
function identified(command: Command, i: number) {
  const client = i % 2 === 0 ? "00000000000000c1" : "00000000000000c2";
  if (i % 5 === 3) return { command, request: { key: `k${i % 4}`, fingerprint: "f" } };
  if (i % 5 === 4) return { command };
  return {
    command,
    request: { client, number: i % 9, low: i % 3, ...(i % 4 === 0 ? { lease: "ff" } : {}) },
  };
}

function plainEvents(events: readonly Event[]): unknown {
  return JSON.parse(JSON.stringify(events));
}

test("a snapshot tells of its moment, whatever is applied while it is streamed", () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 25 }),
      fc.array(command, { maxLength: 25 }),
      (first, second) => {
        const driver = new Driver({ requestWindowPerClient: 4 });
        first.forEach((command, i) => {
          driver.apply(identified(command, i));
        });
        const whole: number[] = [];
        const still = driver.machine.snapshot();
        for (let s = still.next(64); s !== null; s = still.next(64)) whole.push(...s);
        const moving = driver.machine.snapshot();
        const parts: number[] = [];
        let i = 0;
        for (let s = moving.next(64); s !== null; s = moving.next(64)) {
          parts.push(...s);
          const command = second[i++];
          if (command !== undefined) driver.apply(identified(command, i));
        }
        expect(parts).toEqual(whole);
      },
    ),
    ROUNDS,
  );
});

test("the past is what the present was", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 30 }), commands => {
      const driver = new Driver();
      const past = new Map<number, unknown>();
      const all = { from: "", to: null };
      const remember = () => {
        const range = driver.machine.range({ span: all });
        if (range.kind === "range") past.set(driver.machine.revision, range.records);
      };
      remember();
      for (const command of commands) {
        // A command may write several revisions; only where it ends is known from outside.
        driver.apply({ command });
        remember();
      }
      for (const [revision, records] of past) {
        const range = driver.machine.range({ span: all, revision });
        expect(range.kind === "range" ? range.records : range).toEqual(records);
        const back = driver.machine.range({ span: all, revision, descending: true });
        expect(back.kind === "range" ? [...back.records].reverse() : back).toEqual(records);
      }
    }),
    ROUNDS,
  );
});
