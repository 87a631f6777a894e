/**
 * How entries left their lines, remembered bounded in number and time: so that a late release, a
 * repeated acquire and `inspect` can be told what became of a grant.
 */
import type { EndReason } from "../command/result.js";
import type { EntryMode } from "../kv/record.js";
import { DIGITS, isSequencedForm, lastSegment } from "../kv/sequence.js";
import type { Moment } from "../moment.js";
import { Trail } from "../trail.js";
import { EndedIndex } from "./ended-index.js";
import type { Line } from "./line.js";

/** Who ended another's grant, and why: as they said, for people. */
export interface Blame {
  readonly by: string;
  readonly why: string;
}

/** What few of them have, apart, so that the many are small. */
interface EndedExtra {
  readonly mode: EntryMode;
  readonly fence: number;
  readonly blame: Blame | null;
  readonly was: string;
  readonly movedTo: string;
}

const BARE: EndedExtra = { mode: "exclusive", fence: 0, blame: null, was: "", movedTo: "" };

export class EndedEntry {
  readonly name: string;
  readonly key: string;
  readonly token: number;
  readonly lease: string;
  readonly owner: string;
  readonly reason: EndReason;
  /** False: it only waited. */
  readonly held: boolean;
  /** Of its grant, or of its entering the line when it never held. Its wall time is not kept. */
  readonly since: Moment;
  readonly ended: Moment;
  readonly #extra: EndedExtra;
  /** The line that shows it among its last ones, or did: an index, not state. */
  line: Line | null = null;

  constructor(
    name: string,
    key: string,
    token: number,
    lease: string,
    owner: string,
    reason: EndReason,
    held: boolean,
    since: Moment,
    ended: Moment,
    mode: EntryMode,
    fence: number,
    blame: Blame | null,
    was: string,
    movedTo: string,
  ) {
    this.name = name;
    this.key = key;
    this.token = token;
    this.lease = lease;
    this.owner = owner;
    this.reason = reason;
    this.held = held;
    this.since = since;
    this.ended = ended;
    const isBare = mode === "exclusive" && fence === 0 && blame === null && was === "";
    this.#extra = isBare && movedTo === "" ? BARE : { mode, fence, blame, was, movedTo };
  }

  get mode(): EntryMode {
    return this.#extra.mode;
  }
  /** The token of a shared grant; 0: it is the create revision. */
  get fence(): number {
    return this.#extra.fence;
  }
  /** Who ended it, where somebody else did. */
  get blame(): Blame | null {
    return this.#extra.blame;
  }
  /** The key under which it first entered the line; "": this one. */
  get was(): string {
    return this.#extra.was;
  }
  /** With reason `moved`: the key under which it entered anew. */
  get movedTo(): string {
    return this.#extra.movedTo;
  }

  /** It read only, beside others of the same token. */
  get isShared(): boolean {
    return this.mode === "shared";
  }

  get sinceMs(): number {
    return this.since.ms;
  }
  get endedMs(): number {
    return this.ended.ms;
  }
  get endedWallMs(): number {
    return this.ended.wallMs;
  }
}

export class EndedEntries {
  readonly #trail = new Trail<EndedEntry>();
  /** By the name and token that are a sequenced key. */
  readonly #byToken = new EndedIndex();
  /** By keys of any other form. */
  readonly #byOtherKey = new Map<string, EndedEntry>();
  /** By the key under which they first entered, of those that had another since. */
  readonly #byFirstKey = new Map<string, EndedEntry>();
  /**
   * The greatest token of what was forgotten: at or below it "never" cannot be told from
   * "forgotten".
   */
  forgottenToken = 0;

  get size(): number {
    return this.#trail.size;
  }

  byKey(key: string): EndedEntry | undefined {
    const moved = this.#byFirstKey.size === 0 ? undefined : this.#byFirstKey.get(key);
    if (moved !== undefined) return moved;
    if (!isSequencedForm(key)) return this.#byOtherKey.get(key);
    const start = lastSegment(key);
    return this.#byToken.get(key.slice(0, start - 1), Number(key.slice(start)));
  }

  byToken(name: string, token: number): EndedEntry | undefined {
    return this.#byToken.get(name, token);
  }

  push(ended: EndedEntry): void {
    this.#trail.push(ended);
    if (ended.was !== "") this.#byFirstKey.set(ended.was, ended);
    this.#byToken.push(ended);
    if (!hasSequencedKey(ended)) this.#byOtherKey.set(ended.key, ended);
  }

  first(): EndedEntry | undefined {
    return this.#trail.first();
  }

  shift(): void {
    const ended = this.#trail.shift();
    if (ended === undefined) return;
    if (ended.token > this.forgottenToken) this.forgottenToken = ended.token;
    this.#byToken.shift();
    if (this.#byFirstKey.get(ended.was) === ended) this.#byFirstKey.delete(ended.was);
    const { key } = ended;
    if (this.#byOtherKey.size > 0 && this.#byOtherKey.get(key) === ended) {
      this.#byOtherKey.delete(key);
    }
  }

  walk() {
    return this.#trail.walk();
  }
}

/** Else its last segment is its lease's id, which is shorter. */
function hasSequencedKey(ended: EndedEntry): boolean {
  return ended.key.length === ended.name.length + 1 + DIGITS;
}
