// vitest: a worker that freezes in the middle of its work must not overwrite its successor's.
import { startTestCluster, type TestCluster } from "holdfast/testing";
import type { Client } from "holdfast-client";
import { afterEach, beforeEach, expect, test } from "vitest";

/** What is tested, usually in a file of its own: whoever holds the lock writes the report. */
async function writeReport(hf: Client, write: () => Promise<string>): Promise<void> {
  await hf.lock("report").run(async held => {
    const text = await write();
    await hf.kv.put("report", text, { heldBy: held });
  });
}

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.close());

test("a worker that froze writes nothing when it wakes", async () => {
  const frozen = cluster.connect();
  const healthy = cluster.connect();

  const late = writeReport(frozen, async () => {
    cluster.pause(frozen); // as if by SIGSTOP: no timer of it fires, no message passes
    await cluster.advance(20_000); // its lease of 15 s runs out
    await writeReport(healthy, async () => "fresh");
    cluster.resume(frozen);
    return "late";
  });

  await expect(late).rejects.toMatchObject({ code: "NOT_HELD" });
  expect((await healthy.kv.get("report"))?.value).toBe("fresh");
});

test("a worker that runs keeps the lock for as long as its work takes", async () => {
  const slow = cluster.connect();
  await writeReport(slow, async () => {
    await cluster.advance(600_000); // ten minutes, in a moment
    return "slow";
  });
  expect((await slow.kv.get("report"))?.value).toBe("slow");
});
