/**
 * A job that runs once every tick, on one of several machines.
 *
 *   node examples/scheduler/scheduler.js sales --every 10s
 *
 * Start as many replicas as you like, anywhere: each tick is run by one of them, and when that one
 * dies another takes the run over. The job itself is report.js beside this.
 *
 *   --every 10s             how long a tick is; ticks are multiples of it since 1970, in UTC
 *   --late 10m              a tick that nobody could run is made up for so long after (default:
 *                           ten ticks), by the cluster's wall clock
 *   --on-abandon reclaim    what becomes of a run whose process died or was stopped in it
 *   --name web1             who this is, shown by `holdfast who` (default: host and process)
 *   --grace 10s             how long SIGTERM waits for the run that is under way
 *   --ttl 15s               so long after a replica fell silent its run is another's
 *
 * What is exact, and what cannot be: a tick is *claimed* by one replica at a time, and once its
 * claim has ended in `done` or `fail` it is over for ever. How often it is *run* is another matter,
 * since a process can die between what it does and saying so:
 *
 *   reclaim (the default)   at least once. An abandoned run is claimed again, so that what the job
 *                           does must bear being done twice: see the end of report.js.
 *   close                   at most once. An abandoned run is over, and may not have happened.
 *
 * A run that throws is over as well (`fail`): the next tick is its next chance. A replica runs one
 * tick at a time; others run later ticks meanwhile. Where runs of different ticks must not overlap
 * either, take a lock inside the run. Machines' clocks must agree to less than a tick. A replica
 * waits out what a cluster does to it; one that finds none when it starts ends with 1.
 */
import { EventEmitter, on } from "node:events";
import { hostname } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, HoldfastError } from "holdfast-client";
import { report } from "./report.js";

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** "10s" in milliseconds. @param {string} text */
function milliseconds(text) {
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  if (unit === undefined) throw new Error(`${text} is no duration like 500ms, 10s, 5m or 1h`);
  return Number(count) * UNITS[/** @type {keyof typeof UNITS} */ (unit)];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: "string", default: "10s" },
    late: { type: "string" },
    "on-abandon": { type: "string", default: "reclaim" },
    name: { type: "string", default: `${hostname()}-${process.pid}` },
    grace: { type: "string", default: "10s" },
    ttl: { type: "string", default: "15s" },
  },
});
const [job = "sales"] = positionals;
const everyMs = milliseconds(values.every);
const lateMs = values.late === undefined ? 10 * everyMs : milliseconds(values.late);
const onAbandon = values["on-abandon"];
if (onAbandon !== "reclaim" && onAbandon !== "close")
  throw new Error(`--on-abandon is reclaim or close, not ${onAbandon}`);

const hf = connect(undefined, { owner: values.name, ttlMs: milliseconds(values.ttl) });
const schedule = hf.schedule(job, { onAbandon, lateMs });

/** Fires on SIGTERM: no more claims. */
const stop = new AbortController();
/** Fires when the run under way has had its time to end. */
const cut = new AbortController();

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    say(`stopping: ${signal}`);
    stop.abort();
    setTimeout(() => cut.abort(), milliseconds(values.grace)).unref();
  });
}

/** Ticks to try come here, from the clock and from the claims of others that ended. */
const due = new EventEmitter();
const ticks = on(due, "tick", { signal: stop.signal });

/** @param {number} ms The first tick at or after it. */
const tickFrom = ms => Math.ceil(ms / everyMs) * everyMs;
/** @param {number} tick */
const named = tick => `${job} of ${new Date(tick).toISOString()}`;
/** @param {string} text */
const say = text => console.log(`${values.name}: ${text}`);

/** Every tick as its time comes. */
async function keepTime() {
  for (let tick = tickFrom(Date.now()); ; tick += everyMs) {
    for (let leftMs = tick - Date.now(); leftMs > 0; leftMs = tick - Date.now()) {
      // In pieces: the wall clock may be set meanwhile.
      await pause(Math.min(leftMs, 60_000), undefined, { signal: stop.signal });
    }
    due.emit("tick", tick);
  }
}

/**
 * Every tick that could be claimed before this replica looked, then every one whose claim ends. A
 * run that is over is tried in vain; nobody but the cluster need know which those are.
 */
async function followClaims() {
  const { signal } = stop;
  for (;;) {
    // What ends from this revision on is told by the watch; what ended before is tried now.
    const { revision } = await hf.cluster.status({ signal });
    const sinceMs = Math.max(await firstTick(), Date.now() - lateMs);
    for (let tick = tickFrom(sinceMs); tick <= Date.now(); tick += everyMs) due.emit("tick", tick);
    try {
      // A claim is the key <job>/<tick>/<token>.
      for await (const { kind, key } of hf.kv.watch({
        prefix: `${job}/`,
        from: revision + 1,
        signal,
      })) {
        if (kind === "delete") due.emit("tick", Number(key.split("/").at(-2)));
      }
    } catch (error) {
      // Cut off for so long that the cluster has forgotten what ended meanwhile: look again.
      if (!(error instanceof HoldfastError && error.code === "HISTORY_GONE")) throw error;
    }
  }
}

/** The first tick of this job that there ever was: there is nothing to make up for before it. */
async function firstTick() {
  const key = `${job}.since`;
  const since = await hf.kv.get(key, { signal: stop.signal });
  if (since !== null) return Number(since.value);
  const now = tickFrom(Date.now() - everyMs + 1);
  // Two replicas that start at once may both write: they say the same, or nearly.
  await hf.kv.put(key, String(now), { signal: stop.signal });
  return now;
}

/** One tick after the other, each if it is to be had. */
async function work() {
  for await (const [tick] of ticks) await attempt(tick);
}

/** @param {number} tick */
async function attempt(tick) {
  let claim;
  try {
    claim = await schedule.claim(tick, { signal: stop.signal });
  } catch (error) {
    if (!(error instanceof HoldfastError) || (!error.retryable && error.outcome !== "unknown"))
      throw error;
    say(`${named(tick)} could not be claimed: ${error.message}`);
    due.emit("tick", tick);
    return;
  }
  if (claim !== null) await run(claim, tick);
}

/**
 * @param {import("holdfast-client").Claim} claim
 * @param {number} tick
 */
async function run(claim, tick) {
  say(`${named(tick)} begins (token ${claim.token})`);
  // Whatever the run does must end with this signal: then the run is another's, or nobody's.
  const signal = AbortSignal.any([claim.signal, cut.signal]);
  try {
    const note = await report({ hf, job, tick, claim, signal });
    await claim.done(note);
    say(`${named(tick)} is done: ${note}`);
  } catch (error) {
    if (claim.signal.aborted) say(`${named(tick)} is lost: ${claim.signal.reason.message}`);
    else if (cut.signal.aborted) say(`${named(tick)} is left to another`);
    else await failed(claim, tick, error);
  } finally {
    // Without an outcome it is abandoned by this; with one it changes nothing.
    await claim.release().catch(() => say("not released; it passes on with this process's lease"));
  }
}

/**
 * @param {import("holdfast-client").Claim} claim
 * @param {number} tick
 * @param {unknown} error
 */
async function failed(claim, tick, error) {
  say(`${named(tick)} failed: ${error}`);
  // `done` or a write of the run itself may have been what failed. Where that was the cluster's
  // doing the run is not to blame: it is abandoned, not failed.
  if (error instanceof HoldfastError) return;
  await claim.fail(String(error)).catch(again => say(`and that could not be said: ${again}`));
}

say(`runs ${job} every ${values.every}`);
const all = [work(), keepTime(), followClaims()].map(endless =>
  endless.catch(error => {
    if (stop.signal.aborted) return;
    console.error(error);
    process.exitCode = 1;
    stop.abort();
    cut.abort();
  }),
);
await Promise.all(all);
await hf.close(); // what this process held passes on at once
say("stopped");
