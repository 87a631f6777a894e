/**
 * Who is who, and who may take part: the incarnations of the members, the rule that lets a node of
 * a new cluster vote, and the check of a peer's hello. Knows no sockets and no Raft. Called by the
 * embedded log on its links' events and on each configuration that comes in force.
 *
 * Why it is safe. Let X be emptied and come back as X'. Whoever counted a vote of X had X on disk
 * before and refuses X', so X' never gets everybody's acceptance and never votes. Whoever accepts X'
 * refuses from that moment what X may still have on its way: in memory at once (a connection of X
 * does not outlive this process), on disk before anything of X' is counted.
 */
import { assert } from "../base/assert.js";
import { formatNodeId, type NodeId } from "../base/ids.js";
import type { Configuration, Member } from "../raft/message/index.js";
import type { Storage } from "../storage/contract.js";

/** Why a hello is refused; null is welcome. */
export type Verdict = "stranger" | "replaced" | "removed" | null;

export interface ParticipationStart {
  readonly self: NodeId;
  readonly incarnation: string;
  readonly storage: Storage;
  /** As recovered. */
  readonly recorded: ReadonlyMap<NodeId, string>;
  readonly configuration: Configuration;
  /** The configuration in force is committed: whom it removed is not coming back. */
  readonly isCommitted: () => boolean;
  /** Something was recorded. `admitted`: with that, this node takes part from now on. */
  readonly recordedPeer: (admitted: boolean) => void;
}

export class Participation {
  readonly #start: ParticipationStart;
  #configuration: Configuration;
  /** What a peer must come with. */
  readonly #known = new Map<NodeId, string>();
  /** Those of `#known` that are on disk, recorded or in a configuration of the log. */
  readonly #durable = new Set<NodeId>();
  /** What a peer's hello said of its client URLs. */
  readonly #clientUrls = new Map<NodeId, readonly string[]>();
  #takesPart = false;

  constructor(start: ParticipationStart) {
    this.#start = start;
    this.#configuration = start.configuration;
    for (const [peer, incarnation] of start.recorded) {
      this.#known.set(peer, incarnation);
      this.#durable.add(peer);
    }
    this.#learn(start.configuration);
    this.#takesPart = this.#isComplete();
  }

  /** This node may vote, acknowledge and campaign. Never goes back to false. */
  get takesPart(): boolean {
    return this.#takesPart;
  }

  /** Anything of this peer may be stepped. */
  isRecorded(peer: NodeId): boolean {
    return this.#durable.has(peer);
  }

  /** A peer introduces itself. Null: from now on no other incarnation of it is let in. */
  hello(peer: NodeId, incarnation: string): Verdict {
    const verdict = this.#judge(peer, incarnation);
    if (verdict === null) this.#known.set(peer, incarnation);
    return verdict;
  }

  /** Who a node that was added and knows nothing yet is; or why it is not that. */
  joins(name: string, incarnation: string): NodeId | "stranger" | "replaced" {
    // One that is on its way out may bear the same name.
    const named = this.#configuration.members.filter(one => one.name === name && one.since !== 0);
    if (named.length === 0) return "stranger";
    return named.find(({ id }) => this.#judge(id, incarnation) === null)?.id ?? "replaced";
  }

  #judge(peer: NodeId, incarnation: string): Verdict {
    const known = this.#known.get(peer);
    const isMember = this.#configuration.members.some(member => member.id === peer);
    const isGone = this.#configuration.removed.includes(peer) && this.#start.isCommitted();
    if (!isMember && isGone) return "removed";
    if (known !== undefined && known !== incarnation) return "replaced";
    return isMember ? null : "stranger";
  }

  /**
   * A stranger that may have been added since: from now on no other incarnation of it is let in, as
   * if it were a member.
   */
  welcome(peer: NodeId, incarnation: string): void {
    assert(this.#judge(peer, incarnation) === "stranger", "only a stranger is welcomed as one");
    this.#known.set(peer, incarnation);
  }

  /** The peer let this node in, and this node the peer: on disk with it. */
  accepted(peer: NodeId): void {
    if (this.#durable.has(peer)) return;
    const incarnation = this.#known.get(peer);
    assert(incarnation !== undefined, "a peer is let in before it can let this node in");
    this.#start.storage.recordPeer(peer, incarnation, stop => {
      if (stop === null) this.#recorded(peer);
    });
  }

  /** What a peer said of where its clients reach it. */
  reachedAt(peer: NodeId, clientUrls: readonly string[]): void {
    this.#clientUrls.set(peer, clientUrls);
  }

  /** Its link is down: by the next hello it may be reached elsewhere. */
  left(peer: NodeId): void {
    this.#clientUrls.delete(peer);
  }

  /**
   * A configuration came in force: by an entry in the log, or by a snapshot. False: it names
   * another incarnation of this node.
   */
  configured(configuration: Configuration): boolean {
    this.#configuration = configuration;
    this.#learn(configuration);
    const own = configuration.members.find(({ id }) => id === this.#start.self);
    return (
      own === undefined || own.incarnation === "" || own.incarnation === this.#start.incarnation
    );
  }

  /** Whom the node waits for, in words; null when it takes part. */
  waitingFor(): string | null {
    if (this.#takesPart) return null;
    const missing = this.#missing().map(member => `${member.name} (${member.peerUrls.join(", ")})`);
    return `the first hello of ${missing.join(" and ")}`;
  }

  /**
   * The configuration with all that this node knows and `current` does not: incarnations of members
   * that have none yet, client URLs. Null when there is nothing to add.
   */
  completed(current: Configuration, ownClientUrls: readonly string[]): Configuration | null {
    let changed = false;
    const members = current.members.map(member => {
      const urls = member.id === this.#start.self ? ownClientUrls : this.#clientUrls.get(member.id);
      const incarnation = member.incarnation || this.#incarnationOf(member.id);
      const clientUrls = urls ?? member.clientUrls;
      if (incarnation === member.incarnation && sameTexts(clientUrls, member.clientUrls)) {
        return member;
      }
      changed = true;
      return { ...member, incarnation, clientUrls };
    });
    return changed ? { ...current, members } : null;
  }

  #incarnationOf(id: NodeId): string {
    if (id === this.#start.self) return this.#start.incarnation;
    return this.#durable.has(id) ? (this.#known.get(id) ?? "") : "";
  }

  #recorded(peer: NodeId): void {
    this.#durable.add(peer);
    const admitted = !this.#takesPart && this.#isComplete();
    if (admitted) this.#takesPart = true;
    this.#start.recordedPeer(admitted);
  }

  /** Incarnations in a configuration of the log are as good as recorded ones. */
  #learn(configuration: Configuration): void {
    for (const { id, incarnation } of configuration.members) {
      if (incarnation === "" || id === this.#start.self) continue;
      this.#known.set(id, incarnation);
      this.#durable.add(id);
    }
  }

  #isComplete(): boolean {
    return this.#missing().length === 0;
  }

  /** Of those that a new cluster begins with: who is added later begins with what others know. */
  #missing(): readonly Member[] {
    const { self } = this.#start;
    return this.#configuration.members.filter(
      ({ id, since }) => id !== self && since === 0 && !this.#durable.has(id),
    );
  }
}

export function nameOf(configuration: Configuration, id: NodeId): string {
  const member = configuration.members.find(({ id: at }) => at === id);
  return member === undefined ? `node ${formatNodeId(id)}` : `${member.name} (${formatNodeId(id)})`;
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, at) => text === b[at]);
}
