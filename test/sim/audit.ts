/**
 * Reads each committed entry itself, beside the machine: the time it carries, and which command
 * each answer belongs to. So it knows of requests that were sent again without trusting the state's
 * own tables, which every node shares the code of.
 */
import { nodeBytes } from "../../src/server/ports/index.js";
import type { Command, CommandResult } from "../../src/state/index.js";
import { EntryReader } from "../../src/state/index.js";
import { sometimes } from "./sometimes.js";

/** Clocks of nodes run so much too fast at most, and are read in whole milliseconds. */
const FASTEST_RATE = 1.005;
const SLACK_MS = 5;

export interface AuditEvents {
  /** True time since the world began; Infinity when nodes' clocks are bound to nothing. */
  nowMs(): number;
  fail(what: string): never;
  /** The key that an entry has now, which had this one: it may have been moved. */
  presentKey(key: string): string;
}

export class Audit {
  readonly #events: AuditEvents;
  readonly #reader = new EntryReader(nodeBytes);
  /** What the first answer under this request id did. */
  readonly #done = new Map<string, string>();
  /** Requests that were answered, by whether they were refused. */
  readonly #answered = { refused: new Set<string>(), done: new Set<string>() };
  /** Of the last entry that carried one. */
  clusterTimeMs = 0;
  #ends = 0;
  #hasCommand = false;

  constructor(events: AuditEvents) {
    this.#events = events;
  }

  /** Before the entry is applied. */
  entry(index: number, payload: Uint8Array): void {
    this.#ends = 0;
    this.#hasCommand = false;
    if (payload.length === 0 || !this.#reader.open(payload)) return;
    const { clusterTimeMs } = this.#reader;
    if (clusterTimeMs < this.clusterTimeMs)
      this.#events.fail(`cluster time goes back at ${index}: ${clusterTimeMs}`);
    if (clusterTimeMs > this.#events.nowMs() * FASTEST_RATE + SLACK_MS)
      this.#events.fail(`cluster time runs ahead at ${index}: ${clusterTimeMs}`);
    this.clusterTimeMs = clusterTimeMs;
    this.#hasCommand = this.#reader.next();
  }

  /** The one that is being applied, or is the next to be. */
  get command(): Command | null {
    return this.#hasCommand ? this.#reader.command : null;
  }

  leaseEnded(): void {
    this.#ends += 1;
    if (this.#ends === 3) sometimes("several ends in one entry");
  }

  /**
   * Once a command, in their order. `again`: a request of that name was answered like that before,
   * so that this may be its answer once more, and nothing was done.
   */
  answered(result: CommandResult): { readonly command: Command | null; readonly again: boolean } {
    if (!this.#hasCommand) this.#events.fail("an answer without a command");
    const { client, number, idempotencyKey, command } = this.#reader;
    if (command !== null) mark(command, result);
    const id = idempotencyKey === "" ? `${client}/${number}` : `key ${idempotencyKey}`;
    this.#once(id, result);
    const same = result.kind === "refused" ? this.#answered.refused : this.#answered.done;
    const again = same.has(id);
    if (id !== "/0") same.add(id);
    this.#hasCommand = this.#reader.next();
    return { command, again };
  }

  #once(id: string, result: CommandResult): void {
    const did = id === "/0" ? null : effectOf(result);
    if (did === null) return;
    const before = this.#done.get(id);
    this.#done.set(id, before ?? did);
    if (before === undefined) return;
    sometimes("answered from the table");
    if (this.#events.presentKey(before) !== this.#events.presentKey(did))
      this.#events.fail(`one request did two things (${id}: ${before}, then ${did})`);
  }
}

/** What a request did that must not be done again: null when nothing like that. */
function effectOf(result: CommandResult): string | null {
  switch (result.kind) {
    case "put":
    case "append":
      return `${result.key}@${result.revision}`;
    case "granted":
      return result.grant.key;
    case "waiting":
    case "entryEnded":
      return result.key;
    default:
      return null;
  }
}

function mark(command: Command, result: CommandResult): void {
  if (command.kind === "lock.cancel") {
    if (result.kind === "granted") sometimes("grant came before its withdrawal");
    if (result.kind === "cancelled") sometimes("wait withdrawn");
  }
  if (result.kind !== "refused") return;
  if (result.code === "LEASE_EXISTS") sometimes("lease collision");
  if (result.code === "NOT_HELD") sometimes("guarded write refused");
}
