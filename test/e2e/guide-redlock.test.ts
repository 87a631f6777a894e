/**
 * What docs/guides/migrating-from-redlock.md shows is compiled with all its types, and run: each
 * step's `redlock` keeps out those of the steps that the page lets run beside it.
 */
import { connect } from "holdfast-client";
import { Redlock } from "holdfast-client/redlock";
import type { Redis } from "ioredis";
import NpmRedlock from "redlock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AnyRedlock, fresh } from "../redlock/contract.js";
import type { Stage } from "../redlock/guide-stage.js";
import { type OneNode, oneNode } from "../redlock/node.js";
import { mockRedis, noRealRedis, type RedisUnderTest, realRedis } from "../redlock/redis.js";
import { read } from "../tidy/repository.js";
import { blocksOf, PageFiles } from "./harness/page-files.js";

const PAGE = "docs/guides/migrating-from-redlock.md";
const ENDPOINTS = /\["http:\/\/10\.0\.0\.1:2379", "http:\/\/10\.0\.0\.2:2379"\]/;
const DURATION_MS = 60_000;
const SETTINGS = { retryCount: 2, retryDelay: 100 };

interface Step {
  run(stage: Stage): Promise<AnyRedlock>;
}

/** A block as a function of the stage; it gives back the `redlock` that it made, or was given. */
function asModule(code: string): string {
  const lines = code.replace(ENDPOINTS, "endpoints").split("\n");
  return [
    ...lines.filter(line => line.startsWith("import ")),
    'import type { Stage } from "./stage.js";',
    "export async function run(stage: Stage) {",
    "  const { redisA, redisB, redisC, settings, endpoints, redlock, sql } = stage;",
    "  void [redisA, redisB, redisC, settings, endpoints, redlock, sql];",
    "  {",
    ...lines.filter(line => !line.startsWith("import ")),
    "    return redlock;",
    "  }",
    "}",
  ].join("\n");
}

const blocks = blocksOf(PAGE, "ts");
let files: PageFiles;

beforeAll(async () => {
  files = await PageFiles.of(PAGE, {
    "stage.ts": read("test/redlock/guide-stage.ts"),
    "redlock.d.ts": read("test/redlock/redlock.d.ts"),
    ...Object.fromEntries(blocks.map((code, at) => [`block${at + 1}.ts`, asModule(code)])),
  });
});
afterAll(() => files?.remove());

function describeGuide(title: string, start: (host: string) => Promise<RedisUnderTest>): void {
  describe(title, () => {
    let node: OneNode;
    let servers: RedisUnderTest[];
    let last: Redlock;
    let statements: (readonly unknown[])[];

    beforeAll(async () => {
      node = await oneNode();
      servers = await Promise.all(["redis-a", "redis-b", "redis-c"].map(start));
      last = new Redlock([connect(node.url)], SETTINGS);
      statements = [];
    });
    afterAll(async () => {
      await last?.quit();
      await Promise.all((servers ?? []).map(one => one.stop()));
      await node?.stop();
    });

    const block = async (nth: number): Promise<AnyRedlock> => {
      const { run } = (await import(/* @vite-ignore */ files.url(`block${nth}.ts`))) as Step;
      // Its own clients, as a process has them: a redlock that quits closes them.
      const [redisA, redisB, redisC] = servers.map(one => one.client()) as [Redis, Redis, Redis];
      const sql = async (_parts: TemplateStringsArray, ...values: readonly unknown[]) => {
        statements.push(values);
      };
      const endpoints = [node.url];
      return run({ redisA, redisB, redisC, settings: SETTINGS, endpoints, redlock: last, sql });
    };
    /** Before the migration: Redis alone. */
    const old = (): AnyRedlock =>
      new NpmRedlock(
        servers.map(one => one.client()),
        SETTINGS,
      );

    /** Neither gets what the other has. */
    async function excludeEachOther(one: AnyRedlock, other: AnyRedlock): Promise<void> {
      for (const [first, second] of [
        [one, other],
        [other, one],
      ] as const) {
        const resource = fresh();
        const held = await first.acquire([resource], DURATION_MS);
        await expect(second.acquire([resource], DURATION_MS)).rejects.toThrow();
        await held.release();
        await (await second.acquire([resource], DURATION_MS)).release();
      }
    }

    test("the first deploy excludes, and is excluded by, what ran before it", async () => {
      const [first, before] = [await block(1), old()];
      await excludeEachOther(first, before);
      await Promise.all([first.quit(), before.quit()]);
    });

    test("the second deploy excludes, and is excluded by, the first", async () => {
      const [second, first] = [await block(2), await block(1)];
      await excludeEachOther(second, first);
      await Promise.all([second.quit(), first.quit()]);
    });

    test("the last step sends the token with what it writes", async () => {
      await block(3);
      await block(3);
      const tokens = statements.map(values => values[0]);
      expect(statements.map(values => values.length)).toEqual([2, 2]);
      expect(tokens).toEqual(statements.map(values => values[1]));
      expect(tokens[1]).toBeGreaterThan(Number(tokens[0]));
    });
  });
}

test("there are three blocks on the page, and two name the cluster", () => {
  expect(blocks.map(code => ENDPOINTS.test(code))).toEqual([true, true, false]);
});

describeGuide("over mocks of Redis,", host => mockRedis(host));
if (noRealRedis === null) describeGuide("over Redis,", () => realRedis());
else
  test("the page over Redis", ({ skip }) => {
    skip(noRealRedis ?? "");
  });
