/**
 * Nothing that comes through the log stops a node: bytes at random, bytes a little wrong, values
 * absurd.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { AssertionError } from "../../src/base/assert.js";
import { DecodeError, Writer } from "../../src/base/codec.js";
import { nodeBytes } from "../../src/server/ports/bytes.js";
import { type Command, decodeEntry, ENTRY_FORMAT, SnapshotLoader } from "../../src/state/index.js";
import { absurd } from "./absurd.js";
import { command } from "./arbitrary.js";
import { Driver, restored } from "./driver.js";

const ROUNDS = { numRuns: Number(process.env.STATE_RUNS ?? 300) };

test("commands with absurd values are answered, each exactly once", () => {
  fc.assert(
    fc.property(fc.array(absurd, { maxLength: 30 }), commands => {
      const driver = new Driver();
      for (const each of commands) {
        const answers = driver.apply({ command: each }).filter(e => e.event === "answer");
        expect(answers.length).toBe(1);
        JSON.stringify(driver.machine.inspect("name" in each ? each.name : "", 5));
      }
      expect(restored(driver.machine, 100).hash()).toBe(driver.machine.hash());
    }),
    ROUNDS,
  );
});

test("bytes at random change nothing and stop nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), payloads => {
      const driver = new Driver();
      for (const payload of payloads) {
        const bytes = Uint8Array.from([1, ...payload]);
        expect(driver.applyBytes(bytes)).toBe(null);
        decodeEntry(nodeBytes, payload);
      }
      expect(driver.machine.appliedIndex).toBe(payloads.length);
    }),
    ROUNDS,
  );
});

test("an entry with bytes changed or cut is applied alike everywhere, without a throw", () => {
  fc.assert(
    fc.property(
      fc.array(command, { minLength: 1, maxLength: 8 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      fc.nat(),
      (commands, flips, cut) => {
        const driver = new Driver();
        const twin = new Driver();
        const payload = driver.entry(commands.map(each => ({ command: each })));
        for (const [at, value] of flips) payload[1 + (at % (payload.length - 1))] = value;
        const bytes = flips.length === 0 ? payload.slice(0, cut % payload.length) : payload;
        driver.applyBytes(bytes);
        twin.applyBytes(bytes);
        expect(twin.machine.hash()).toBe(driver.machine.hash());
      },
    ),
    ROUNDS,
  );
});

test("what was encoded is decoded as it was", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 10 }), commands => {
      const driver = new Driver();
      const first = driver.entry(commands.map(each => ({ command: each })));
      const decoded = decodeEntry(nodeBytes, first);
      expect(decoded?.commands.length).toBe(commands.length);
      const again = new Driver();
      const second = again.entry(
        (decoded?.commands ?? []).map(({ command: each }) => ({ command: each as Command })),
      );
      expect(second).toEqual(first);
    }),
    ROUNDS,
  );
});

test("an entry of a newer format stops the node by name and is not applied", () => {
  const driver = new Driver();
  driver.do({ kind: "kv.put", key: "a", value: "1" });
  const before = driver.machine.hash();
  const stop = driver.applyBytes(Uint8Array.from([ENTRY_FORMAT + 1, 9, 9]));
  expect(stop?.code).toBe("STATE_FORMAT_TOO_NEW");
  expect(driver.machine.hash()).toBe(before);
  expect(driver.applyBytes(driver.entry([]))).toBe(stop);
});

test("a command that the format does not know is refused, and the rest of the entry is applied", () => {
  const driver = new Driver();
  const into = new Writer(nodeBytes);
  for (const number of [99, 10]) {
    const command = new Writer(nodeBytes);
    command.u32(7);
    command.u16(0);
    command.count(number);
    command.u8(0);
    command.count(number);
    command.count(0);
    command.count(0);
    if (number === 99) into.count(1);
    if (number === 99) into.count(0);
    if (number === 99) into.count(0);
    into.array(command.finish());
  }
  const payload = into.finish();
  driver.applyBytes(payload);
  const answers = driver.recorder.take().filter(e => e.event === "answer");
  expect(answers.map(a => (a.event === "answer" ? a.result.kind : ""))).toEqual([
    "refused",
    "leasesExpired",
  ]);
});

test("a snapshot with bytes changed is refused as such or loads, and never crashes", () => {
  const driver = new Driver();
  fc.assert(
    fc.property(fc.array(command, { maxLength: 10 }), all => {
      for (const each of all) driver.apply({ command: each });
    }),
    { numRuns: 5 },
  );
  const parts: number[] = [];
  const view = driver.machine.snapshot();
  for (let s = view.next(1_000); s !== null; s = view.next(1_000)) parts.push(...s);
  fc.assert(
    fc.property(fc.nat(), fc.nat(255), fc.boolean(), (at, value, cut) => {
      const bytes = Uint8Array.from(parts);
      bytes[at % bytes.length] = value;
      try {
        const loader = new SnapshotLoader(nodeBytes);
        const whole = cut ? bytes.slice(0, at % bytes.length) : bytes;
        if (loader.add(whole) === null) loader.finish();
      } catch (error) {
        if (error instanceof AssertionError || !(error instanceof DecodeError)) throw error;
      }
    }),
    ROUNDS,
  );
});
