/**
 * Kept answers out of a snapshot: plain data, held against the shapes of command/result.ts before
 * anything of it is believed. What is no answer of this format is refused with DecodeError.
 */
import type { Reader } from "../../base/codec.js";
import type { CommandResult } from "../command/result.js";
import { END_REASONS } from "./format.js";
import { readValue } from "./value.js";

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

const isText: Check = value => typeof value === "string";
const isCount: Check = value => typeof value === "number";
const isFlag: Check = value => typeof value === "boolean";
const isReason: Check = value => (END_REASONS as readonly unknown[]).includes(value);
const isObject: Check = value =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** All fields of `needed`, perhaps some of `optional`, and no other. */
function fits(value: unknown, needed: Shape, optional: Shape): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  let found = 0;
  for (const [name, inner] of Object.entries(value)) {
    const isNeeded = Object.hasOwn(needed, name);
    const check = isNeeded ? needed[name] : Object.hasOwn(optional, name) ? optional[name] : null;
    if (!check?.(inner)) return false;
    if (isNeeded) found++;
  }
  return found === Object.keys(needed).length;
}

const NONE: Shape = {};
const object =
  (needed: Shape, optional: Shape = NONE): Check =>
  value =>
    fits(value, needed, optional);
const listOf =
  (check: Check): Check =>
  value =>
    Array.isArray(value) && value.every(check);

const isRecord = object(
  { key: isText, createRevision: isCount, modRevision: isCount, version: isCount },
  { value: isText, lease: isText },
);
const isEnded = object({ reason: isReason });
const isGrant = object(
  {
    name: isText,
    key: isText,
    token: isCount,
    lease: isText,
    ttlMs: isCount,
    revision: isCount,
    waitedMs: isCount,
  },
  { parts: listOf(object({ name: isText, key: isText })) },
);
const isMode: Check = value => value === "shared" || value === "permit";
const isRule = object(
  { kind: value => value === "lock" || value === "semaphore" },
  { permits: isCount, lockDelayMs: isCount, maxHoldMs: isCount },
);
const isEntry = object(
  {
    key: isText,
    token: isCount,
    lease: isText,
    value: isText,
    sinceMs: isCount,
    sinceWallMs: isCount,
    privateLease: isFlag,
  },
  {
    owner: isText,
    actor: isText,
    mode: isMode,
    progress: isText,
    asked: object({ by: isText, why: isText, untilMs: isCount }, { to: isText, breaks: isFlag }),
    shutUntilMs: isCount,
    endsMs: isCount,
    labels: value => isObject(value) && Object.values(value as object).every(isText),
  },
);

/** By kind: the fields that must be there, and those that may. */
const SHAPES: Readonly<Record<CommandResult["kind"] | "range", readonly [Shape, Shape]>> = {
  put: [{ key: isText, revision: isCount, created: isFlag }, { prev: isRecord }],
  append: [{ key: isText, revision: isCount }, NONE],
  delete: [{ deleted: isCount, revision: isCount }, { prev: listOf(isRecord) }],
  range: [{ records: listOf(isRecord), count: isCount, more: isFlag, revision: isCount }, NONE],
  txn: [{ succeeded: isFlag, revision: isCount, results: listOf(isStep) }, NONE],
  leaseGranted: [{ lease: isText, ttlMs: isCount }, NONE],
  leaseRevoked: [{ lease: isText, revoked: isFlag }, { ended: isEnded }],
  leasesExpired: [{ count: isCount }, NONE],
  granted: [{ grant: isGrant }, NONE],
  waiting: [
    {
      name: isText,
      key: isText,
      lease: isText,
      ttlMs: isCount,
      position: isCount,
      enteredMs: isCount,
    },
    NONE,
  ],
  entryEnded: [{ key: isText, reason: isReason, granted: isFlag }, NONE],
  cancelled: [{ key: isText, position: isCount, holders: listOf(isEntry) }, NONE],
  released: [{ released: isFlag }, { ended: isEnded }],
  proclaimed: [{ key: isText, token: isCount, revision: isCount }, NONE],
  lockConfigured: [{ name: isText, rule: isRule }, NONE],
  annotated: [NONE, NONE],
  yieldAsked: [{ keys: listOf(isText) }, NONE],
  broken: [
    { broken: isFlag },
    { pending: object({ key: isText, endsMs: isCount }, {}), ended: isEnded },
  ],
  slotFinished: [{ job: isText, slot: isCount, outcome: isText }, NONE],
  configured: [NONE, NONE],
  refused: [{ code: isText, details: isObject }, NONE],
};

const STEPS: readonly unknown[] = ["put", "append", "delete", "range", "txn"];

const kindOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "kind" in value ? value.kind : null;

function isStep(value: unknown): boolean {
  return STEPS.includes(kindOf(value)) && isResult(value);
}

function isResult(value: unknown): boolean {
  const kind = kindOf(value);
  if (typeof kind !== "string" || !Object.hasOwn(SHAPES, kind)) return false;
  const [needed, optional] = SHAPES[kind as CommandResult["kind"]];
  return fits(value, { kind: isText, ...needed }, optional);
}

function isAnswer(value: unknown): value is CommandResult {
  return isResult(value) && kindOf(value) !== "range";
}

/** An answer as it was kept; null: it was too large for that. Throws DecodeError. */
export function readAnswer(from: Reader): CommandResult | null {
  const value = readValue(from);
  if (value === null || isAnswer(value)) return value;
  throw from.error("answer", "is none");
}
