/**
 * A worker of a fleet that leads itself.
 *
 *   node examples/worker-fleet/worker.js --name w1
 *
 * Start several, and give them something to do with order.js. Each does the jobs that it is given
 * (here); one of them, whoever is elected, gives them out (leader.js). What they know of each other
 * stands in the cluster (jobs.js), so that any of them may be killed at any time:
 *
 *   a worker is killed      its key goes with its lease, and the leader gives its jobs to others
 *   the leader is killed    the next candidate leads as soon as the lease has run out
 *   the leader gets SIGTERM it hands over first: another leads at once
 *   `npx holdfast yield fleet/leader --reason update`
 *                           the same, and it works on and stands in line again
 *
 * A job is *given* to one worker at a time and its result is *written* once. It may be *worked on*
 * twice, when a worker dies in it or is cut off: what it does outside the cluster must bear that.
 *
 *   --name w1       who this is (default: host and process)
 *   --version 2     of this program; who hands over prefers a newer one
 *   --ttl-ms 15000  so long after a process fell silent others take over
 */
import { hostname } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, HoldfastError } from "holdfast-client";
import { byKey, ELECTION, follow, JOBS, jobOf, WORKERS } from "./jobs.js";
import { lead } from "./leader.js";

const { values } = parseArgs({
  options: {
    name: { type: "string", default: `${hostname()}-${process.pid}` },
    version: { type: "string", default: "1" },
    "ttl-ms": { type: "string", default: "15000" },
  },
});
const { name } = values;
const version = Number(values.version);
const hf = connect(undefined, {
  owner: name,
  labels: { version: values.version },
  ttlMs: Number(values["ttl-ms"]),
});

/** @param {string} text */
const say = text => console.log(`${name}: ${text}`);

/** How long the job in hand may take to its end, once the process is told to stop. */
const GRACE_MS = 10_000;
/** Fires on SIGTERM: nothing new is begun. */
const stop = new AbortController();
/** Fires when the job in hand has had its time. */
const cut = new AbortController();

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    say(`stopping: ${signal}`);
    stop.abort();
    setTimeout(() => cut.abort(), GRACE_MS).unref();
  });
}

/** Stands for election, and leads when elected. */
async function stand() {
  await hf.election(ELECTION).runWhileLeading(
    name,
    async leadership => {
      say(`leads (token ${leadership.token})`);
      await lead(hf, leadership, stop.signal, version);
      say("has handed over");
    },
    { signal: stop.signal },
  );
}

/** Is there, and does what it is given: one job after the other. */
async function work() {
  await hf.kv.put(`${WORKERS}/${name}`, values.version, { session: hf, signal: stop.signal });
  // When the session is lost so is that key, and the jobs are others'.
  const session = hf.signal;
  try {
    const signal = AbortSignal.any([session, stop.signal]);
    for await (const jobs of follow(hf, `${JOBS}/`, signal)) {
      const [first] = [...jobs.values()].filter(isMine).sort(byKey);
      if (first === undefined) continue;
      const result = await resultOf(jobOf(first), AbortSignal.any([session, cut.signal]));
      jobs.set(first.key, await write(first, result));
    }
  } catch (error) {
    throw session.aborted ? session.reason : error; // and not what became of it on the way
  }
}

/** @param {import("./jobs.js").Entry} entry */
function isMine(entry) {
  const { worker, result } = jobOf(entry);
  return worker === name && result === undefined;
}

/**
 * What fails has a result as well: nobody tries it again unasked.
 *
 * @param {import("./jobs.js").Job} job
 * @param {AbortSignal} signal
 */
async function resultOf(job, signal) {
  try {
    return await perform(job, signal);
  } catch (error) {
    signal.throwIfAborted();
    return `failed: ${error}`;
  }
}

/**
 * Put your own in its place. This one counts words, a tenth of a second each.
 *
 * @param {import("./jobs.js").Job} job
 * @param {AbortSignal} signal Stop at once: the job is not ours any more.
 */
async function perform({ work: text }, signal) {
  const words = text.split(/\s+/).filter(word => word !== "");
  for (const _ of words) await pause(100, undefined, { signal });
  return `${words.length} words`;
}

/**
 * The result, unless the job was given to another meanwhile.
 *
 * @param {import("./jobs.js").Entry} entry
 * @param {string} result
 */
async function write(entry, result) {
  const value = JSON.stringify({ ...jobOf(entry), result });
  const { revision } = await hf.kv.put(entry.key, value, { ifRevision: entry.modRevision });
  say(`has done ${entry.key}: ${result}`);
  return { ...entry, value, modRevision: revision };
}

/**
 * Again and again, as long as what ends it is a loss or the cluster's trouble.
 *
 * @param {() => Promise<void>} task
 */
async function keep(task) {
  while (!stop.signal.aborted) {
    try {
      await task();
    } catch (error) {
      if (stop.signal.aborted) return;
      if (!(error instanceof HoldfastError)) throw error;
      const passes = error.retryable || error.outcome === "unknown";
      if (!passes && !["NOT_HELD", "CONDITION_FAILED"].includes(error.code)) throw error;
      say(`${error.message}; on we go`);
    }
  }
}

say("is there");
const all = [stand, work].map(task =>
  keep(task).catch(error => {
    console.error(error);
    process.exitCode = 1;
    stop.abort();
    cut.abort();
  }),
);
await Promise.all(all);
await hf.close(); // its key, its place in line and its jobs are given up at once
say("has stopped");
