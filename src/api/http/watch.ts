/** `GET /v1/watch`: the keyspace's changes as Server-Sent Events. */
import type { FastifyInstance } from "fastify";
import type { House } from "../house.js";
import { countingRefusals } from "./exchange.js";
import { queryOf } from "./path.js";
import { paramsFrom } from "./query.js";
import type { EventStreams } from "./streams.js";

export function addWatch(app: FastifyInstance, house: House, streams: EventStreams): void {
  app.get("/v1/watch", (request, reply) => {
    countingRefusals(house, "watch.start", () => {
      const params = paramsFrom("watch.start", queryOf(request.originalUrl));
      streams.open("watch.start", params, request, reply);
    });
  });
}
