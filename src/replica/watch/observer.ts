/**
 * `election.observe`: every leader of an election in order. A grant is no change of a key, so the
 * leaders are read off the changes of the line's entries: an entry that holds says since which
 * revision it does, in every change that ends or renews it, and so does the present head. Only who
 * stood first and waited for other names begins without any change here: the hub tells of it.
 */
import type { Leader } from "holdfast-protocol";
import {
  type Change,
  type EntryDetail,
  isLiveEntry,
  type KvRecord,
  type LiveEntry,
} from "../../state/index.js";
import type { ClientConnection } from "../connection.js";
import type { Core } from "../core.js";
import type { Handler } from "../operations/call.js";
import { leaderOf } from "../views.js";
import { Follower } from "./follower.js";
import { startStream } from "./start.js";

interface Turn {
  readonly revision: number;
  /** Among turns of one revision: an end before a beginning before a new proclamation. */
  readonly order: 0 | 1 | 2;
  readonly leader: Leader | null;
}

class Observer extends Follower {
  readonly #core: Core;
  readonly #name: string;
  /** Nothing before it is told. */
  readonly #from: number;
  /** The leader last told of; "" for none. */
  #present = "";
  #changes: Change[] = [];
  #toldFirst = true;
  override followsGrants = true;

  constructor(
    core: Core,
    connection: ClientConnection,
    name: string,
    id: number,
    nextRevision: number,
  ) {
    super(core.watches, connection, { kind: "prefix", prefix: `${name}/` }, id, nextRevision);
    this.#core = core;
    this.#name = name;
    this.#from = nextRevision;
  }

  /** With its first word it tells who leads now. */
  beginWithPresent(): void {
    this.#toldFirst = false;
  }

  #tellPresent(): void {
    this.#toldFirst = true;
    const head = this.#core.machine.head(this.#name);
    this.#present = head?.key ?? "";
    const leader = head && leaderOf(this.#name, head, this.#core.clusterNowMs());
    this.#push(this.#core.machine.revision, leader ?? null);
  }

  changed(changes: readonly Change[]): void {
    for (const change of changes) if (this.#concerns(change)) this.#changes.push(change);
  }

  /** Only now is it known who came after each. */
  caughtUp(): void {
    if (!this.#toldFirst) this.#tellPresent();
    const changes = this.#changes;
    this.#changes = [];
    const turns = this.#turnsOf(changes).sort(
      (a, b) => a.revision - b.revision || a.order - b.order,
    );
    for (let i = 0; i < turns.length; i++) {
      const turn = turns[i];
      const next = turns[i + 1];
      if (turn === undefined || turn.revision < this.#from) continue;
      // Someone leads again at once: that is all there is to tell.
      if (turn.leader === null && next?.revision === turn.revision && next.leader !== null)
        continue;
      this.#push(turn.revision, turn.leader);
    }
  }

  quiet(): void {}

  #turnsOf(changes: readonly Change[]): Turn[] {
    const turns: Turn[] = [];
    const begin = (record: KvRecord, entry: EntryDetail): void => {
      if (this.#present === record.key) return;
      this.#present = record.key;
      turns.push({ revision: entry.grantRevision, order: 1, leader: this.#leader(record, entry) });
    };
    for (const { record, prev, revision } of changes) {
      const [before, after] = [leading(prev), leading(record)];
      if (before !== null) begin(before, before.entry);
      if (after !== null) {
        if (prev === null) begin(after, after.entry);
        else turns.push({ revision, order: 2, leader: this.#leader(after, after.entry) });
      } else if (before !== null) {
        this.#present = "";
        turns.push({ revision, order: 0, leader: null });
      }
    }
    this.#beginHead(turns);
    return turns;
  }

  #beginHead(turns: Turn[]): void {
    const { machine } = this.#core;
    const head = machine.head(this.#name);
    if (head === undefined || head.key === this.#present) return;
    const truth = machine.entry(head.key);
    if (truth.kind !== "granted") return;
    this.#present = head.key;
    const leader = leaderOf(this.#name, head, this.#core.clusterNowMs());
    turns.push({ revision: truth.grant.revision, order: 1, leader });
  }

  #concerns({ record, prev }: Change): boolean {
    return (record?.entry ?? prev?.entry)?.name === this.#name;
  }

  #leader(record: KvRecord, entry: EntryDetail): Leader {
    const { owner, labels } = entry;
    return {
      name: this.#name,
      key: record.key,
      token: record.createRevision,
      lease: record.lease,
      value: record.value,
      ...(owner === "" ? {} : { owner }),
      ...(labels === null ? {} : { labels }),
      sinceMs: Math.max(0, this.#core.clusterNowMs() - entry.grantedMs),
    };
  }

  #push(revision: number, leader: Leader | null): void {
    const event = { event: "observe", id: this.id, revision } as const;
    this.push(leader === null ? event : { ...event, leader });
  }
}

/** Who leads by this record; one that keeps its line shut leads no more. */
const leading = (record: KvRecord | null): LiveEntry | null =>
  isLiveEntry(record) && record.entry.granted ? record : null;

export const startObserving: Handler<"election.observe"> = (call, { name, from = 0 }) => {
  const { connection, context, core } = call;
  startStream(call, from, next => {
    const observer = new Observer(core, connection, name, context.id ?? 0, next);
    if (from === 0) observer.beginWithPresent();
    return observer;
  });
};
