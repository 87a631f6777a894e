/** The real doors on a free loopback port, before a fake coordinator, and a plain HTTP client. */

import { pino } from "pino";
import { request } from "undici";
import { type Api, type ApiOptions, startApi } from "../../src/api/index.js";
import { LIMITS } from "../../src/base/limits.js";
import { nodeBytes, nodeClock, nodeEndOfTurn } from "../../src/server/ports/index.js";
import { FakeCoordinator } from "./fake-coordinator.js";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape.
  readonly json: any;
}

export interface NodeUnderTest {
  readonly coordinator: FakeCoordinator;
  readonly api: Api;
  readonly port: number;
  readonly url: string;
  ask(
    method: string,
    path: string,
    options?: { body?: string | Uint8Array; headers?: Record<string, string> },
  ): Promise<Answer>;
  stop(): Promise<void>;
}

const isJson = (type: unknown): boolean => String(type).startsWith("application/json");

/** Below the ephemeral ports, apart for each test worker and each call. */
let nextPort = 21_000 + (Number(process.env["VITEST_POOL_ID"] ?? 0) % 50) * 100;

export async function startNode(options: Partial<ApiOptions> = {}): Promise<NodeUnderTest> {
  const coordinator = new FakeCoordinator();
  const api = await listening(coordinator, options);
  const port = api.addresses[0]?.port ?? 0;
  const url = `http://127.0.0.1:${port}`;
  return {
    coordinator,
    api,
    port,
    url,
    async ask(method, path, { body, headers } = {}) {
      const answer = await request(`${url}${path}`, {
        method: method as "GET",
        ...(body === undefined ? {} : { body: body as string }),
        headers: headers ?? {},
      });
      const text = await answer.body.text();
      return {
        status: answer.statusCode,
        headers: answer.headers,
        text,
        json: isJson(answer.headers["content-type"]) && text !== "" ? JSON.parse(text) : undefined,
      };
    },
    stop: () => api.stop(),
  };
}

async function listening(coordinator: FakeCoordinator, options: Partial<ApiOptions>): Promise<Api> {
  for (;;) {
    nextPort += 1;
    try {
      return await startApi({
        coordinator,
        clock: nodeClock,
        endOfTurn: nodeEndOfTurn,
        bytes: nodeBytes,
        logger: pino({ level: "silent" }),
        version: "0.0.0-test",
        listen: [{ host: "127.0.0.1", port: nextPort }],
        allowedOrigins: [],
        allowedHosts: [],
        limits: LIMITS,
        ...options,
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}
