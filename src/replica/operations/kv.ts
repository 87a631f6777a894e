/** The keyspace's operations, transactions apart. */
import type { ParamsOf, ResultOf } from "holdfast-protocol";
import type {
  Conditions,
  DeleteResult,
  PutResult,
  RangeQuery,
  RangeResult,
} from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import { invalid } from "../failure.js";
import { recordOf } from "../views.js";
import { isFailure, isRefusal, reading, writing } from "./call.js";
import { boundsOf, spanOf } from "./spans.js";

type ConditionFields = Pick<
  ParamsOf<"kv.put">,
  "prevExist" | "prevRevision" | "prevValue" | "heldBy"
>;

function conditionsOf(params: ConditionFields): Conditions {
  const { prevExist, prevRevision, prevValue, heldBy } = params;
  return {
    ...(prevExist === undefined ? {} : { prevExist }),
    ...(prevRevision === undefined ? {} : { prevRevision }),
    ...(prevValue === undefined ? {} : { prevValue }),
    ...(heldBy === undefined ? {} : { heldBy }),
  };
}

export const put = writing<"kv.put">(
  params => ({
    kind: "kv.put",
    key: params.key,
    value: params.value,
    ...(params.lease === undefined ? {} : { lease: params.lease }),
    ...(params.prev === true ? { prev: true } : {}),
    ...conditionsOf(params),
  }),
  result => (result.kind === "put" ? putResult(result) : null),
);

export const append = writing<"kv.append">(
  ({ prefix, value, lease, heldBy }) => ({
    kind: "kv.append",
    prefix,
    value,
    ...(lease === undefined ? {} : { lease }),
    ...(heldBy === undefined ? {} : { heldBy }),
  }),
  result => (result.kind === "append" ? { key: result.key, revision: result.revision } : null),
);

export const remove = writing<"kv.delete">(
  params => {
    if (params.key === undefined && params.prefix === undefined) {
      return invalid("key", 'say what to delete: key, or prefix ("" for everything)');
    }
    const span = spanOf(params);
    if (isFailure(span)) return span;
    const prev = params.prev === true ? { prev: true } : {};
    return { kind: "kv.delete", span, ...prev, ...conditionsOf(params) };
  },
  result => (result.kind === "delete" ? deleteResult(result) : null),
);

export const get = reading<"kv.get">(({ core }, { key, revision }) => {
  const found = core.machine.get(key, revision);
  if (isRefusal(found)) return found;
  if (found.record !== null) return recordOf(found.record);
  return {
    code: "NO_SUCH_KEY",
    message: `there is no key ${key} at revision ${revision ?? found.revision}`,
    details: { key, revision: found.revision },
  };
});

export const range = reading<"kv.range">(({ core }, params) => {
  const query = queryOf(params);
  if (isFailure(query)) return query;
  const found = core.machine.range(query);
  return isRefusal(found) ? found : rangeResult(found);
});

export function queryOf(params: Omit<ParamsOf<"kv.range">, "consistency">): RangeQuery | Failure {
  const span = spanOf(params);
  if (isFailure(span)) return span;
  const { limit, after, order, sortBy, keysOnly, countOnly, revision } = params;
  if (after !== undefined && sortBy !== undefined && sortBy !== "key") {
    return invalid("after", "after pages through keys in their own order; leave sortBy out");
  }
  const { minCreateRevision, maxCreateRevision, minModRevision, maxModRevision } = params;
  return {
    span: "key" in span && after !== undefined ? boundsOf(span) : span,
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after }),
    ...(order === "descend" ? { descending: true } : {}),
    ...(sortBy === undefined ? {} : { sortBy }),
    ...(keysOnly === true ? { keysOnly: true } : {}),
    ...(countOnly === true ? { countOnly: true } : {}),
    ...(revision === undefined ? {} : { revision }),
    ...(minCreateRevision === undefined ? {} : { minCreateRevision }),
    ...(maxCreateRevision === undefined ? {} : { maxCreateRevision }),
    ...(minModRevision === undefined ? {} : { minModRevision }),
    ...(maxModRevision === undefined ? {} : { maxModRevision }),
  };
}

export function putResult(result: PutResult): ResultOf<"kv.put"> {
  const { key, revision, created, prev } = result;
  if (prev === undefined) return { key, revision, created };
  return { key, revision, created, prev: recordOf(prev) };
}

export function deleteResult(result: DeleteResult): ResultOf<"kv.delete"> {
  const { deleted, revision, prev } = result;
  if (prev === undefined) return { deleted, revision };
  return { deleted, revision, prev: prev.map(recordOf) };
}

export function rangeResult(result: RangeResult): ResultOf<"kv.range"> {
  const { records, count, more, revision } = result;
  return { records, count, more, revision };
}
