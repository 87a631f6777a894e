/**
 * The language of testdata/*.txt: a cluster of Rafts in one thread, and commands that move it.
 * Nothing happens by itself: messages stay on their link until delivered, writes stay undurable
 * until persisted. `stabilize` does both until nothing is left to do.
 *
 *   nodes 3 [learners=4,5] [outgoing=1,2] [option=value …]    a fresh cluster
 *   tick 1 30            30 ticks of node 1 (of everyone: `tick all 30`)
 *   campaign 1           node 1 asks for a pre-vote now
 *   propose 1 a b        one turn of proposals
 *   persist 1 [n]        the (n oldest) writes of node 1 become durable
 *   deliver 1->2 [n]     the (n oldest) messages from 1 to 2 arrive; `deliver all` once around
 *   drop, duplicate, reverse 1->2     what is on that link is lost, doubled, turned around
 *   partition 1 2 | 3    what is sent between the sides is lost from now on; `heal` ends it
 *   link-reset 1 2       the link breaks: what is on it is lost, both ends are told
 *   link-up 1 2          both ends are told that there is a link again
 *   unreachable 1 2      node 1 is told that it has no link to 2
 *   crash 1 [n]          node 1 is gone; n of its writes under way survived; `restart 1`
 *   read 1 7 8, confirm 1 7 (several in one turn), transfer 1 2, compact 1 5, snapshot 1
 *   change 1 add=4,5 promote=4 demote=2 remove=3   node 1 begins a change of members
 *   join 4 by 1          node 4 starts empty, with the configuration that node 1 has now
 *   members 1            the configuration in force at node 1
 *   send-snapshot 1->2, lose-snapshot 1->2     carry out, or fail, a snapshot that 1 asked for
 *   stabilize [1 2]      (only these nodes) until quiet
 *   status, log 1, followers 1
 *   quiet, loud          messages are not printed, or are
 */
import { logIndex, type NodeId, nodeId } from "../../src/base/ids.js";
import { DEFAULT_RAFT_OPTIONS, type RaftOptions, type ReadState } from "../../src/raft/index.js";
import {
  type Configuration,
  decodeConfiguration,
  ENTRY_KIND,
  type Entry,
  type Message,
} from "../../src/raft/message/index.js";
import { bytesOf, seededRandom, TestNode, textOf, voters } from "./node.js";

type Command = (words: readonly string[]) => void;

export class Script {
  private nodes = new Map<number, TestNode>();
  private links = new Map<string, Message[]>();
  private cut = new Set<string>();
  private requested = new Set<string>();
  private lines: string[] = [];
  private loud = true;
  private draws: number[] = [];
  private options: RaftOptions = DEFAULT_RAFT_OPTIONS;

  /** Runs one block of commands; what happened, a line each. */
  run(commands: readonly string[]): string[] {
    this.lines = [];
    for (const line of commands) {
      const [name = "", ...words] = line.trim().split(/\s+/);
      const command = this.commands[name];
      if (command === undefined) throw new Error(`no such command: ${line}`);
      command(words);
    }
    return this.lines.length > 0 ? this.lines : ["ok"];
  }

  private readonly commands: Readonly<Record<string, Command>> = {
    nodes: words => this.create(words),
    draws: words => this.draws.push(...words.map(Number)),
    tick: ([who = "", count = "1"]) => {
      for (let i = Number(count); i > 0; i--) {
        for (const node of who === "all" ? this.alive : [this.node(who)]) {
          node.raft.tick();
          node.take();
        }
      }
    },
    campaign: ([who]) => this.on(who, node => node.raft.campaign()),
    propose: ([who, ...texts]) =>
      this.on(who, node => {
        const outcome = node.raft.propose(texts.map(bytesOf));
        this.say(
          typeof outcome === "string"
            ? `${who} refuses: ${outcome}`
            : `${who} appends ${texts.join(" ")} at ${outcome.index} in term ${outcome.term}`,
        );
      }),
    persist: ([who, count]) => this.node(who).persist(count === undefined ? undefined : +count),
    deliver: ([link = "", count]) => {
      if (link === "all") for (const key of this.busyLinks) this.deliver(key, undefined);
      else this.deliver(link, count === undefined ? undefined : +count);
    },
    drop: ([link = ""]) => this.links.set(link, []),
    duplicate: ([link = ""]) => this.links.set(link, [...this.on_(link), ...this.on_(link)]),
    reverse: ([link = ""]) => void this.on_(link).reverse(),
    partition: words => this.partition(words.join(" ")),
    heal: () => this.cut.clear(),
    "link-reset": ([a = "", b = ""]) => this.resetLink(a, b),
    "link-up": ([a = "", b = ""]) => {
      this.on(a, node => node.raft.linkUp(nodeId(+b)));
      this.on(b, node => node.raft.linkUp(nodeId(+a)));
    },
    unreachable: ([a, b = ""]) => this.on(a, node => node.raft.unreachable(nodeId(+b))),
    crash: ([who = "", surviving = "0"]) => {
      this.node(who).crash(+surviving);
      for (const key of this.links.keys()) {
        if (key.startsWith(`${who}->`) || key.endsWith(`->${who}`)) this.links.set(key, []);
      }
    },
    restart: ([who]) => {
      this.node(who).start();
      this.node(who).take();
    },
    read: ([who, ...contexts]) =>
      this.on(who, node => {
        for (const context of contexts) node.raft.readIndex(+context);
      }),
    confirm: ([who, ...contexts]) =>
      this.on(who, node => {
        for (const context of contexts) node.raft.confirmLeadership(+context);
      }),
    transfer: ([who, to = ""]) =>
      this.on(who, node => {
        const target = to === "best" ? node.raft.bestSuccessor() : nodeId(+to);
        const refusal = target === null ? "no successor" : node.raft.transferLeadership(target);
        this.say(
          refusal === null ? `${who} hands over to ${target}` : `${who} refuses: ${refusal}`,
        );
      }),
    change: ([who, ...words]) => this.on(who, node => this.change(node, words)),
    join: ([who, , by]) => {
      this.addNode(Number(who), this.node(by).raft.configuration, this.options);
    },
    members: ([who]) => this.say(`${who}: ${describeMembers(this.node(who).raft.configuration)}`),
    compact: ([who, index = ""]) => this.on(who, node => node.raft.compact(logIndex(+index))),
    snapshot: ([who]) => {
      this.node(who).takeSnapshot();
      this.say(`${who} has a snapshot at ${this.node(who).snapshot.metadata.index}`);
    },
    "send-snapshot": ([link = ""]) => this.sendSnapshot(link, true),
    "lose-snapshot": ([link = ""]) => this.sendSnapshot(link, false),
    stabilize: words => this.stabilize(words.map(Number)),
    status: () => this.status(),
    followers: ([who]) => {
      for (const f of this.node(who).raft.followers()) {
        const link = f.reachable ? "" : " unreachable";
        this.say(`${who}'s view of ${f.id}: ${f.state} match ${f.match} next ${f.next}${link}`);
      }
    },
    log: ([who]) => this.say(`${who}: ${describeLog(this.node(who))}`),
    quiet: () => {
      this.loud = false;
    },
    loud: () => {
      this.loud = true;
    },
  };

  private create(words: readonly string[]): void {
    this.nodes = new Map();
    this.links = new Map();
    this.cut = new Set();
    this.requested = new Set();
    const count = Number(words[0]);
    const settings = new Map(words.slice(1).map(word => word.split("=") as [string, string]));
    const ids = (key: string): number[] =>
      settings.get(key)?.split(",").filter(Boolean).map(Number) ?? [];
    const learners = ids("learners");
    const all = Array.from({ length: count }, (_, i) => i + 1);
    const base = voters(
      all.filter(id => !learners.includes(id)),
      learners,
    );
    const configuration: Configuration = { ...base, outgoingVoters: ids("outgoing").map(nodeId) };
    const options: Record<string, number> = { ...DEFAULT_RAFT_OPTIONS };
    for (const [key, value] of settings) if (key in options) options[key] = Number(value);
    this.options = options as unknown as RaftOptions;
    for (const id of all) this.addNode(id, configuration, this.options);
  }

  private change(node: TestNode, words: readonly string[]): void {
    const lists = new Map(words.map(word => word.split("=") as [string, string]));
    const ids = (key: string): NodeId[] =>
      (lists.get(key)?.split(",") ?? []).map(id => nodeId(Number(id)));
    const add = ids("add").flatMap(id => voters([id]).members);
    const outcome = node.raft.changeMembership({
      add,
      promote: ids("promote"),
      demote: ids("demote"),
      remove: ids("remove"),
    });
    if (typeof outcome === "string") this.say(`${node.id} refuses: ${outcome}`);
    else this.say(`${node.id} begins a change at ${outcome.index} in term ${outcome.term}`);
  }

  private addNode(id: number, configuration: Configuration, options: RaftOptions): void {
    const seeded = seededRandom(id);
    const random = {
      below: (b: number) => (b < 100 ? (this.draws.shift() ?? seeded.below(b)) : 0),
    };
    const node = new TestNode(nodeId(id), configuration, options, random, {
      send: message => this.send(message),
      took: (from, ready) => {
        const { leadership, snapshot } = ready;
        const { role } = from.raft;
        if (leadership !== null) {
          const leader = leadership.leader === null ? "no leader" : `leader ${leadership.leader}`;
          this.say(`${id} is ${role} in term ${leadership.term}, ${leader}`);
        }
        if (snapshot !== null) this.say(`${id} installs the snapshot at ${snapshot.index}`);
        if (ready.cutFrom !== null) this.say(`${id} cuts its log from ${ready.cutFrom}`);
        for (const { to, atLeast } of ready.snapshotRequests) {
          this.requested.add(`${id}->${to}`);
          this.say(`${id} wants to send ${to} a snapshot, at least at ${atLeast}`);
        }
      },
      applied: (_, entry) =>
        this.say(`${id} applies ${entry.index}:${entry.term} ${describeEntry(entry)}`),
      read: (_, state) => this.sayRead(id, "read", state),
      confirmation: (_, state) => this.sayRead(id, "confirmation", state),
    });
    this.nodes.set(id, node);
    node.start();
  }

  private sayRead(id: number, what: string, state: ReadState): void {
    const { context, confirmed, term, index } = state;
    const outcome = confirmed ? `confirmed in term ${term} at index ${index}` : "failed";
    this.say(`${id}: ${what} ${context} ${outcome}`);
  }

  private say(line: string): void {
    this.lines.push(line);
  }

  private node(who: string | undefined): TestNode {
    const node = this.nodes.get(Number(who));
    if (node === undefined) throw new Error(`no such node: ${who}`);
    return node;
  }

  private on(who: string | undefined, act: (node: TestNode) => void): void {
    const node = this.node(who);
    if (!node.up) return;
    act(node);
    node.take();
  }

  private get alive(): TestNode[] {
    return [...this.nodes.values()].filter(node => node.up);
  }

  private on_(link: string): Message[] {
    return this.links.get(link) ?? [];
  }

  private get busyLinks(): string[] {
    return [...this.links.keys()].filter(key => this.on_(key).length > 0).sort();
  }

  private send(message: Message): void {
    const key = `${message.from}->${message.to}`;
    if (this.loud) this.say(`  ${key} ${describe(message)}`);
    if (this.cut.has(key)) return;
    const queue = this.links.get(key);
    if (queue === undefined) this.links.set(key, [message]);
    else queue.push(message);
  }

  private deliver(key: string, count: number | undefined): void {
    // Who is a member and has not joined yet hears nothing.
    const node = this.nodes.get(Number(key.split("->")[1]));
    const queue = this.on_(key);
    for (const message of queue.splice(0, count ?? queue.length)) {
      if (node?.up !== true) continue;
      node.raft.step(message);
      node.take();
    }
  }

  private partition(text: string): void {
    const sides = text.split("|").map(side => side.trim().split(/\s+/));
    for (const [i, side] of sides.entries()) {
      for (const [j, other] of sides.entries()) {
        if (i === j) continue;
        for (const a of side) {
          for (const b of other) {
            this.cut.add(`${a}->${b}`);
            this.links.set(`${a}->${b}`, []);
          }
        }
      }
    }
  }

  private resetLink(a: string, b: string): void {
    this.links.set(`${a}->${b}`, []);
    this.links.set(`${b}->${a}`, []);
    this.on(a, node => node.raft.linkReset(nodeId(+b)));
    this.on(b, node => node.raft.linkReset(nodeId(+a)));
  }

  private sendSnapshot(link: string, ok: boolean): void {
    const [from = "", to = ""] = link.split("->");
    const source = this.node(from);
    if (!this.requested.delete(link)) throw new Error(`${from} did not ask for it`);
    if (ok) {
      source.takeSnapshot();
      this.node(to).receive(source.snapshot, source.id, source.raft.term);
    }
    this.on(from, node => node.raft.snapshotSent(nodeId(+to) as NodeId, ok));
  }

  private stabilize(only: readonly number[]): void {
    const concerned = (id: number): boolean => only.length === 0 || only.includes(id);
    for (let round = 0; round < 1000; round++) {
      let busy = false;
      for (const node of this.alive) {
        if (!concerned(node.id) || node.writes.length === 0) continue;
        busy = true;
        node.persist();
      }
      for (const key of this.busyLinks) {
        const [from, to] = key.split("->").map(Number);
        if (!concerned(from ?? 0) || !concerned(to ?? 0)) continue;
        busy = true;
        this.deliver(key, undefined);
      }
      if (!busy) return;
    }
    throw new Error("does not come to rest");
  }

  private status(): void {
    for (const node of this.nodes.values()) {
      if (!node.up) {
        this.say(`${node.id}: down`);
        continue;
      }
      const s = node.raft.status();
      const leader = s.leader ?? "-";
      this.say(
        `${s.id}: ${s.role} term ${s.term} leader ${leader} commit ${s.committed} last ${s.lastIndex}`,
      );
    }
  }
}

function describeEntry({ kind, payload }: Entry): string {
  if (kind === ENTRY_KIND.normal) return textOf(payload) || "(empty)";
  return `members ${describeMembers(decodeConfiguration(payload))}`;
}

/** `1 2 3, leaving 4, learners 5, before 1 2 4`: who votes, and in a joint one who did. */
function describeMembers({ members, outgoingVoters }: Configuration): string {
  const of = (role: string): string =>
    members.flatMap(member => (member.role === role ? [member.id] : [])).join(" ");
  const parts = [of("voter")];
  if (of("leaving") !== "") parts.push(`leaving ${of("leaving")}`);
  if (of("learner") !== "") parts.push(`learners ${of("learner")}`);
  if (outgoingVoters.length > 0) parts.push(`before ${outgoingVoters.join(" ")}`);
  return parts.join(", ");
}

function describeLog(node: TestNode): string {
  const { baseIndex, lastIndex, committed } = node.raft.status();
  const parts = [`base ${baseIndex}:${node.raft.termAt(baseIndex)}`];
  for (let i = baseIndex + 1; i <= lastIndex; i++) {
    const mark = i <= committed ? "" : "?";
    parts.push(`${i}:${node.raft.termAt(logIndex(i))}${mark}`);
  }
  return parts.join(" ");
}

function describe(m: Message): string {
  switch (m.type) {
    case "pre-vote":
    case "vote": {
      const forced = m.type === "vote" && m.forced ? " forced" : "";
      return `${m.type} term ${m.term} last ${m.lastIndex}:${m.lastTerm}${forced}`;
    }
    case "pre-vote-reply":
    case "vote-reply":
      return `${m.type} term ${m.term} ${m.granted ? "granted" : "refused"}`;
    case "append": {
      const entries = m.entries.map(e => `${e.index}:${e.term}`).join(" ");
      return `append term ${m.term} after ${m.previousIndex}:${m.previousTerm} commit ${m.commit} [${entries}]`;
    }
    case "append-reply":
      return m.rejected
        ? `append-reply term ${m.term} refused after ${m.index}, hint ${m.hintIndex}:${m.hintTerm}`
        : `append-reply term ${m.term} holds ${m.index}`;
    case "heartbeat":
      return `heartbeat term ${m.term} commit ${m.commit}:${m.commitTerm} round ${m.round}`;
    case "heartbeat-reply":
      return `heartbeat-reply term ${m.term} round ${m.round}`;
    case "commit":
      return `commit term ${m.term} ${m.commit}:${m.commitTerm}`;
    case "read":
      return `read term ${m.term} batch ${m.batch}`;
    case "read-reply":
      return `read-reply term ${m.term} batch ${m.batch} ${m.confirmed ? `index ${m.index}` : "failed"}`;
    case "timeout-now":
      return `timeout-now term ${m.term}`;
    case "snapshot":
      return `snapshot ${m.metadata.index}:${m.metadata.term}`;
  }
}
