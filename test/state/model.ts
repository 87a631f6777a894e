/**
 * The state's dumb twin: plain arrays, everything looked up by walking, transactions by copying
 * the whole. Says what must come out; knows nothing of history, requests, bytes or time.
 */
import type { Command, Compare, GrantRef, KeySpan, TxnStep } from "../../src/state/index.js";

export interface ModelRecord {
  key: string;
  value: string;
  create: number;
  mod: number;
  version: number;
  lease: string;
  /** The line it stands in, or "". */
  line: string;
  ownsLease: boolean;
  actor: string;
  granted: boolean;
}

export interface Said {
  readonly code?: string;
  readonly kind?: string;
  readonly [field: string]: unknown;
}

class Refused extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

const digits = (n: number) => String(n).padStart(20, "0");

export class Model {
  revision = 1;
  records: ModelRecord[] = [];
  leases: string[] = [];
  /** By lease: the entry that gave it its full time. */
  since: Record<string, number> = {};
  ended: string[] = [];
  /** Keys of grants, in the order in which they were given. */
  grants: string[] = [];

  /** `index`: of the entry that holds nothing but this command. */
  say(command: Command, index: number): Said {
    const before = structuredClone({ ...this });
    try {
      const said = this.#do(command);
      for (const lease of this.leases) this.since[lease] ??= index;
      this.#admit(index);
      return said;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      Object.assign(this, before);
      return { kind: "refused", code: error.code };
    }
  }

  line(name: string): ModelRecord[] {
    return this.records
      .filter(r => r.line === name)
      .sort((a, b) => a.create - b.create || (a.key < b.key ? -1 : 1));
  }

  sorted(): ModelRecord[] {
    return [...this.records].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #do(command: Command): Said {
    switch (command.kind) {
      case "kv.put": {
        const before = this.#find(command.key);
        this.#guard(command.heldBy);
        const { prevExist, prevRevision, prevValue } = command;
        if (prevExist !== undefined && prevExist !== (before !== undefined))
          throw new Refused("CONDITION_FAILED");
        if (prevRevision !== undefined && prevRevision !== (before?.mod ?? 0))
          throw new Refused("CONDITION_FAILED");
        if (prevValue !== undefined && prevValue !== before?.value)
          throw new Refused("CONDITION_FAILED");
        this.revision++;
        this.#put(command.key, command.value, command.lease ?? "");
        return { kind: "put", revision: this.revision, created: before === undefined };
      }
      case "kv.append": {
        this.#guard(command.heldBy);
        this.revision++;
        return {
          kind: "append",
          key: this.#append(command.prefix, command.value, command.lease ?? ""),
        };
      }
      case "kv.delete": {
        this.#guard(command.heldBy);
        const some = this.#inSpan(command.span).length > 0;
        if (command.prevExist !== undefined && command.prevExist !== some)
          throw new Refused("CONDITION_FAILED");
        this.revision++;
        const deleted = this.#delete(command.span);
        if (deleted === 0) this.revision--;
        return { kind: "delete", deleted, revision: this.revision };
      }
      case "kv.txn": {
        this.#guard(command.heldBy);
        const old = structuredClone(this.records);
        const touched: string[] = [];
        const entered: string[] = [];
        this.revision++;
        const succeeded = this.#txn(command, old, touched, entered);
        if (touched.length === 0) this.revision--;
        return { kind: "txn", succeeded, revision: this.revision };
      }
      case "lease.grant":
        if (this.leases.includes(command.lease)) throw new Refused("LEASE_EXISTS");
        this.leases.push(command.lease);
        return { kind: "leaseGranted" };
      case "lease.revoke":
        if (!this.leases.includes(command.lease)) {
          if (!this.ended.includes(command.lease)) throw new Refused("NO_SUCH_LEASE");
          return { kind: "leaseRevoked", revoked: false };
        }
        this.#endLease(command.lease, true);
        return { kind: "leaseRevoked", revoked: true };
      case "lease.expire": {
        let count = 0;
        for (const lease of command.leases) {
          if (!this.leases.includes(lease)) continue;
          if ((this.since[lease] ?? 0) > command.asOfIndex) continue;
          this.#endLease(lease, true);
          count++;
        }
        return { kind: "leasesExpired", count };
      }
      case "lock.acquire":
        return this.#acquire(command);
      case "lock.cancel": {
        const record = this.#find(command.key);
        if (record === undefined || record.line === "") return { kind: "gone" };
        if (record.granted) return { kind: "granted", token: record.create };
        const position = this.line(record.line).indexOf(record);
        this.revision++;
        this.#remove(record);
        return { kind: "cancelled", position };
      }
      case "lock.release": {
        const held = this.#grant(command.grant);
        if (held === undefined) return { kind: "gone" };
        this.revision++;
        this.#remove(held);
        return { kind: "released", released: true };
      }
      case "election.proclaim": {
        const { grant } = command;
        const held =
          "lease" in grant
            ? this.records.find(r => r.line === grant.name && r.granted && r.lease === grant.lease)
            : this.#grant(grant);
        if (held === undefined) throw new Refused("NOT_HELD");
        this.revision++;
        this.#put(held.key, command.value, held.lease);
        return { kind: "proclaimed", revision: this.revision };
      }
      case "system.configure":
        return { kind: "configured" };
      default:
        throw new Error(`lines-twin.ts speaks of ${command.kind}`);
    }
  }

  #acquire(command: Extract<Command, { kind: "lock.acquire" }>): Said {
    const { name, lease } = command;
    const own = typeof lease !== "string";
    const id = own ? lease.id : lease;
    const line = this.line(name);
    if (own && this.leases.includes(id)) throw new Refused("LEASE_EXISTS");
    if (!own) this.#live(id);
    const actor = command.actor ?? "";
    if (!own && actor !== "" && line.some(r => r.lease === id && r.actor === actor)) {
      throw new Refused("ALREADY_IN_LINE");
    }
    if (line.length > 0 && !command.wait) throw new Refused("LOCK_HELD");
    if (own) this.leases.push(id);
    this.revision++;
    const key = `${name}/${digits(this.revision)}`;
    this.#new(key, command.value ?? "", id, name, own, actor);
    if (line.length > 0) return { kind: "waiting", key, position: line.length };
    return { kind: "granted", token: this.revision };
  }

  #txn(
    txn: { compare: readonly Compare[]; success: readonly TxnStep[]; failure: readonly TxnStep[] },
    old: ModelRecord[],
    touched: string[],
    entered: string[],
  ): boolean {
    const succeeded = txn.compare.every(compare => this.#holds(compare, old));
    for (const step of succeeded ? txn.success : txn.failure) {
      if (step.op === "txn") this.#txn(step.txn, old, touched, entered);
      else if (step.op !== "range") this.#step(step, touched, entered);
    }
    return succeeded;
  }

  #step(
    step: Exclude<TxnStep, { op: "txn" | "range" }>,
    touched: string[],
    entered: string[],
  ): void {
    const before = structuredClone(this.records);
    if (step.op === "put") this.#put(step.key, step.value, step.lease ?? "");
    if (step.op === "append") this.#append(step.prefix, step.value, step.lease ?? "");
    if (step.op === "delete") this.#delete(step.span);
    const changed = [
      ...before.filter(
        b => this.#find(b.key)?.mod !== b.mod || this.#find(b.key)?.version !== b.version,
      ),
      ...this.records.filter(r => !before.some(b => b.key === r.key)),
    ];
    const keys = new Set(changed.map(r => r.key));
    if (step.op === "put") keys.add(step.key);
    for (const key of keys) {
      if (touched.includes(key)) throw new Refused("INVALID_PARAMETER");
      touched.push(key);
      const now = this.#find(key);
      if (now === undefined || now.line === "" || before.some(b => b.key === key)) continue;
      if (entered.includes(now.line)) throw new Refused("ONE_ENTRY_PER_LINE");
      entered.push(now.line);
    }
  }

  #holds(compare: Compare, old: ModelRecord[]): boolean {
    if (compare.target === "heldBy")
      return (this.#grant(compare.grant) !== undefined) === (compare.op === "=");
    const found = old.filter(r => within(compare.span, r.key));
    const order = (a: number | string, b: number | string) => (a < b ? -1 : a > b ? 1 : 0);
    const test = (o: number) =>
      compare.op === "="
        ? o === 0
        : compare.op === "!="
          ? o !== 0
          : compare.op === "<"
            ? o < 0
            : o > 0;
    if (found.length === 0 && compare.target === "value") return false;
    const hex = (text: string) => Number.parseInt(text || "0", 16);
    const of = (r: ModelRecord | null): number => {
      if (compare.target === "value") return order(r?.value ?? "", compare.to);
      if (compare.target === "lease") return order(hex(r?.lease ?? ""), hex(String(compare.to)));
      const number = { version: r?.version, createRevision: r?.create, modRevision: r?.mod }[
        compare.target
      ];
      return order(number ?? 0, compare.to);
    };
    return (found.length === 0 ? [null] : found).every(r => test(of(r)));
  }

  #put(key: string, value: string, lease: string): void {
    const record = this.#find(key);
    if (record !== undefined && record.line !== "") {
      if (lease !== "" && lease !== record.lease) throw new Refused("ENTRY_PROTECTED");
    } else if (lease !== "") {
      this.#live(lease);
    }
    if (record !== undefined) {
      record.value = value;
      record.mod = this.revision;
      record.version++;
      if (record.line === "") record.lease = lease;
      return;
    }
    const last = key.slice(key.lastIndexOf("/") + 1);
    if (key.includes("/") && /^\d{20}$/.test(last) && last !== digits(this.revision)) {
      throw new Refused("RESERVED_NAME");
    }
    const name = key.slice(0, Math.max(key.lastIndexOf("/"), 0));
    const entry = lease !== "" && name !== "" && (last === lease || last === digits(this.revision));
    this.#new(key, value, lease, entry ? name : "", false, "");
  }

  #append(prefix: string, value: string, lease: string): string {
    const key = `${prefix}/${digits(this.revision)}`;
    if (this.#find(key) !== undefined) throw new Refused("INVALID_PARAMETER");
    if (lease !== "") this.#live(lease);
    this.#new(key, value, lease, lease === "" ? "" : prefix, false, "");
    return key;
  }

  #new(
    key: string,
    value: string,
    lease: string,
    line: string,
    ownsLease: boolean,
    actor: string,
  ): void {
    const { revision } = this;
    this.records.push({
      key,
      value,
      create: revision,
      mod: revision,
      version: 1,
      lease,
      line,
      ownsLease,
      actor,
      granted: false,
    });
  }

  #delete(span: KeySpan): number {
    const found = this.#inSpan(span);
    for (const record of found) if (this.records.includes(record)) this.#remove(record);
    return found.length;
  }

  #remove(record: ModelRecord): void {
    this.records = this.records.filter(r => r !== record);
    if (record.ownsLease) this.#endLease(record.lease, false);
  }

  #endLease(lease: string, ownWrite: boolean): void {
    this.leases = this.leases.filter(l => l !== lease);
    delete this.since[lease];
    this.ended.push(lease);
    if (ownWrite && this.records.some(r => r.lease === lease)) this.revision++;
    this.records = this.records.filter(r => r.lease !== lease);
  }

  #admit(index: number): void {
    const names = [...new Set(this.records.map(r => r.line))].filter(name => name !== "");
    for (const name of names) {
      const head = this.line(name)[0];
      if (head === undefined || head.granted) continue;
      head.granted = true;
      this.grants.push(head.key);
      if (head.ownsLease) this.since[head.lease] = index;
    }
  }

  #live(lease: string): void {
    if (this.leases.includes(lease)) return;
    throw new Refused(this.ended.includes(lease) ? "LEASE_ENDED" : "NO_SUCH_LEASE");
  }

  #guard(guard: GrantRef | undefined): void {
    if (guard !== undefined && this.#grant(guard) === undefined) throw new Refused("NOT_HELD");
  }

  #grant(ref: GrantRef): ModelRecord | undefined {
    return this.records.find(
      r =>
        r.line !== "" &&
        r.granted &&
        ("key" in ref ? r.key === ref.key : r.line === ref.name && r.create === ref.token),
    );
  }

  #find(key: string): ModelRecord | undefined {
    return this.records.find(r => r.key === key);
  }

  #inSpan(span: KeySpan): ModelRecord[] {
    return this.sorted().filter(r => within(span, r.key));
  }
}

function within(span: KeySpan, key: string): boolean {
  if ("key" in span) return key === span.key;
  return key >= span.from && (span.to === null || key < span.to);
}
