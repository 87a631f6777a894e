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
);
