/** `POST /v1/<group>/<verb>` for every operation, and `GET …?name=` for reads other than `kv`. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { OPERATION_KINDS, OPERATION_NAMES, type OperationName } from "holdfast-protocol";
import { Refusal } from "../calls/failure.js";
import type { Params } from "../calls/validation.js";
import type { House } from "../house.js";
import { countingRefusals, type Exchange, jsonParams, sendJson } from "./exchange.js";
import { queryOf } from "./path.js";
import { paramsFrom } from "./query.js";
import type { EventStreams } from "./streams.js";

/** The path of an operation. */
export const pathOf = (name: OperationName): string => `/v1/${name.replace(".", "/")}`;

/**
 * Whether `GET` answers as well: it changes nothing, and is not one of the keyspace's resources.
 */
export const answersGet = (name: OperationName): boolean =>
  OPERATION_KINDS[name] !== "write" && !name.startsWith("kv.");

export function addOperations(
  app: FastifyInstance,
  house: House,
  exchange: Exchange,
  streams: EventStreams,
): void {
  const answer = (
    name: OperationName,
    params: Params,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void => {
    if (name === "watch.start" || name === "election.observe")
      streams.open(name, params, request, reply);
    else
      exchange.run(name, params, request, reply, result =>
        sendJson(reply, "waiting" in result ? 202 : 200, house.jsonBorder.outward(result)),
      );
  };
  for (const name of OPERATION_NAMES) {
    app.post(pathOf(name), (request, reply) => {
      countingRefusals(house, name, () => {
        refuseQuery(request);
        answer(name, jsonParams(house, request), request, reply);
      });
    });
    if (answersGet(name))
      app.route({
        // The head alone of a stream would say nothing.
        method: OPERATION_KINDS[name] === "stream" ? "GET" : ["GET", "HEAD"],
        url: pathOf(name),
        handler: (request, reply) => {
          countingRefusals(house, name, () =>
            answer(name, paramsFrom(name, queryOf(request.originalUrl)), request, reply),
          );
        },
      });
  }
}

function refuseQuery(request: FastifyRequest): void {
  for (const name of queryOf(request.originalUrl).keys())
    throw new Refusal({
      code: "UNKNOWN_FIELD",
      message: `a POST takes its parameters from the body, not from the query: ${name.slice(0, 80)}`,
      details: { field: name.slice(0, 80) },
    });
}
