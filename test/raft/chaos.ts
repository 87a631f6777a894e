/**
 * A random schedule for a small cluster, with Raft's promises checked as it runs: every message may
 * be lost, doubled and overtaken, every node may die with its last writes lost, and come back.
 * One seed is one run. This is the small sister of the simulator: raft alone, nothing above it.
 */
import { type LogIndex, logIndex, type NodeId, nodeId, type Term } from "../../src/base/ids.js";
import type { Random } from "../../src/base/ports.js";
import { DEFAULT_RAFT_OPTIONS, type RaftOptions, type Ready } from "../../src/raft/index.js";
import {
  type Configuration,
  ENTRY_KIND,
  type Entry,
  isJoint,
  type Message,
} from "../../src/raft/message/index.js";
import { type Applied, bytesOf, seededRandom, TestNode, textOf, voters } from "./node.js";

/** Small limits, so that windows fill, tails are dropped and snapshots are needed. */
const OPTIONS: RaftOptions = {
  ...DEFAULT_RAFT_OPTIONS,
  heartbeatTicks: 2,
  electionTicksMin: 6,
  electionTicksMax: 12,
  messageBytes: 200,
  windowEntries: 5,
  tailBytes: 400,
  laggardTailBytes: 800,
  committedBytes: 200,
};

/** How often each thing happens, at least and at most; every seed draws its own mix. */
const MIX = {
  tick: [20, 90],
  deliver: [30, 80],
  persist: [6, 40],
  propose: [4, 16],
  read: [0, 3],
  break: [0, 3],
  crash: [0, 3],
  transfer: [1, 2],
  handOver: [0, 2],
  snapshot: [0, 2],
  lose: [0, 2],
  isolate: [0, 4],
  change: [0, 3],
} as const;

/** So many nodes there may be in all, those removed included. */
const MOST_NODES = 9;
type Action = keyof typeof MIX;

class Weights {
  private readonly steps: { readonly action: Action; readonly end: number }[] = [];
  private total = 0;

  constructor(random: Random) {
    for (const action of Object.keys(MIX) as Action[]) {
      const [least, most] = MIX[action];
      this.total += least + random.below(most - least + 1);
      this.steps.push({ action, end: this.total });
    }
  }

  draw(random: Random): Action {
    const dice = random.below(this.total);
    return this.steps.find(({ end }) => dice < end)?.action ?? "tick";
  }
}

export class Chaos {
  readonly nodes: TestNode[] = [];
  /** What was committed first at each place decides what must be there for ever. */
  private readonly committed: { term: Term; text: string }[] = [];
  private readonly leaders = new Map<Term, NodeId>();
  private readonly reads = new Map<number, { readonly node: NodeId; readonly known: number }>();
  private flight: Message[] = [];
  private snapshots: { from: TestNode; to: TestNode; sentIn: Term }[] = [];
  private readonly random: Random;
  private readonly weights: Weights;
  private readonly downtime: number;
  private readonly seed: number;
  private readonly options: RaftOptions;
  /** Whether this schedule changes its members. */
  private readonly churns: boolean;
  /**
   * In some schedules much comes in before a node carries out what it wants done, and its disk may
   * answer within that. Not where members change: what counts as a majority is looked at later.
   */
  private readonly isLazy: boolean;
  private healing = false;
  private proposals = 0;
  /** Nothing reaches it or leaves it, and nobody is told. */
  private isolated: NodeId | null = null;
  private contexts = 0;
  private arrivals = 0;
  /** How often each rare thing happened. */
  readonly seen = new Map<string, number>();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.weights = new Weights(this.random);
    this.downtime = [3, 10, 30][this.random.below(3)] ?? 10;
    const size = [1, 2, 3, 3, 5, 5][this.random.below(6)] ?? 3;
    const learner = size === 3 && this.random.below(4) === 0;
    const ids = Array.from({ length: size }, (_, i) => i + 1);
    const base = voters(ids, learner ? [size + 1] : []);
    // Sometimes joint from the start: the old voters were the first two.
    const joint = size === 3 && this.random.below(4) === 0;
    const configuration = { ...base, outgoingVoters: joint ? [nodeId(1), nodeId(2)] : [] };
    this.seed = seed;
    this.churns = this.random.below(2) === 0;
    this.isLazy = !this.churns && !joint && this.random.below(2) === 0;
    this.options = { ...OPTIONS, messageBytes: [1, 200, 2000][seed % 3] ?? 200 };
    for (const _ of configuration.members) this.join(configuration);
  }

  /** One more node, empty, that knows this configuration. */
  private join(configuration: Configuration): void {
    const id = nodeId(this.nodes.length + 1);
    const own = seededRandom(this.seed * 31 + id);
    const node = new TestNode(id, configuration, this.options, own, {
      send: message => this.send(message),
      took: (from, ready) => this.took(from, ready),
      applied: (from, entry) => this.applied(from, entry),
      loaded: from => {
        this.saw("snapshot installed");
        for (const [i, item] of from.state.entries()) this.agrees(from, i + 1, item);
      },
      read: (from, state) => this.answeredRead(from, state.context, state.confirmed, state.index),
    });
    this.nodes.push(node);
    node.start();
  }

  private took(from: TestNode, ready: Ready): void {
    if (ready.leadership !== null && from.raft.role === "leader") this.elected(from);
    if (ready.cutFrom !== null) this.saw("tail cut");
    for (const { to, term } of ready.snapshotRequests) {
      const receiver = this.nodes[to - 1];
      // It may have been asked for before the new member has started.
      if (receiver === undefined) from.raft.snapshotSent(to, false);
      else this.snapshots.push({ from, to: receiver, sentIn: term });
    }
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.step();
    this.check();
  }

  /** Faults end; then everything must come to rest with all nodes equal. */
  heal(): void {
    this.seen.set("entries", this.committed.length);
    for (const node of this.nodes) if (!node.up) node.start();
    this.isolated = null;
    this.healing = true;
    let proposed = false;
    for (let i = 0; i < 400; i++) {
      for (const node of this.nodes) {
        node.raft.tick();
        node.take();
      }
      for (let j = 0; j < 20; j++) this.settle();
      const leader = this.nodes.find(node => node.raft.role === "leader");
      if (i > 200 && !proposed && leader !== undefined) {
        proposed = typeof leader.raft.propose([bytesOf("last")]) !== "string";
        leader.take();
      }
    }
    this.check();
    if (!proposed) throw new Error("liveness: no leader takes a proposal although all is healed");
    for (const { id } of this.current.members) {
      const node = this.node(id);
      if (node.state[node.state.length - 1]?.text !== "last") {
        throw new Error(`liveness: node ${node.id} did not catch up`);
      }
    }
    if (isJoint(this.current)) throw new Error("liveness: the joint configuration was not left");
    for (const [context, { node }] of this.reads)
      throw new Error(`liveness: read ${context} of ${node} was never answered`);
  }

  /** In force on the leader of the greatest term. */
  private get current(): Configuration {
    const leaders = this.nodes.filter(node => node.up && node.raft.role === "leader");
    const newest = leaders.sort((a, b) => b.raft.term - a.raft.term)[0];
    if (newest === undefined) throw new Error("liveness: nobody leads although all is healed");
    return newest.raft.configuration;
  }

  private settle(): void {
    for (const node of this.nodes) node.persist();
    for (const message of this.flight.splice(0)) this.arrive(message);
    for (const transfer of this.snapshots.splice(0)) this.transfer(transfer, true);
  }

  private step(): void {
    const { random } = this;
    const node = this.nodes[random.below(this.nodes.length)];
    if (node === undefined) return;
    if (!node.up) {
      if (random.below(this.downtime) === 0) node.start();
      return;
    }
    this.actions[this.weights.draw(random)](node);
    if (node.up) this.turn(node);
  }

  private turn(node: TestNode): void {
    if (!this.isLazy || this.healing) node.take();
    else if (this.random.below(5) < 2) node.take(this.random.below(3) === 0);
  }

  private readonly actions: Readonly<Record<Action, (node: TestNode) => void>> = {
    tick: node => node.raft.tick(),
    deliver: () => {
      for (let i = this.random.below(4); i >= 0; i--) this.deliverOne();
    },
    persist: node => node.persist(1 + this.random.below(2)),
    propose: node => this.propose(this.leaderOr(node)),
    read: node => this.askRead(node),
    break: () => this.breakLink(),
    crash: node => this.crash(node),
    transfer: () => this.transferSome(),
    handOver: node => this.handOver(node),
    snapshot: node => node.takeSnapshot(),
    lose: () => {
      this.flight = this.flight.filter(() => this.random.below(3) > 0);
    },
    change: node => {
      if (this.churns) this.change(this.leaderOr(node));
    },
    isolate: node => {
      this.isolated = this.isolated === null ? this.leaderOr(node).id : null;
    },
  };

  private deliverOne(): void {
    const { random, flight } = this;
    if (flight.length === 0) return;
    // Mostly near the front, so that order is usual and disorder common.
    const at = Math.min(random.below(flight.length), random.below(4));
    const message = flight[at];
    if (message === undefined) return;
    if (random.below(12) > 0) flight.splice(at, 1);
    if (random.below(16) > 0) this.arrive(message);
    // Held back: old messages come out much later.
    if (random.below(40) === 0) flight.push(message);
    if (flight.length > 200) flight.splice(0, 100);
  }

  private arrive(message: Message): void {
    const node = this.nodes[message.to - 1];
    if (
      node === undefined ||
      !node.up ||
      message.to === this.isolated ||
      message.from === this.isolated
    )
      return;
    node.raft.step(message);
    this.turn(node);
    this.arrivals += 1;
    if (this.arrivals % 16 === 0) this.check();
  }

  /** Some node that takes itself for the leader, three times out of four. */
  private leaderOr(node: TestNode): TestNode {
    const leaders = this.nodes.filter(one => one.up && one.raft.role === "leader");
    return (this.random.below(4) > 0 && leaders[this.random.below(leaders.length || 1)]) || node;
  }

  private propose(node: TestNode): void {
    this.proposals += 1;
    node.raft.propose([bytesOf(`p${this.proposals}`)]);
    this.turn(node);
  }

  /** A confirmed read must not be older than anything applied anywhere when it was asked. */
  private askRead(node: TestNode): void {
    this.contexts += 1;
    this.reads.set(this.contexts, { node: node.id, known: this.committed.length });
    node.raft.readIndex(this.contexts);
  }

  private answeredRead(node: TestNode, context: number, confirmed: boolean, index: number): void {
    const asked = this.reads.get(context);
    if (asked === undefined) throw new Error(`read ${context} of ${node.id} was answered twice`);
    this.reads.delete(context);
    if (!confirmed) return;
    this.saw(this.isLazy ? "read confirmed in a lazy schedule" : "read confirmed");
    if (index < asked.known)
      throw new Error(`stale read at ${index}, ${asked.known} was applied before`);
  }

  private breakLink(): void {
    const a = this.nodes[this.random.below(this.nodes.length)];
    const b = this.nodes[this.random.below(this.nodes.length)];
    if (a === undefined || b === undefined || a === b) return;
    this.flight = this.flight.filter(
      m => !((m.from === a.id && m.to === b.id) || (m.from === b.id && m.to === a.id)),
    );
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (!one.up) continue;
      one.raft.linkReset(other.id);
      one.take();
    }
  }

  private crash(node: TestNode): void {
    this.saw("crash");
    // Nobody waits for its answers any more.
    for (const [context, asked] of this.reads)
      if (asked.node === node.id) this.reads.delete(context);
    node.crash(this.random.below(node.writes.length + 1));
  }

  private transferSome(): void {
    const transfer = this.snapshots.shift();
    if (transfer !== undefined) this.transfer(transfer, this.random.below(4) > 0);
  }

  private transfer(t: { from: TestNode; to: TestNode; sentIn: Term }, ok: boolean): void {
    const { from, to, sentIn } = t;
    if (!from.up) return;
    from.takeSnapshot();
    const delivered = ok && to.up;
    if (delivered) to.receive(from.snapshot, from.id, sentIn);
    from.raft.snapshotSent(to.id, delivered);
    from.take();
  }

  private handOver(node: TestNode): void {
    const to = node.raft.bestSuccessor();
    if (to !== null && this.random.below(3) === 0) node.raft.transferLeadership(to);
  }

  /** Some change of members: mostly legal ones. */
  private change(node: TestNode): void {
    const { members } = node.raft.configuration;
    const of = (role: string): NodeId[] =>
      members.flatMap(member => (member.role === role ? [member.id] : []));
    const pick = (ids: readonly NodeId[]): NodeId[] => {
      const id = ids[this.random.below(ids.length || 1)];
      return id === undefined || this.random.below(2) === 0 ? [] : [id];
    };
    const learners = of("learner");
    const fresh = this.nodes.length < MOST_NODES && learners.length === 0;
    const add = fresh ? voters([this.nodes.length + 1]).members : [];
    const remove = members.length > 2 ? pick([...of("voter"), ...learners]) : [];
    const demote = members.length > 3 && this.random.below(4) === 0 ? pick(of("voter")) : [];
    const promote = pick(learners).filter(id => !remove.includes(id));
    const change = { add, remove, promote, demote: demote.filter(id => !remove.includes(id)) };
    const outcome = node.raft.changeMembership(change);
    if (typeof outcome === "string") return;
    this.saw(isJoint(node.raft.configuration) ? "joint change" : "simple change");
    if (remove.includes(node.id)) this.saw("leader removes itself");
    if (add.length > 0) this.join(node.raft.configuration);
    node.take();
  }

  private send(message: Message): void {
    this.flight.push(message);
  }

  private node(id: NodeId): TestNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  private saw(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }

  /** Election safety, and leader completeness at the moment of election. */
  private elected(node: TestNode): void {
    this.saw("election");
    const { term } = node.raft;
    const other = this.leaders.get(term);
    if (other !== undefined && other !== node.id) {
      throw new Error(`election safety: ${other} and ${node.id} both lead term ${term}`);
    }
    this.leaders.set(term, node.id);
    const { baseIndex, lastIndex } = node.raft.status();
    if (lastIndex < this.committed.length) {
      throw new Error(`leader completeness: ${node.id} lacks ${this.committed.length}`);
    }
    for (let i = baseIndex + 1; i <= this.committed.length; i++) {
      if (node.raft.termAt(logIndex(i)) !== this.committed[i - 1]?.term) {
        throw new Error(`leader completeness: ${node.id} has another entry at ${i}`);
      }
    }
  }

  private applied(node: TestNode, entry: Entry): void {
    const { index, term, payload } = entry;
    this.agrees(node, index, { index, term, text: textOf(payload) });
    if (entry.kind === ENTRY_KIND.configuration) this.saw("configuration applied");
    if (node.state.length !== entry.index) throw new Error(`${node.id} skipped an entry`);
  }

  /** State machine safety: what one node applied, all apply. */
  private agrees(node: TestNode, index: number, { term, text }: Applied): void {
    const known = this.committed[index - 1];
    if (known === undefined) {
      if (index !== this.committed.length + 1) throw new Error(`committed out of order: ${index}`);
      this.committed.push({ term, text });
      this.isDurable(node.raft.configuration, logIndex(index), term);
    } else if (known.term !== term || known.text !== text) {
      throw new Error(`state machines differ at ${index}: ${known.text} and ${text}`);
    }
  }

  /** Committed is durable on every majority that counts, when it is first applied anywhere. */
  private isDurable(configuration: Configuration, index: LogIndex, term: Term): void {
    const holds = (id: NodeId): boolean => {
      const node = this.nodes[id - 1];
      if (node === undefined) return false;
      const isIt = (entry: Entry): boolean => entry.index === index && entry.term === term;
      return node.snapshot.metadata.index >= index || node.entries.some(isIt);
    };
    const incoming = configuration.members.flatMap(m => (m.role === "voter" ? [m.id] : []));
    for (const half of [incoming, configuration.outgoingVoters]) {
      if (half.length > 0 && half.filter(holds).length * 2 <= half.length) {
        throw new Error(`${index} is committed, not durable`);
      }
    }
  }

  /** Log matching: two logs with the same term at a place are the same up to there. */
  private check(): void {
    for (const a of this.nodes) {
      for (const b of this.nodes) if (a.id < b.id && a.up && b.up) matches(a, b);
    }
  }
}

function matches(a: TestNode, b: TestNode): void {
  const from = Math.max(a.raft.status().baseIndex, b.raft.status().baseIndex);
  let same = false;
  const to = Math.min(a.raft.status().lastIndex, b.raft.status().lastIndex);
  for (let i = to; i > from; i--) {
    const equal = a.raft.termAt(logIndex(i)) === b.raft.termAt(logIndex(i));
    if (same && !equal) throw new Error(`log matching: ${a.id} and ${b.id} differ at ${i}`);
    same ||= equal;
  }
}
