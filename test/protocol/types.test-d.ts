import type { OperationName, ParamsOf, ResultOf, WireResultOf } from "holdfast-protocol";

type P = { [N in OperationName]: ParamsOf<N> };
const x: P["kv.put"] = { key: "a", value: "b", heldBy: { name: "x", token: 1 } };
// @ts-expect-error
const y: P["kv.put"] = { key: "a", vale: "b" };
// @ts-expect-error
const y2: P["lock.acquire"] = { name: 1 };
const q: ResultOf<"lock.acquire"> = { waiting: true, position: 1, lease: "1" };
const t: ParamsOf<"kv.txn"> = {
  compare: [{ key: "a", target: "version", op: "=", to: 0 }],
  success: [{ put: { key: "a", value: "b" } }],
};
const w: WireResultOf<"kv.get"> = {
  key: new Uint8Array(),
  value: "",
  createRevision: 1,
  modRevision: 1,
  version: 1,
};
const l: ParamsOf<"lease.grant"> = { ttlMs: 1, labels: { a: "b" } };
// @ts-expect-error
const l2: ParamsOf<"lease.grant"> = { ttlMs: "1" };

export { l, l2, q, t, w, x, y, y2 };
