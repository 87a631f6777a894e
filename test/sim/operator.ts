/**
 * Somebody who changes the members while clients work and faults strike: adds, promotes, removes,
 * replaces, gives a member an empty disk, hands leadership over; through any node as over HTTP, or
 * at the leader's log itself. One at a time, as operators should. Takes care that no two changes
 * that he does not know the end of could lose data, and of nothing else. In the end he must be
 * answered. What he is told goes to the roster, which judges it.
 */
import { formatNodeId, nodeId } from "../../src/base/ids.js";
import { randomStream, type SeededRandom } from "../../src/base/random.js";
import type { ChangeOutcome, MemberChange } from "../../src/log/port/index.js";
import { MEMBER_ROLE, type Member } from "../../src/raft/message/index.js";
import { SimClient } from "./client.js";
import type { SimCluster } from "./cluster.js";
import type { PlainCall } from "./doors.js";
import type { SimNode } from "./node.js";
import type { Plan } from "./plain.js";
import { sometimes } from "./sometimes.js";

const ONE_IN = 3;
/** Stories that tell of three nodes, take a disk away or change members themselves. */
const ALONE: readonly (Plan | null)[] = [
  ...["emptyDisk", "figureEight", "doubleVote", "hastyCandidate", "lonelyCopy"],
  ...["lonelyChange", "lonelyFarewell"],
] as const;
const SPARES = ["n4", "n5", "n6", "n7"];
const MOST_VOTERS = 5;
const MOST_MEMBERS = 6;
const PEER_PORT = 2380;
const ANSWER_MS = 6_000;
/** A change is tried so often while it is refused for a reason that passes. */
const TRIES = 12;
const RETRY_MS = 150;
const LAST_TRIES = 200;
/** In entries: so little at once, and so few behind. */
const NARROW = 2;
const NARROW_LAG = 12;
/** What stands still when all is healed may cost one answer, but not one after the other. */
const MOST_UNKNOWN = 1;

/** Refusals that another time may pass. */
const PASSES = ["CHANGE_PENDING", "LEARNER_BEHIND", "UNAVAILABLE", "NO_QUORUM", "OVERLOADED"];
const LAST_PASSES = [...PASSES, "WOULD_LOSE_QUORUM", "OUTCOME_UNKNOWN", "unknown"];
/** After so long all that was healed is well, and a leader that is asked knows the answer. */
const CALM_MS = 3_000;

/** The log's refusals as the other door names them. */
const CODES: Readonly<Record<string, string>> = {
  "change-pending": "CHANGE_PENDING",
  "learner-behind": "LEARNER_BEHIND",
  "not-leader": "UNAVAILABLE",
  "no-quorum": "NO_QUORUM",
  overloaded: "OVERLOADED",
  "would-lose-quorum": "WOULD_LOSE_QUORUM",
  unknown: "OUTCOME_UNKNOWN",
};

type Wish =
  | { readonly kind: "add"; readonly name: string }
  | { readonly kind: "promote"; readonly id: number; readonly replacing: number | null }
  | { readonly kind: "remove"; readonly id: number };

export class Operator {
  readonly #cluster: SimCluster;
  readonly #random: SeededRandom;
  readonly isOn: boolean;
  /** Nodes may be killed. */
  readonly #harms: () => boolean;
  readonly #paceMs: number;
  #me: SimClient | null = null;
  #isOver = false;
  #isDone = true;
  readonly counts = new Map<string, number>();

  constructor(cluster: SimCluster, plan: Plan | null, harms: () => boolean, isOn?: boolean) {
    this.#cluster = cluster;
    this.#harms = harms;
    this.#random = randomStream(cluster.seed, "operator");
    const isDrawn = this.#random.below(ONE_IN) === 0 && !ALONE.includes(plan);
    this.isOn = isOn ?? isDrawn;
    this.#paceMs = [100, 400, 1_500][this.#random.below(3)] ?? 400;
    if (this.isOn) cluster.spareNames = SPARES;
  }

  start(): void {
    if (!this.isOn) return;
    this.#isDone = false;
    this.#me = new SimClient(this.#cluster, "operator1", 1, {});
    this.#cluster.note(`operator1 changes members every ${this.#paceMs} ms or so`);
    this.#work(this.#me).then(
      () => {
        this.#isDone = true;
      },
      error => {
        this.#cluster.failure ??= error;
      },
    );
  }

  /** All is healed: one last change, and no more. */
  finish(): void {
    this.#isOver = true;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whoever is no member is switched off. */
  retire(): void {
    const { nodes, roster } = this.#cluster;
    for (const node of nodes) if (node.isUp && !roster.isMember(node)) node.kill();
    this.#me?.die();
  }

  async #work(me: SimClient): Promise<void> {
    while (!this.#isOver) {
      await me.sleep(1 + this.#random.below(2 * this.#paceMs));
      if (!this.#isOver) await this.#act(me);
    }
    await this.#last(me);
  }

  async #act(me: SimClient): Promise<void> {
    const { roster } = this.#cluster;
    if (roster.current === null) return;
    const acts = [
      () => this.#add(me),
      () => this.#add(me),
      () => this.#promote(me),
      () => this.#promote(me),
      () => this.#promote(me),
      () => this.#remove(me),
      () => this.#replace(me),
      () => this.#bringBackAnew(me),
      () => this.#changeLeaderBehind(me),
      () => this.#transfer(me),
    ];
    await this.#pick(acts)?.();
  }

  // What he does.

  async #add(me: SimClient): Promise<void> {
    const { roster, nodes } = this.#cluster;
    if (roster.members.length >= MOST_MEMBERS) return;
    const isFree = (name: string): boolean => roster.members.every(one => one.name !== name);
    const known = nodes.filter(node => !node.isForgetful).map(({ name }) => name);
    const name = this.#pick([...new Set([...known, ...SPARES])].filter(isFree));
    if (name === undefined) return;
    await this.#addAs(me, name, this.#pick(["before", "now", "now", "later", "never"]) as string);
  }

  async #addAs(me: SimClient, name: string, starts: string): Promise<void> {
    const node = this.#emptied(name);
    if (starts === "before") {
      this.#start(node);
      await me.sleep(this.#random.below(800));
    }
    const wish: Wish = { kind: "add", name };
    if ((await this.#try(me, wish, TRIES)) !== "done") return;
    if (starts === "later") await me.sleep(this.#random.below(3_000));
    if (starts !== "never") this.#start(node);
  }

  async #promote(me: SimClient): Promise<void> {
    if (this.#voters().length >= MOST_VOTERS) return;
    const learner = this.#pick(this.#of(MEMBER_ROLE.learner));
    if (learner === undefined) return;
    await this.#try(me, { kind: "promote", id: learner.id, replacing: null }, TRIES);
  }

  async #remove(me: SimClient): Promise<void> {
    const voters = this.#voters();
    const learners = this.#of(MEMBER_ROLE.learner);
    const member = this.#pick(voters.length > 1 ? [...voters, ...voters, ...learners] : learners);
    if (member === undefined) return;
    await this.#try(me, { kind: "remove", id: member.id }, 3);
  }

  /** One that is down, if there is one, by one that learns. */
  async #replace(me: SimClient): Promise<void> {
    const learner = this.#pick(this.#of(MEMBER_ROLE.learner));
    const voters = this.#voters();
    const down = voters.filter(({ name }) => this.#nodeOf(name)?.isUp !== true);
    const goes = this.#pick(down.length > 0 ? down : voters);
    if (learner === undefined || goes === undefined) return;
    await this.#try(me, { kind: "promote", id: learner.id, replacing: goes.id }, TRIES);
  }

  /** A voter dies, is removed, and comes back under its name on an empty disk. */
  async #bringBackAnew(me: SimClient): Promise<void> {
    const voters = this.#voters();
    const goes = this.#pick(voters);
    const node = goes === undefined ? null : this.#nodeOf(goes.name);
    if (goes === undefined || node === null || voters.length < 3 || node.isForgetful) return;
    if (node.isUp && !node.stopping && this.#harms()) {
      this.#cluster.note(`kill ${node.name}`);
      node.kill();
    }
    if ((await this.#try(me, { kind: "remove", id: goes.id }, TRIES)) !== "done") return;
    await this.#addAs(me, goes.name, "now");
    const again = this.#cluster.roster.members.find(({ name }) => name === goes.name);
    if (again === undefined) return;
    await this.#try(me, { kind: "promote", id: again.id, replacing: null }, TRIES);
  }

  /** A voter is down while another one is added, and leads: it has never heard of its leader. */
  async #changeLeaderBehind(me: SimClient): Promise<void> {
    const voters = this.#voters();
    const away = this.#pick(voters.filter(({ name }) => name !== this.#leader()?.name));
    const node = away === undefined ? null : this.#nodeOf(away.name);
    const { members } = this.#cluster.roster;
    const name = this.#pick(SPARES.filter(one => members.every(member => member.name !== one)));
    if (node === null || name === undefined || voters.length < 3 || !this.#harms()) return;
    if (!node.isUp || node.stopping || voters.length >= MOST_VOTERS) return;
    this.#cluster.note(`kill ${node.name}`);
    node.kill();
    await this.#addAs(me, name, "now");
    const added = this.#of(MEMBER_ROLE.learner).find(one => one.name === name);
    if (added !== undefined)
      await this.#try(me, { kind: "promote", id: added.id, replacing: null }, 2 * TRIES);
    for (let tries = 0; tries < TRIES && !(await this.#transfer(me, name)); tries += 1)
      await me.sleep(RETRY_MS);
    this.#start(node);
  }

  async #transfer(
    me: SimClient,
    to = this.#random.below(2) === 0 ? undefined : this.#pick(this.#voters())?.name,
  ): Promise<boolean> {
    const before = this.#leader()?.name ?? null;
    const params = to === undefined ? {} : { to };
    const outcome = await this.#plain(me, { op: "cluster.transfer", params });
    const isDone = outcome === "done";
    if (isDone && before !== null && this.#leader()?.name !== before)
      sometimes("leadership transferred on request");
    this.#count(`transfer ${outcome}`);
    return isDone;
  }

  /** All is well now: what he asks for must be done. */
  async #last(me: SimClient): Promise<void> {
    const what = this.#random.below(3);
    const voters = this.#voters();
    if (what === 0 || voters.length < 2) return;
    await me.sleep(CALM_MS);
    let unknown = 0;
    let last = "";
    for (let tries = 0; tries < LAST_TRIES; tries += 1) {
      const leader = this.#leader();
      const member = this.#voters().find(({ name }) => name === leader?.name);
      if (what === 1 && (await this.#transfer(me))) return;
      if (what === 2 && this.#voters().length < 2) return;
      if (what === 2 && leader !== null && member !== undefined) {
        const outcome = await this.#ask(me, { kind: "remove", id: member.id }, leader);
        if (outcome === "done") return;
        last = outcome;
        if (isUnknown(outcome)) unknown += 1;
        if (unknown > MOST_UNKNOWN)
          this.#cluster.truth.fail("nobody can tell what became of the operator's last change");
        if (!LAST_PASSES.includes(outcome) && outcome !== "NO_SUCH_MEMBER")
          this.#cluster.truth.fail(`the operator's last change is refused: ${outcome}`);
      }
      await me.sleep(RETRY_MS);
    }
    if (last === "WOULD_LOSE_QUORUM" && this.#isJustOutrun()) return;
    this.#cluster.truth.fail("never came: an end of the operator's last change");
  }

  // How he asks.

  async #try(me: SimClient, wish: Wish, tries: number): Promise<string> {
    let outcome = "";
    for (let left = tries; left > 0; left -= 1) {
      outcome = await this.#ask(me, wish);
      if (!PASSES.includes(outcome) || (this.#isOver && tries > 1)) break;
      await me.sleep(RETRY_MS + this.#random.below(RETRY_MS));
    }
    return outcome;
  }

  /** `leader`: at its own log; null: through any node. */
  async #ask(
    me: SimClient,
    wish: Wish,
    leader = this.#random.below(4) === 0 ? this.#leader() : null,
  ): Promise<string> {
    const takesOut = wish.kind === "remove" || (wish.kind === "promote" && wish.replacing !== null);
    if (takesOut) this.#cluster.truth.someWereRemoved = true;
    const outcome =
      leader === null ? await this.#plain(me, callOf(wish)) : await this.#direct(me, leader, wish);
    this.#count(`${wish.kind} ${outcome}`);
    if (outcome === "WOULD_LOSE_QUORUM")
      sometimes("a change refused because the quorum would be lost");
    this.#cluster.note(`operator1 ${wish.kind} ${JSON.stringify(wish)}: ${outcome}`);
    if (outcome === "done" || isUnknown(outcome))
      for (const change of changesOf(wish))
        this.#cluster.roster.answered(change, outcome === "done" ? "done" : "unknown");
    return outcome;
  }

  /** As over HTTP: "done", a code, or "unknown" when no answer came. */
  async #plain(me: SimClient, call: PlainCall): Promise<string> {
    const up = this.#cluster.nodes.filter(({ isUp }) => isUp);
    const node = this.#pick(up);
    if (node === undefined) return "UNAVAILABLE";
    const outcome = await me.plainCall(node.name, call, ANSWER_MS);
    if (outcome === null) return "unknown";
    return outcome.ok ? "done" : outcome.failure.code;
  }

  /** At the log itself. A process that ends in between answers nothing. */
  #direct(me: SimClient, node: SimNode, wish: Wish): Promise<string> {
    const { process, log } = node;
    return new Promise(resolve => {
      const cancel = me.process.after(ANSWER_MS, () => resolve("unknown"));
      process.enter(() =>
        log?.changeMembers(changeOf(wish), (outcome: ChangeOutcome) => {
          cancel();
          const refusal = outcome.ok ? "done" : (CODES[outcome.refusal] ?? outcome.refusal);
          // In the operator's own time, as an answer over a network would be.
          me.process.after(0, () => resolve(refusal));
        }),
      );
    });
  }

  // What he knows.

  #of(role: Member["role"]): readonly Member[] {
    return this.#cluster.roster.members.filter(member => member.role === role);
  }

  #voters(): readonly Member[] {
    return this.#of(MEMBER_ROLE.voter);
  }

  /** All voters lag a little, since clients outrun them through a narrow window: none counts then. */
  #isJustOutrun(): boolean {
    const lasts = this.#voters().map(
      ({ name }) => this.#nodeOf(name)?.log?.status().lastIndex ?? 0,
    );
    const lag = Math.max(...lasts) - Math.min(...lasts);
    return this.#cluster.drawn.windowEntries <= NARROW && lag <= NARROW_LAG;
  }

  #leader(): SimNode | null {
    return this.#cluster.nodes.find(node => node.isUp && node.serves) ?? null;
  }

  #nodeOf(name: string): SimNode | null {
    return this.#cluster.nodes.find(node => node.name === name) ?? null;
  }

  /** A node of that name that is down and knows nothing, to be started. */
  #emptied(name: string): SimNode {
    const asks = this.#random.below(2) === 0 ? this.#memberNames() : this.#cluster.namesTried;
    const node = this.#nodeOf(name) ?? this.#cluster.newcomer(name);
    if (node.isUp) node.kill();
    this.#cluster.note(`empty disk for ${name}`);
    node.wipe([...new Set([...asks, name])]);
    return node;
  }

  #memberNames(): readonly string[] {
    return this.#cluster.roster.members.map(({ name }) => name);
  }

  #start(node: SimNode): void {
    if (node.isUp) return;
    this.#cluster.note(`start ${node.name}`);
    node.start();
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#random.below(Math.max(1, from.length))];
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

const isUnknown = (outcome: string): boolean =>
  outcome === "unknown" || outcome === "OUTCOME_UNKNOWN";

const urlsOf = (name: string): readonly string[] => [`http://${name}:${PEER_PORT}`];
const idText = (id: number): string => formatNodeId(nodeId(id));

function callOf(wish: Wish): PlainCall {
  switch (wish.kind) {
    case "add":
      return { op: "cluster.add", params: { name: wish.name, peerUrls: urlsOf(wish.name) } };
    case "remove":
      return { op: "cluster.remove", params: { member: idText(wish.id) } };
    case "promote": {
      const { id, replacing } = wish;
      const others = replacing === null ? {} : { replacing: idText(replacing) };
      return { op: "cluster.promote", params: { member: idText(id), ...others } };
    }
  }
}

function changeOf(wish: Wish): MemberChange {
  if (wish.kind === "add") return { ...wish, peerUrls: urlsOf(wish.name) };
  if (wish.kind === "remove") return { kind: "remove", member: nodeId(wish.id) };
  const { id, replacing } = wish;
  return {
    kind: "promote",
    member: nodeId(id),
    replacing: replacing === null ? null : nodeId(replacing),
  };
}

/** As the roster counts them. */
function changesOf(wish: Wish): readonly string[] {
  if (wish.kind === "add") return [`add ${wish.name}`];
  if (wish.kind === "remove") return [`remove ${wish.id}`];
  const goes = wish.replacing === null ? [] : [`remove ${wish.replacing}`];
  return [`promote ${wish.id}`, ...goes];
}
