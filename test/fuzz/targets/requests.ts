/**
 * Requests made from the registry's own schemas, so that an operation that is added is fuzzed from
 * its first day: parameters that are as they should be, few names so that requests meet each other,
 * and then the same with something wrong in it.
 */
import fc from "fast-check";
import { OPERATION_NAMES } from "holdfast-protocol";
import { OPERATIONS } from "holdfast-protocol/schemas";
import { anything, nest, oddNumber, oddText } from "./wire-values.js";

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: object;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}
type Definitions = Readonly<Record<string, Schema>>;

const NAMES = ["a", "b", "n", "n/m", "a/00000000000000000002", "n/1", "\u00e9", ""];
const LEASES = ["1", "2", "a3", "ff", "7fffffffffffffff"];
/** So deep transactions go within each other. */
const MOST_DEPTH = 3;

/** What stands for a field: by its name where that says more than the schema. */
function fieldOf(name: string, schema: Schema, within: Definitions, depth: number) {
  if (name === "ttlMs") return fc.constantFrom<unknown>(1000, 1500, 3000, 999);
  if (name === "waitMs") return fc.constantFrom<unknown>(0, 0, 1, 500, 2000, -1);
  if (name === "token" || name.endsWith("evision") || name === "from")
    return fc.oneof<fc.Arbitrary<unknown>[]>(fc.nat(12), oddNumber);
  return madeOf(schema, within, depth);
}

function madeOf(schema: Schema, within: Definitions, depth: number): fc.Arbitrary<unknown> {
  const { type, anyOf, items, pattern, minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
  if (schema.$defs !== undefined || schema.$ref !== undefined) {
    const definitions = schema.$defs ?? within;
    const target = definitions[schema.$ref ?? ""];
    return target === undefined ? anything : madeOf(target, definitions, depth + 1);
  }
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map(one => madeOf(one, within, depth)));
  if (type === "object") return objectOf(schema, within, depth);
  if (type === "boolean") return fc.boolean();
  if (type === "integer")
    return fc.oneof(
      fc.integer({ min: minimum, max: Math.min(maximum, minimum + 20) }),
      fc.constantFrom(minimum, maximum),
    );
  if (type === "array") {
    const isDeep = depth >= MOST_DEPTH;
    return fc.array(madeOf(isDeep ? {} : (items ?? {}), within, depth), {
      maxLength: isDeep ? 0 : 3,
    });
  }
  if (pattern !== undefined) return fc.constantFrom(...LEASES);
  return type === "string" ? fc.oneof(fc.constantFrom(...NAMES), oddText) : anything;
}

function objectOf(schema: Schema, within: Definitions, depth: number): fc.Arbitrary<unknown> {
  const { properties = {}, required = [] } = schema;
  if (schema.patternProperties !== undefined)
    return fc.dictionary(fc.constantFrom("app", "x", "-bad"), oddText, { maxKeys: 2 });
  const fields = Object.entries(properties).map(([name, field]) => {
    const good = fieldOf(name, field, within, depth);
    const isRequired = required.includes(name);
    // What may be left out mostly is: whole sets of conditions never hold.
    return isRequired
      ? good.map(value => [[name, value]] as const)
      : fc.option(good, { freq: 3, nil: undefined }).map(value => none(name, value));
  });
  return fc.tuple(...fields).map(all => Object.fromEntries(all.flat()));
}

const none = (name: string, value: unknown): (readonly [string, unknown])[] =>
  value === undefined ? [] : [[name, value]];

/** `params` with one field too many, or one that is anything. */
const spoiled = (params: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc
    .tuple(params, fc.oneof(oddText, fc.constantFrom("key", "name", "lease")), anything)
    .map(([good, field, odd]) =>
      Object.fromEntries([...Object.entries(good as object), [field, odd]]),
    );

export interface GoodRequest {
  readonly op: string;
  readonly params: unknown;
}

/** One request, mostly fit. */
export const request: fc.Arbitrary<GoodRequest> = fc.oneof(
  ...OPERATION_NAMES.map(op => {
    // The registry's types say more than a generator needs.
    const schema = OPERATIONS[op].params as unknown as Schema;
    const good = madeOf(schema, {}, 0);
    const bad = fc.oneof(
      spoiled(good),
      anything,
      fc.constantFrom<unknown>({ key: nest(30, null) }, nest(40, "key")),
    );
    const params = fc.oneof({ weight: 9, arbitrary: good }, { weight: 1, arbitrary: bad });
    return params.map(value => ({ op, params: value }));
  }),
);
