import { readFileSync } from "node:fs";
import {
  BYTE_FIELDS,
  isOperationName,
  LIMITS,
  OPERATION_KINDS,
  OPERATION_NAMES,
} from "holdfast-protocol";
import { OPERATIONS } from "holdfast-protocol/schemas";
import { describe, expect, test } from "vitest";
import { LIMITS as NODE_LIMITS } from "../../src/base/limits.js";

type Schema = Record<string, unknown>;
const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Calls back with every property of every object within the schema. */
function properties(schema: unknown, visit: (name: string, property: Schema) => void): void {
  if (Array.isArray(schema)) for (const item of schema) properties(item, visit);
  if (!isSchema(schema)) return;
  for (const [name, property] of Object.entries(schema["properties"] ?? {}))
    if (isSchema(property)) visit(name, property);
  for (const inner of Object.values(schema)) properties(inner, visit);
}

const markOf = (schema: Schema): unknown =>
  schema["type"] === "array" ? markOf(schema["items"] as Schema) : schema["x-holdfast"];

describe("the operations", () => {
  test("are the same in the plain table and in the registry", () => {
    expect(Object.keys(OPERATIONS)).toEqual([...OPERATION_NAMES]);
    expect(OPERATION_NAMES.every(name => /^[a-z]+\.[a-z]+$/.test(name))).toBe(true);
    expect(["kv.put", "constructor", "kv.nothing"].map(isOperationName)).toEqual([
      true,
      false,
      false,
    ]);
    expect(new Set(Object.values(OPERATION_KINDS))).toEqual(new Set(["read", "write", "stream"]));
  });

  test("mark as bytes exactly the fields that are bytes by name, everywhere", () => {
    const names = new Set<string>();
    const other: string[] = [];
    for (const { params, result } of Object.values(OPERATIONS))
      properties([params, result], (name, property) => {
        const isBytes = markOf(property) === "bytes";
        if (isBytes) names.add(name);
        else if ((BYTE_FIELDS as readonly string[]).includes(name) && !isText(property))
          other.push(name);
      });
    expect([...names].sort()).toEqual([...BYTE_FIELDS].sort());
    expect(other).toEqual([]);
  });

  test("know their fields exactly: every object is closed", () => {
    const open: string[] = [];
    const check = (schema: unknown): void => {
      if (Array.isArray(schema)) for (const item of schema) check(item);
      if (!isSchema(schema)) return;
      if (schema["type"] === "object" && schema["additionalProperties"] !== false)
        open.push(JSON.stringify(schema).slice(0, 80));
      for (const inner of Object.values(schema)) check(inner);
    };
    check(OPERATIONS);
    expect(open).toEqual([]);
  });

  test("say the unit of every time", () => {
    const unclear: string[] = [];
    for (const { params, result } of Object.values(OPERATIONS))
      properties([params, result], name => {
        if (/(?:time|ttl|wait|since|remaining|timeout)$/i.test(name)) unclear.push(name);
      });
    expect(unclear.filter(name => !["prevExist"].includes(name))).toEqual([]);
  });
});

/** `name` is a member's own, human name in the cluster's answers; `key` stands in `sortBy`. */
const isText = (property: Schema): boolean =>
  property["x-holdfast"] === "text" || property["const"] !== undefined;

test("clients' limits are the node's limits", () => {
  const same: [keyof typeof LIMITS, keyof typeof NODE_LIMITS][] = [
    ["keyBytes", "maxKeyBytes"],
    ["nameBytes", "maxNameBytes"],
    ["valueBytes", "maxValueBytes"],
    ["textBytes", "maxOwnerBytes"],
    ["textBytes", "maxActorBytes"],
    ["textBytes", "maxLabelValueBytes"],
    ["remarkBytes", "maxProgressBytes"],
    ["namesPerAcquire", "maxNamesPerAcquire"],
    ["permitsMax", "maxPermits"],
    ["lockDelayMaxMs", "maxLockDelayMs"],
    ["holdMaxMs", "maxHoldLimitMs"],
    ["graceMaxMs", "maxGraceMs"],
    ["labelNameBytes", "maxLabelNameBytes"],
    ["labels", "maxLabels"],
    ["bodyBytes", "maxRequestBytes"],
    ["frameBytes", "maxFrameBytes"],
    ["messagesPerFrame", "maxMessagesPerFrame"],
    ["outstandingRequests", "maxPendingPerConnection"],
    ["watchesPerConnection", "maxWatchersPerConnection"],
    ["leasesPerMessage", "maxLeasesPerConnection"],
    ["ttlMinMs", "minTtlMs"],
    ["ttlMaxMs", "maxTtlMs"],
    ["waitMaxMs", "maxWaitMs"],
    ["keysPerCommand", "maxKeysPerCommand"],
    ["keysPerLease", "maxKeysPerLease"],
    ["txnOperations", "maxTxnOperations"],
    ["txnCompares", "maxTxnCompares"],
    ["txnDepth", "maxTxnDepth"],
    ["rangeRecords", "maxRangeItems"],
    ["rangeDefaultRecords", "defaultRangeItems"],
  ];
  for (const [ours, theirs] of same)
    expect(`${ours} ${LIMITS[ours]}`).toBe(`${ours} ${NODE_LIMITS[theirs]}`);
  expect(LIMITS.idempotencyKeyBytes).toBeLessThanOrEqual(NODE_LIMITS.maxIdempotencyKeyBytes);
});

test("the package's main face loads no library", () => {
  for (const file of ["index", "errors", "operations", "frames", "limits", "shapes", "txn"]) {
    const source = readFileSync(new URL(`../../src/protocol/${file}.ts`, import.meta.url), "utf8");
    const loads = [...source.matchAll(/^(?:import|export) (?!type )[^;]*? from "([^"]+)"/gm)]
      .map(match => match[1] ?? "")
      .filter(from => !from.startsWith("./") || from.startsWith("./schemas"));
    expect([file, loads]).toEqual([file, []]);
  }
});
