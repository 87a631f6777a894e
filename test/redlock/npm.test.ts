/**
 * The contract, by npm's `redlock` itself: so it is redlock's, and not ours. Over a mock of Redis,
 * and over a real one, so that the mock is known to be like it.
 */
import Redlock, { ExecutionError, ResourceLockedError } from "redlock";
import { test } from "vitest";
import { describeContract, type Subject } from "./contract.js";
import { mockRedis, noRealRedis, type RedisUnderTest, realRedis } from "./redis.js";

async function npmOver(starting: Promise<RedisUnderTest>): Promise<Subject> {
  const redis = await starting;
  const thief = redis.client();
  return {
    make: settings => new Redlock([redis.client()], settings),
    makeBare: () => new Redlock([]),
    ExecutionError,
    ResourceLockedError,
    steal: async resource => {
      await thief.set(resource, "stolen", "PX", 60_000);
    },
    close: () => redis.stop(),
  };
}

describeContract("npm's redlock over a mock of Redis", () => npmOver(mockRedis()));

if (noRealRedis === null) describeContract("npm's redlock over Redis", () => npmOver(realRedis()));
else
  test("npm's redlock over Redis", ({ skip }) => {
    skip(noRealRedis ?? "");
  });
