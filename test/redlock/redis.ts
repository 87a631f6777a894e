/** Redis, mocked or real, on loopback and empty. The real one only where it is installed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import RedisMock from "ioredis-mock";
import { freePorts } from "../e2e/harness/ports.js";
import { until } from "../e2e/harness/until.js";

export interface RedisUnderTest {
  /** A client of its own, for whoever stands for a process of its own. */
  client(): Redis;
  stop(): Promise<void>;
}

/** Why there is no real one, and how to get it; null where there is. */
export const noRealRedis: string | null =
  spawnSync("redis-server", ["--version"]).error === undefined
    ? null
    : "no redis-server (Debian: apt-get install redis-server)";

/** Every mock listens to what all of them share; a test has more of them than Node finds usual. */
const MANY = 100;

/** `host`: of several servers, which. */
export async function mockRedis(host = "127.0.0.1"): Promise<RedisUnderTest> {
  EventEmitter.defaultMaxListeners = MANY;
  // Mocks of one address share what they hold; this address is the test file's own.
  const port = 6379 + Number(process.env.VITEST_POOL_ID ?? 0);
  const clients: Redis[] = [];
  return {
    client() {
      const client = new RedisMock({ host, port });
      clients.push(client);
      return client;
    },
    async stop() {
      for (const client of clients) client.disconnect();
    },
  };
}

export async function realRedis(): Promise<RedisUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-redis-"));
  const [port = 0] = await freePorts(1);
  const flags = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", directory, "--save", ""];
  const server = spawn("redis-server", flags, { stdio: "ignore" });
  const clients: Redis[] = [];
  const client = (): Redis => {
    const made = new Redis(port, "127.0.0.1");
    made.on("error", () => {}); // it dials again by itself
    clients.push(made);
    return made;
  };
  const stop = async (): Promise<void> => {
    for (const made of clients) made.disconnect();
    await ended(server);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const first = client();
    await until("Redis to answer", async () => (await first.ping()) === "PONG");
  } catch (error) {
    await stop();
    throw error;
  }
  return { client, stop };
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, "exit");
  server.kill("SIGKILL");
  await exit;
}
