/** What operators and their tools ask a node: health, readiness, metrics, version, OpenAPI. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { PROTOCOL_VERSION } from "holdfast-protocol";
import { formatNodeId } from "../../base/ids.js";
import type { House } from "../house.js";
import { sendFailure, sendJson } from "./exchange.js";
import type { Metrics } from "./metrics.js";
import { openApi } from "./openapi.js";

/** How long a read round may take before the node counts as unwell. */
const PROBE_WITHIN_MS = 1000;

export function addService(app: FastifyInstance, house: House, metrics: Metrics): void {
  let document: string | null = null;
  /** Probes of some load balancers ask with HEAD. */
  const get = (
    url: string,
    handler: (request: FastifyRequest, reply: FastifyReply) => void,
  ): void => void app.route({ method: ["GET", "HEAD"], url, handler });
  get("/health", (_request, reply) => {
    probe(house, confirmed => {
      if (confirmed) sendJson(reply, 200, { health: true });
      else unwell(house, reply, "no leader was confirmed by a read round within 1 s");
    });
  });
  get("/readyz", (_request, reply) => {
    probe(house, confirmed => {
      const { state, waitingFor } = house.coordinator.status();
      if (confirmed && state === "ready") sendJson(reply, 200, { ready: true });
      else unwell(house, reply, waitingFor ?? `the node is not ready: ${state}`);
    });
  });
  get("/metrics", (_request, reply) => {
    metrics.render().then(
      text => void reply.header("content-type", metrics.contentType).send(text),
      (error: unknown) => void reply.send(error),
    );
  });
  get("/version", (_request, reply) => {
    const { clusterId, nodeId, name } = house.coordinator.status();
    sendJson(reply, 200, {
      version: house.version,
      protocol: PROTOCOL_VERSION,
      clusterId,
      nodeId: formatNodeId(nodeId),
      name,
    });
  });
  get("/v1/openapi.json", (_request, reply) => {
    document ??= JSON.stringify(openApi(house.version));
    void reply.header("content-type", "application/json; charset=utf-8").send(document);
  });
}

function unwell(house: House, reply: FastifyReply, message: string): void {
  sendFailure(house, reply, { code: "UNAVAILABLE", message });
}

function probe({ coordinator, clock }: House, done: (confirmed: boolean) => void): void {
  let asked = true;
  const finish = (confirmed: boolean): void => {
    if (!asked) return;
    asked = false;
    stopWaiting();
    done(confirmed);
  };
  const stopWaiting = clock.after(PROBE_WITHIN_MS, () => finish(false));
  coordinator.probe(finish);
}
