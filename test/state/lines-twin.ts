/**
 * The lines' dumb twin: a list of entries, everything looked up by walking, rules as sentences.
 * It says who stands where, who holds, under which token, and whether a wait would never end, by
 * playing to its end what everybody would do.
 */
import type { AcquireCommand, LockConfigureCommand } from "../../src/state/index.js";

export interface TwinEntry {
  key: string;
  name: string;
  revision: number;
  lease: string;
  actor: string;
  mode: "exclusive" | "shared" | "permit";
  permits: number;
  granted: boolean;
  /** The token, once it holds. */
  token: number;
  /** Entries of one request have the same. */
  request: number;
  /** Its lease has run out; until then it stays. 0: its lease lives. */
  shutUntilMs: number;
  endsMs: number;
}

interface TwinRule {
  permits: number;
  declared: number;
  lockDelayMs: number;
  maxHoldMs: number;
}

const digits = (n: number) => String(n).padStart(20, "0");

/** A thread is known by its lease and actor; whoever names none is a thread of its own. */
const threadOf = (e: TwinEntry) =>
  e.actor === "" || e.shutUntilMs > 0 ? `request ${e.request}` : `${e.lease} ${e.actor}`;

export class LinesTwin {
  /** How many entries may be entangled. */
  readonly limit: number;
  revision = 1;
  nowMs = 0;
  /** In the order in which they entered. */
  entries: TwinEntry[] = [];
  leases = new Set<string>();
  rules = new Map<string, TwinRule>();
  /** Tokens of grants, by line, in the order in which they were given. */
  tokens = new Map<string, number[]>();

  constructor(limit = Number.POSITIVE_INFINITY) {
    this.limit = limit;
  }

  line(name: string): TwinEntry[] {
    return this.entries.filter(e => e.name === name).sort((a, b) => a.revision - b.revision);
  }

  /** What it answers: a code, or what became of it. */
  acquire(command: AcquireCommand): string {
    const { mode = "exclusive", permits = 0, actor = "", wait } = command;
    const lease = command.lease as string;
    const names = command.names ?? [command.name];
    if (!this.leases.has(lease)) return "LEASE_ENDED";
    for (const name of names) {
      const own = this.line(name).find(
        e => actor !== "" && e.lease === lease && e.actor === actor && e.shutUntilMs === 0,
      );
      if (own !== undefined) return own.mode === mode ? "ALREADY_IN_LINE" : "NO_UPGRADE";
    }
    for (const name of names) if (!this.#fits(name, mode, permits)) return "RULE_MISMATCH";
    const before = this.#copy();
    const stuckBefore = before.stuck().length > 0;
    const revision = this.revision + 1;
    const entries = names.map(
      (name): TwinEntry => ({
        key: `${name}/${digits(revision)}`,
        name,
        revision,
        lease,
        actor,
        mode,
        permits,
        granted: false,
        token: 0,
        request: revision,
        shutUntilMs: 0,
        endsMs: 0,
      }),
    );
    this.entries.push(...entries);
    this.revision = revision;
    this.admit();
    const isHeld = entries.every(e => e.granted);
    if (!wait && !isHeld) return this.#undo(before, "LOCK_HELD");
    const entangled = this.entangled();
    if (entangled > this.limit && entangled > before.entangled())
      return this.#undo(before, "STATE_FULL");
    if (isHeld) return "granted";
    if (actor === "") return "waiting";
    const isStuck = this.stuck().some(e => e.revision === revision);
    if (isStuck && !stuckBefore) return this.#undo(before, "DEADLOCK");
    return stuckBefore ? "waiting or DEADLOCK" : "waiting";
  }

  /** Ends whatever grant or wait has this key. */
  end(key: string): void {
    const entry = this.entries.find(e => e.key === key);
    if (entry === undefined) return;
    this.revision++;
    this.entries = this.entries.filter(e => e.request !== entry.request || e.key === "");
    this.admit();
  }

  /** False when there is one of that id. */
  grantLease(lease: string): boolean {
    if (this.leases.has(lease)) return false;
    this.leases.add(lease);
    return true;
  }

  endLease(lease: string, how: "expired" | "revoked"): void {
    if (!this.leases.delete(lease)) return;
    const keys = this.entries.filter(e => e.lease === lease && e.shutUntilMs === 0);
    if (keys.length > 0) this.revision++;
    for (const entry of keys) {
      const delayMs = this.rules.get(entry.name)?.lockDelayMs ?? 0;
      if (how === "expired" && entry.granted && delayMs > 0) {
        entry.shutUntilMs = this.nowMs + delayMs;
        entry.endsMs = 0;
        entry.request = -entry.revision - 1_000_000 * keys.indexOf(entry);
      } else {
        this.entries = this.entries.filter(e => e !== entry);
      }
    }
    this.admit();
  }

  configure({ name, permits, lockDelayMs, maxHoldMs }: LockConfigureCommand): string {
    const before = this.rules.get(name);
    const line = this.line(name);
    if (permits !== undefined && permits > 0 && line.length > 0 && this.permitsOf(name) === 0)
      return "RULE_MISMATCH";
    const inForce = permits ?? before?.permits ?? 0;
    const declared = before !== undefined && before.declared > 0 ? before.declared : 0;
    const standing = line[0]?.permits ?? 0;
    this.rules.set(name, {
      permits: inForce,
      declared: inForce === 0 ? 0 : declared || standing || inForce,
      lockDelayMs: lockDelayMs ?? before?.lockDelayMs ?? 0,
      maxHoldMs: maxHoldMs ?? before?.maxHoldMs ?? 0,
    });
    this.admit();
    return "lockConfigured";
  }

  /** Those ahead of `to` enter anew, in their order; then the one who holds goes. */
  handOver(key: string, to: string): boolean {
    const holder = this.entries.find(e => e.key === key);
    const next = this.entries.find(e => e.key === to);
    if (holder === undefined || !holder.granted || holder.shutUntilMs > 0) return false;
    if (next === undefined || next.granted || next.name !== holder.name) return false;
    const ahead = this.line(holder.name).filter(e => !e.granted && e.revision < next.revision);
    for (const { lease, actor, request } of ahead) {
      const others = this.entries.filter(
        e =>
          e.request === request ||
          (actor !== "" && e.lease === lease && e.actor === actor && e.shutUntilMs === 0),
      );
      if (others.length > 1) return false;
    }
    for (const entry of ahead) {
      this.revision++;
      entry.revision = this.revision;
      entry.key = `${entry.name}/${digits(this.revision)}`;
      entry.request = this.revision;
    }
    this.revision++;
    this.entries = this.entries.filter(e => e.request !== holder.request);
    const stuckBefore = this.stuck().length;
    this.admit();
    if (this.stuck().length > stuckBefore) throw new Error("a hand-over closed a circle");
    return true;
  }

  /** What is due by then ends, the earliest first. */
  passTo(nowMs: number): void {
    this.nowMs = nowMs;
    const due = (e: TwinEntry) => (e.shutUntilMs > 0 ? e.shutUntilMs : e.endsMs);
    for (;;) {
      const [first] = this.entries
        .filter(e => due(e) > 0 && due(e) <= nowMs)
        .sort((a, b) => due(a) - due(b) || (a.key < b.key ? -1 : 1));
      if (first === undefined) break;
      this.revision++;
      this.entries = this.entries.filter(e => e.request !== first.request);
    }
    this.admit();
  }

  permitsOf(name: string): number {
    const configured = this.rules.get(name)?.permits ?? 0;
    return configured > 0 ? configured : (this.line(name)[0]?.permits ?? 0);
  }

  #fits(name: string, mode: TwinEntry["mode"], permits: number): boolean {
    const inForce = this.permitsOf(name);
    if (mode !== "permit") return inForce === 0;
    if (inForce === 0) return this.line(name).length === 0;
    return permits === inForce || permits === (this.rules.get(name)?.declared ?? 0);
  }

  /** Until nobody's turn comes any more. */
  admit(): void {
    while (this.entries.some(entry => this.#admitOne(entry))) {}
  }

  #admitOne(entry: TwinEntry): boolean {
    if (entry.granted) return false;
    const all = this.entries.filter(e => e.request === entry.request);
    if (!all.every(e => this.#isNext(e))) return false;
    for (const one of all) {
      const [head] = this.line(one.name);
      const joins = one.mode === "shared" && head?.granted === true;
      const holdMs = this.rules.get(one.name)?.maxHoldMs ?? 0;
      one.token = joins ? (head?.token ?? 0) : one.revision;
      one.endsMs = holdMs > 0 ? this.nowMs + holdMs : 0;
    }
    for (const one of all) {
      one.granted = true;
      const tokens = this.tokens.get(one.name) ?? [];
      this.tokens.set(one.name, [...tokens, one.token]);
    }
    return true;
  }

  /** All ahead of it hold, and it may hold beside them. */
  #isNext(entry: TwinEntry): boolean {
    const line = this.line(entry.name);
    const ahead = line.slice(0, line.indexOf(entry));
    if (!ahead.every(e => e.granted)) return false;
    if (entry.mode === "permit") return ahead.length < this.permitsOf(entry.name);
    if (entry.mode === "shared") return ahead.every(e => e.mode === "shared");
    return ahead.length === 0;
  }

  /** It is of somebody who has two entries or more, of which at least one waits. */
  isEntangled(entry: TwinEntry): boolean {
    const all = this.entries.filter(e => threadOf(e) === threadOf(entry));
    return all.length > 1 && all.some(e => !e.granted);
  }

  entangled(): number {
    return this.entries.filter(e => this.isEntangled(e)).length;
  }

  /**
   * Who would wait for ever, if everybody who waits for nothing lets go of all it has, again and
   * again.
   */
  stuck(): TwinEntry[] {
    const play = this.#copy();
    play.rules = new Map([...play.rules].map(([name, rule]) => [name, { ...rule, maxHoldMs: 0 }]));
    for (;;) {
      play.admit();
      const waiting = new Set(play.entries.filter(e => !e.granted).map(threadOf));
      const left = play.entries.filter(e => waiting.has(threadOf(e)));
      if (left.length === play.entries.length) return left;
      play.#keepPermits();
      play.entries = left;
    }
  }

  /** A line that is played empty keeps the rule that those who wait in it have named. */
  #keepPermits(): void {
    for (const { name } of this.entries) {
      const rule = this.rules.get(name) ?? {
        permits: 0,
        declared: 0,
        lockDelayMs: 0,
        maxHoldMs: 0,
      };
      this.rules.set(name, { ...rule, permits: this.permitsOf(name) });
    }
  }

  #copy(): LinesTwin {
    const copy = new LinesTwin();
    copy.revision = this.revision;
    copy.nowMs = this.nowMs;
    copy.entries = this.entries.map(entry => ({ ...entry }));
    copy.leases = new Set(this.leases);
    copy.rules = new Map([...this.rules].map(([name, rule]) => [name, { ...rule }]));
    copy.tokens = new Map(this.tokens);
    return copy;
  }

  #undo(before: LinesTwin, said: string): string {
    this.revision = before.revision;
    this.entries = before.entries;
    this.tokens = before.tokens;
    return said;
  }
}
