/**
 * The OpenAPI document is one: what OpenAPI 3.1 asks of its parts holds for all of ours, its
 * schemas compile, and they take and refuse what the node takes and refuses.
 */
import { OPERATION_NAMES, type OperationName } from "holdfast-protocol";
import { Compile } from "typebox/schema";
import { describe, expect, test } from "vitest";
import { compileOperations } from "../../src/api/calls/validation.js";
import { openApi } from "../../src/api/http/openapi.js";

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: object;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, object>> };
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly content?: Readonly<Record<string, object>> }
    >
  >;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const document = openApi("1.2.3") as unknown as Document;
const { components } = document;
const METHODS = ["get", "put", "post", "delete"];

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
);

/** What OpenAPI 3.1 asks of an operation, and this one does not keep. */
function faults(path: string, method: string, operation: Operation): string[] {
  const found: string[] = [];
  const fault = (holds: boolean, what: string): void => {
    if (!holds) found.push(`${method} ${path}: ${what}`);
  };
  const { parameters = [], requestBody, responses, operationId, summary } = operation;
  fault(path.startsWith("/"), "the path begins with a slash");
  fault(METHODS.includes(method), "the method is one that a path item has");
  fault(/^[A-Za-z.]+$/.test(operationId) && summary !== "", "it has an id and a summary");
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const declared = parameters.filter(one => one.in === "path").map(({ name }) => name);
  fault(declared.join() === inPath.join(), "what is in the path's braces is declared");
  for (const one of parameters) {
    fault(["path", "query", "header"].includes(one.in), `${one.name} stands somewhere`);
    fault(one.in !== "path" || one.required === true, `${one.name} in the path is required`);
    fault(typeof one.schema === "object", `${one.name} has a schema`);
  }
  const places = parameters.map(({ name, in: place }) => `${place} ${name}`);
  fault(new Set(places).size === places.length, "no parameter is declared twice");
  fault(requestBody === undefined || method !== "get", "a GET has no body");
  fault(requestBody === undefined || "content" in requestBody, "a body has a content");
  fault(Object.keys(responses).length > 0, "it has a response");
  for (const [status, { description, content = {} }] of Object.entries(responses)) {
    fault(/^[2345]\d\d$/.test(status) && description !== "", `${status} has a description`);
    for (const type of Object.keys(content))
      fault(/^\w+\/[\w.-]+$/.test(type), `${type} is a type`);
  }
  return found;
}

const schemaOf = (ref: string) => Compile({ $ref: `#/components/schemas/${ref}`, components });

describe("the document", () => {
  test("is OpenAPI 3.1 in all its parts", () => {
    expect(document.openapi).toBe("3.1.0");
    expect(document.info).toMatchObject({ title: "Holdfast", version: "1.2.3" });
    expect(operations.length).toBeGreaterThan(OPERATION_NAMES.length);
    expect(
      operations.flatMap(({ path, method, operation }) => faults(path, method, operation)),
    ).toEqual([]);
    for (const name of Object.keys(components.schemas)) expect(name).toMatch(/^[\w.-]+$/);
  });

  test("would be caught at a part that is not", () => {
    const good = { operationId: "a", summary: "b", responses: { "200": { description: "c" } } };
    expect(faults("/a", "get", good)).toEqual([]);
    expect(faults("/a/{key}", "get", good).length).toBe(1);
    expect(faults("a", "fetch", { ...good, responses: {} }).length).toBe(3);
    const twice = { name: "x", in: "query", schema: {} };
    expect(faults("/a", "get", { ...good, parameters: [twice, twice] }).length).toBe(1);
    const optional = { name: "key", in: "path", schema: {} };
    expect(faults("/{key}", "get", { ...good, parameters: [optional] }).length).toBe(1);
  });

  test("has each operation with its own schemas, and 202 where there may be more to wait for", () => {
    for (const name of OPERATION_NAMES) {
      const post = document.paths[`/v1/${name.replace(".", "/")}`]?.post;
      const at = (what: string) => ({ schema: { $ref: `#/components/schemas/${name}.${what}` } });
      expect(post?.requestBody?.content).toEqual({ "application/json": at("params") });
      const isStream = name === "watch.start" || name === "election.observe";
      const type = isStream ? "text/event-stream" : "application/json";
      expect(Object.keys(post?.responses["200"]?.content ?? {})).toEqual([type]);
      if (!isStream) expect(post?.responses["200"]?.content?.[type]).toEqual(at("result"));
      const waits = name === "lock.acquire" || name === "election.campaign";
      expect([name, post?.responses["202"] !== undefined]).toEqual([name, waits]);
    }
  });

  test("has schemas that compile, all of them, and leads to nothing that is not there", () => {
    for (const name of Object.keys(components.schemas))
      expect([name, schemaOf(name).Check(undefined)]).toEqual([name, false]);
    for (const [, ref = ""] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)) {
      const steps = ref.replace("#/", "").split("/");
      const found = steps.reduce<unknown>(
        (at, step) => (at as Record<string, unknown>)[step],
        document,
      );
      expect([ref, typeof found]).toEqual([ref, "object"]);
    }
  });
});

/** Parameters of every operation that a node takes, as they stand in JSON, and some that it refuses. */
const CASES: { readonly [Name in OperationName]: readonly [good: object[], bad: object[]] } = {
  "kv.put": [
    [
      { key: "a", value: "1", heldBy: { name: "l", token: 1 } },
      { keyBase64: "/w==", valueBase64: "AA==" },
    ],
    [{ key: "a" }, { key: "a", value: "1", heldBy: { name: "l" } }, { key: 1, value: "1" }],
  ],
  "kv.append": [[{ prefix: "a", value: "1" }], [{ prefix: "a" }]],
  "kv.get": [[{ key: "a", revision: 3 }], [{}, { key: "a", revision: -1 }]],
  "kv.range": [
    [{}, { prefix: "a", order: "descend" }],
    [{ order: "down" }, { limit: 0 }],
  ],
  "kv.delete": [[{ key: "a" }], [{ key: "a", prevRevision: 1.5 }]],
  "kv.txn": [
    [{ success: [{ txn: { failure: [{ delete: { key: "a" } }] } }] }, {}],
    [{ success: [{ txn: { failure: [{ delete: { kye: "a" } }] } }] }],
  ],
  "watch.start": [[{ prefix: "a", kinds: ["put"] }], [{ prefix: "a", kinds: [] }]],
  "lease.grant": [
    [{ ttlMs: 1000, labels: { host: "a" } }],
    [{ ttlMs: 999 }, { ttlMs: 1000, lease: "0a" }, { ttlMs: 1000, labels: { "": "a" } }],
  ],
  "lease.keepalive": [
    [{ lease: "a" }, { leases: ["a", "b"], stamp: 7 }],
    [{ leases: [] }, {}],
  ],
  "lease.revoke": [[{ lease: "a" }], [{ lease: "A" }]],
  "lease.get": [[{ lease: "a" }], [{}]],
  "lease.list": [[{}, { limit: 5 }], [{ limit: 0 }]],
  "lock.acquire": [
    [
      { name: "a", ttlMs: 1000, waitMs: -1, pollMs: 10, minRemainingMs: 5 },
      { nameBase64: "/w==", lease: "a", mode: "shared", actor: "t" },
      { names: ["a", "b"], lease: "a" },
      { namesBase64: ["/w=="], lease: "a" },
      { name: "a", lease: "a", permits: 1_000_000 },
    ],
    [
      { name: "a", lease: "a", mode: "exclusiv" },
      { name: "a", lease: "a", permits: 0 },
      { names: [], lease: "a" },
      { names: ["a", "a"], lease: "a" },
      { name: "a", ttlMs: 1000, waitMs: -2 },
    ],
  ],
  "lock.release": [
    [{ key: "a/1", toKey: "a/2" }, { name: "a", token: 1 }, { keyBase64: "/w==" }],
    [{ name: "a" }, { key: "a/1", name: "a", token: 1 }],
  ],
  "lock.check": [[{ key: "a/1" }], [{ name: "a", token: 0 }]],
  "lock.inspect": [[{ name: "a", limit: 3 }], [{ name: "" }]],
  "lock.list": [[{ prefix: "a", after: "b", owner: "c" }], [{ limit: 10_001 }]],
  "lock.annotate": [
    [{ key: "a/1", progress: "x".repeat(1024) }],
    [{ key: "a/1" }, { key: "a/1", progress: "x".repeat(1025) }],
  ],
  "lock.yield": [
    [{ name: "a" }, { name: "a", token: 1, graceMs: 5, by: "b", why: "c", toKey: "a/2" }],
    [{ graceMs: 5 }, { name: "a", graceMs: 86_400_001 }],
  ],
  "lock.break": [
    [
      { key: "a/1", force: true },
      { name: "a", token: 1, by: "b", why: "c" },
    ],
    [{ name: "a" }, { key: "a/1", graceMs: 5 }],
  ],
  "lock.configure": [
    [{ name: "a" }, { name: "a", permits: 0, lockDelayMs: 86_400_000, maxHoldMs: 0 }],
    [{ name: "a", lockDelayMs: 86_400_001 }, { permits: 3 }],
  ],
  "slot.claim": [
    [{ job: "a", slot: 0, ttlMs: 1000, onAbandon: "close", lateMs: 0 }],
    [
      { job: "a", ttlMs: 1000 },
      { job: "a", slot: 1, ttlMs: 1000, onAbandon: "open" },
    ],
  ],
  "slot.finish": [
    [
      { key: "a/1/2", outcome: "done", note: "b" },
      { name: "a", token: 1, outcome: "failed" },
    ],
    [{ key: "a/1/2" }, { key: "a/1/2", outcome: "abandoned" }],
  ],
  "election.campaign": [[{ name: "a", lease: "a", value: "b" }], [{ names: ["a"], lease: "a" }]],
  "election.proclaim": [[{ key: "a/1", value: "b" }], [{ key: "a/1" }]],
  "election.resign": [[{ key: "a/1", toKey: "a/2" }], [{}]],
  "election.leader": [[{ name: "a" }], [{}]],
  "election.observe": [[{ name: "a", from: 3 }], [{ name: "a", from: "3" }]],
  "cluster.status": [[{}], [{ a: 1 }]],
  "cluster.members": [[{}], [{ a: 1 }]],
  "cluster.add": [
    [{ name: "n4", peerUrls: ["http://10.0.0.4:2380"] }],
    [{ name: "n4", peerUrls: ["10.0.0.4"] }],
  ],
  "cluster.promote": [[{ member: "n4", replacing: "n1" }], [{ replacing: "n1" }]],
  "cluster.remove": [[{ member: "n4" }], [{}]],
  "cluster.transfer": [[{}, { to: "n4" }], [{ to: "" }]],
};

const checked = compileOperations();

test.each(OPERATION_NAMES)("the document and the node agree on what %s takes", name => {
  const schema = schemaOf(`${name}.params`);
  const operation = checked.get(name);
  const [good, bad] = CASES[name];
  expect(good.map(one => [one, schema.Check(one)])).toEqual(good.map(one => [one, true]));
  expect(bad.map(one => [one, schema.Check(one)])).toEqual(bad.map(one => [one, false]));
  const spelledAsItIs = (one: object) => !JSON.stringify(one).includes("Base64");
  for (const one of good.filter(spelledAsItIs)) expect(operation?.check({ ...one })).toBeNull();
  for (const one of bad.filter(spelledAsItIs)) expect(operation?.check({ ...one })).not.toBeNull();
});
