/**
 * The state's snapshot from bytes: they come in slices, as from the disk or from another node. What
 * loads must be a state like any other: it can be read, goes on, and survives its own snapshot.
 */
import fc from "fast-check";
import { DecodeError, Reader, Writer } from "../../../src/base/codec.js";
import { nodeBytes } from "../../../src/server/ports/index.js";
import type { Command, Machine } from "../../../src/state/index.js";
import { SnapshotLoader } from "../../../src/state/index.js";
import { ITEM } from "../../../src/state/snapshot/format.js";
import { Driver, restored } from "../../state/driver.js";
import { boundedBytes } from "../bounds.js";
import { mutate, mutated, mutations } from "../mutator.js";
import { type FuzzTarget, hold } from "../target.js";

interface Input {
  readonly bytes: Uint8Array;
  readonly sliceBytes: number;
}

const CLIENT = "00112233445566aa";
/** What a machine sets aside for itself, whatever it holds. */
const FIXED_BYTES = 4096;

/** A little of everything that a state holds. */
function fill(driver: Driver): void {
  const request = (number: number) => ({ client: CLIENT, number, low: 1, lease: "1" });
  const labels = { app: "x" };
  driver.do({ kind: "lease.grant", lease: "1", ttlMs: 5_000, owner: "o", labels }, request(1));
  driver.do({ kind: "lease.grant", lease: "2", ttlMs: 9_000, owner: "", labels: {} });
  driver.do({ kind: "kv.put", key: "a", value: "1" }, request(2));
  driver.do({ kind: "kv.put", key: "a", value: "2", lease: "1" });
  driver.do({ kind: "lock.acquire", name: "n", lease: "1", wait: true, labels });
  driver.do({ kind: "lock.acquire", name: "n", lease: "2", wait: true, actor: "t" });
  driver.do({ kind: "lock.acquire", name: "n", lease: "2", wait: true, actor: "u" });
  driver.do({ kind: "lock.acquire", name: "m", lease: { id: "3", ttlMs: 2_000 }, wait: false });
  driver.do({ kind: "lock.release", grant: { name: "m", token: 5 } });
  driver.nowMs = 1_000;
  const key = { key: "idempotent", fingerprint: "f" };
  driver.do({ kind: "kv.append", prefix: "q", value: "x" }, key);
  driver.do({ kind: "kv.delete", span: { key: "a" } });
  driver.do({ kind: "lease.revoke", lease: "2" });
}

function bytesOf(machine: Machine): Uint8Array {
  const view = machine.snapshot();
  const parts: Uint8Array[] = [];
  for (let part = view.next(65_536); part !== null; part = view.next(65_536)) parts.push(part);
  return Buffer.concat(parts);
}

const LATER: readonly Command[] = [
  { kind: "lease.grant", lease: "2", ttlMs: 5_000 },
  { kind: "lock.acquire", name: "n", lease: "2", wait: true },
  { kind: "kv.put", key: "b", value: "v", lease: "1" },
  { kind: "lease.revoke", lease: "1" },
  { kind: "kv.delete", span: { from: "", to: null } },
];

/** The items of a snapshot without their lengths; what is behind the last whole one is left out. */
function itemsOf(bytes: Uint8Array): Uint8Array[] {
  const items: Uint8Array[] = [];
  const reader = new Reader(nodeBytes, bytes);
  try {
    while (reader.remaining > 0) items.push(reader.array("item", bytes.length).slice());
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return items;
}

/** Items changed, dropped, repeated; framed again, and counted by the last as they now are. */
function mutatedItems(samples: readonly Uint8Array[], size: number): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    item: fc.nat(60),
    copies: fc.constantFrom(0, 1, 1, 2),
    changes: mutations(1),
  });
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(change, { maxLength: size }))
    .map(([sample, all]) => {
      const items = itemsOf(sample)
        .slice(0, -1)
        .map(item => [item]);
      for (const { item, copies, changes } of all) {
        const at = item % Math.max(1, items.length);
        const [first] = items[at] ?? [];
        if (first !== undefined)
          items[at] = new Array<Uint8Array>(copies).fill(
            copies === 0 ? first : mutate(first, changes),
          );
      }
      const into = new Writer(nodeBytes);
      const kept = items.flat();
      for (const item of kept) into.array(item);
      const end = new Writer(nodeBytes);
      end.u8(ITEM.end);
      end.count(kept.length);
      into.array(end.finish());
      return into.finish();
    });
}

export const stateSnapshot: FuzzTarget<Input> = {
  name: "state-snapshot",
  promise: "bytes load as a state that can be read, goes on and is restored, or are refused",
  reaches: ["refused", "loaded", "too new"],
  shortRuns: 1200,

  samples: () => {
    const empty = new Driver();
    const full = new Driver();
    fill(full);
    return {
      empty: { bytes: bytesOf(empty.machine), sliceBytes: 100 },
      full: { bytes: bytesOf(full.machine), sliceBytes: 64 },
    };
  },

  inputs: (corpus, size) => {
    const samples = corpus.map(({ bytes }) => bytes);
    return fc.record({
      bytes: fc.oneof(mutated(samples, size), mutatedItems(samples, size)),
      sliceBytes: fc.oneof(fc.constant(4096), fc.integer({ min: 1, max: 300 })),
    });
  },

  fuzz: ({ bytes, sliceBytes }) => {
    // What has come so far, and what is read of it: a length that lies must not get more.
    const loader = new SnapshotLoader(boundedBytes(() => Math.max(bytes.length, FIXED_BYTES)));
    let machine: Machine;
    try {
      for (let at = 0; at < bytes.length; at += sliceBytes) {
        const stop = loader.add(bytes.slice(at, at + sliceBytes));
        if (stop !== null) return stop.code === "STATE_FORMAT_TOO_NEW" ? "too new" : stop.code;
      }
      machine = loader.finish();
    } catch (error) {
      if (error instanceof DecodeError) return "refused";
      throw error;
    }
    goOn(machine);
    return "loaded";
  },
};

function goOn(machine: Machine): void {
  const hash = machine.hash();
  hold(restored(machine, 1000).hash() === hash, "a state is restored as it is");
  for (const { name } of machine.lines("", "", 10).lines) {
    const { holders, waiters } = machine.inspect(name, 10);
    for (const { lease } of [...holders, ...waiters])
      hold(machine.lease(lease) !== undefined, "every entry's lease is live");
  }
  machine.range({ span: { from: "", to: null } });
  machine.eachLease(({ id }) => machine.leaseKeys(id, 10));
  const driver = new Driver();
  driver.machine = machine;
  driver.nowMs = machine.clusterTimeMs;
  for (const command of LATER) driver.do(command);
  const after = machine.hash();
  hold(restored(machine, 1000).hash() === after, "a state that went on is restored as it is");
}
