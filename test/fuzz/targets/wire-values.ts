/**
 * Values as they may travel in a frame: what a protocol's message looks like, and what nobody would
 * send. Shared by those who fuzz either end of a connection.
 */
import fc from "fast-check";
import { ERRORS, type ErrorCode } from "holdfast-protocol";

/** Numbers at which something ends. */
export const oddNumber: fc.Arbitrary<number> = fc.constantFrom(
  ...[0, -0, -1, 1, 1.5, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e300],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -(2 ** 31), -(2 ** 40)],
);

export const oddText: fc.Arbitrary<string> = fc.constantFrom(
  ...["", "/", "a/", "__proto__", "constructor", "toString", "\u0000", "é", "\ud800", "𐀀", "%"],
  ...["0", "-1", "null", "a".repeat(300), "00000000000000000002", "a/00000000000000000002"],
);

/** Anything at all, not deep. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, [], {}),
  oddNumber,
  oddText,
  fc.uint8Array({ maxLength: 6 }),
  fc.array(fc.oneof(oddNumber, oddText, fc.constant(null)), { maxLength: 3 }),
  fc.dictionary(oddText, fc.oneof(oddNumber, oddText, fc.constant(null)), { maxKeys: 3 }),
);

/** `depth` arrays or maps within each other. */
export function nest(depth: number, field: string | null): unknown {
  let value: unknown = null;
  for (let left = depth; left > 0; left -= 1) value = field === null ? [value] : { [field]: value };
  return value;
}

/** `value` as `good` has it, or now and then anything. */
export const mostly = <T>(good: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: anything });

const CODES = Object.keys(ERRORS) as ErrorCode[];

export const wireError: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom(...CODES).map(code => {
      const { retryable, outcome, message } = ERRORS[code];
      return { code, message, retryable, outcome, details: {} };
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      { code: oddText, message: mostly(oddText), retryable: anything, details: anything },
      { requiredKeys: [] },
    ),
  },
  { weight: 1, arbitrary: anything },
);
