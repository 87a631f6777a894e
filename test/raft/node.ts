/**
 * One Raft node with a disk that can lose what was not synced, and a state machine that is the
 * list of what it applied. Obeys the duties of a Ready to the letter; everything else (network,
 * time, faults) is up to whoever drives it.
 */
import type { LogIndex, NodeId, Term } from "../../src/base/ids.js";
import { logIndex, nodeId, term } from "../../src/base/ids.js";
import type { Random } from "../../src/base/ports.js";
import type { RaftOptions, ReadState, Ready } from "../../src/raft/index.js";
import { Raft } from "../../src/raft/index.js";
import type {
  Configuration,
  Entry,
  HardState,
  Message,
  SnapshotMetadata,
} from "../../src/raft/message/index.js";

export interface Applied {
  readonly index: LogIndex;
  readonly term: Term;
  readonly text: string;
}

export interface StoredSnapshot {
  readonly metadata: SnapshotMetadata;
  readonly state: readonly Applied[];
}

interface Write {
  readonly ready: Ready;
}

export interface NodeEvents {
  send(message: Message): void;
  took?(node: TestNode, ready: Ready): void;
  applied?(node: TestNode, entry: Entry): void;
  read?(node: TestNode, state: ReadState): void;
  confirmation?(node: TestNode, state: ReadState): void;
  loaded?(node: TestNode, snapshot: StoredSnapshot): void;
}

/** A small generator of its own, so that every run of a seed is the same. */
export function seededRandom(seed: number): Random {
  let state = (seed * 2654435761 + 88675123) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  return { below: bound => (next() * 2 ** 16 + (next() >>> 16)) % bound };
}

export function voters(ids: readonly number[], learners: readonly number[] = []): Configuration {
  const member = (id: number, role: "voter" | "learner") => ({
    id: nodeId(id),
    name: `n${id}`,
    role,
    peerUrls: [],
    clientUrls: [],
    incarnation: "",
    since: logIndex(0),
  });
  const members = [
    ...ids.map(id => member(id, "voter")),
    ...learners.map(id => member(id, "learner")),
  ].sort((a, b) => a.id - b.id);
  return { members, outgoingVoters: [], removed: [] };
}

export const bytesOf = (text: string): Uint8Array =>
  Uint8Array.from(text, letter => letter.charCodeAt(0));
export const textOf = (payload: Uint8Array): string => String.fromCharCode(...payload);

export class TestNode {
  raft!: Raft;
  up = false;
  hardState: HardState = { term: term(0), votedFor: null };
  entries: Entry[] = [];
  snapshot: StoredSnapshot;
  /** In the order taken, none of it durable yet. */
  writes: Write[] = [];
  state: Applied[] = [];
  appliedIndex: LogIndex = logIndex(0);
  /** Snapshots on their way here, by metadata, until the Ready that installs them. */
  private arrived: StoredSnapshot[] = [];

  constructor(
    readonly id: NodeId,
    configuration: Configuration,
    private readonly options: RaftOptions,
    private readonly random: Random,
    private readonly events: NodeEvents,
  ) {
    const metadata = { index: logIndex(0), term: term(0), configuration };
    this.snapshot = { metadata, state: [] };
  }

  start(): void {
    const { index, term: at, configuration } = this.snapshot.metadata;
    this.up = true;
    this.writes = [];
    this.arrived = [];
    this.state = [...this.snapshot.state];
    this.appliedIndex = index;
    this.raft = new Raft({
      id: this.id,
      hardState: this.hardState,
      configuration,
      snapshot: { index, term: at },
      entries: this.entriesAfterSnapshot(),
      options: this.options,
      random: this.random,
    });
  }

  /** A snapshot may be beyond the log's end, or the log contradict it: then the log is obsolete. */
  private entriesAfterSnapshot(): Entry[] {
    const { index, term: at } = this.snapshot.metadata;
    const first = this.entries[0];
    if (first === undefined || first.index === index + 1) return this.entries;
    const same = this.entries.find(entry => entry.index === index)?.term === at;
    this.entries = same ? this.entries.filter(entry => entry.index > index) : [];
    return this.entries;
  }

  /** `surviving` writes of those under way reached the disk, though nobody was told. */
  crash(surviving: number): void {
    for (const { ready } of this.writes.slice(0, surviving)) this.store(ready);
    this.writes = [];
    this.up = false;
  }

  /** Carries out what has come up. `isPrompt`: the disk answers before this returns, if it is idle. */
  take(isPrompt = false): void {
    while (this.raft.hasReady) {
      const ready = this.raft.take();
      this.events.took?.(this, ready);
      for (const message of ready.messages) this.events.send(message);
      if (isPrompt && this.writes.length === 0) {
        this.finish(ready);
      } else if (
        ready.mustPersist ||
        (ready.messagesAfterPersist.length > 0 && this.writes.length > 0)
      ) {
        this.writes.push({ ready });
      } else {
        for (const message of ready.messagesAfterPersist) this.events.send(message);
      }
      this.apply(ready);
      for (const read of ready.reads) this.events.read?.(this, read);
      for (const read of ready.confirmations) this.events.confirmation?.(this, read);
    }
  }

  private apply(ready: Ready): void {
    if (ready.snapshot !== null) this.load(ready.snapshot);
    for (const entry of ready.committed) {
      this.state.push({ index: entry.index, term: entry.term, text: textOf(entry.payload) });
      this.appliedIndex = entry.index;
      this.events.applied?.(this, entry);
    }
    if (ready.committed.length > 0 || ready.snapshot !== null) this.raft.applied(this.appliedIndex);
  }

  private load(metadata: SnapshotMetadata): void {
    const stored = this.arrived.find(({ metadata: m }) => m.index === metadata.index);
    if (stored === undefined) throw new Error("installed a snapshot that never arrived");
    this.arrived = [];
    this.state = [...stored.state];
    this.appliedIndex = metadata.index;
    this.events.loaded?.(this, stored);
  }

  /** The oldest `count` writes are durable now. */
  persist(count = this.writes.length): void {
    for (const { ready } of this.writes.splice(0, count)) this.finish(ready);
    this.take();
  }

  private finish(ready: Ready): void {
    this.store(ready);
    for (const message of ready.messagesAfterPersist) this.events.send(message);
    if (ready.mustPersist) this.raft.persisted(ready.term, ready.lastIndex);
  }

  private store(ready: Ready): void {
    if (ready.snapshot !== null) this.entries = [];
    if (ready.hardState !== null) this.hardState = ready.hardState;
    const { cutFrom } = ready;
    if (cutFrom !== null) this.entries = this.entries.filter(entry => entry.index < cutFrom);
    for (const entry of ready.entries) {
      const last = this.entries[this.entries.length - 1];
      const expected = last === undefined ? entry.index : last.index + 1;
      if (entry.index !== expected) throw new Error(`a hole before ${entry.index} on disk`);
      this.entries.push(entry);
    }
  }

  /** Snapshots the state as of now; durable at once. The log in memory is not touched. */
  takeSnapshot(): void {
    const index = this.appliedIndex;
    if (index <= this.snapshot.metadata.index) return;
    const at = this.state[this.state.length - 1]?.term ?? term(0);
    const configuration = this.raft.configurationAt(index);
    this.snapshot = { metadata: { index, term: at, configuration }, state: [...this.state] };
  }

  /** A snapshot has arrived from `from` and is durable. */
  receive(stored: StoredSnapshot, from: NodeId, sentIn: Term): void {
    if (stored.metadata.index > this.snapshot.metadata.index) this.snapshot = stored;
    this.arrived.push(stored);
    const { metadata } = stored;
    this.raft.step({ type: "snapshot", from, to: this.id, term: sentIn, metadata });
    this.take();
  }
}
