/** What all doors of one node share: its coordinator, its checks, its ports, its counts. */

import type { FastifyBaseLogger } from "fastify";
import { nanoid } from "nanoid";
import { LIMITS, type Limits } from "../base/limits.js";
import type { Bytes, Clock, EndOfTurn } from "../base/ports.js";
import type { Coordinator } from "../replica/coordinator/index.js";
import { Border } from "./calls/text.js";
import { compileOperations, type Operations } from "./calls/validation.js";
import { Latencies, type ObserveCall } from "./latency.js";

export interface House {
  readonly coordinator: Coordinator;
  readonly operations: Operations;
  readonly clock: Clock;
  readonly endOfTurn: EndOfTurn;
  readonly bytes: Bytes;
  readonly jsonBorder: Border;
  readonly limits: Limits;
  readonly logger: FastifyBaseLogger;
  readonly latencies: Latencies;
  readonly observe: ObserveCall;
  readonly version: string;
  nextRequestId(): string;
}

export interface HouseOptions {
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly endOfTurn: EndOfTurn;
  readonly bytes: Bytes;
  readonly logger: FastifyBaseLogger;
  readonly version: string;
  readonly limits?: Limits;
}

export function makeHouse(options: HouseOptions): House {
  const latencies = new Latencies();
  const prefix = nanoid(8);
  let requests = 0;
  return {
    ...options,
    limits: options.limits ?? LIMITS,
    operations: compileOperations(),
    jsonBorder: new Border(options.bytes, "json"),
    latencies,
    observe: latencies.observe,
    nextRequestId: () => {
      requests += 1;
      return `${prefix}-${requests}`;
    },
  };
}
