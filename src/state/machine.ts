/**
 * The machine: applies log entries and answers reads. What commands do is in the rooms; here is
 * their order, and what surrounds each: request tables before, admission after. Used by the
 * replica alone.
 */
import { assert, unreachable } from "../base/assert.js";
import type { Bytes } from "../base/ports.js";
import type { Command, GrantRef, RangeQuery } from "./command/command.js";
import { EntryReader } from "./command/entry.js";
import { ENTRY_FORMAT } from "./command/number.js";
import {
  type CommandResult,
  type EndReason,
  type EntryEndedResult,
  type EntryView,
  entryKeyOf,
  type GrantedResult,
  type RangeResult,
  type Refusal,
  refuse,
  type WaitingResult,
} from "./command/result.js";
import { applyConfigure } from "./configure.js";
import type {
  GetResult,
  GrantStanding,
  HistoryCursor,
  LeaseKeyList,
  LeaseList,
  LineList,
  LineView,
  StateCounters,
  StateMachine,
  StateStop,
  StateView,
} from "./face.js";
import { totalBytes } from "./kv/check.js";
import { applyDelete } from "./kv/delete.js";
import { applyAppend, applyPut } from "./kv/put.js";
import { checkPast, readRange } from "./kv/range.js";
import { isLiveEntry, viewOf } from "./kv/record.js";
import { recordOfPast } from "./kv/scan.js";
import { applyTxn } from "./kv/txn.js";
import { applyLeaseExpire, applyLeaseGrant, applyLeaseRevoke } from "./lease/lease-commands.js";
import { listLeaseKeys, listLeases } from "./lease/read.js";
import { STATE_LIMITS, type StateLimits } from "./limits.js";
import { applyAcquire } from "./lock/acquire.js";
import { settleLines } from "./lock/admit.js";
import { applyLockConfigure } from "./lock/configure-line.js";
import { endDue } from "./lock/due.js";
import { checkGrant, inspectLine, listLines } from "./lock/inspect.js";
import { applyBreak, applyYield } from "./lock/ladder.js";
import { applyAnnotate, applyCancel, applyProclaim, applyRelease } from "./lock/lock-commands.js";
import {
  entryTruth,
  entryViewOf,
  furthestOf,
  headRecord,
  keyNow,
  positionOf,
} from "./lock/standing.js";
import { type LeaseView, type MachineOutput, SILENT } from "./output.js";
import { applySlotClaim, applySlotFinish } from "./slot/slot-commands.js";
import { StateDigest } from "./snapshot/digest.js";
import { SnapshotStream } from "./snapshot/stream.js";
import { WindowCursor } from "./watch/cursor.js";
import { World } from "./world.js";

const MAX_CLUSTER_TIME_MS = 2 ** 52;

export class Machine implements StateMachine {
  readonly #bytes: Bytes;
  readonly #world: World;
  readonly #entry: EntryReader;
  readonly #isLive: (result: CommandResult) => boolean;
  #stop: StateStop | null = null;

  /** An empty state with these limits; or, for a loader, the `world` it has built. */
  constructor(bytes: Bytes, limits: StateLimits = STATE_LIMITS, world?: World) {
    this.#bytes = bytes;
    const held = world ?? new World(bytes, limits);
    this.#world = held;
    this.#entry = new EntryReader(bytes);
    this.#isLive = result => {
      const key = entryKeyOf(result);
      return key !== "" && isLiveEntry(held.kv.get(held.presentKey(key)));
    };
  }

  get appliedIndex(): number {
    return this.#world.appliedIndex;
  }
  get revision(): number {
    return this.#world.revision;
  }
  get clusterTimeMs(): number {
    return this.#world.clusterTimeMs;
  }
  get wallTimeMs(): number {
    return this.#world.wallTimeMs;
  }
  get oldestRevision(): number {
    return this.#world.history.oldestRevision;
  }
  get limits(): StateLimits {
    return this.#world.limits;
  }

  apply(index: number, payload: Uint8Array, out: MachineOutput): StateStop | null {
    if (this.#stop !== null) return this.#stop;
    const world = this.#world;
    const entry = this.#entry;
    assert(index > world.appliedIndex, "entries are applied in order");
    const readable = payload.length > 0 && entry.open(payload);
    if (readable && entry.format > ENTRY_FORMAT) {
      const message = `entry ${index} has format ${entry.format}; this program reads up to ${ENTRY_FORMAT}: start a newer version of it`;
      this.#stop = { code: "STATE_FORMAT_TOO_NEW", message };
      return this.#stop;
    }
    world.appliedIndex = index;
    if (!readable) return null;
    world.out = out;
    world.format = entry.format;
    world.searched = 0;
    this.#moveTime(entry.clusterTimeMs, entry.wallTimeMs);
    if (world.deadlines.nextDeadline() <= world.clusterTimeMs) this.#fireDue();
    while (entry.next()) this.#applyOne();
    world.out = SILENT;
    return null;
  }

  #moveTime(clusterTimeMs: number, wallTimeMs: number): void {
    const world = this.#world;
    const { limits } = world;
    // Beyond it (no leader's clock comes there) the ends of what lasts could not be reckoned.
    const timeMs = Math.min(clusterTimeMs, MAX_CLUSTER_TIME_MS);
    if (timeMs > world.clusterTimeMs) world.clusterTimeMs = timeMs;
    world.wallTimeMs = wallTimeMs;
    const now = world.clusterTimeMs;
    world.endedLeases.forget(now - limits.endedLeaseKeptMs, limits.endedLeasesKept);
    this.#forgetEntries(now - limits.endedEntryKeptMs);
    world.requests.expire(now, limits, this.#isLive);
  }

  /**
   * Ends what is due, in order of (deadline, key), as much as one entry may; what is left is still
   * due when the next one comes.
   */
  #fireDue(): void {
    const world = this.#world;
    const before = world.revision;
    endDue(world);
    this.#settle(before);
  }

  #forgetEntries(beforeMs: number): void {
    const { endedEntries, lines, limits } = this.#world;
    for (let ended = endedEntries.first(); ended !== undefined; ended = endedEntries.first()) {
      if (ended.endedMs > beforeMs && endedEntries.size <= limits.endedEntriesKept) return;
      endedEntries.shift();
      lines.forget(ended);
    }
  }

  #applyOne(): void {
    const { originBoot, originNumber, command, problem } = this.#entry;
    if (command === null) {
      if (problem === "") return;
      const details = { parameter: "command", problem };
      this.#world.out.answer(originBoot, originNumber, refuse("INVALID_PARAMETER", details));
      return;
    }
    const result = this.#once(command);
    this.#world.out.answer(originBoot, originNumber, result);
  }

  /**
   * The command's result, or that of its first time. Refusals are kept like all else: whoever was
   * told that nothing was done must not see a second copy of the command, which may be on its way
   * through another node, do it later.
   */
  #once(command: Command): CommandResult {
    const { client, idempotencyKey } = this.#entry;
    if (client !== "") return this.#onceByNumber(command, client);
    if (idempotencyKey !== "") return this.#onceByKey(command, idempotencyKey);
    return this.#execute(command);
  }

  #onceByNumber(command: Command, client: string): CommandResult {
    const world = this.#world;
    const { limits, clusterTimeMs } = world;
    const { number, low, fingerprint, sessionLease } = this.#entry;
    const { a, b } = fingerprint;
    const lease = sessionLease !== "" && world.leases.has(sessionLease) ? sessionLease : "";
    const { requests } = world;
    const found = requests.find(client, number, low, a, b, lease, clusterTimeMs, limits);
    if (found !== null) return this.#presentTruth(found);
    const result = this.#execute(command);
    requests.keep(client, number, a, b, result, limits, this.#isLive);
    return result;
  }

  #onceByKey(command: Command, key: string): CommandResult {
    const { requests, limits, clusterTimeMs } = this.#world;
    const fingerprint = this.#entry.keyFingerprint;
    const found = requests.findKey(key, fingerprint, clusterTimeMs, limits);
    if (found !== null) return this.#presentTruth(found);
    const result = this.#execute(command);
    requests.keepKey(key, fingerprint, result, clusterTimeMs, limits);
    return result;
  }

  /** What an answer of before means now: an acquire's is the fate of its entry. */
  #presentTruth(first: CommandResult): CommandResult {
    const key = entryKeyOf(first);
    return key === "" ? first : entryTruth(this.#world, key);
  }

  #execute(command: Command): CommandResult {
    const world = this.#world;
    const before = world.revision;
    const result = execute(world, command);
    this.#settle(before);
    return result;
  }

  #settle(revisionBefore: number): void {
    const world = this.#world;
    if (world.touched.length > 0) settleLines(world);
    if (world.revision === revisionBefore) return;
    const { historyRevisions, historyBytes } = world.limits;
    world.history.slide(world.revision, historyRevisions, historyBytes);
  }

  get(key: string, atRevision?: number): GetResult | Refusal {
    const world = this.#world;
    const { revision } = world;
    const gone = checkPast(world, atRevision);
    if (gone !== null) return gone;
    const record =
      atRevision === undefined || atRevision === revision
        ? (world.kv.get(key) ?? null)
        : recordOfPast(world, key, atRevision);
    return { kind: "record", record: record === null ? null : viewOf(record), revision };
  }

  range(query: RangeQuery): RangeResult | Refusal {
    return readRange(this.#world, query);
  }

  history(fromRevision: number, from: string, to: string | null): HistoryCursor | Refusal {
    const { history, revision } = this.#world;
    const { oldestRevision } = history;
    // The first write has revision 2: whoever asks for more than that asks for the beginning.
    const first = Math.max(fromRevision, 2);
    if (first < oldestRevision) return refuse("HISTORY_GONE", { oldestRevision, revision });
    return new WindowCursor(this.#world, first, from, to);
  }

  lease(id: string): LeaseView | undefined {
    return this.#world.leases.get(id);
  }

  endedLease(id: string): EndReason | undefined {
    return this.#world.leases.has(id) ? undefined : this.#world.endedLeases.get(id)?.reason;
  }

  leaseKeys(id: string, limit: number): readonly string[] {
    return this.#world.leaseKeys.sorted(id).slice(0, limit);
  }

  listLeaseKeys(id: string): LeaseKeyList {
    return listLeaseKeys(this.#world, id);
  }

  leases(after: string, limit: number): LeaseList {
    return listLeases(this.#world, after, limit);
  }

  eachLease(visit: (lease: LeaseView) => void): void {
    this.#world.leases.scan("", null, (_id, lease) => {
      visit(lease);
      return true;
    });
  }

  entry(key: string): GrantedResult | WaitingResult | EntryEndedResult {
    return entryTruth(this.#world, key);
  }

  position(key: string): number | undefined {
    const world = this.#world;
    const record = world.kv.get(world.presentKey(key));
    if (!isLiveEntry(record)) return undefined;
    return record.entry.granted ? 0 : positionOf(world, record, record.entry);
  }

  nextDeadlineMs(): number {
    return this.#world.deadlines.nextDeadline();
  }

  check(grant: GrantRef): GrantStanding {
    return checkGrant(this.#world, grant);
  }

  inspect(name: string, maxWaiters: number): LineView {
    return inspectLine(this.#world, name, maxWaiters);
  }

  lines(prefix: string, after: string, limit: number, owner: string | null = null): LineList {
    return listLines(this.#world, prefix, after, limit, owner);
  }

  headBefore(key: string): EntryView | undefined {
    const record = this.#world.kv.get(keyNow(this.#world, key));
    if (!isLiveEntry(record)) return undefined;
    return this.head(furthestOf(this.#world, record, record.entry).name);
  }

  head(name: string): EntryView | undefined {
    const record = headRecord(this.#world, name);
    // The first in line may still wait: for its other names.
    return record?.entry.granted === true ? entryViewOf(record, record.entry) : undefined;
  }

  snapshot(): StateView {
    return new SnapshotStream(this.#bytes, this.#world);
  }

  hash(): string {
    const digest = new StateDigest();
    const view = this.snapshot();
    for (let part = view.next(65_536); part !== null; part = view.next(65_536)) digest.add(part);
    return digest.toString();
  }

  counters(): StateCounters {
    const world = this.#world;
    return {
      keys: world.kv.size,
      leases: world.leases.size,
      lines: world.lines.occupied,
      entries: world.lines.entries,
      stateBytes: totalBytes(world),
      maxStateBytes: world.limits.maxStateBytes,
      historyChanges: world.history.size,
      historyBytes: world.history.bytes,
      requestClients: world.requests.clients,
      idempotencyKeys: world.requests.keys,
    };
  }
}

function execute(world: World, command: Command): CommandResult {
  switch (command.kind) {
    case "kv.put":
      return applyPut(world, command);
    case "kv.append":
      return applyAppend(world, command);
    case "kv.delete":
      return applyDelete(world, command);
    case "kv.txn":
      return applyTxn(world, command);
    case "lease.grant":
      return applyLeaseGrant(world, command);
    case "lease.revoke":
      return applyLeaseRevoke(world, command);
    case "lease.expire":
      return applyLeaseExpire(world, command);
    case "lock.acquire":
      return applyAcquire(world, command);
    case "lock.cancel":
      return applyCancel(world, command);
    case "lock.release":
    case "lock.handOver":
      return applyRelease(world, command);
    case "lock.configure":
      return applyLockConfigure(world, command);
    case "lock.annotate":
      return applyAnnotate(world, command);
    case "lock.yield":
      return applyYield(world, command);
    case "lock.break":
      return applyBreak(world, command);
    case "slot.claim":
      return applySlotClaim(world, command);
    case "slot.finish":
      return applySlotFinish(world, command);
    case "election.proclaim":
      return applyProclaim(world, command);
    case "system.configure":
      return applyConfigure(world, command);
    default:
      return unreachable(command, "execute");
  }
}
