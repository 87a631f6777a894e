/** Query strings to parameters: which fields are numbers, flags or lists the schemas say. */
import type { OperationName } from "holdfast-protocol";
import { OPERATIONS } from "holdfast-protocol/schemas";
import { Refusal } from "../calls/failure.js";
import type { Params } from "../calls/validation.js";

type FieldKind = "integer" | "boolean" | "array" | "string";

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
}

function collect(schema: Schema, into: Map<string, FieldKind>): Map<string, FieldKind> {
  for (const form of schema.anyOf ?? []) collect(form, into);
  for (const [name, { type }] of Object.entries(schema.properties ?? {})) {
    if (type === "integer" || type === "boolean" || type === "array") into.set(name, type);
    else if (type !== "object") into.set(name, "string");
  }
  return into;
}

const KINDS = new Map<OperationName, Map<string, FieldKind>>();

function kindsOf(operation: OperationName): Map<string, FieldKind> {
  const known = KINDS.get(operation);
  if (known !== undefined) return known;
  const kinds = collect(OPERATIONS[operation].params as Schema, new Map());
  KINDS.set(operation, kinds);
  return kinds;
}

const refuse = (parameter: string, message: string): Refusal =>
  new Refusal({ code: "INVALID_PARAMETER", message, details: { parameter } });

/**
 * `query` as parameters of `operation`. Fields that it does not know stay as they are: validation
 * names them. Throws {@link Refusal} where a number or flag is none.
 */
export function paramsFrom(operation: OperationName, query: ReadonlyMap<string, string>): Params {
  const kinds = kindsOf(operation);
  const params: Params = {};
  for (const [name, text] of query) params[name] = readField(name, text, kinds.get(name));
  return params;
}

function readField(name: string, text: string, kind: FieldKind | undefined): unknown {
  switch (kind) {
    case "integer":
      if (!/^-?\d{1,16}$/.test(text)) throw refuse(name, `${name} must be an integer`);
      return Number(text);
    case "boolean":
      if (text === "true" || text === "") return true;
      if (text === "false") return false;
      throw refuse(name, `${name} must be true or false`);
    case "array":
      return text.split(",");
    default:
      return text;
  }
}
