/** Bugs in the replicated state; all nodes share them, so that no comparison of nodes tells. */
import type { Overrides } from "../script.js";
import type { Bug } from "./bug.js";

/** Nodes are restored often, and no comparison of states finds what clients would have to find. */
const UNCOMPARED: Overrides = {
  comparesStates: false,
  settings: { snapshotAfterBytes: 3_000, tailBytes: 2_000 },
};

export const STATE: readonly Bug[] = [
  {
    name: "tokens are used again after a restore",
    file: "dist/state/snapshot/loader.js",
    find: 'world.revision = from.count("revision");',
    replace: 'world.revision = Math.max(1, from.count("revision") - 2);',
    withinSeeds: 20,
    why: "a restored node gives out a token twice",
    by: /acknowledged|linearizable|token/,
    overrides: UNCOMPARED,
  },
  {
    name: "snapshots leave the request table out",
    file: "dist/state/snapshot/stream.js",
    find: 'this.#fillFrom(this.#requests.windows, "idempotent", maxBytes, w => this.#writeWindow(w, maxBytes));',
    replace: 'this.#enter("idempotent");',
    withinSeeds: 10,
    why: "a request sent again is done twice by restored nodes; no hash tells, since none has it",
  },
  {
    name: "snapshots leave idempotency keys out",
    file: "dist/state/snapshot/stream.js",
    find: 'this.#fillFrom(this.#requests.idempotent, "finish", maxBytes, i => this.#writeIdempotent(i));',
    replace: 'this.#enter("finish");',
    withinSeeds: 10,
    why: "a call asked again under its key stands in line twice",
    by: /was answered as|acknowledged|took effect|stands in line|linearizable/,
    overrides: UNCOMPARED,
  },
  {
    name: "snapshots leave ended leases out",
    file: "dist/state/snapshot/stream.js",
    find: 'this.#drain(this.#endedLeases, "endedEntries", maxBytes, e => this.#writeEndedLease(e));',
    replace: 'this.#enter("endedEntries");',
    withinSeeds: 100,
    why: "restored nodes answer another thing about a lease that has ended",
    // It takes a lease that ends while somebody uses it, and an answer by who was restored since.
    overrides: {
      plan: "leaderHunt",
      calm: false,
      operator: false,
      workloads: [...Array(6).fill("leaser"), "appender", "appender", "register"],
      settings: { snapshotAfterBytes: 3_000, tailBytes: 2_000, endedLeasesKept: 10_000 },
    },
  },
  {
    name: "restored without the leases",
    file: "dist/state/snapshot/loader.js",
    find: "this.#world.leases.set(id, lease);",
    replace: 'if (lease.belongsTo !== "") this.#world.leases.set(id, lease);',
    withinSeeds: 150,
    why: "sessions are forgotten by nodes that were restored",
    by: /believes|never came|linearizable|LEASE/,
    overrides: UNCOMPARED,
  },
  {
    name: "a delete is answered and not done",
    file: "dist/state/kv/delete.js",
    find: '    removeRecord(world, record, "deleted");\n    const result',
    replace: "    const result",
    withinSeeds: 10,
    why: "what was deleted is there",
  },
  {
    name: "the line runs backwards",
    file: "dist/state/lock/line.js",
    find: "return a.revision - b.revision;",
    replace: "return b.revision - a.revision;",
    withinSeeds: 10,
    why: "who came last is granted first",
  },
  {
    name: "two are granted at once",
    file: "dist/state/lock/admit.js",
    find: "        admit(world, line, record, entry);\n        return true;",
    replace: `        admit(world, line, record, entry);
        const second = line.size > 2 ? recordIn(world, line.keyAt(1)) : record;
        if (!second.entry.granted && second.entry.extra.group.length === 0)
            admit(world, line, second, second.entry);
        return true;`,
    withinSeeds: 10,
    why: "an exclusive lock has two holders when three stand in line",
  },
  {
    name: "guards are not checked",
    file: "dist/state/kv/check.js",
    find: "return found.held === null ? notHeld(found.reason, found.currentToken, guard) : null;",
    replace: "return null;",
    withinSeeds: 20,
    why: "a write under a grant that has ended takes effect",
  },
  {
    name: "an idempotency key's answer is not kept",
    file: "dist/state/machine.js",
    find: "requests.keepKey(key, fingerprint, result, clusterTimeMs, limits);",
    replace: "void 0;",
    withinSeeds: 10,
    why: "a call asked again is done again",
  },
  {
    name: "history forgets the newest",
    file: "dist/state/watch/history.js",
    find: "const least = newest - maxRevisions + 1;",
    replace: "const least = newest - 1;",
    withinSeeds: 10,
    why: "a watch that goes on a moment later finds its past gone",
  },
];
