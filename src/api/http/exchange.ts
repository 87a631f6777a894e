/**
 * One HTTP request and its answer around one call of the coordinator. The caller's hanging up ends
 * the waiting, and gives a place in line up, unless an Idempotency-Key keeps it.
 */
import { isUtf8 } from "node:buffer";
import type { FastifyReply, FastifyRequest } from "fastify";
import {
  ERRORS,
  LIMITS,
  type OperationKind,
  type OperationName,
  type ResultOf,
} from "holdfast-protocol";
import { AssertionError } from "../../base/assert.js";
import type {
  Call,
  CallContext,
  Connection,
  Failure,
  Outcome,
} from "../../replica/coordinator/index.js";
import { plainFailure, Refusal, tooMuchUnread, wireError } from "../calls/failure.js";
import { TextError } from "../calls/text.js";
import type { Params } from "../calls/validation.js";
import type { House } from "../house.js";
import type { UnderWay } from "./under-way.js";

const JSON_TYPE = "application/json; charset=utf-8";
const RETRY_AFTER_S = "1";

export function sendJson(reply: FastifyReply, status: number, body: object): void {
  void reply.code(status).header("content-type", JSON_TYPE).send(JSON.stringify(body));
}

/** Answers with an error, as the table says. */
export function sendFailure(house: House, reply: FastifyReply, failure: Failure): void {
  const { httpStatus } = ERRORS[failure.code];
  if (httpStatus === 503) void reply.header("retry-after", RETRY_AFTER_S);
  const error = wireError(failure, reply.request.id, house.jsonBorder);
  sendJson(reply, httpStatus, { error });
}

/** What could not be answered is a bug of ours: it is logged, and told by an id that leads there. */
export function sendBug(house: House, reply: FastifyReply, error: unknown): void {
  house.logger.error({ err: error, requestId: reply.request.id }, "a request met a bug");
  if (!reply.sent) sendFailure(house, reply, plainFailure("INTERNAL"));
  // Half an answer is none.
  else if (!reply.raw.writableEnded) reply.raw.destroy();
}

/**
 * Runs what answers a request within a callback of the coordinator: what it throws must not end the
 * node, which others use. A failed assertion must, and goes on.
 */
export function answering(house: House, reply: FastifyReply, answer: () => void): void {
  try {
    answer();
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    sendBug(house, reply, error);
  }
}

/** A call that a door refuses by itself counts as one that was answered with an error. */
export function countingRefusals(house: House, name: OperationName, begin: () => void): void {
  try {
    begin();
  } catch (error) {
    if (error instanceof Refusal) house.observe(name, 0, false);
    throw error;
  }
}

/** The body of an operation: a JSON object, whatever its Content-Type; empty is `{}`. */
export function jsonParams(house: House, request: FastifyRequest): Params {
  const body = request.body as Buffer | undefined;
  if (body === undefined || body.length === 0) return {};
  // A wait may stand for days, and its request with it.
  request.body = undefined;
  if (!isUtf8(body)) throw new Refusal({ code: "INVALID_JSON", message: "the body is not UTF-8" });
  let params: unknown;
  try {
    params = JSON.parse(body.toString("utf8"));
  } catch (error) {
    const why = error instanceof Error ? error.message : "it cannot be read";
    throw new Refusal({ code: "INVALID_JSON", message: `the body is not JSON: ${why}` });
  }
  if (typeof params !== "object" || params === null || Array.isArray(params))
    throw new Refusal({ code: "INVALID_JSON", message: "the body must be a JSON object" });
  toByteStrings(house, params as Params);
  return params as Params;
}

function toByteStrings(house: House, params: Params): void {
  try {
    house.jsonBorder.inward(params);
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    const details = { parameter: error.field };
    throw new Refusal({ code: "INVALID_PARAMETER", message: error.message, details });
  }
}

/** The Idempotency-Key as a byte string, or null. */
export function idempotencyKey(request: FastifyRequest): string | null {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return null;
  const { idempotencyKeyBytes: limit } = LIMITS;
  if (typeof key === "string" && key.length >= 1 && key.length <= limit) return key;
  throw new Refusal({
    code: "INVALID_PARAMETER",
    message: `an Idempotency-Key has 1 to ${limit} bytes`,
    details: { parameter: "Idempotency-Key" },
  });
}

interface Wait {
  call: Call | null;
  readonly reply: FastifyReply;
  /** Its caller asks on, here or at another node, under its Idempotency-Key. */
  readonly keepsPlace: boolean;
}

const PLACES: ReadonlySet<OperationName> = new Set(["lock.acquire", "election.campaign"]);

/** What may take as long as its caller, or a lease. */
const waits = (name: OperationName): boolean => PLACES.has(name) || name === "lock.break";

/**
 * The calls of one door. Short ones share a connection, which no call can give up or end, and which
 * has no bound: `underWay` bounds each caller, and the node what may be under way in it.
 */
export class Exchange {
  readonly #house: House;
  readonly #underWay: UnderWay;
  readonly #shared: Connection;
  readonly #waits = new Set<Wait>();
  /** Answers of short calls that are still to come. */
  readonly #short = new Map<FastifyReply, OperationKind>();

  constructor(house: House, underWay: UnderWay) {
    this.#house = house;
    this.#underWay = underWay;
    this.#shared = house.coordinator.connect(null);
  }

  /**
   * The node stops. Waits that keep their place are told so at once; others are withdrawn, and
   * answered when that is certain: as granted, if the grant came first; or with when a break that
   * was said will come.
   */
  stop(): void {
    for (const { call, reply, keepsPlace } of this.#waits)
      if (keepsPlace) sendFailure(this.#house, reply, plainFailure("SHUTTING_DOWN"));
      else call?.cancel();
  }

  /** After `stop`, when the coordinator answers no more. */
  close(): void {
    for (const { reply } of this.#waits)
      if (!reply.sent) sendFailure(this.#house, reply, plainFailure("OUTCOME_UNKNOWN"));
    for (const [reply, kind] of this.#short) {
      if (!isAwaited(reply)) continue;
      const code = kind === "write" ? "OUTCOME_UNKNOWN" : "SHUTTING_DOWN";
      sendFailure(this.#house, reply, plainFailure(code));
    }
    this.#shared.close(false);
  }

  /** Checks `params`, calls, and answers with `succeed` or the failure. Throws {@link Refusal}. */
  run<Name extends OperationName>(
    name: Name,
    params: Params,
    request: FastifyRequest,
    reply: FastifyReply,
    succeed: (result: ResultOf<Name>) => void,
  ): void {
    const { clock, observe } = this.#house;
    const kind = this.check(name, params);
    const key = kind === "write" ? idempotencyKey(request) : null;
    const { pollMs } = params;
    if (pollMs !== undefined && key === null) throw pollWithoutKey();
    const context: CallContext = key === null ? {} : { idempotencyKey: key };
    const beganMs = clock.monotonicMs();
    const settled = (outcome: Outcome<Name>): void => {
      this.#short.delete(reply);
      const told = (kind === "read" ? this.#unread(reply) : null) ?? outcome;
      observe(name, clock.monotonicMs() - beganMs, told.ok);
      if (!isAwaited(reply) || !this.#underWay.has(reply.raw)) return;
      answering(this.#house, reply, () => {
        if (told.ok) succeed(told.result);
        else sendFailure(this.#house, reply, this.#shown(told.failure));
      });
    };
    if (waits(name)) {
      this.#wait(name, params, context, reply, settled);
    } else {
      this.#short.set(reply, kind);
      this.#shared.call(name, params as never, context, settled);
    }
  }

  /** Throws {@link Refusal} unless `params` are what the operation takes, and the node goes on. */
  check(name: OperationName, params: Params): OperationKind {
    const operation = this.#house.operations.get(name);
    if (operation === undefined) throw new Error(`${name} has no compiled check`);
    // The call's body may have come when the node began to stop.
    if (this.#underWay.stopping) throw new Refusal(plainFailure("SHUTTING_DOWN"));
    const refusal = operation.check(params);
    if (refusal !== null) throw new Refusal(refusal);
    return operation.kind;
  }

  /** On a connection of the request's own, which ends with it. */
  #wait<Name extends OperationName>(
    name: Name,
    params: Params,
    context: CallContext,
    reply: FastifyReply,
    settled: (outcome: Outcome<Name>) => void,
  ): void {
    // Whoever has hung up by now cannot take what would be granted.
    if (!this.#underWay.has(reply.raw)) return;
    const connection = this.#house.coordinator.connect(null);
    const keepsPlace = PLACES.has(name) && context.idempotencyKey !== undefined;
    const wait: Wait = { call: null, reply, keepsPlace };
    this.#waits.add(wait);
    this.#underWay.whenOver(reply.raw, () => {
      this.#waits.delete(wait);
      connection.close(!reply.raw.writableFinished && !keepsPlace);
    });
    wait.call = connection.call(name, params as never, context, settled);
  }

  /** Null, unless the caller has too much to read already. */
  #unread(reply: FastifyReply): { readonly ok: false; readonly failure: Failure } | null {
    if (!this.#underWay.isUnread(reply.raw)) return null;
    const { maxConnectionBacklogBytes } = this.#house.limits;
    return { ok: false, failure: tooMuchUnread(maxConnectionBacklogBytes) };
  }

  /** Of the node's stopping a caller hears as such, not that it had given up. */
  #shown(failure: Failure): Failure {
    const withdrawn = this.#underWay.stopping && failure.code === "CANCELLED";
    return withdrawn ? plainFailure("SHUTTING_DOWN") : failure;
  }
}

/**
 * Whether an answer still has somebody to go to: what is written to a connection that has ended
 * would count as sent.
 */
const isAwaited = ({ sent, raw, request }: FastifyReply): boolean =>
  !sent && !raw.destroyed && !request.raw.socket.destroyed;

const pollWithoutKey = (): Refusal =>
  new Refusal({
    code: "INVALID_PARAMETER",
    message: "pollMs needs an Idempotency-Key: the same key asks on and keeps the place in line",
    details: { parameter: "pollMs" },
  });
