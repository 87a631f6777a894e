/** The paths of the OpenAPI document that do not come from the registry. */
import { OPERATIONS } from "holdfast-protocol/schemas";
import { jsonSchema } from "./schema-document.js";

type Json = Record<string, unknown>;

const content = (ref: string): Json => ({
  "application/json": { schema: { $ref: `#/components/schemas/${ref}` } },
});
const answer = (description: string, ref: string): Json => ({ description, content: content(ref) });
const error = (description: string): Json => answer(description, "Error");
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
    parameters: [key, ...query("kv.put", ["key", "value"]), ...conditions],
    requestBody: { content: raw },
    responses: {
      "200": answer("Written.", "kv.put.result"),
      "201": answer("Created.", "kv.put.result"),
      "409": error("NOT_HELD, ENTRY_PROTECTED"),
      "412": error("CONDITION_FAILED"),
    },
  },
  get: {
    operationId: "getKey",
    summary: "Reads a key: the record as JSON, or the value alone if that is what is accepted.",
    parameters: [key, ...query("kv.get", ["key"])],
    responses: {
      "200": { description: "The record.", content: { ...content("kv.get.result"), ...raw } },
      "304": { description: "Not changed since the revision in If-None-Match." },
      "404": error("NO_SUCH_KEY"),
    },
  },
  delete: {
    operationId: "deleteKey",
    summary: "Deletes a key.",
    parameters: [key, ...query("kv.delete", ["key", "prefix", "rangeEnd"]), ...conditions],
    responses: {
      "200": answer("Deleted, or was not there.", "kv.delete.result"),
      "412": error("CONDITION_FAILED"),
    },
  },
};

const appendPath = {
  post: {
    operationId: "appendKey",
    summary: "Creates the next sequenced key below a prefix; the body is the value, raw.",
    parameters: [{ ...key, name: "prefix" }, ...query("kv.append", ["prefix", "value"]), ...guard],
    requestBody: { content: raw },
    responses: { "201": answer("Created; Location leads to it.", "kv.append.result") },
  },
};

const rangePath = {
  get: {
    operationId: "listKeys",
    summary: "Lists keys.",
    parameters: query("kv.range", []),
    responses: { "200": answer("The records.", "kv.range.result") },
  },
  delete: {
    operationId: "deleteKeys",
    summary: "Deletes all keys of a range.",
    parameters: [...query("kv.delete", []), ...guard],
    responses: { "200": answer("Deleted.", "kv.delete.result") },
  },
};

const plain = (operationId: string, summary: string, type = "application/json"): Json => ({
  get: {
    operationId,
    summary,
    responses: { "200": { description: summary, content: { [type]: {} } } },
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
      },
    },
  },
  "/health": plain("health", "200 while a leader can be confirmed within 1 s."),
  "/readyz": plain("ready", "200 when the node is healthy and has caught up."),
  "/metrics": plain("metrics", "Prometheus' text format.", "text/plain"),
  "/version": plain("version", "The versions of the node and of the protocol."),
  "/v1/openapi.json": plain("openapi", "This document."),
});
