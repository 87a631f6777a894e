/** Random commands over few names, so that they meet each other. */
import fc from "fast-check";
import type { Command, Compare, GrantRef, KeySpan, TxnStep } from "../../src/state/index.js";

const digits = (n: number) => String(n).padStart(20, "0");
const NAMES = ["a", "b", "n/m"];
const LEASES = ["1", "2", "a3", "ff"];

const name = fc.constantFrom(...NAMES);
const lease = fc.constantFrom(...LEASES);
const revision = fc.integer({ min: 2, max: 40 });
const value = fc.constantFrom("", "x", "y");
const key = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("a", "b", "k", "a/x", "zz") },
  { weight: 2, arbitrary: fc.tuple(name, lease).map(([n, l]) => `${n}/${l}`) },
  { weight: 3, arbitrary: fc.tuple(name, revision).map(([n, r]) => `${n}/${digits(r)}`) },
);
const grant: fc.Arbitrary<GrantRef> = fc.oneof(
  key.map(k => ({ key: k })),
  fc.record({ name, token: revision }),
);
const span: fc.Arbitrary<KeySpan> = fc.oneof(
  { weight: 3, arbitrary: key.map(k => ({ key: k })) },
  { weight: 1, arbitrary: fc.tuple(key, key).map(([from, to]) => ({ from, to })) },
  { weight: 1, arbitrary: name.map(n => ({ from: `${n}/`, to: `${n}0` })) },
);

function some<T>(arbitrary: fc.Arbitrary<T>, field: string) {
  return fc
    .option(arbitrary, { nil: undefined, freq: 2 })
    .map(v => (v === undefined ? {} : { [field]: v }));
}

const put = fc
  .tuple(
    key,
    value,
    some(lease, "lease"),
    some(fc.boolean(), "prevExist"),
    some(fc.constantFrom(0, 2, 3, 5), "prevRevision"),
    some(value, "prevValue"),
    some(grant, "heldBy"),
    fc.nat(9),
  )
  .map(
    ([k, v, l, exist, rev, val, held, dice]) =>
      ({
        kind: "kv.put",
        key: k,
        value: v,
        ...l,
        ...(dice === 0 ? exist : {}),
        ...(dice === 1 ? rev : {}),
        ...(dice === 2 ? val : {}),
        ...(dice === 3 ? held : {}),
      }) as Command,
  );

const compare: fc.Arbitrary<Compare> = fc.oneof(
  fc.record({
    target: fc.constantFrom("version" as const, "createRevision" as const, "modRevision" as const),
    span,
    op: fc.constantFrom("=" as const, "!=" as const, "<" as const, ">" as const),
    to: fc.nat(20),
  }),
  fc.record({
    target: fc.constant("value" as const),
    span,
    op: fc.constantFrom("=" as const, "<" as const),
    to: value,
  }),
  fc.record({
    target: fc.constant("lease" as const),
    span,
    op: fc.constantFrom("=" as const, ">" as const),
    to: fc.constantFrom("", ...LEASES),
  }),
  fc.record({
    target: fc.constant("heldBy" as const),
    op: fc.constantFrom("=" as const, "!=" as const),
    grant,
  }),
);

const plainStep: fc.Arbitrary<TxnStep> = fc.oneof(
  fc
    .tuple(key, value, some(lease, "lease"))
    .map(([k, v, l]) => ({ op: "put", key: k, value: v, ...l }) as TxnStep),
  fc
    .tuple(name, value, some(lease, "lease"))
    .map(([n, v, l]) => ({ op: "append", prefix: n, value: v, ...l }) as TxnStep),
  fc.record({ op: fc.constant("delete" as const), span }),
  fc.record({ op: fc.constant("range" as const), query: fc.record({ span }) }),
);
const branch = fc.array(plainStep, { maxLength: 4 });
const nested = fc.record({
  compare: fc.array(compare, { maxLength: 1 }),
  success: branch,
  failure: branch,
});
const step: fc.Arbitrary<TxnStep> = fc.oneof(
  { weight: 6, arbitrary: plainStep },
  { weight: 1, arbitrary: nested.map(txn => ({ op: "txn" as const, txn })) },
);
const steps = fc.array(step, { maxLength: 4 });

const acquire = fc
  .tuple(
    name,
    fc.option(lease, { nil: undefined }),
    fc.nat(1_000_000),
    fc.boolean(),
    some(fc.constantFrom("t1", "t2"), "actor"),
    some(value, "value"),
  )
  .map(
    ([n, l, own, wait, actor, v]) =>
      ({
        kind: "lock.acquire",
        name: n,
        lease: l ?? { id: (own + 0x1000).toString(16), ttlMs: 5_000 },
        wait,
        ...actor,
        ...v,
      }) as Command,
  );

export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: put },
  {
    weight: 2,
    arbitrary: fc
      .tuple(name, value, some(lease, "lease"))
      .map(([n, v, l]) => ({ kind: "kv.append", prefix: n, value: v, ...l }) as Command),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("kv.delete" as const), span }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("kv.txn" as const),
      compare: fc.array(compare, { maxLength: 2 }),
      success: steps,
      failure: steps,
    }),
  },
  {
    weight: 4,
    arbitrary: lease.map(l => ({ kind: "lease.grant" as const, lease: l, ttlMs: 5_000 })),
  },
  { weight: 1, arbitrary: lease.map(l => ({ kind: "lease.revoke" as const, lease: l })) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("lease.expire" as const),
      leases: fc.array(lease, { maxLength: 4 }),
      asOfIndex: fc.oneof(fc.nat(40), fc.constant(Number.MAX_SAFE_INTEGER)),
    }),
  },
  { weight: 8, arbitrary: acquire },
  { weight: 3, arbitrary: key.map(k => ({ kind: "lock.cancel" as const, key: k })) },
  { weight: 4, arbitrary: grant.map(g => ({ kind: "lock.release" as const, grant: g })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(grant, value)
      .map(([g, v]) => ({ kind: "election.proclaim" as const, grant: g, value: v })),
  },
);
