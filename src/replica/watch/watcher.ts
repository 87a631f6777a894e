/**
 * `watch.start`: tells every change of a key, a prefix or a range, all of one revision together.
 */
import type { ParamsOf, WatchedChange } from "holdfast-protocol";
import { LIMITS } from "../../base/limits.js";
import type { Change, KvRecord } from "../../state/index.js";
import { viewOf } from "../../state/index.js";
import type { ClientConnection } from "../connection.js";
import type { Failure } from "../coordinator/index.js";
import { type Handler, isFailure } from "../operations/call.js";
import { spanOf } from "../operations/spans.js";
import { recordOf } from "../views.js";
import { Follower, type Interest } from "./follower.js";
import type { WatchHub } from "./hub.js";
import { startStream } from "./start.js";

type WatchParams = ParamsOf<"watch.start">;

class Watcher extends Follower {
  readonly #puts: boolean;
  readonly #deletes: boolean;
  readonly #prev: boolean;
  readonly #keysOnly: boolean;
  /** How many bytes of former values were told of the revision that is being told. */
  #prevBytes = 0;

  constructor(
    hub: WatchHub,
    connection: ClientConnection,
    interest: Interest,
    id: number,
    nextRevision: number,
    params: WatchParams,
  ) {
    super(hub, connection, interest, id, nextRevision);
    const { kinds } = params;
    this.#puts = kinds === undefined || kinds.includes("put");
    this.#deletes = kinds === undefined || kinds.includes("delete");
    this.#prev = params.prev === true;
    this.#keysOnly = params.keysOnly === true;
  }

  changed(changes: readonly Change[]): void {
    let told: WatchedChange[] = [];
    let revision = 0;
    for (const change of changes) {
      if (change.revision !== revision) {
        this.#tell(revision, told);
        told = [];
        revision = change.revision;
        this.#prevBytes = 0;
      }
      if (change.record === null ? this.#deletes : this.#puts) told.push(this.#shown(change));
    }
    this.#tell(revision, told);
  }

  caughtUp(): void {}

  quiet(revision: number): void {
    this.push({ event: "watch", id: this.id, revision, changes: [] });
  }

  #tell(revision: number, changes: readonly WatchedChange[]): void {
    if (changes.length > 0) this.push({ event: "watch", id: this.id, revision, changes });
  }

  #shown(change: Change): WatchedChange {
    const { record, prev } = change;
    const before = this.#before(prev);
    if (record !== null) return { kind: "put", ...this.#record(record), ...before };
    return {
      kind: "delete",
      key: change.key,
      createRevision: prev?.createRevision ?? 0,
      modRevision: change.revision,
      version: 0,
      cause: change.cause,
      ...before,
    };
  }

  /**
   * What the change replaced. One command may delete thousands of large values, and all of a
   * revision is one message: past the limit of a read's answer the former records are left out.
   */
  #before(prev: KvRecord | null): Pick<WatchedChange, "prev"> {
    if (!this.#prev || prev === null) return {};
    this.#prevBytes += prev.value.length;
    return this.#prevBytes > LIMITS.maxRangeBytes ? {} : { prev: recordOf(viewOf(prev)) };
  }

  #record(record: KvRecord): Omit<WatchedChange, "kind"> {
    const { key, value, createRevision, modRevision, version, lease } = record;
    return {
      key,
      ...(this.#keysOnly ? {} : { value }),
      createRevision,
      modRevision,
      version,
      ...(lease === "" ? {} : { lease }),
    };
  }
}

function interestOf(params: WatchParams): Interest | Failure {
  const span = spanOf(params);
  if (isFailure(span)) return span;
  if ("key" in span) return { kind: "key", key: span.key };
  if (params.prefix !== undefined) return { kind: "prefix", prefix: params.prefix };
  return { kind: "range", from: span.from, to: span.to };
}

export const startWatching: Handler<"watch.start"> = (call, params) => {
  const interest = interestOf(params);
  if (isFailure(interest)) {
    call.fail(interest);
    return;
  }
  const { connection, context, core } = call;
  startStream(
    call,
    params.from ?? 0,
    next => new Watcher(core.watches, connection, interest, context.id ?? 0, next, params),
  );
};
