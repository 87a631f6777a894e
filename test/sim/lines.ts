/**
 * The lines as they must be: a model of its own, fed with what the log's entries did, in its own
 * words. Who stands where, who may hold beside whom and under which token, which line is shut and
 * until when, what was to end by now. It shares no code with the state: everything is looked up by
 * walking. Lines are short here.
 */
import type {
  Change,
  Command,
  CommandResult,
  EntryEnd,
  Grant,
  LockConfigureCommand,
} from "../../src/state/index.js";
import { type Player, stuckAmong } from "./circles.js";
import { sometimes } from "./sometimes.js";

/** What the machine tells of an entry that waits and got another place. */
interface Move {
  readonly name: string;
  readonly key: string;
  readonly newKey: string;
  readonly newToken: number;
}

interface Standing extends Player {
  readonly key: string;
  readonly lease: string;
  readonly actor: string;
  /** The token it holds under; 0 while it waits. */
  token: number;
  /** Its lease has run out: it holds nothing, and keeps its place. */
  shut: boolean;
  /** Cluster times: its grant does not end by itself before the first, and has by the second. */
  fromMs: number;
  byMs: number;
  /** From then on it is broken. */
  breaksMs: number;
}

interface Line {
  readonly name: string;
  readonly entries: Standing[];
  /** Of exclusive grants and of those who open a run of readers. */
  lastToken: number;
}

interface Rule {
  readonly permits: number;
  readonly lockDelayMs: number;
  readonly maxHoldMs: number;
}

const NO_RULE: Rule = { permits: 0, lockDelayMs: 0, maxHoldMs: 0 };
const NEVER = Number.POSITIVE_INFINITY;

/** The entry that is being applied. */
export interface Applied {
  /** The command whose events come; null: none that can be read. */
  readonly command: Command | null;
  readonly clusterTimeMs: number;
}

export class Lines {
  readonly #applied: () => Applied;
  readonly #fail: (what: string) => never;
  readonly #lines = new Map<string, Line>();
  readonly #byKey = new Map<string, Standing>();
  readonly #rules = new Map<string, Rule>();
  /** Those who have left and of whom nobody has said yet how. */
  readonly #leaving = new Map<string, Standing>();
  /** Lines that the entry being applied has changed. */
  readonly #touched = new Set<Line>();
  /** Old keys of those who were moved. */
  readonly #movedTo = new Map<string, string>();
  /** Of the present command: those it moved, and those it gave a permit. */
  #passed: Standing[] = [];
  #permitted: Standing[] = [];
  /** Broken though it was not their time: a command must have said so. */
  #brokenEarly: string[] = [];
  /** Somebody came to wait who may stand in several lines. */
  #mayCircle = false;

  constructor(applied: () => Applied, fail: (what: string) => never) {
    this.#applied = applied;
    this.#fail = fail;
  }

  // What the log did.

  /** Any change of a key that is an entry, or was one. */
  wrote({ key, record, prev }: Change): void {
    const entry = record?.entry ?? null;
    const gone = prev?.entry ?? null;
    if (record !== null && entry !== null && prev === null) {
      const { extra, mode, actor, name } = entry;
      const { permits } = extra;
      // The first of a request names them all, the others name the first.
      const [first = ""] = extra.group;
      const group = first === key ? extra.group : (this.#byKey.get(first)?.group ?? []);
      if (group.length < extra.group.length) this.#fail(`${key} comes before ${first}`);
      const { createRevision: revision, lease } = record;
      const standing = { key, name, revision, lease, actor, mode, permits, group };
      this.#entered({ ...standing, thread: threadOf(lease, actor, revision), ...HELD_BY_NOBODY });
    } else if (record === null && gone !== null) {
      this.#left(key, prev?.lease ?? "");
    } else if (record !== null && prev !== null && prev.lease !== "" && record.lease === "") {
      if (entry !== null) this.#shut(key);
    }
  }

  #entered(one: Standing): void {
    const line = this.#line(one.name);
    const last = line.entries.at(-1);
    if (last !== undefined && last.revision >= one.revision)
      this.#fail(`${one.key} enters its line behind ${last.key}, which is younger`);
    if (last !== undefined && (last.mode === "permit") !== (one.mode === "permit"))
      this.#fail(`${one.key} (${one.mode}) enters a line of ${last.mode}`);
    if (this.#byKey.has(one.key)) this.#fail(`${one.key} enters twice`);
    line.entries.push(one);
    this.#byKey.set(one.key, one);
    if (one.actor !== "" || one.group.length > 0) this.#mayCircle = true;
    if (line.entries.length === 5) sometimes("long line");
  }

  #left(key: string, lease: string): void {
    const one = this.#byKey.get(key);
    if (one === undefined) this.#fail(`${key} left a line it was not in`);
    const { entries } = this.#line(one.name);
    entries.splice(entries.indexOf(one), 1);
    this.#byKey.delete(key);
    if (lease !== "") this.#leaving.set(key, one);
    else this.#opened(one);
  }

  /** A line that was shut opens, when its time has come or since somebody broke it. */
  #opened({ key, byMs }: Standing): void {
    const { clusterTimeMs } = this.#applied();
    if (clusterTimeMs < byMs) this.#brokenEarly.push(key);
    else sometimes("a shut line opened");
  }

  #shut(key: string): void {
    const one = this.#byKey.get(key);
    if (one === undefined || one.token === 0) this.#fail(`${key} shuts its line, and did not hold`);
    const { clusterTimeMs } = this.#applied();
    const delays = this.#rulesOf(one.name).map(({ lockDelayMs }) => lockDelayMs);
    if (Math.max(...delays) === 0) this.#fail(`${key} shuts a line that has no delay`);
    const { entries } = this.#line(one.name);
    const thread = threadOf("", "", one.revision);
    // What stays is nobody's, and alone.
    const stays = { ...one, thread, actor: "", lease: "", group: [], shut: true };
    stays.fromMs = clusterTimeMs + Math.min(...delays);
    stays.byMs = clusterTimeMs + Math.max(...delays);
    stays.breaksMs = NEVER;
    entries[entries.indexOf(one)] = stays;
    this.#byKey.set(key, stays);
    this.#leaving.set(key, one);
  }

  granted({ name, key, token }: Grant): void {
    const one = this.#byKey.get(key);
    if (one === undefined) this.#fail(`${key} is granted, and stands in no line`);
    if (one.token > 0) this.#fail(`${key} is granted twice`);
    const { entries } = this.#line(name);
    const ahead = entries.slice(0, entries.indexOf(one));
    this.#mayBeGranted(one);
    for (const other of one.group) {
      const part = this.#byKey.get(other);
      if (part === undefined) this.#fail(`${key} is granted without ${other}`);
      if (part.token === 0) this.#mayBeGranted(part);
    }
    this.#checkToken(one, ahead, token);
    one.token = token;
    if (one.mode === "permit") this.#permitted.push(one);
    const holds = this.#rulesOf(name).map(({ maxHoldMs }) => (maxHoldMs > 0 ? maxHoldMs : NEVER));
    const { clusterTimeMs } = this.#applied();
    one.fromMs = clusterTimeMs + Math.min(...holds);
    one.byMs = clusterTimeMs + Math.max(...holds);
    if (one.mode === "shared" && ahead.length > 0) sometimes("a reader joined a run");
    if (one.mode === "permit" && ahead.length > 0) sometimes("several permits held");
    if (one.group.length > 0) sometimes("several names granted at once");
  }

  #mayBeGranted(one: Standing): void {
    const { entries } = this.#line(one.name);
    const ahead = entries.slice(0, entries.indexOf(one));
    const waits = ahead.find(({ token }) => token === 0);
    if (waits !== undefined)
      this.#fail(`${one.name}: ${one.key} granted before ${waits.key}, which waits`);
    if (!this.#mayStandBehind(one, ahead)) {
      const holders = ahead.map(({ key, mode, shut }) => `${key} ${shut ? "shut" : mode}`);
      this.#fail(`${one.name}: ${one.key} (${one.mode}) granted while ${holders.join()} holds`);
    }
  }

  #mayStandBehind({ mode, name }: Standing, ahead: readonly Standing[]): boolean {
    if (mode === "exclusive") return ahead.length === 0;
    if (mode === "shared") return ahead.every(other => other.mode === "shared");
    const permits = this.#rulesOf(name).map(rule => this.#permitsOf(name, rule));
    return ahead.length < Math.max(...permits);
  }

  #permitsOf(name: string, rule = this.#rules.get(name) ?? NO_RULE): number {
    return rule.permits > 0 ? rule.permits : (this.#lines.get(name)?.entries[0]?.permits ?? 0);
  }

  /** Those who read together have one token: nobody else's is ever that of another grant. */
  #checkToken(one: Standing, ahead: readonly Standing[], token: number): void {
    const { key, mode, name, revision } = one;
    const [first] = ahead;
    const joins = mode === "shared" && first !== undefined;
    const expected = joins ? first.token : revision;
    if (token !== expected) this.#fail(`${key} is granted with token ${token}, not ${expected}`);
    if (joins) return;
    const line = this.#line(name);
    if (token <= line.lastToken) this.#fail(`${name}: token ${token} after ${line.lastToken}`);
    line.lastToken = token;
  }

  grantEnded({ key, name, reason, token }: EntryEnd): void {
    const one = this.#leaving.get(key);
    if (one === undefined || one.token === 0) this.#fail(`${key} ended, which did not hold`);
    this.#leaving.delete(key);
    if (token !== one.token) this.#fail(`${key} ended with token ${token}, not ${one.token}`);
    const { clusterTimeMs } = this.#applied();
    const stays = this.#byKey.get(key)?.shut === true;
    if (stays && reason !== "expired") this.#fail(`${key} keeps its line shut, and was ${reason}`);
    if (reason === "expired" && !stays && this.#surely(name, "lockDelayMs") > 0)
      this.#fail(`${key} ran out, and does not keep its line shut`);
    if (stays) sometimes("a line was shut");
    if (reason === "overdue" && clusterTimeMs < one.fromMs)
      this.#fail(`${key} was overdue at ${clusterTimeMs}, not from ${one.fromMs}`);
    if (reason === "broken" && clusterTimeMs < one.breaksMs) this.#brokenEarly.push(key);
    if (reason === "broken" && clusterTimeMs >= one.breaksMs) sometimes("broken after its grace");
  }

  waitEnded({ key, reason }: EntryEnd): void {
    const one = this.#leaving.get(key);
    if (one === undefined) this.#fail(`${key} ended, which did not wait`);
    if (one.token > 0) this.#fail(`${key} waited, and held`);
    this.#leaving.delete(key);
    if (reason === "moved") this.#passed.push(one);
  }

  moved({ key, name, newKey, newToken }: Move): void {
    const old = this.#passed.at(-1);
    const next = this.#byKey.get(newKey);
    if (old?.key !== key) this.#fail(`${key} was moved, and has not left`);
    const before = this.#passed.at(-2);
    if (before !== undefined && before.revision > old.revision)
      this.#fail(`${key} stood before ${before.key}, and was moved behind it`);
    const { entries } = this.#line(name);
    if (next === undefined || entries.at(-1) !== next)
      this.#fail(`${key} was moved, and ${newKey} is not the last in line`);
    if (next.revision !== newToken) this.#fail(`${newKey} was told the token ${newToken}`);
    const isSame = next.lease === old.lease && next.mode === old.mode && next.actor === old.actor;
    if (!isSame || next.permits !== old.permits) this.#fail(`${newKey} is not what ${key} was`);
    this.#movedTo.set(key, newKey);
    sometimes("a place in line was given away");
  }

  // When a command, and an entry, is over.

  /** `again`: the answer was given before, and nothing was done now. */
  answered(command: Command | null, result: CommandResult, again: boolean): void {
    if (command !== null && !again) this.#did(command, result);
    for (const { key, name } of this.#permitted) {
      const at = this.#line(name).entries.findIndex(one => one.key === key);
      if (at >= this.#permitsOf(name))
        this.#fail(`${key} granted, the ${at + 1}th of ${this.#permitsOf(name)} permits`);
    }
    this.#permitted = [];
    this.#passed = [];
    const [early] = this.#brokenEarly;
    const isBreak = command?.kind === "lock.break" || command?.kind === "kv.delete";
    if (early !== undefined && !isBreak) this.#fail(`${early} was broken before its time`);
    this.#brokenEarly = [];
  }

  #did(command: Command, result: CommandResult): void {
    if (command.kind === "lock.configure" && result.kind === "lockConfigured") {
      this.#rules.set(command.name, this.#configured(command));
      this.#line(command.name);
    }
    if (command.kind === "lock.break" && result.kind === "broken")
      this.#willBreak(command.afterMs ?? 0, result.pending);
    if (command.kind === "lock.handOver" && result.kind === "released" && result.released)
      this.#isNext(command.to);
    if (command.kind !== "lock.acquire" || result.kind !== "refused") return;
    if (result.code === "DEADLOCK") this.#wouldCircle(command);
  }

  /** Said again, it ends no later than was said before. */
  #willBreak(afterMs: number, pending: { key: string; endsMs: number } | undefined): void {
    if (pending === undefined) return;
    const { key, endsMs } = pending;
    const one = this.#byKey.get(key);
    if (one === undefined || one.token === 0) this.#fail(`${key} is to be broken, and holds not`);
    const saidMs = this.#applied().clusterTimeMs + afterMs;
    if (endsMs > saidMs || endsMs > one.byMs)
      this.#fail(`${key} is to be broken at ${endsMs}, not by ${Math.min(saidMs, one.byMs)}`);
    if (one.breaksMs < NEVER) sometimes("a break was asked for twice");
    one.breaksMs = Math.min(one.breaksMs, saidMs);
    one.byMs = Math.min(one.byMs, saidMs);
  }

  #isNext(to: string): void {
    const one = this.#byKey.get(this.presentKey(to));
    if (one === undefined) this.#fail(`${to} was to be next, and has gone`);
    const { entries } = this.#line(one.name);
    if (one.token === 0 && entries.find(({ token }) => token === 0) !== one)
      this.#fail(`${to} was to be next, and stands at ${entries.indexOf(one)}`);
  }

  #wouldCircle(command: Command & { readonly kind: "lock.acquire" }): void {
    const { actor = "", lease, mode = "exclusive", permits = 0 } = command;
    const id = typeof lease === "string" ? lease : lease.id;
    const names = command.names ?? [command.name];
    const revision = NEVER;
    const thread = threadOf(id, actor, revision);
    const group = names.length > 1 ? names : [];
    const asked = names.map(name => ({ name, thread, revision, mode, permits, group, token: 0 }));
    const stuck = stuckAmong([...this.#byKey.values(), ...asked], name => this.#permitsOf(name));
    sometimes("a circle refused");
    if (!stuck.has(thread)) this.#fail(`${actor} was refused as DEADLOCK, and waits for nobody`);
  }

  /** After all of an entry's commands. */
  entryOver(): void {
    const { clusterTimeMs } = this.#applied();
    for (const { key } of this.#leaving.values()) this.#fail(`${key} left, and nobody was told`);
    for (const line of this.#touched) this.#noWaiterLost(line);
    this.#touched.clear();
    for (const { key, byMs, shut } of this.#byKey.values())
      if (byMs <= clusterTimeMs)
        this.#fail(`${key} was to ${shut ? "open its line" : "end"} by ${byMs}`);
    const [early] = this.#brokenEarly;
    if (early !== undefined) this.#fail(`${early} was broken before its time`);
    if (!this.#mayCircle) return;
    this.#mayCircle = false;
    const [stuck] = stuckAmong([...this.#byKey.values()], name => this.#permitsOf(name));
    if (stuck !== undefined) this.#fail(`${stuck} waits, and others for it, for ever`);
  }

  /** Who may hold holds; and entries of one request are all or nothing. */
  #noWaiterLost({ entries, name }: Line): void {
    for (const { key, group, token } of entries)
      for (const other of group)
        if ((this.#byKey.get(other)?.token ?? -1) !== token)
          this.#fail(`${key} holds ${token}, and ${other}, of the same request, does not`);
    const at = entries.findIndex(({ token }) => token === 0);
    const first = entries[at];
    if (first === undefined) return;
    const isTurn = [first, ...first.group.map(key => this.#byKey.get(key))].every(one =>
      this.#isItsTurn(one),
    );
    const holders = entries.slice(0, at).map(({ key }) => key);
    if (isTurn)
      this.#fail(`${name}: ${first.key} is first in line, and only ${holders.join()} holds`);
  }

  #isItsTurn(one: Standing | undefined): boolean {
    if (one === undefined) return false;
    const entries = this.#lines.get(one.name)?.entries ?? [];
    const ahead = entries.slice(0, entries.indexOf(one));
    return ahead.every(({ token }) => token > 0) && this.#mayStandBehind(one, ahead);
  }

  /** Of whoever changes it. */
  #line(name: string): Line {
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = { name, entries: [], lastToken: 0 };
      this.#lines.set(name, line);
    }
    this.#touched.add(line);
    return line;
  }

  /**
   * The rule as it was, and, while a command that changes it is applied, as it will be: its events
   * come before its answer. Where it is the entry's first, they may also be of what was due.
   */
  #rulesOf(name: string): readonly Rule[] {
    const rule = this.#rules.get(name) ?? NO_RULE;
    const { command } = this.#applied();
    if (command?.kind !== "lock.configure" || command.name !== name) return [rule];
    return [rule, this.#configured(command)];
  }

  #surely(name: string, what: keyof Rule): number {
    return Math.min(...this.#rulesOf(name).map(rule => rule[what]));
  }

  #configured(command: LockConfigureCommand): Rule {
    const before = this.#rules.get(command.name) ?? NO_RULE;
    const { permits, lockDelayMs, maxHoldMs } = command;
    return {
      permits: permits ?? before.permits,
      lockDelayMs: lockDelayMs ?? before.lockDelayMs,
      maxHoldMs: maxHoldMs ?? before.maxHoldMs,
    };
  }

  // What others ask.

  /** The first of those who hold. */
  holder(name: string): string | null {
    const [first] = this.#lines.get(name)?.entries ?? [];
    return first !== undefined && first.token > 0 && !first.shut ? first.key : null;
  }

  holds(key: string): boolean {
    const one = this.#byKey.get(key);
    return one !== undefined && one.token > 0 && !one.shut;
  }

  /** Who stands where, for people. */
  describe(): string {
    const all = [...this.#byKey.values()];
    return all
      .map(({ key, token, mode, thread }) => `${key} ${mode} ${token} ${thread}`)
      .join("; ");
  }

  /** The key that an entry has now, which had this one. */
  presentKey(key: string): string {
    let present = key;
    for (let next = this.#movedTo.get(key); next !== undefined; next = this.#movedTo.get(present))
      present = next;
    return present;
  }
}

const HELD_BY_NOBODY = { token: 0, shut: false, fromMs: NEVER, byMs: NEVER, breaksMs: NEVER };

/** Who names himself is one thread in all his lines; any other request is a thread of its own. */
function threadOf(lease: string, actor: string, revision: number): string {
  return actor === "" ? `request ${revision}` : `${lease} ${actor}`;
}
