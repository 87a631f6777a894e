/**
 * One listener: fastify with the node's limits, checks and error answers around all routes.
 * Whatever goes wrong is answered from the error table; no stack trace leaves the node.
 */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from "fastify";
import { LIMITS, OPERATION_NAMES } from "holdfast-protocol";
import { AssertionError } from "../../base/assert.js";
import type { Failure } from "../../replica/coordinator/index.js";
import { plainFailure, Refusal } from "../calls/failure.js";
import { unknownOperation } from "../calls/validation.js";
import type { House } from "../house.js";
import type { Callers } from "./callers.js";
import { sendBug, sendFailure } from "./exchange.js";
import { pathOf as pathOfOperation } from "./operations.js";
import { KEY_ROUTE, pathOf, routedUrl } from "./path.js";
import { refuseOnResponse, refuseOnSocket } from "./socket.js";
import type { UnderWay } from "./under-way.js";

export interface ServerTimes {
  /** A request's line and headers must be there so long after its connection or its first byte. */
  readonly headersTimeoutMs: number;
  /** The whole request, body and all. Waiting for the answer is not limited by it. */
  readonly requestTimeoutMs: number;
  /** How long an idle connection is kept for the next request. */
  readonly keepAliveTimeoutMs: number;
  /** How often connections are looked through for those that are over time. */
  readonly sweepEveryMs: number;
}

export const SERVER_TIMES: ServerTimes = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 72_000,
  sweepEveryMs: 2_000,
};

const MAX_HEADER_BYTES = 16_384;

export function makeServer(
  house: House,
  callers: Callers,
  underWay: UnderWay,
  times: ServerTimes,
): FastifyInstance {
  const app = Fastify({
    loggerInstance: house.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: house.limits.maxRequestBytes,
    requestTimeout: times.requestTimeoutMs,
    keepAliveTimeout: times.keepAliveTimeoutMs,
    forceCloseConnections: "idle",
    exposeHeadRoutes: false,
    // The checks refuse what comes while the node stops, in the table's words.
    return503OnClosing: false,
    genReqId: () => house.nextRequestId(),
    rewriteUrl: request => routedUrl(request.method, request.url ?? "/"),
    routerOptions: { querystringParser: () => ({}) },
    http: {
      headersTimeout: times.headersTimeoutMs,
      connectionsCheckingInterval: times.sweepEveryMs,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Node would answer 400 without a word: `unreadable` says it in ours.
      requireHostHeader: false,
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
      noDelay: true,
    },
    clientErrorHandler: (error, socket) => refuseSocket(house, error, socket),
    frameworkErrors: (error, _request, reply) => void answerError(house, error, reply),
  });
  app.server.maxConnections = house.limits.maxConnections;
  app.server.on("checkExpectation", (_request, response) =>
    refuseOnResponse(house, UNEXPECTED, response),
  );
  app.server.on("checkContinue", (request, response) => {
    // Whoever asks before it sends is told before it sends.
    if (Number(request.headers["content-length"]) > house.limits.maxRequestBytes)
      return refuseOnResponse(house, tooLarge(), response);
    response.writeContinue();
    app.server.emit("request", request, response);
  });
  addBodies(app);
  addChecks(app, house, callers, underWay);
  addErrors(app, house);
  return app;
}

/** Bodies are bytes, whatever their Content-Type says; operations read JSON out of them. */
function addBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
}

function addChecks(app: FastifyInstance, house: House, callers: Callers, underWay: UnderWay): void {
  app.addHook("onRequest", (request, reply, done) => {
    const { headers } = request;
    const upgrade = headers.upgrade !== undefined && isUpgrade(request.raw);
    // An upgrade becomes a connection of its own kind, counted by its own door.
    if (!upgrade && !underWay.begin(request.raw, reply.raw))
      return sendFailure(house, reply, tooManyOn(house));
    const refusal =
      (underWay.stopping ? plainFailure("SHUTTING_DOWN") : null) ??
      callers.refusal(headers) ??
      hostless(request.raw) ??
      unreadable(headers, upgrade, request.url);
    if (refusal !== null) {
      // Node leaves the socket of an upgrade to whoever takes it: nobody will.
      if (upgrade) reply.raw.once("finish", () => request.raw.socket.destroySoon());
      return sendFailure(house, reply, refusal);
    }
    if (headers.origin !== undefined) {
      void reply
        .header("access-control-allow-origin", headers.origin)
        .header("access-control-expose-headers", "ETag, Location, Retry-After")
        .header("vary", "origin");
      if (request.method === "OPTIONS") return preflight(reply);
    }
    const { method } = request;
    if (BODYLESS.has(method) && hasBody(headers))
      return sendFailure(house, reply, bodyless(method));
    // A garbled Content-Type would be refused before the parser that takes all.
    if (request.raw.headers["content-type"] !== undefined || request.method !== "GET")
      request.raw.headers["content-type"] = "application/octet-stream";
    done();
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    if (underWay.stopping) void reply.header("connection", "close");
    if (request.method !== "HEAD") underWay.given(reply.raw, lengthOf(payload));
    done(null, payload);
  });
}

/** Of what is not ASCII, text counts less than it takes: near enough for a bound. */
const lengthOf = (payload: unknown): number =>
  typeof payload === "string" || payload instanceof Uint8Array ? payload.length : 0;

/** As RFC 9112, section 6.3 has it; what is not read of it ends the connection. */
const hasBody = (headers: Headers): boolean =>
  headers["transfer-encoding"] !== undefined ||
  (headers["content-length"] ?? "0").toString().replace(/^0+/, "") !== "";

const BODYLESS: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE"]);

/** A condition in a body that is not read would be no condition. */
const bodyless = (method: string): Failure => ({
  code: "INVALID_REQUEST",
  message: `a ${method} takes its parameters from the query, not from a body`,
});

const tooManyOn = ({ limits: { maxPendingPerConnection: limit } }: House): Failure => ({
  ...plainFailure("TOO_MANY_REQUESTS"),
  details: { limit },
});

/** Set by Node, and absent from its own type declarations. */
const isUpgrade = (request: IncomingMessage): boolean =>
  (request as IncomingMessage & { readonly upgrade?: boolean }).upgrade === true;

function preflight(reply: FastifyReply): void {
  void reply
    .code(204)
    .header("access-control-allow-methods", "GET, HEAD, PUT, POST, DELETE")
    .header(
      "access-control-allow-headers",
      "content-type, accept, if-match, if-none-match, idempotency-key, last-event-id",
    )
    .header("access-control-max-age", "600")
    .send();
}

/** RFC 9112, section 3.2. */
function hostless({ headers, httpVersion }: IncomingMessage): Failure | null {
  if (headers.host !== undefined || httpVersion === "1.0") return null;
  return { code: "INVALID_REQUEST", message: "a request of HTTP/1.1 names its Host" };
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What Node reads otherwise than its sender meant. */
function unreadable(headers: Headers, upgrade: boolean, url: string): Failure | null {
  const { "content-encoding": encoding } = headers;
  if (encoding !== undefined && encoding !== "identity")
    return {
      code: "INVALID_REQUEST",
      message: "bodies are taken as they are: no Content-Encoding",
    };
  if (!upgrade || url.startsWith("/v1/ws")) return null;
  return {
    code: "INVALID_REQUEST",
    message: "only /v1/ws upgrades to WebSocket",
  };
}

function addErrors(app: FastifyInstance, house: House): void {
  app.setErrorHandler((error: FastifyError, _request, reply) => answerError(house, error, reply));
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request.originalUrl);
    sendFailure(house, reply, notFound(app, request.method, path, reply));
  });
}

const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"] as const;

/** What a path answers. A key's path is led past the router, and appends with a slash at its end. */
function methodsOf(app: FastifyInstance, path: string): readonly string[] {
  return METHODS.filter(method => {
    const url = routedUrl(method, path);
    if (method === "POST" && url === KEY_ROUTE) return path.endsWith("/");
    return app.hasRoute({ method, url });
  });
}

const APPENDS = "PUT writes the key, and a POST appends below it with a slash at the path's end";

function notFound(
  app: FastifyInstance,
  method: string,
  path: string,
  reply: FastifyReply,
): Failure {
  const operation = /^\/v1\/([^/]+)\/([^/]+)$/.exec(path);
  if (method === "POST" && operation?.[1] === "kv") {
    const unknown = unknownOperation(`kv.${operation[2]}`);
    return { ...unknown, message: `${unknown.message}; ${APPENDS}` };
  }
  const allowed = methodsOf(app, path);
  if (allowed.length > 0) {
    const allow = allowed.join(", ");
    void reply.header("allow", allow);
    const answers = `${path.slice(0, 200)} does not answer ${method}; it answers ${allow}`;
    const isKey = method === "POST" && routedUrl("PUT", path) === KEY_ROUTE;
    return {
      code: "METHOD_NOT_ALLOWED",
      message: isKey ? `${answers}: ${APPENDS}` : answers,
      details: { allow },
    };
  }
  if (operation !== null) return unknownOperation(`${operation[1]}.${operation[2]}`);
  const known = OPERATION_NAMES.map(pathOfOperation).some(one => one === path.replace(/\/$/, ""));
  return {
    code: "NOT_FOUND",
    message: known
      ? `there is nothing at ${path.slice(0, 200)}: leave the slash at its end out`
      : `there is nothing at ${path.slice(0, 200)}; /v1/openapi.json lists what there is`,
  };
}

function tooLarge(): Failure {
  return { ...plainFailure("BODY_TOO_LARGE"), details: { limitBytes: LIMITS.bodyBytes } };
}

/** Errors of fastify and of Node by their codes; all others are bugs of ours. */
const KNOWN: Readonly<Record<string, () => Failure>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: tooLarge,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => ({
    code: "INVALID_REQUEST",
    message: "the body is not as long as its Content-Length says",
  }),
  FST_ERR_BAD_URL: () => ({
    code: "INVALID_REQUEST",
    message: "the path cannot be decoded: % must be followed by two hex digits",
  }),
  // The caller hung up within its body. Nobody will read the answer, and it is no bug of ours.
  ECONNRESET: () => ({
    code: "INVALID_REQUEST",
    message: "the connection ended before the request did",
  }),
  FST_ERR_REOPENED_CLOSE_SERVER: () => plainFailure("SHUTTING_DOWN"),
};

/** A failed assertion is a bug that nobody may survive: it goes on to stop the process. */
function answerError(house: House, error: Error & { code?: string }, reply: FastifyReply): void {
  if (error instanceof Refusal) {
    sendFailure(house, reply, error);
    return;
  }
  if (error instanceof AssertionError)
    queueMicrotask(() => {
      throw error;
    });
  const known = KNOWN[error.code ?? ""];
  if (known !== undefined) {
    sendFailure(house, reply, known());
    return;
  }
  sendBug(house, reply, error);
}

/** Node would answer 417 without a word. */
const UNEXPECTED: Failure = {
  code: "INVALID_REQUEST",
  message: "of Expect only 100-continue can be met",
};
const BROKEN: Failure = { code: "INVALID_REQUEST", message: "the request is not HTTP/1.1" };

/** Requests that Node could not even read: answered by hand, and the connection is closed. */
function refuseSocket(house: House, error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  refuseOnSocket(house, socketFailure(error.code), socket);
}

function socketFailure(code: string | undefined): Failure {
  if (code === "HPE_HEADER_OVERFLOW")
    return { ...plainFailure("HEADERS_TOO_LARGE"), details: { limitBytes: MAX_HEADER_BYTES } };
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? plainFailure("REQUEST_TIMEOUT") : BROKEN;
}
