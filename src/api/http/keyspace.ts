/** The keyspace as resources: a key is a path, its value a body, its revision the entity tag. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { KeyRecord, OperationName } from "holdfast-protocol";
import { Refusal } from "../calls/failure.js";
import type { Params } from "../calls/validation.js";
import type { House } from "../house.js";
import { countingRefusals, type Exchange, sendJson } from "./exchange.js";
import { encodeBytes, endsInSlash, KEY_ROUTE, keyOf, queryOf } from "./path.js";
import { paramsFrom } from "./query.js";

const RAW_TYPE = "application/octet-stream";

export function addKeyspace(app: FastifyInstance, house: House, exchange: Exchange): void {
  const keyspace = new Keyspace(house, exchange);
  const answer =
    (name: OperationName, answered: (request: FastifyRequest, reply: FastifyReply) => void) =>
    (request: FastifyRequest, reply: FastifyReply): void =>
      countingRefusals(house, name, () => answered(request, reply));
  const put = answer("kv.put", (request, reply) => keyspace.put(request, reply));
  const append = answer("kv.append", (request, reply) => keyspace.append(request, reply));
  const get = answer("kv.get", (request, reply) => keyspace.get(request, reply));
  const list = answer("kv.range", (request, reply) => keyspace.list(request, reply));
  const deleteKey = answer("kv.delete", (request, reply) => keyspace.deleteKey(request, reply));
  const deleteRange = answer("kv.delete", (request, reply) => keyspace.deleteRange(request, reply));
  app.put(KEY_ROUTE, put);
  app.post(KEY_ROUTE, append);
  app.delete(KEY_ROUTE, deleteKey);
  app.route({ method: ["GET", "HEAD"], url: KEY_ROUTE, handler: get });
  app.route({ method: ["GET", "HEAD"], url: "/v1/kv", handler: list });
  app.delete("/v1/kv", deleteRange);
}

const invalid = (parameter: string, message: string): Refusal =>
  new Refusal({ code: "INVALID_PARAMETER", message, details: { parameter } });

/** The query as parameters, without what the path or the body says; `heldBy` with its token. */
function queryParams(name: OperationName, request: FastifyRequest, taken: string[]): Params {
  const query = queryOf(request.originalUrl);
  for (const field of taken)
    if (query.has(field))
      throw new Refusal({
        code: "UNKNOWN_FIELD",
        message: `${field} does not go into the query here`,
        details: { field },
      });
  const guard = query.get("heldBy");
  const token = query.get("token");
  query.delete("heldBy");
  if (guard !== undefined) query.delete("token");
  const params = paramsFrom(name, query);
  if (guard === undefined) return params;
  if (token === undefined) return { ...params, heldBy: { key: guard } };
  if (!/^\d{1,16}$/.test(token)) throw invalid("token", "token must be an integer");
  return { ...params, heldBy: { name: guard, token: Number(token) } };
}

/** `If-Match` and `If-None-Match` say the same as `prevRevision` and `prevExist`. */
function withPreconditions(request: FastifyRequest, params: Params): Params {
  const { "if-match": match, "if-none-match": noneMatch } = request.headers;
  if (match === undefined && noneMatch === undefined) return params;
  const { prevExist, prevRevision } = params;
  if (prevExist !== undefined || prevRevision !== undefined || (match && noneMatch))
    throw invalid("If-Match", "give one condition: If-Match, If-None-Match or one in the query");
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === "*") return { ...params, prevExist: false };
    throw invalid("If-None-Match", 'If-None-Match must be "*" here: create only');
  }
  if (match?.trim() === "*") return { ...params, prevExist: true };
  const revision = /^"(\d{1,16})"$/.exec(match?.trim() ?? "")?.[1];
  if (revision === undefined)
    throw invalid("If-Match", 'If-Match must be * or one revision in quotes, such as "42"');
  return { ...params, prevRevision: Number(revision) };
}

const etagOf = (revision: number): string => `"${revision}"`;

class Keyspace {
  readonly #house: House;
  readonly #exchange: Exchange;

  constructor(house: House, exchange: Exchange) {
    this.#house = house;
    this.#exchange = exchange;
  }

  put(request: FastifyRequest, reply: FastifyReply): void {
    const params = withPreconditions(request, queryParams("kv.put", request, ["key", "value"]));
    const whole = { ...params, key: keyOf(request.originalUrl), value: rawBody(request) };
    this.#exchange.run("kv.put", whole, request, reply, result => {
      void reply.header("etag", etagOf(result.revision));
      this.#send(reply, result.created ? 201 : 200, result);
    });
  }

  append(request: FastifyRequest, reply: FastifyReply): void {
    if (!endsInSlash(request.originalUrl)) {
      reply.callNotFound();
      return;
    }
    const params = queryParams("kv.append", request, ["prefix", "value"]);
    const prefix = keyOf(request.originalUrl).slice(0, -1);
    const whole = { ...params, prefix, value: rawBody(request) };
    this.#exchange.run("kv.append", whole, request, reply, result => {
      void reply
        .header("etag", etagOf(result.revision))
        .header("location", `/v1/kv/${encodeBytes(result.key)}`);
      this.#send(reply, 201, result);
    });
  }

  get(request: FastifyRequest, reply: FastifyReply): void {
    const params = {
      ...queryParams("kv.get", request, ["key"]),
      key: keyOf(request.originalUrl),
    };
    this.#exchange.run("kv.get", params, request, reply, record => {
      void reply.header("etag", etagOf(record.modRevision)).header("vary", "accept");
      if (request.headers["if-none-match"]?.trim() === etagOf(record.modRevision))
        return void reply.code(304).send();
      if (wantsRaw(request)) return this.#sendRaw(reply, record);
      this.#send(reply, 200, record);
    });
  }

  deleteKey(request: FastifyRequest, reply: FastifyReply): void {
    const params = withPreconditions(
      request,
      queryParams("kv.delete", request, ["key", "prefix", "rangeEnd"]),
    );
    this.#delete({ ...params, key: keyOf(request.originalUrl) }, request, reply);
  }

  deleteRange(request: FastifyRequest, reply: FastifyReply): void {
    const params = withPreconditions(request, queryParams("kv.delete", request, []));
    this.#delete(params, request, reply);
  }

  list(request: FastifyRequest, reply: FastifyReply): void {
    const params = paramsFrom("kv.range", queryOf(request.originalUrl));
    this.#exchange.run("kv.range", params, request, reply, result =>
      this.#send(reply, 200, result),
    );
  }

  #delete(params: Params, request: FastifyRequest, reply: FastifyReply): void {
    this.#exchange.run("kv.delete", params, request, reply, result =>
      this.#send(reply, 200, result),
    );
  }

  #send(reply: FastifyReply, status: number, result: object): void {
    sendJson(reply, status, this.#house.jsonBorder.outward(result));
  }

  #sendRaw(reply: FastifyReply, { value, lease, createRevision, version }: KeyRecord): void {
    void reply
      .header("x-holdfast-create-revision", createRevision)
      .header("x-holdfast-version", version);
    if (lease !== undefined) void reply.header("x-holdfast-lease", lease);
    void reply.header("content-type", RAW_TYPE).send(Buffer.from(value, "latin1"));
  }
}

const wantsRaw = ({ headers }: FastifyRequest): boolean =>
  (headers.accept ?? "").split(",").some(range => range.split(";")[0]?.trim() === RAW_TYPE);

/** The body as a byte string. fastify has no body at all for an empty one. */
const rawBody = ({ body }: FastifyRequest): string =>
  body === undefined ? "" : (body as Buffer).toString("latin1");
