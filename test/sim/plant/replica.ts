/** Bugs in what stands between the log and the state: leases, waits, watches, time. */
import { type Bug, told } from "./bug.js";

export const REPLICA: readonly Bug[] = [
  {
    name: "a deposed leader answers keep-alives",
    file: "dist/replica/leases/keeper.js",
    find: "this.#log.confirmLeadership(term => {",
    replace: "(done => done(this.#log.leadership().term))(term => {",
    withinSeeds: 10,
    why: "a client believes in a lease that the new leader has ended",
    overrides: told("stallingLeader"),
  },
  {
    name: "an expiry is proposed again in a later term",
    file: "dist/replica/leases/expiry.js",
    find: "new Expiry(told), false, term);",
    replace: "new Expiry(told), true, null);",
    withinSeeds: 10,
    why: "the new leader gave the lease its full time, and it ends all the same",
    overrides: told("silentLeader"),
  },
  {
    name: "a new leader gives leases less than their time",
    file: "dist/replica/leases/lease-clock.js",
    find: "each(lease => this.granted(lease));",
    replace: "each(({ id, ttlMs }) => this.granted({ id, ttlMs: Math.floor(ttlMs / 8) }));",
    withinSeeds: 10,
    why: "a lease ends while its holder can still prove it",
  },
  {
    name: "a new leader forgets the leases' clocks",
    file: "dist/replica/leases/lease-clock.js",
    find: "each(lease => this.granted(lease));",
    replace: "",
    withinSeeds: 10,
    why: "leases of the dead never end",
  },
  {
    name: "a private lease is not kept while its call waits",
    file: "dist/replica/lines/places.js",
    find: "this.#eachDue(this.#keepAliveDue, nowMs, place => this.#keepAlive(place));",
    replace: "this.#eachDue(this.#keepAliveDue, nowMs, () => {});",
    withinSeeds: 12,
    why: "who waits longer than the lease's time loses the place",
    overrides: { calm: true },
  },
  {
    name: "a wait is given up without asking the log",
    file: "dist/replica/lines/places.js",
    find: "if (place !== undefined && !place.withdrawing)\n            this.#propose(place);",
    replace: `if (place !== undefined && !place.withdrawing) {
            this.#propose(place);
            for (const waiter of this.#dismiss(place)) waiter.withdrawn(1, []);
        }`,
    withinSeeds: 20,
    why: "a lock is held by a call that was told it timed out",
  },
  {
    name: "watchers skip what a snapshot jumped over",
    file: "dist/replica/watch/hub.js",
    find: "follower.nextRevision = Math.max(follower.nextRevision, this.#revision + 1);",
    replace: "follower.nextRevision = this.#core.machine.revision + 1;",
    withinSeeds: 12,
    why: "changes are missing in a watch, and nobody says so",
    overrides: {
      ...told("silentLeader"),
      settings: { snapshotAfterBytes: 3_000, tailBytes: 2_000 },
    },
  },
  {
    name: "nobody notices that history is gone",
    file: "dist/state/watch/history.js",
    find: "return this.#oldest;",
    replace: "return Math.min(2, this.#oldest);",
    withinSeeds: 16,
    why: "what the window has dropped is missing in a watch",
    overrides: { settings: { historyRevisions: 20 } },
  },
  {
    name: "cluster time goes back",
    file: "dist/replica/time.js",
    find: "this.#stampedMs = Math.max(this.#stampedMs, this.#appliedMs, ms);",
    replace: "this.#stampedMs = Math.max(0, ms - 200);",
    withinSeeds: 10,
    why: "an entry is stamped before the one that precedes it",
  },
  {
    name: "cluster time runs ahead",
    file: "dist/replica/time.js",
    find: "this.#base = this.#appliedMs;",
    replace: "this.#base = this.#appliedMs + 5_000;",
    withinSeeds: 10,
    why: "what is kept for a time of the cluster's clock is forgotten too early",
  },
  {
    name: "unknown is told as not applied",
    file: "dist/replica/proposals/proposals.js",
    find: "this.#fail(proposal, outcomeUnknown(why));",
    replace: "this.#fail(proposal, this.#whyNot());",
    withinSeeds: 30,
    why: "a write is said not to have been done, and is there",
    overrides: {
      workloads: [...Array(4).fill("appender"), ...Array(4).fill("register")],
      calm: false,
      operator: false,
    },
  },
];
