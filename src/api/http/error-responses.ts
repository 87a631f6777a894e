/** The OpenAPI document's errors by status, and what writes take beside their parameters. */
import {
  ERRORS,
  type ErrorCode,
  isDoneAnew,
  LIMITS,
  OPERATION_KINDS,
  type OperationName,
} from "holdfast-protocol";
import { COMMON_ERRORS, OPERATIONS, WRITE_ERRORS } from "holdfast-protocol/schemas";

type Json = Record<string, unknown>;

/** Whether the same `Idempotency-Key` gets the first answer again. */
export const keepsAnswers = (name: OperationName): boolean =>
  OPERATION_KINDS[name] === "write" && !isDoneAnew(name);

export const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  description: "The same key again: the same effect once, and the same answer.",
  schema: { type: "string", minLength: 1, maxLength: LIMITS.idempotencyKeyBytes },
};

/** What this door refuses before it knows an operation. */
const DOOR_ERRORS: readonly ErrorCode[] = [
  "INVALID_REQUEST",
  "BODY_TOO_LARGE",
  "HEADERS_TOO_LARGE",
  "FORBIDDEN_HOST",
  "FORBIDDEN_ORIGIN",
  "TOO_MANY_REQUESTS",
];

export const errorContent = {
  "application/json": { schema: { $ref: "#/components/schemas/Error" } },
};

/** All errors that an operation may answer with over HTTP; `more` are those of one path alone. */
export function errorResponses(name: OperationName, more: readonly ErrorCode[] = []): Json {
  const write = keepsAnswers(name) ? WRITE_ERRORS : [];
  const { errors } = OPERATIONS[name];
  const byStatus = new Map<string, ErrorCode[]>();
  for (const code of new Set([...errors, ...COMMON_ERRORS, ...write, ...DOOR_ERRORS, ...more])) {
    const status = String(ERRORS[code].httpStatus);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const responses = [...byStatus].map(([status, codes]) => [
    status,
    { description: codes.join(", "), content: errorContent },
  ]);
  return Object.fromEntries(responses) as Json;
}
