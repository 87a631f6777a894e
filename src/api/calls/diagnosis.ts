/**
 * Says what is wrong with parameters that failed their check, by name: the slow path, walked only
 * after the compiled check said no. It knows the part of JSON Schema that the registry uses.
 */
import type { ErrorCode } from "holdfast-protocol";
import type { Failure } from "../../replica/coordinator/index.js";
import { nearest } from "./similar.js";

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly pattern?: string;
  readonly description?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly maxProperties?: number;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

type Definitions = Readonly<Record<string, Schema>>;
const MAX_DEPTH = 32;

/** The first problem of `value`, or null when there is none. */
export function diagnose(schema: object, value: unknown): Failure | null {
  const root = schema as Schema;
  return problem(root, value, "", root.$defs ?? {}, 0);
}

function invalid(path: string, message: string): Failure {
  const parameter = path === "" ? "the parameters" : path;
  return failure("INVALID_PARAMETER", `${parameter} ${message}`, { parameter: path });
}

const failure = (
  code: ErrorCode,
  message: string,
  details: Readonly<Record<string, unknown>>,
): Failure => ({ code, message, details });

function problem(
  schema: Schema,
  value: unknown,
  path: string,
  definitions: Definitions,
  depth: number,
): Failure | null {
  if (depth > MAX_DEPTH) return invalid(path, "is nested too deeply");
  if (schema.$ref !== undefined) {
    const target = definitions[schema.$ref.replace("#/$defs/", "")];
    return target === undefined ? null : problem(target, value, path, definitions, depth + 1);
  }
  if (schema.anyOf !== undefined) return anyProblem(schema.anyOf, value, path, definitions, depth);
  if (schema.const !== undefined)
    return value === schema.const ? null : invalid(path, `must be ${JSON.stringify(schema.const)}`);
  switch (schema.type) {
    case "string":
      return stringProblem(schema, value, path);
    case "integer":
      return integerProblem(schema, value, path);
    case "boolean":
      return typeof value === "boolean" ? null : invalid(path, "must be true or false");
    case "array":
      return arrayProblem(schema, value, path, definitions, depth);
    case "object":
      return objectProblem(schema, value, path, definitions, depth);
    default:
      return null;
  }
}

function stringProblem(schema: Schema, value: unknown, path: string): Failure | null {
  if (typeof value !== "string") return invalid(path, "must be a string");
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = schema;
  if (value.length < minLength) return invalid(path, "must not be empty");
  if (value.length > maxLength) return tooLong(path, maxLength);
  if (pattern !== undefined && !new RegExp(pattern).test(value)) {
    const says = schema.description === undefined ? "" : ` (${schema.description})`;
    return invalid(path, `must match ${pattern}${says}`);
  }
  return null;
}

/** Which field it is tells whether it is a key, a value or a text. */
function tooLong(path: string, limitBytes: number): Failure {
  const field = path.replace(/\[\d+\]$/, "").slice(path.lastIndexOf(".") + 1);
  const message = `${path} is longer than ${limitBytes} bytes`;
  const details = { parameter: path, limitBytes };
  if (/^(?:value|prevValue)$/.test(field)) return failure("VALUE_TOO_LARGE", message, details);
  if (/^(?:key|prefix|rangeEnd|after|name|names|job|toKey)$/.test(field))
    return failure("KEY_TOO_LARGE", message, details);
  return failure("INVALID_PARAMETER", message, details);
}

function integerProblem(schema: Schema, value: unknown, path: string): Failure | null {
  const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = schema;
  if (Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum) return null;
  return invalid(path, `must be an integer from ${minimum} to ${maximum}`);
}

function arrayProblem(
  schema: Schema,
  value: unknown,
  path: string,
  definitions: Definitions,
  depth: number,
): Failure | null {
  if (!Array.isArray(value)) return invalid(path, "must be a list");
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items = {} } = schema;
  if (value.length < minItems) return invalid(path, `must have at least ${minItems} items`);
  if (value.length > maxItems) return invalid(path, `may have at most ${maxItems} items`);
  if (schema.uniqueItems === true && new Set(value).size < value.length)
    return invalid(path, "has an item twice");
  for (let at = 0; at < value.length; at += 1) {
    const found = problem(items, value[at], `${path}[${at}]`, definitions, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function objectProblem(
  schema: Schema,
  value: unknown,
  path: string,
  definitions: Definitions,
  depth: number,
): Failure | null {
  if (!isObject(value)) return invalid(path, "must be an object");
  const { properties = {}, maxProperties = Number.POSITIVE_INFINITY } = schema;
  const within = (field: string): string => (path === "" ? field : `${path}.${field}`);
  for (const field of Object.keys(value)) {
    const inner = Object.hasOwn(properties, field) ? properties[field] : patterned(schema, field);
    if (inner === undefined) return unknownField(within(field), field, Object.keys(properties));
    const found = problem(inner, value[field], within(field), definitions, depth + 1);
    if (found !== null) return found;
  }
  for (const field of schema.required ?? [])
    if (!Object.hasOwn(value, field)) return invalid(within(field), "is missing");
  if (Object.keys(value).length > maxProperties)
    return invalid(path, `may have at most ${maxProperties} fields`);
  return null;
}

function patterned(schema: Schema, field: string): Schema | undefined {
  for (const [pattern, inner] of Object.entries(schema.patternProperties ?? {}))
    if (new RegExp(pattern).test(field)) return inner;
  return undefined;
}

function unknownField(path: string, field: string, known: readonly string[]): Failure {
  const didYouMean = nearest(field, known);
  const shown = path.length > 80 ? `${path.slice(0, 80)}…` : path;
  return failure(
    "UNKNOWN_FIELD",
    didYouMean === null
      ? `${shown} is not a field here; known are ${known.join(", ") || "none"}`
      : `${shown} is not a field here; did you mean ${didYouMean}?`,
    { field: shown, ...(didYouMean === null ? {} : { didYouMean }) },
  );
}

/** Of several forms the one that was most probably meant is judged: by its fields, or its tag. */
function anyProblem(
  forms: readonly Schema[],
  value: unknown,
  path: string,
  definitions: Definitions,
  depth: number,
): Failure | null {
  const problems: (Failure | null)[] = [];
  for (const form of forms) {
    const found = problem(form, value, path, definitions, depth + 1);
    if (found === null) return null;
    problems.push(found);
  }
  const literals = forms.map(form => form.const).filter(literal => literal !== undefined);
  if (literals.length === forms.length)
    return invalid(path, `must be one of ${literals.map(l => JSON.stringify(l)).join(", ")}`);
  let best = 0;
  let bestScore = Number.NEGATIVE_INFINITY;
  forms.forEach((form, at) => {
    const score = likeness(form, value);
    if (score > bestScore) {
      best = at;
      bestScore = score;
    }
  });
  return problems[best] ?? null;
}

/** Higher the more of `form` is in `value`: a tag that agrees counts most, strays count against. */
function likeness(form: Schema, value: unknown): number {
  const { properties } = form;
  if (properties === undefined || !isObject(value)) return -100;
  let score = 0;
  for (const field of Object.keys(value)) {
    const inner = properties[field];
    if (inner === undefined) score -= 1;
    else if (inner.const !== undefined) score += inner.const === value[field] ? 10 : -10;
    else if (inner.anyOf?.some(one => one.const === value[field]) === true) score += 10;
    else score += 1;
  }
  return score;
}
