/** `GET /v1/watch`: the keyspace's changes as Server-Sent Events. */
import type { FastifyInstance } from "fastify";
import { queryOf } from "./path.js";
import { paramsFrom } from "./query.js";
import type { EventStreams } from "./streams.js";

export function addWatch(app: FastifyInstance, streams: EventStreams): void {
  app.get("/v1/watch", (request, reply) => {
    const params = paramsFrom("watch.start", queryOf(request.originalUrl));
    streams.open("watch.start", params, request, reply);
  });
}
