/** Reads what a client may say, one message at a time, out of decoded values of any kind. */
import { PROTOCOL_VERSION } from "holdfast-protocol";
import { isLeaseId } from "../../base/ids.js";
import type { Limits } from "../../base/limits.js";

/** A message that is none of the protocol's. The connection is closed. */
export class MessageError extends Error {
  override readonly name = "MessageError";
}

export interface Hello {
  /** 16 hex digits, or null: the client's requests have no identity. */
  readonly client: string | null;
  readonly leases: readonly string[];
}

export interface Request {
  readonly id: number;
  readonly op: string;
  readonly params: Record<string, unknown> | undefined;
  /** 0 when it was not said. */
  readonly low: number;
}

type Fields = Record<string, unknown>;

export const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array);

const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 1;

function onlyFields(message: Fields, known: readonly string[], what: string): void {
  for (const field of Object.keys(message))
    if (!known.includes(field))
      throw new MessageError(
        `${what} has no field ${field.slice(0, 80)}; known are ${known.join(", ")}`,
      );
}

const HELLO_FIELDS = ["v", "token", "client", "leases"];
const CLIENT_FORM = /^[0-9a-f]{16}$/;

export function readHello(message: Fields, limits: Limits): Hello {
  const { hello } = message;
  if (hello === undefined)
    throw new MessageError(`the first message is {hello: {v: ${PROTOCOL_VERSION}}}`);
  onlyFields(message, ["hello"], "hello");
  if (!isRecord(hello)) throw new MessageError("hello is an object");
  onlyFields(hello, HELLO_FIELDS, "hello");
  const { v, token, client, leases = [] } = hello;
  if (v !== PROTOCOL_VERSION)
    throw new MessageError(
      `hello.v must be ${PROTOCOL_VERSION}: this node speaks no other version`,
    );
  if (token !== undefined && typeof token !== "string")
    throw new MessageError("hello.token must be a string");
  if (client !== undefined && (typeof client !== "string" || !CLIENT_FORM.test(client)))
    throw new MessageError("hello.client must be 16 lowercase hex digits");
  if (!Array.isArray(leases) || leases.length > limits.maxLeasesPerConnection)
    throw new MessageError(`hello.leases is a list of at most ${limits.maxLeasesPerConnection}`);
  for (const lease of leases)
    if (typeof lease !== "string" || !isLeaseId(lease))
      throw new MessageError("hello.leases holds lease ids: lowercase hex, at most 63 bits");
  return { client: client ?? null, leases };
}

const REQUEST_FIELDS = ["id", "op", "params", "low"];

export function readRequest(message: Fields): Request {
  for (const field in message)
    if (field !== "id" && field !== "op" && field !== "params" && field !== "low")
      onlyFields(message, REQUEST_FIELDS, "a request");
  const { id, op, params, low } = message;
  if (!isNumber(id)) throw new MessageError("a request's id is an integer from 1 to 2^53-1");
  if (typeof op !== "string") throw new MessageError("a request's op is a string");
  if (params !== undefined && !isRecord(params))
    throw new MessageError("a request's params are an object");
  if (low !== undefined && !isNumber(low))
    throw new MessageError("a request's low is an integer from 1 to 2^53-1");
  return { id, op, params, low: low ?? 0 };
}

export function readCancel(message: Fields): number {
  onlyFields(message, ["cancel"], "cancel");
  const { cancel } = message;
  if (!isNumber(cancel)) throw new MessageError("cancel is the id of a request");
  return cancel;
}
