/** Bugs in the client. */
import { type Bug, told } from "./bug.js";

export const CLIENT: readonly Bug[] = [
  {
    name: "the deadline counts from the answer",
    file: "clients/typescript/dist/core/lease.js",
    find: "this.#stamp = sending.stamp;\n            this.#wallAheadMs",
    replace: "this.#stamp = this.#platform.monotonicMs();\n            this.#wallAheadMs",
    withinSeeds: 100,
    why: "an answer that was long under way proves nothing about now",
    // The answer waits for who stands still.
    overrides: {
      workloads: [...Array(8).fill("sleeper"), "appender"],
      calm: false,
      operator: false,
    },
  },
  {
    name: "the client forgets that it slept",
    file: "clients/typescript/dist/core/lease.js",
    find: "return aheadMs - this.#wallAheadMs > Math.max(this.marginMs, this.#ttlMs * SLEEP_GRAIN);",
    replace: "return aheadMs < 0;",
    withinSeeds: 28,
    why: "a client that slept past its lease believes in it",
  },
  {
    name: "the client allows its clock nothing",
    file: "clients/typescript/dist/core/lease.js",
    find: "const CLOCK_RATE = 0.99;",
    replace: "const CLOCK_RATE = 1.05;",
    withinSeeds: 40,
    why: "a holder that wants little time to stop still believes when its lease has run out",
    overrides: {
      workloads: Array(14).fill("locker"),
      calm: false,
      operator: false,
      plan: "none",
      settings: { delayMs: [1, 2] },
    },
  },
  {
    name: "every other release is said to have come too late",
    file: "clients/typescript/dist/core/held.js",
    find: "if (ok.released === true)",
    replace: "if (ok.released === true && this.token % 2 === 0)",
    withinSeeds: 10,
    why: "a holder takes its work for lost that it did under its lock",
  },
  {
    name: "sent again under a new number",
    file: "clients/typescript/dist/core/requests.js",
    find: "for (const call of this.#calls) {",
    replace: `for (const call of [...this.#calls]) {
            this.#calls.remove(call);
            call.id = this.#nextId++;
            this.#calls.add(call);`,
    withinSeeds: 10,
    why: "a request whose answer was lost is done twice",
  },
  {
    name: "a watch goes on one revision late",
    file: "clients/typescript/dist/core/streams.js",
    find: "const from = this.#next > 0 ? { from: this.#next } : {};",
    replace:
      "const from = this.#next > 0 ? " +
      "{ from: this.#next + (this.#next > (this.#plan.from ?? 0) ? 1 : 0) } : {};",
    withinSeeds: 16,
    why: "the first change after a lost connection is missing",
  },
  {
    name: "a doubtful write is said not to be applied",
    file: "clients/typescript/dist/core/requests.js",
    find: 'if (call.state === "inFlight")\n                call.doubt = true;',
    replace: "",
    withinSeeds: 24,
    why: "a write whose connection was lost may have taken effect",
    // A leader falls with writes under way, and who is asked again has no room.
    overrides: {
      ...told("leaderHunt"),
      operator: false,
      workloads: Array(10).fill("appender"),
      settings: { maxPendingProposals: 3, delayMs: [1, 30] },
    },
  },
];
