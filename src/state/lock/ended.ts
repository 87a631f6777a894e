/**
 * How entries left their lines, remembered bounded in number and time: so that a late release, a
 * repeated acquire and `inspect` can be told what became of a grant.
 */
import type { EndReason } from "../command/result.js";
import { sequencedKey } from "../kv/sequence.js";
import { Trail } from "../trail.js";

export class EndedEntry {
  readonly name: string;
  readonly key: string;
  readonly token: number;
  readonly lease: string;
  readonly owner: string;
  readonly reason: EndReason;
  /** False: it only waited. */
  readonly held: boolean;
  /** Cluster time of its grant, or of its entering the line when it never held. */
  readonly sinceMs: number;
  readonly endedMs: number;
  readonly endedWallMs: number;

  constructor(
    name: string,
    key: string,
    token: number,
    lease: string,
    owner: string,
    reason: EndReason,
    held: boolean,
    sinceMs: number,
    endedMs: number,
    endedWallMs: number,
  ) {
    this.name = name;
    this.key = key;
    this.token = token;
    this.lease = lease;
    this.owner = owner;
    this.reason = reason;
    this.held = held;
    this.sinceMs = sinceMs;
    this.endedMs = endedMs;
    this.endedWallMs = endedWallMs;
  }
}

export class EndedEntries {
  readonly #trail = new Trail<EndedEntry>();
  /** By key, and by `<name>/<token in 20 digits>` where the key has another form. */
  readonly #byName = new Map<string, EndedEntry>();
  /**
   * The greatest token of what was forgotten: at or below it "never" cannot be told from
   * "forgotten".
   */
  forgottenToken = 0;

  get size(): number {
    return this.#trail.size;
  }

  byKey(key: string): EndedEntry | undefined {
    return this.#byName.get(key);
  }

  byToken(name: string, token: number): EndedEntry | undefined {
    return this.#byName.get(sequencedKey(name, token));
  }

  push(ended: EndedEntry): void {
    this.#trail.push(ended);
    this.#byName.set(ended.key, ended);
    const alias = sequencedKey(ended.name, ended.token);
    if (alias !== ended.key) this.#byName.set(alias, ended);
  }

  first(): EndedEntry | undefined {
    return this.#trail.first();
  }

  shift(): void {
    const ended = this.#trail.shift();
    if (ended === undefined) return;
    if (ended.token > this.forgottenToken) this.forgottenToken = ended.token;
    this.#drop(ended.key, ended);
    const alias = sequencedKey(ended.name, ended.token);
    if (alias !== ended.key) this.#drop(alias, ended);
  }

  walk() {
    return this.#trail.walk();
  }

  #drop(name: string, ended: EndedEntry): void {
    if (this.#byName.get(name) === ended) this.#byName.delete(name);
  }
}
