/** How a session comes by its lease, and what becomes of a lease that nobody waits for any more. */
import { afterEach, describe, expect, test } from "vitest";
import { World, watchFate } from "./world.js";

let world = new World();
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

afterEach(async () => {
  await world.close();
  process.off("unhandledRejection", note);
});

function connect() {
  world = new World();
  unhandled.length = 0;
  process.on("unhandledRejection", note);
  return world.connect();
}

const enough = () => ({ signal: AbortSignal.abort("enough") });

describe("the lease of a session", () => {
  test("is not asked for by a caller whose signal has fired", async () => {
    const client = connect();
    const fates = [
      watchFate(client.lock("x").acquire(enough())),
      watchFate(client.kv.put("here", "me", { session: client, ...enough() })),
    ];
    await world.settle();
    expect(fates).toEqual([{ error: "enough" }, { error: "enough" }]);
    expect(world.node.of("lease.grant")).toHaveLength(0);
  });

  test("that nobody waits for any more and no node grants is no unhandled rejection", async () => {
    for (const abortsFirst of [true, false]) {
      const client = connect();
      world.node.isDown = true;
      const controller = new AbortController();
      if (abortsFirst) controller.abort("enough");
      const fate = watchFate(client.lock("x").acquire({ signal: controller.signal }));
      await world.settle();
      controller.abort("enough");
      await world.advance(11_000);
      expect(fate.error).toBe("enough");
      expect(unhandled).toEqual([]);
      await world.close();
    }
  });
});
