/**
 * A client in a process of its own, so that a test can stop, wake and kill it. Told what to do over
 * its IPC channel, one thing at a time or many; answers with the result and with this machine's
 * monotonic clock, which all processes share. It is plain JavaScript since it runs without a build.
 */
import { connect } from "holdfast-client";

const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000;

let client;
let held;
/** When the signal of the last grant fired, and with what. */
let signalled;

const told = error => ({ name: error?.name, code: error?.code, reason: error?.reason });

const does = {
  /** To any node, or to the one that is named `at`: clients begin anywhere among the endpoints. */
  async connect({ endpoints, options, at }) {
    for (;;) {
      client = connect(endpoints, options);
      const { name } = await client.cluster.status();
      if (at === undefined || name === at) return;
      await client.close();
    }
  },
  async acquire({ name, waitMs, actor }) {
    const lock = client.lock(name, actor === undefined ? undefined : { actor });
    took(await lock.acquire(waitMs === undefined ? {} : { waitMs }));
    return { token: held.token, key: held.key };
  },
  async campaign({ name, value }) {
    took(await client.election(name).campaign(value));
    return { token: held.token, key: held.key };
  },
  proclaim: ({ value }) => held.proclaim(value),
  release: () => held.release(),
  /** Whether it is held, asked of the clocks alone; in the same turn whether the signal has fired. */
  assert() {
    const { remainingMs } = held;
    try {
      held.assertHeld();
      return { held: true, remainingMs, signalled };
    } catch (error) {
      return { held: false, remainingMs, error: told(error), signalled };
    }
  },
  put: ({ key, value, heldBy }) =>
    client.kv.put(key, value, heldBy === true ? { heldBy: held } : {}),
};

function took(grant) {
  held = grant;
  signalled = undefined;
  const { signal } = grant;
  signal.addEventListener("abort", () => {
    signalled = { atMs: nowMs(), ...told(signal.reason) };
    process.send({ signalled });
  });
}

process.on("message", async ({ id, what, params }) => {
  try {
    const ok = await does[what](params);
    process.send({ id, atMs: nowMs(), ok });
  } catch (error) {
    process.send({ id, atMs: nowMs(), error: { ...told(error), message: error.message } });
  }
});
process.on("disconnect", () => process.exit());
