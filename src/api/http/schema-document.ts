/**
 * A schema of the registry as one for readers of JSON: byte strings are text there, or base64 in a
 * field of the same name with `Base64` after it; references lead to where the schema stands.
 */
type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isBytes = (schema: unknown): boolean =>
  isObject(schema) &&
  (schema["x-holdfast"] === "bytes" || (schema["type"] === "array" && isBytes(schema["items"])));

/** `schema` for a document in which it stands at `place`, a JSON pointer with its `#`. */
export function jsonSchema(schema: unknown, place: string): Json {
  return walk(schema, place) as Json;
}

function walk(schema: unknown, place: string): unknown {
  if (Array.isArray(schema)) return schema.map(item => walk(item, place));
  if (!isObject(schema)) return schema;
  const copy: Json = {};
  for (const [field, value] of Object.entries(schema)) {
    if (field === "$id" || field === "x-holdfast") continue;
    if (field === "$ref" && typeof value === "string") copy[field] = `${place}/$defs/${value}`;
    // Lengths count bytes, not characters.
    else if (field === "maxLength" && isBytes(schema)) continue;
    else copy[field] = walk(value, place);
  }
  return isObject(schema["properties"]) ? withBase64(copy, schema["properties"]) : copy;
}

function withBase64(copy: Json, properties: Json): Json {
  const names = Object.keys(properties).filter(name => isBytes(properties[name]));
  if (names.length === 0) return copy;
  const added = names.map(name => [`${name}Base64`, base64Of(properties[name])]);
  const required = Array.isArray(copy["required"]) ? (copy["required"] as string[]) : [];
  const either = names.filter(name => required.includes(name));
  return {
    ...copy,
    properties: { ...(copy["properties"] as Json), ...Object.fromEntries(added) },
    required: required.filter(name => !either.includes(name)),
    ...(either.length === 0
      ? {}
      : {
          allOf: either.map(name => ({
            oneOf: [{ required: [name] }, { required: [`${name}Base64`] }],
          })),
        }),
  };
}

const text = { type: "string", contentEncoding: "base64" };

const base64Of = (schema: unknown): Json =>
  isObject(schema) && schema["type"] === "array" ? { type: "array", items: text } : text;
