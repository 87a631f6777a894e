/** Kept answers have a share of the state's bytes, and leave the rest to the state. */
import { expect, test } from "vitest";
import { nodeBytes } from "../../src/server/ports/bytes.js";
import {
  type Command,
  type CommandResult,
  type RequestIdentity,
  SnapshotLoader,
} from "../../src/state/index.js";
import { StateDigest } from "../../src/state/snapshot/digest.js";
import { Driver, restored } from "./driver.js";

const MIB = 1_048_576;
const code = (result: CommandResult) => (result.kind === "refused" ? result.code : result.kind);
const swap: Command = { kind: "kv.put", key: "k", value: "x".repeat(60_000), prev: true };
const own = (name: string, id: string): Command => ({
  kind: "lock.acquire",
  name,
  lease: { id, ttlMs: 5_000 },
  wait: true,
});
const from = (client: number, number: number): RequestIdentity => ({
  client: client.toString(16).padStart(16, "0"),
  number,
  low: 0,
});
const keyed = (key: number): RequestIdentity => ({ key: `idem-${key}`, fingerprint: "f" });

/** Two hundred large answers under ids of their own, 12 MB if all were kept. */
const floods: Readonly<Record<string, (i: number) => RequestIdentity>> = {
  "one client that never says what it has": i => from(1, i + 1),
  "many clients": i => from(i + 1, 1),
  "many Idempotency-Keys": keyed,
};

for (const [who, identity] of Object.entries(floods)) {
  test(`large answers kept for ${who} leave room for others, and are refused by name when lost`, () => {
    const driver = new Driver({ maxStateBytes: MIB });
    driver.do(swap);
    const before = driver.machine.counters().stateBytes;
    for (let i = 0; i < 200; i++) expect(code(driver.do(swap, identity(i)))).toBe("put");
    const kept = driver.machine.counters().stateBytes - before;
    expect(kept).toBeLessThan(0.25 * MIB + 64_000 + 200 * 1_000);
    expect(code(driver.do({ kind: "lease.grant", lease: "a", ttlMs: 5_000 }))).toBe("leaseGranted");
    expect(code(driver.do(own("m", "b")))).toBe("granted");
    // The first are still here, the last are only known to have been: none is done again.
    const { revision } = driver.machine;
    expect(code(driver.do(swap, identity(0)))).toBe(
      who.startsWith("one") ? "REQUEST_EXPIRED" : "put",
    );
    expect(code(driver.do(swap, identity(199)))).toBe("REQUEST_EXPIRED");
    expect(driver.machine.revision).toBe(revision);
    const copy = restored(driver.machine, 1_000);
    expect(copy.hash()).toBe(driver.machine.hash());
    expect(copy.counters()).toEqual(driver.machine.counters());
  });
}

test("small answers are kept past the share, and past twice the share only that they were given", () => {
  const driver = new Driver({ maxStateBytes: MIB });
  const write: Command = { kind: "kv.put", key: "k", value: "v" };
  driver.do(swap);
  let i = 0;
  while (driver.machine.counters().stateBytes < 0.4 * MIB) driver.do(swap, keyed(i++));
  driver.do(write, keyed(9_999));
  expect(code(driver.do(write, keyed(9_999)))).toBe("put");
  while (driver.machine.counters().stateBytes < 0.6 * MIB) driver.do(write, keyed(i++));
  driver.do(write, keyed(99_999));
  const { revision } = driver.machine;
  expect(code(driver.do(write, keyed(99_999)))).toBe("REQUEST_EXPIRED");
  expect(driver.machine.revision).toBe(revision);
});

test("an acquire's answer is kept however full the tables are: asked again, it is the same entry", () => {
  const driver = new Driver({ maxStateBytes: 100_000 });
  const write: Command = { kind: "kv.put", key: "k", value: "v" };
  for (let i = 0; driver.machine.counters().stateBytes < 60_000; i++) driver.do(write, keyed(i));
  const name = "n".repeat(2_000);
  const asks = [
    { id: "b1", identity: keyed(99_999) },
    { id: "b2", identity: from(7, 1) },
  ];
  for (const { id, identity } of asks) {
    expect(["granted", "waiting"]).toContain(code(driver.do(own(name, id), identity)));
    const { entries } = driver.machine.counters();
    expect(["granted", "waiting"]).toContain(code(driver.do(own(name, id), identity)));
    expect(driver.machine.counters().entries).toBe(entries);
  }
});

test("when the tables are past their share a client's window is short, alike after a restore", () => {
  const driver = new Driver({ maxStateBytes: 200_000 });
  const write: Command = { kind: "kv.put", key: "k", value: "v" };
  for (let i = 0; driver.machine.counters().stateBytes < 60_000; i++) driver.do(write, keyed(i));
  for (let n = 1; n <= 300; n++) {
    driver.do(write, from(1, n));
    if (n % 50 === 0) {
      const copy = restored(driver.machine, 10_000);
      expect(copy.counters()).toEqual(driver.machine.counters());
      driver.machine = copy;
    }
  }
  expect(code(driver.do(write, from(1, 300)))).toBe("put");
  expect(code(driver.do(write, from(1, 200)))).toBe("REQUEST_EXPIRED");
  expect(driver.machine.counters().stateBytes).toBeLessThan(60_000 + 70 * 200);
});

test("a client's window of many large answers is cut into slices like all else, to the same bytes", () => {
  const driver = new Driver();
  driver.do(swap);
  for (let i = 1; i <= 16; i++) driver.do(swap, from(1, i));
  driver.do(swap, from(2, 1));
  let largest = 0;
  const measured = {
    ...nodeBytes,
    allocate: (length: number) => {
      largest = Math.max(largest, length);
      return nodeBytes.allocate(length);
    },
  };
  const loader = new SnapshotLoader(measured);
  const view = driver.machine.snapshot();
  for (let part = view.next(65_536); part !== null; part = view.next(65_536)) loader.add(part);
  const machine = loader.finish();
  const hashes = [1_000, 65_536, 16 * MIB].map(sliceBytes => {
    largest = 0;
    const digest = new StateDigest();
    const slices = machine.snapshot();
    for (let part = slices.next(sliceBytes); part !== null; part = slices.next(sliceBytes)) {
      digest.add(part);
    }
    expect(largest).toBeLessThan(4 * Math.max(sliceBytes, 65_536));
    return digest.toString();
  });
  expect(new Set(hashes)).toEqual(new Set([driver.machine.hash()]));
});
