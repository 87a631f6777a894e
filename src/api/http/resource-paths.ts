/** The paths of the OpenAPI document that do not come from the registry. */
import { OPERATIONS } from "holdfast-protocol/schemas";
import { errorContent, errorResponses, idempotencyKey } from "./error-responses.js";
import { jsonSchema } from "./schema-document.js";

type Json = Record<string, unknown>;

const content = (ref: string): Json => ({
  "application/json": { schema: { $ref: `#/components/schemas/${ref}` } },
});
const answer = (description: string, ref: string): Json => ({ description, content: content(ref) });
const raw = { "application/octet-stream": { schema: { type: "string", format: "binary" } } };

const key = {
  name: "key",
  in: "path",
  required: true,
  description: "The rest of the path, slashes and all, decoded once, as bytes.",
  schema: { type: "string" },
};
const header = (name: string, description: string): Json => ({
  name,
  in: "header",
  description,
  schema: { type: "string" },
});
const guard = [
  {
    name: "heldBy",
    in: "query",
    schema: { type: "string" },
    description: "A lock, or a grant's key.",
  },
  { name: "token", in: "query", schema: { type: "integer" }, description: "With the lock's name." },
];

/** An operation's parameters as a query's, without those that stand elsewhere. */
function query(
  name: "kv.put" | "kv.append" | "kv.get" | "kv.range" | "kv.delete",
  without: string[],
): Json[] {
  return Object.entries(OPERATIONS[name].params.properties)
    .filter(([field]) => field !== "heldBy" && !without.includes(field))
    .map(([field, schema]) => ({ name: field, in: "query", schema: jsonSchema(schema, "") }));
}

const conditions = [
  header("If-Match", "`*`, or the revision in quotes."),
  header("If-None-Match", "`*`: create only."),
  ...guard,
];

const keyPath = {
  put: {
    operationId: "putKey",
    summary: "Writes a key; the body is the value, raw.",
    parameters: [key, ...query("kv.put", ["key", "value"]), ...conditions, idempotencyKey],
    requestBody: { content: raw },
    responses: {
      "200": answer("Written.", "kv.put.result"),
      "201": answer("Created.", "kv.put.result"),
      ...errorResponses("kv.put"),
    },
  },
  get: {
    operationId: "getKey",
    summary: "Reads a key: the record as JSON, or the value alone if that is what is accepted.",
    parameters: [
      key,
      ...query("kv.get", ["key"]),
      header("If-None-Match", "A revision in quotes: 304 if the key is still there."),
    ],
    responses: {
      "200": { description: "The record.", content: { ...content("kv.get.result"), ...raw } },
      "304": { description: "Not changed since the revision in If-None-Match." },
      ...errorResponses("kv.get"),
    },
  },
  delete: {
    operationId: "deleteKey",
    summary: "Deletes a key.",
    parameters: [
      key,
      ...query("kv.delete", ["key", "prefix", "rangeEnd"]),
      ...conditions,
      idempotencyKey,
    ],
    responses: {
      "200": answer("Deleted, or was not there.", "kv.delete.result"),
      ...errorResponses("kv.delete"),
    },
  },
};

const appendPath = {
  post: {
    operationId: "appendKey",
    summary: "Creates the next sequenced key below a prefix; the body is the value, raw.",
    parameters: [
      { ...key, name: "prefix" },
      ...query("kv.append", ["prefix", "value"]),
      ...guard,
      idempotencyKey,
    ],
    requestBody: { content: raw },
    responses: {
      "201": answer("Created; Location leads to it.", "kv.append.result"),
      ...errorResponses("kv.append"),
    },
  },
};

const rangePath = {
  get: {
    operationId: "listKeys",
    summary: "Lists keys.",
    parameters: query("kv.range", []),
    responses: { "200": answer("The records.", "kv.range.result"), ...errorResponses("kv.range") },
  },
  delete: {
    operationId: "deleteKeys",
    summary: "Deletes all keys of a range.",
    parameters: [...query("kv.delete", []), ...conditions, idempotencyKey],
    responses: { "200": answer("Deleted.", "kv.delete.result"), ...errorResponses("kv.delete") },
  },
};

const plain = (operationId: string, summary: string, type = "application/json"): Json => ({
  get: {
    operationId,
    summary,
    responses: {
      "200": { description: summary, content: { [type]: {} } },
      "503": { description: "SHUTTING_DOWN", content: errorContent },
    },
  },
});

const probe = (operationId: string, summary: string): Json => ({
  get: {
    operationId,
    summary,
    responses: {
      "200": { description: summary, content: { "application/json": {} } },
      "503": { description: "UNAVAILABLE, SHUTTING_DOWN", content: errorContent },
    },
  },
});

export const resourcePaths = (): Record<string, Json> => ({
  "/v1/kv/{key}": keyPath,
  "/v1/kv/{prefix}/": appendPath,
  "/v1/kv": rangePath,
  "/v1/watch": {
    get: {
      operationId: "watch",
      summary: "Server-Sent Events; the id of a message is its revision.",
      parameters: [
        ...Object.entries(OPERATIONS["watch.start"].params.properties).map(([name, schema]) => ({
          name,
          in: "query",
          schema: jsonSchema(schema, ""),
        })),
        header("Last-Event-ID", "Go on behind this revision."),
      ],
      responses: {
        "200": {
          description: "Events until the connection ends.",
          content: { "text/event-stream": { schema: { type: "string" } } },
        },
        ...errorResponses("watch.start"),
      },
    },
  },
  "/health": probe("health", "200 while a leader can be confirmed within 1 s."),
  "/readyz": probe("ready", "200 when the node is healthy and has caught up."),
  "/metrics": plain("metrics", "Prometheus' text format.", "text/plain"),
  "/version": plain("version", "The versions of the node and of the protocol."),
  "/v1/openapi.json": plain("openapi", "This document."),
});
