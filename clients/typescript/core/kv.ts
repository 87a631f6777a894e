/** The keyspace: reads, guarded writes, lists and watches. */
import { callOptions, invalid, type Options, strangeOption } from "./arguments.js";
import { type Answer, Call } from "./call.js";
import type { Engine } from "./engine.js";
import type { HoldfastError } from "./errors.js";
import { listOf, type Page, pageOf } from "./incoming.js";
import type { SessionOf } from "./session.js";
import { beginning, Stream } from "./streams.js";
import type {
  CallOptions,
  Change,
  Entry,
  Guard,
  Kv,
  ListOptions,
  PutOptions,
  Session,
  Txn,
  TxnResult,
  WatchOptions,
} from "./surface.js";
import { bytesOf, type Key, textOf, type Value } from "./text.js";

/** Records of one page. */
const PAGE = 1000;

const PUT_OPTIONS = callOptions("ifRevision", "heldBy", "session");
const DELETE_OPTIONS = callOptions("ifRevision", "heldBy");
const APPEND_OPTIONS = callOptions("heldBy", "session");

/** Finds the session behind what callers hold; null: it is none of this client's. */
export type SessionFinder = (session: Session) => SessionOf | null;

export class KvOf implements Kv {
  readonly #engine: Engine;
  readonly #find: SessionFinder;

  constructor(engine: Engine, find: SessionFinder) {
    this.#engine = engine;
    this.#find = find;
  }

  get(
    key: Key,
    options?: CallOptions & { readonly consistency?: "linearizable" | "serializable" },
  ): Promise<Entry | null> {
    const consistency = options?.consistency;
    const params = consistency === undefined ? { key } : { key, consistency };
    const call = new Call("kv.get", params, ok => new KeyRecord(ok));
    call.recover = absent;
    return this.#engine.run(call, options) as Promise<Entry | null>;
  }

  put(key: Key, value: Value, options?: PutOptions): ReturnType<Kv["put"]> {
    const refusal = wrongGuard(options, PUT_OPTIONS);
    if (refusal !== null) return Promise.reject(refusal);
    const guard = conditions(options);
    return this.#onLease(options, (lease, rest) =>
      this.#engine.ask("kv.put", { key, value, ...lease, ...guard }, rest, writtenOf),
    );
  }

  delete(key: Key, options?: Guard & CallOptions): Promise<boolean> {
    const refusal = wrongGuard(options, DELETE_OPTIONS);
    if (refusal !== null) return Promise.reject(refusal);
    const params = { key, ...conditions(options) };
    return this.#engine.ask("kv.delete", params, options, ok => Number(ok.deleted) > 0);
  }

  append(
    prefix: Key,
    value: Value,
    options?: CallOptions & Pick<Guard, "heldBy"> & { readonly session?: Session },
  ): ReturnType<Kv["append"]> {
    const refusal = wrongGuard(options, APPEND_OPTIONS);
    if (refusal !== null) return Promise.reject(refusal);
    const guard = conditions(options);
    return this.#onLease(options, (lease, rest) =>
      this.#engine.ask("kv.append", { prefix, value, ...lease, ...guard }, rest, appendedOf),
    );
  }

  async *list(options: ListOptions): AsyncGenerator<Entry, void, undefined> {
    if (!isKey(options?.prefix)) throw invalid("prefix", 'text or bytes, and "" for all keys');
    const { prefix, keysOnly, order } = options;
    const page: Readonly<Record<string, unknown>> = {
      prefix,
      limit: PAGE,
      ...(keysOnly === undefined ? {} : { keysOnly }),
      ...(order === undefined ? {} : { order }),
    };
    let place: Readonly<Record<string, unknown>> = {};
    for (;;) {
      const params = { ...page, ...place };
      const { items, ok }: Page<KeyRecord> = await this.#engine.ask(
        "kv.range",
        params,
        options,
        recordsOf,
      );
      yield* items;
      const last = items.at(-1);
      if (ok.more !== true || last === undefined) return;
      // All pages are of the revision of the first.
      place = { revision: place.revision ?? ok.revision, after: last.wireKey };
    }
  }

  watch(options: WatchOptions): AsyncIterable<Change> {
    if ((options?.key === undefined) === (options?.prefix === undefined))
      throw invalid("watch", "given a key or a prefix, and not both");
    const { key, prefix, from, signal } = options;
    const plan = {
      op: "watch.start" as const,
      params: key === undefined ? { prefix } : { key },
      ...beginning(from),
      resumesFromStart: true,
      items: changesOf,
    };
    return new Stream<Change>(this.#engine.platform, this.#engine.requests, plan, signal);
  }

  txn(txn: Txn, options?: CallOptions): Promise<TxnResult> {
    const params = txn as unknown as Answer;
    return this.#engine.ask("kv.txn", params, options, ok => ok as unknown as TxnResult);
  }

  /** Asks at once where no lease is wanted: what is called in order leaves in order. */
  #onLease<T>(
    options: (CallOptions & { readonly session?: Session }) | undefined,
    ask: (lease: { readonly lease?: string }, options: CallOptions | undefined) => Promise<T>,
  ): Promise<T> {
    if (options?.session === undefined) return ask({}, options);
    const session = this.#find(options.session);
    if (session === null)
      return Promise.reject(invalid("session", "the client itself, or one of its sessions"));
    const refusal = this.#engine.refusal(options);
    if (refusal !== null) return Promise.reject(refusal);
    if (session.lease !== null) return ask({ lease: session.lease.id }, options);
    const sinceMs = this.#engine.platform.monotonicMs();
    return session
      .obtain(options)
      .then(({ id }) => ask({ lease: id }, this.#engine.restOf(options, sinceMs)));
  }
}

const writtenOf = (ok: Answer) => ({
  revision: ok.revision as number,
  created: ok.created === true,
});
const appendedOf = (ok: Answer) => ({ key: textOf(ok.key), revision: ok.revision as number });

const isKey = (value: unknown): value is Key =>
  typeof value === "string" || value instanceof Uint8Array;

/** What is wrong with a write's options: a condition must never be lost on the way. */
function wrongGuard(guard: Guard | undefined, known: Options): HoldfastError | null {
  if (guard === undefined) return null;
  const strange = strangeOption(guard, known);
  if (strange !== null) return strange;
  const { ifRevision, heldBy } = guard;
  const isCondition =
    ifRevision === undefined ||
    ifRevision === "absent" ||
    ifRevision === "exists" ||
    Number.isSafeInteger(ifRevision);
  if (!isCondition) return invalid("ifRevision", 'a revision (an integer), "absent" or "exists"');
  if (heldBy === undefined || isGrant(heldBy)) return null;
  return invalid("heldBy", "what acquire() gave, its key as { key }, or { name, token }");
}

function isGrant(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if ("key" in value) return typeof value.key === "string";
  return "name" in value && "token" in value && typeof value.name === "string";
}

function conditions(guard: Guard | undefined): Readonly<Record<string, unknown>> | undefined {
  if (guard === undefined) return undefined;
  const { ifRevision, heldBy } = guard;
  const params: Record<string, unknown> = {};
  if (ifRevision === "absent") params.prevExist = false;
  else if (ifRevision === "exists") params.prevExist = true;
  else if (ifRevision !== undefined) params.prevRevision = ifRevision;
  if (heldBy !== undefined)
    params.heldBy =
      "key" in heldBy ? { key: heldBy.key } : { name: heldBy.name, token: heldBy.token };
  return params;
}

function absent(error: HoldfastError, call: Call): boolean {
  if (error.code !== "NO_SUCH_KEY") return false;
  call.tell(null);
  return true;
}

/** A record; its bytes are made when they are asked for. */
class KeyRecord implements Entry {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  declare readonly lease?: string;
  readonly #key: unknown;
  readonly #value: unknown;

  constructor(wire: Answer) {
    this.#key = wire.key;
    this.#value = wire.value;
    this.key = textOf(wire.key);
    this.value = textOf(wire.value);
    this.createRevision = wire.createRevision as number;
    this.modRevision = wire.modRevision as number;
    this.version = wire.version as number;
    if (typeof wire.lease === "string") this.lease = wire.lease;
  }

  /** As it came: pages go on after it. */
  get wireKey(): unknown {
    return this.#key;
  }

  get keyBytes(): Uint8Array {
    return bytesOf(this.#key);
  }

  get bytes(): Uint8Array {
    return bytesOf(this.#value);
  }
}

const recordsOf = pageOf("records", one => new KeyRecord(one));

class ChangeRecord extends KeyRecord implements Change {
  readonly kind: "put" | "delete";
  readonly revision: number;
  declare readonly cause?: string;

  constructor(wire: Answer) {
    super(wire);
    this.revision = this.modRevision;
    this.kind = wire.kind === "delete" ? "delete" : "put";
    if (typeof wire.cause === "string") this.cause = wire.cause;
  }
}

function changesOf(event: Answer): readonly Change[] {
  return listOf(event.changes, "changes").map(change => new ChangeRecord(change));
}
