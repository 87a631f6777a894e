/** Random commands of the right types, and nothing else right about them. */
import fc from "fast-check";
import type { Command, Labels } from "../../src/state/index.js";

const byteString = fc.uint8Array({ maxLength: 40 }).map(all => String.fromCharCode(...all));
const text = fc.oneof(
  byteString,
  fc.constantFrom("", "/", "//", "a/", "/a", "__proto__", "constructor", "0", "a".repeat(5_000)),
);
const number = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER));
const labels: fc.Arbitrary<Labels> = fc.dictionary(text, text, { maxKeys: 20 });
const grant = fc.oneof(fc.record({ key: text }), fc.record({ name: text, token: number }));
const span = fc.oneof(fc.record({ key: text }), fc.record({ from: text, to: fc.option(text) }));

/** Commands of the right types, and nothing else right about them. */
export const absurd: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant("kv.put" as const),
    key: text,
    value: text,
    lease: text,
    prevRevision: number,
    heldBy: grant,
  }),
  fc.record({ kind: fc.constant("kv.put" as const), key: text, value: text }),
  fc.record({ kind: fc.constant("kv.append" as const), prefix: text, value: text, lease: text }),
  fc.record({ kind: fc.constant("kv.delete" as const), span, prevValue: text, prev: fc.boolean() }),
  fc.record({
    kind: fc.constant("lease.grant" as const),
    lease: text,
    ttlMs: number,
    owner: text,
    labels,
  }),
  fc.record({
    kind: fc.constant("lease.grant" as const),
    lease: fc.constantFrom("1", "a"),
    ttlMs: fc.constant(2_000),
    labels,
  }),
  fc.record({
    kind: fc.constant("lease.expire" as const),
    leases: fc.array(text),
    asOfIndex: fc.maxSafeNat(),
  }),
  fc.record({
    kind: fc.constant("lock.acquire" as const),
    name: text,
    lease: fc.oneof(text, fc.record({ id: text, ttlMs: number })),
    wait: fc.boolean(),
    owner: text,
    labels,
    actor: text,
    value: text,
  }),
  fc.record({
    kind: fc.constant("lock.acquire" as const),
    name: text,
    lease: fc.constantFrom("1", "a"),
    wait: fc.boolean(),
    labels,
  }),
  fc.record({ kind: fc.constant("lock.release" as const), grant }),
  fc.record({ kind: fc.constant("lock.cancel" as const), key: text }),
  fc.record({
    kind: fc.constant("election.proclaim" as const),
    grant: fc.oneof(grant, fc.record({ name: text, lease: text })),
    value: text,
  }),
  fc.record({
    kind: fc.constant("system.configure" as const),
    maxStateBytes: number,
    historyRevisions: number,
    historyBytes: number,
  }),
  ...aboutLines(),
);

/** Some of which are meant for each other: few names, few leases, keys that may well exist. */
function aboutLines(): fc.Arbitrary<Command>[] {
  const name = fc.oneof(text, fc.constantFrom("n", "m", "n/00000000000000000007"));
  const key = fc.oneof(
    text,
    fc
      .tuple(fc.constantFrom("n", "m", "n/00000000000000000007"), fc.integer({ min: 2, max: 20 }))
      .map(([line, revision]) => `${line}/${String(revision).padStart(20, "0")}`),
  );
  const lease = fc.oneof(
    fc.constantFrom("1", "a"),
    text,
    fc.record({ id: fc.constantFrom("b", "c", "d"), ttlMs: fc.constant(2_000) }),
  );
  const ref = fc.oneof(fc.record({ key }), fc.record({ name, token: number }));
  const small = fc.oneof(number, fc.nat(4));
  return [
    fc.record(
      {
        kind: fc.constant("lock.acquire" as const),
        name,
        lease,
        wait: fc.boolean(),
        actor: fc.constantFrom("", "t", "u"),
        mode: fc.constantFrom("exclusive" as const, "shared" as const, "permit" as const),
        permits: small,
        names: fc.array(name, { maxLength: 4 }),
      },
      { requiredKeys: ["kind", "name", "lease", "wait"] },
    ),
    fc.uniqueArray(fc.constantFrom("n", "m", "o"), { minLength: 1, maxLength: 3 }).map(names => ({
      kind: "lock.acquire" as const,
      name: names[0] ?? "",
      names,
      lease: "a",
      actor: "t",
      wait: true,
    })),
    fc.record({ kind: fc.constant("lock.handOver" as const), grant: ref, to: key }),
    fc.record(
      {
        kind: fc.constant("lock.configure" as const),
        name,
        permits: small,
        lockDelayMs: small,
        maxHoldMs: small,
      },
      { requiredKeys: ["kind", "name"] },
    ),
    fc.record({ kind: fc.constant("lock.annotate" as const), grant: ref, progress: text }),
    fc.record({
      kind: fc.constant("lock.yield" as const),
      grant: fc.oneof(ref, fc.record({ name })),
      graceMs: small,
      to: key,
      by: text,
      why: text,
    }),
    fc.record({ kind: fc.constant("lock.break" as const), grant: ref, by: text, why: text }),
    fc.record({
      kind: fc.constant("lock.break" as const),
      grant: ref,
      afterMs: fc.integer({ min: 1, max: 5_000 }),
    }),
    fc.record({
      kind: fc.constant("slot.claim" as const),
      job: fc.oneof(text, fc.constantFrom("n")),
      slot: fc.oneof(number, fc.constant(7)),
      lease,
      onAbandon: fc.constantFrom("reclaim" as const, "close" as const),
      lateMs: number,
      owner: text,
      labels,
    }),
    fc.record({
      kind: fc.constant("slot.finish" as const),
      grant: ref,
      outcome: fc.constantFrom("done" as const, "failed" as const),
      note: text,
    }),
  ];
}
