/**
 * What the processes of the fleet know of each other: keys in the cluster, and nothing else.
 *
 *   fleet/jobs/<number>     one job. Whoever orders it appends the key; the leader writes into it
 *                           who is to do it; that worker writes the result. Each writes on top of
 *                           the very revision it has seen, so that each step happens once.
 *   fleet/workers/<name>    a worker that is there. The key goes with its process's lease.
 *   fleet/leader            the election.
 */
import { HoldfastError } from "holdfast-client";

export const JOBS = "fleet/jobs";
export const WORKERS = "fleet/workers";
export const ELECTION = "fleet/leader";

/**
 * @typedef {object} Job
 * @property {string} work What is to be done.
 * @property {string} [worker] Who is to do it.
 * @property {number} [term] The fencing token of the leader who said so.
 * @property {string} [result] What came of it; then it is over.
 *
 * @typedef {object} Entry What is known of a key.
 * @property {string} key
 * @property {string} value
 * @property {number} modRevision
 */

/** @param {Entry} entry @returns {Job} */
export const jobOf = entry => JSON.parse(entry.value);

/** The order of the cluster, which for jobs is that of the orders. @param {Entry} a @param {Entry} b */
export const byKey = (a, b) => (a.key < b.key ? -1 : 1);

/**
 * What stands below a prefix, again after every change. It may be late: what is acted on must be
 * compared again, by `ifRevision`.
 *
 * @param {import("holdfast-client").Client} hf
 * @param {string} prefix
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Map<string, Entry>, never>}
 */
export async function* follow(hf, prefix, signal) {
  for (;;) {
    // What happens from this revision on is told by the watch; what was before is in the list.
    const { revision } = await hf.cluster.status({ signal });
    /** @type {Map<string, Entry>} */
    const entries = new Map();
    for await (const { key, value, modRevision } of hf.kv.list({ prefix, signal }))
      entries.set(key, { key, value, modRevision });
    yield entries;
    try {
      const changes = hf.kv.watch({ prefix, from: revision + 1, signal });
      for await (const { kind, key, value, revision: modRevision } of changes) {
        // The list, or whoever reads the map, may know of later ones already.
        if ((entries.get(key)?.modRevision ?? 0) > modRevision) continue;
        if (kind === "put") entries.set(key, { key, value, modRevision });
        else entries.delete(key);
        yield entries;
      }
    } catch (error) {
      // Cut off for so long that the cluster has forgotten the changes: read all again.
      if (!(error instanceof HoldfastError && error.code === "HISTORY_GONE")) throw error;
    }
  }
}
