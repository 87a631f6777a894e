// node:test: who waits in line keeps its place when the cluster's leader dies.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestCluster } from "holdfast/testing";

test("the line survives the death of the leader", async t => {
  const cluster = await startTestCluster();
  t.after(() => cluster.close());
  const [a, b, c] = [cluster.connect(), cluster.connect(), cluster.connect()];

  const first = await a.lock("jobs/42").acquire();
  const second = b.lock("jobs/42").acquire();
  await cluster.advance(0); // b stands in line now, and c behind it
  const third = c.lock("jobs/42").acquire();
  await cluster.advance(0);

  await cluster.dropLeader();
  first.assertHeld(); // a holds on
  await first.release();
  const next = await second;
  assert.ok(next.token > first.token);
  await next.release();
  assert.ok((await third).token > next.token);
});

test("who cannot keep its lease alive stops before another may start", async t => {
  const cluster = await startTestCluster();
  t.after(() => cluster.close());
  const [a, b] = [cluster.connect(), cluster.connect()];

  const held = await a.lock("jobs/42").acquire();
  const stopped = new Promise(resolve => {
    held.signal.addEventListener("abort", () => resolve(cluster.nowMs));
  });
  const waiting = b.lock("jobs/42").acquire();
  cluster.loseKeepAlives(a, true);
  await cluster.until(waiting); // turns the clock for as long as that takes, and no longer
  assert.ok((await stopped) < cluster.nowMs);
});
