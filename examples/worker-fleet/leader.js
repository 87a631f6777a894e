/**
 * What the leader does: it gives jobs to workers, and those of workers that are gone to others.
 *
 * Every plan is written with `heldBy: leadership`, so that a leader that was frozen, lost the
 * election and wakes plans nothing: the cluster refuses it, whatever this process believes.
 */
import { HoldfastError } from "holdfast-client";
import { byKey, ELECTION, follow, JOBS, jobOf, WORKERS } from "./jobs.js";

/** A worker has so many jobs at most; the rest waits for whoever is free first. */
const AHEAD = 2;

/**
 * Leads until it is over: rejects with the loss when leadership is lost, and returns when it is to
 * go to another (`stop`, or somebody asked for it).
 *
 * @param {import("holdfast-client").Client} hf
 * @param {import("holdfast-client").Leadership} leadership
 * @param {AbortSignal} stop
 * @param {number} version Of this program.
 */
export async function lead(hf, leadership, stop, version) {
  const leave = AbortSignal.any([stop, leadership.yieldSignal]);
  const signal = AbortSignal.any([leave, leadership.signal]);
  try {
    for await (const fleet of follow(hf, "fleet/", signal)) await plan(hf, leadership, fleet);
  } catch (error) {
    if (leadership.signal.aborted) throw leadership.signal.reason;
    if (!leave.aborted) throw error;
  }
  await handOver(hf, leadership, version);
}

/**
 * @param {import("holdfast-client").Client} hf
 * @param {import("holdfast-client").Leadership} leadership
 * @param {Map<string, import("./jobs.js").Entry>} fleet
 */
async function plan(hf, leadership, fleet) {
  /** How many jobs each worker has. @type {Map<string, number>} */
  const load = new Map();
  const unplanned = [];
  for (const key of fleet.keys())
    if (key.startsWith(`${WORKERS}/`)) load.set(key.slice(WORKERS.length + 1), 0);
  for (const entry of fleet.values()) {
    if (!entry.key.startsWith(`${JOBS}/`)) continue;
    const { worker, result } = jobOf(entry);
    if (result !== undefined) continue;
    const has = worker === undefined ? undefined : load.get(worker);
    if (worker === undefined || has === undefined) unplanned.push(entry);
    else load.set(worker, has + 1);
  }
  for (const entry of unplanned.sort(byKey)) {
    const [worker, has = AHEAD] = [...load].sort((a, b) => a[1] - b[1])[0] ?? [];
    if (worker === undefined || has >= AHEAD) return;
    load.set(worker, has + 1);
    await assign(hf, leadership, fleet, entry, worker);
  }
}

/**
 * @param {import("holdfast-client").Client} hf
 * @param {import("holdfast-client").Leadership} leadership
 * @param {Map<string, import("./jobs.js").Entry>} fleet
 * @param {import("./jobs.js").Entry} entry
 * @param {string} worker
 */
async function assign(hf, leadership, fleet, entry, worker) {
  const value = JSON.stringify({ ...jobOf(entry), worker, term: leadership.token });
  const guard = { ifRevision: entry.modRevision, heldBy: leadership };
  try {
    const { revision } = await hf.kv.put(entry.key, value, guard);
    // Known already, before the watch tells of it.
    fleet.set(entry.key, { ...entry, value, modRevision: revision });
  } catch (error) {
    // Changed or deleted meanwhile: the watch is about to say so.
    if (!(error instanceof HoldfastError && error.code === "CONDITION_FAILED")) throw error;
  }
}

/**
 * To a candidate of a newer version if there is one, so that in a rolling update leadership moves
 * once and not from each process to the next that is about to go.
 *
 * @param {import("holdfast-client").Client} hf
 * @param {import("holdfast-client").Leadership} leadership
 * @param {number} version
 */
async function handOver(hf, leadership, version) {
  const { waiters } = await hf.lock(ELECTION).inspect();
  const heir = waiters.find(({ labels }) => Number(labels?.version) > version);
  try {
    await leadership.handOver(heir === undefined ? {} : { to: heir.key });
  } catch (error) {
    // It has left the line since: then to the next.
    if (!(error instanceof HoldfastError && error.code === "NOT_IN_LINE")) throw error;
    await leadership.handOver();
  }
}
