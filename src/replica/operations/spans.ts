/** `key`, `key` with `rangeEnd`, or `prefix`, as the state's spans. */
import { prefixEnd } from "../../base/byte-string.js";
import type { KeySpan } from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import { invalid } from "../failure.js";

export interface SpanFields {
  readonly key?: string;
  readonly rangeEnd?: string;
  readonly prefix?: string;
}

/** Neither field is the whole keyspace. */
export function spanOf(fields: SpanFields): KeySpan | Failure {
  const { key, rangeEnd, prefix } = fields;
  if (prefix !== undefined) {
    if (key !== undefined || rangeEnd !== undefined) {
      return invalid("prefix", "give either prefix, or key with or without rangeEnd, not both");
    }
    return { from: prefix, to: prefix === "" ? null : prefixEnd(prefix) };
  }
  if (key !== undefined) return rangeEnd === undefined ? { key } : { from: key, to: rangeEnd };
  if (rangeEnd !== undefined)
    return invalid("rangeEnd", "rangeEnd needs key, where the range begins");
  return { from: "", to: null };
}

/** The span as bounds: one key is the range up to the next possible key. */
export function boundsOf(span: KeySpan): { readonly from: string; readonly to: string | null } {
  return "key" in span ? { from: span.key, to: `${span.key}\0` } : span;
}
