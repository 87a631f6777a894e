/**
 * The OpenAPI 3.1 document, made from the registry and the error table. The keyspace's resources,
 * which are another spelling of the same operations, are described here by hand.
 */
import { ERRORS, OPERATION_KINDS, OPERATION_NAMES, type OperationName } from "holdfast-protocol";
import { OPERATIONS } from "holdfast-protocol/schemas";
import { errorResponses, idempotencyKey, keepsAnswers } from "./error-responses.js";
import { answersGet, pathOf } from "./operations.js";
import { resourcePaths } from "./resource-paths.js";
import { jsonSchema } from "./schema-document.js";

type Json = Record<string, unknown>;

/** The whole document. Made anew by each call; about 200 KiB as JSON. */
export function openApi(version: string): Json {
  const paths: Record<string, Json> = resourcePaths();
  const schemas: Json = { Error: errorSchema() };
  for (const name of OPERATION_NAMES) {
    const { params, result } = OPERATIONS[name];
    schemas[`${name}.params`] = jsonSchema(params, `#/components/schemas/${name}.params`);
    schemas[`${name}.result`] = jsonSchema(result, `#/components/schemas/${name}.result`);
    paths[pathOf(name)] = { ...paths[pathOf(name)], ...operationPath(name) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Holdfast",
      version,
      description: "A distributed lock and sequencing service.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: { schemas },
  };
}

function operationPath(name: OperationName): Json {
  const post = {
    operationId: name,
    tags: [name.slice(0, name.indexOf("."))],
    summary: OPERATIONS[name].description,
    ...(keepsAnswers(name) ? { parameters: [idempotencyKey] } : {}),
    requestBody: { content: json({ $ref: `#/components/schemas/${name}.params` }) },
    responses: responsesOf(name),
  };
  if (!answersGet(name)) return { post };
  const get = {
    operationId: `${name}.get`,
    tags: post.tags,
    summary: post.summary,
    parameters: queryParameters(name),
    responses: post.responses,
  };
  return { post, get };
}

const json = (schema: Json): Json => ({ "application/json": { schema } });

function responsesOf(name: OperationName): Json {
  const stream = OPERATION_KINDS[name] === "stream";
  const content = stream
    ? { "text/event-stream": { schema: { type: "string" } } }
    : json({ $ref: `#/components/schemas/${name}.result` });
  const responses: Json = {
    "200": { description: stream ? "Events until the connection ends." : "Done.", content },
  };
  if (name === "lock.acquire" || name === "election.campaign")
    responses["202"] = { description: "Still waiting: ask on under the same key.", content };
  return { ...responses, ...errorResponses(name, ["INVALID_JSON"]) };
}

interface Form {
  readonly properties?: Readonly<Record<string, Json>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Form[];
}

function queryParameters(name: OperationName): Json[] {
  const schema: Form = OPERATIONS[name].params as Form;
  const forms = schema.anyOf ?? [schema];
  const fields = new Map<string, Json>();
  for (const form of forms)
    for (const [field, inner] of Object.entries(form.properties ?? {})) fields.set(field, inner);
  return [...fields].map(([field, inner]) => ({
    name: field,
    in: "query",
    required: forms.every(form => form.required?.includes(field)),
    schema: jsonSchema(inner, ""),
  }));
}

function errorSchema(): Json {
  return {
    type: "object",
    required: ["error"],
    properties: {
      error: {
        type: "object",
        required: ["code", "message", "retryable", "outcome", "requestId"],
        properties: {
          code: { type: "string", enum: Object.keys(ERRORS) },
          message: { type: "string" },
          retryable: { type: "boolean" },
          outcome: { type: "string", enum: ["not-applied", "unknown"] },
          requestId: { type: "string" },
          details: { type: "object" },
        },
      },
    },
  };
}
