/**
 * Deadlock: whether a request would close a circle of threads that wait for each other for ever.
 * Exact: a circle is always found, and never imagined. In a lock everyone ahead must be done first,
 * save readers among readers; in a semaphore all but `permits - 1` of them. Who stands in one line
 * only is done when those ahead of it are, and who waits for nothing is done by itself. So only the
 * entangled (`actors.ts`) are looked at, each of their entries once or a few times: their number is
 * bounded by a limit.
 */
import { assert } from "../../base/assert.js";
import type { AcquireCommand } from "../command/command.js";
import { type Refusal, refuse } from "../command/result.js";
import type { EntryMode } from "../kv/record.js";
import type { World } from "../world.js";
import { type Knot, threadOf } from "./actors.js";
import type { Line } from "./line.js";
import { permitsOf } from "./rule.js";

const MAX_SHOWN = 16;

/**
 * So many knots are looked at for the commands of one entry of the log; who asks then is refused,
 * and the last search is done to its end. Else a thousand requests within a large tangle, each of
 * which looks at all of it, would stop the state machine for minutes.
 */
const MAX_LOOKS = 20_000;
/** Of each search; most need no more. */
const FREE_LOOKS = 8;

/**
 * `DEADLOCK` with the circle's members, when this request, last in all its lines, would close one.
 * `isFree`: it would hold at once, and closes none; but if its thread waits elsewhere, it counts.
 */
export function checkCircle(
  world: World,
  command: AcquireCommand,
  names: readonly string[],
  isFree: boolean,
): Refusal | null {
  const { lease, actor = "", mode = "exclusive" } = command;
  if (typeof lease !== "string" || actor === "") {
    return isFree ? null : checkEntangled(world, names.length < 2 ? 0 : names.length);
  }
  const id = threadOf(lease, actor);
  const full = checkEntangled(world, world.actors.growth(id, names.length, !isFree));
  if (isFree || full !== null) return full;
  const knots = world.actors.of(id);
  // Most who ask: no circle leads back to one that nobody waits for who could be part of it.
  if (!knots.some(isBlocking)) return null;
  if (world.searched >= MAX_LOOKS) return refuse("STATE_FULL", { looks: MAX_LOOKS });
  // Who holds all that it asked for would be entangled: for as long as the search takes, it is.
  const loose = world.actors.isEntangled(id) ? [] : knots.filter(isBlocking);
  for (const knot of loose) knot.line.tie(knot);
  const search = new Search(world, id);
  for (const name of names) search.want(name, mode);
  const circle = search.circle();
  for (const knot of loose) knot.line.untie(knot);
  world.searched += Math.max(0, search.looks - FREE_LOOKS);
  if (circle === null) return null;
  const { waitsFor, members } = circle;
  return refuse("DEADLOCK", { members: [{ lease, actor, waitsFor }, ...members] });
}

function isBlocking({ line, place }: Knot): boolean {
  return line.isBlockingKnots(place);
}

/** What is looked at in one search is bounded by how many may be entangled at all. */
function checkEntangled(world: World, more: number): Refusal | null {
  const limit = world.limits.maxEntangledEntries;
  if (more === 0 || world.actors.entangled + more <= limit) return null;
  return refuse("STATE_FULL", { limit });
}

/** One who waits: for each line, how many of its knots are ahead and count. */
interface Wait {
  readonly file: LineFile;
  /** Only the first so many knots of the line can keep it waiting. */
  readonly behind: number;
  readonly node: Node;
}

/** A thread or request, as far as it matters to this search. */
interface Node {
  readonly id: string;
  readonly waits: Wait[];
  /** How many of its waits are not known to end. */
  pending: number;
}

/** What is known of a line. */
interface LineFile {
  readonly line: Line;
  /** So many who never leave keep whoever is behind them waiting. */
  readonly threshold: number;
  /** Its first knots, as many as have been looked at. */
  readonly knots: Knot[];
  readonly nodes: (Node | null)[];
  /** By key: which of the knots it is. */
  readonly places: Map<string, number>;
  readonly waits: Wait[];
  /** Below it stand fewer than `threshold` who are stuck; at it stands the last of so many. */
  stuckAt: number;
  /** Waits before this one, in order of `behind`, are known to end. */
  nextWait: number;
}

/** A step of the circle, as it is told. */
interface Member {
  readonly lease: string;
  readonly actor: string;
  readonly owner?: string;
  /** The key of its entry that keeps the one before it waiting. */
  readonly key: string;
  /** The line that it waits in itself; absent of the last, who is the one that asks. */
  readonly waitsFor?: string;
}

interface Circle {
  /** The line in which the asker would wait for the first of them. */
  readonly waitsFor: string;
  /** Those after the asker. */
  readonly members: readonly Member[];
}

class Search {
  readonly #world: World;
  readonly #files = new Map<Line, LineFile>();
  readonly #nodes = new Map<string, Node>();
  readonly #asker: Node;
  readonly #open: Node[] = [];
  #reached = false;
  /** How many knots it has looked at. */
  looks = 0;

  constructor(world: World, id: string) {
    this.#world = world;
    this.#asker = { id, waits: [], pending: 0 };
    this.#nodes.set(id, this.#asker);
  }

  /** The asker would be the last of this line. */
  want(name: string, mode: EntryMode): void {
    const line = this.#world.lines.get(name);
    if (line !== undefined) this.#addWait(this.#asker, line, line.size, mode);
  }

  /** null: there is none. */
  circle(): Circle | null {
    this.#open.push(this.#asker);
    for (let node = this.#open.pop(); node !== undefined; node = this.#open.pop())
      for (const wait of node.waits) this.#lookAt(wait.file, wait.behind);
    if (!this.#reached) return null;
    this.#free();
    return this.#asker.pending === 0 ? null : this.#shortest();
  }

  #addWait(node: Node, line: Line, rank: number, mode: EntryMode): void {
    const relevant = mode === "shared" ? line.readersWaitBehind(rank) : rank;
    const file = this.#fileOf(line);
    const wait: Wait = { file, behind: line.knotsBefore(relevant), node };
    if (wait.behind < file.threshold) return;
    file.waits.push(wait);
    node.waits.push(wait);
    node.pending++;
  }

  #fileOf(line: Line): LineFile {
    const known = this.#files.get(line);
    if (known !== undefined) return known;
    const threshold = Math.max(1, permitsOf(this.#world, line));
    const file: LineFile = {
      line,
      threshold,
      knots: [],
      nodes: [],
      places: new Map(),
      waits: [],
      stuckAt: 0,
      nextWait: 0,
    };
    this.#files.set(line, file);
    return file;
  }

  /** Whoever stands among the first `count` knots of that line. */
  #lookAt(file: LineFile, count: number): void {
    const from = file.knots.length;
    for (const knot of file.line.knots(from, count)) {
      this.looks++;
      file.places.set(knot.key, file.knots.length);
      file.knots.push(knot);
      const node = this.#nodeOf(knot.id);
      file.nodes.push(node);
      if (node === this.#asker) this.#reached = true;
    }
  }

  /** null: it waits for nobody, and so it will be done some day. */
  #nodeOf(id: string): Node | null {
    const known = this.#nodes.get(id);
    if (known !== undefined)
      return known.waits.length === 0 && known !== this.#asker ? null : known;
    const node: Node = { id, waits: [], pending: 0 };
    this.#nodes.set(id, node);
    for (const { key, line } of this.#world.actors.of(id)) {
      const record = this.#world.kv.get(key);
      assert(record !== undefined && record.entry !== null, "a line's entries are records");
      const { granted, mode } = record.entry;
      if (!granted) this.#addWait(node, line, line.rank(record), mode);
    }
    if (node.waits.length === 0) return null;
    this.#open.push(node);
    return node;
  }

  /** Takes out, one after the other, all whose waits end once those taken out are done. */
  #free(): void {
    const freed: Node[] = [];
    // Everyone is stuck to begin with: only then may the first be taken out.
    for (const file of this.#files.values()) {
      file.waits.sort((a, b) => a.behind - b.behind);
      file.stuckAt = this.#stuckFrom(file, 0, file.threshold);
    }
    for (const file of this.#files.values()) this.#endWaits(file, freed);
    for (let node = freed.pop(); node !== undefined; node = freed.pop()) {
      for (const { line, key } of this.#world.actors.of(node.id)) {
        const file = this.#files.get(line);
        const at = file?.places.get(key);
        if (file === undefined || at === undefined || at > file.stuckAt) continue;
        file.stuckAt = this.#stuckFrom(file, file.stuckAt + 1, 1);
        this.#endWaits(file, freed);
      }
    }
  }

  /** Where, from `from` on, the `count`th stands who is stuck; the end when there are fewer. */
  #stuckFrom(file: LineFile, from: number, count: number): number {
    let left = count;
    let at = from;
    for (; at < file.nodes.length; at++) {
      const node = file.nodes[at];
      if (node !== undefined && node !== null && node.pending > 0 && --left === 0) return at;
    }
    return at;
  }

  #endWaits(file: LineFile, freed: Node[]): void {
    for (let wait = file.waits[file.nextWait]; wait !== undefined; ) {
      if (wait.behind > file.stuckAt) return;
      if (--wait.node.pending === 0) freed.push(wait.node);
      wait = file.waits[++file.nextWait];
    }
  }

  /** The shortest way from the asker back to it, over those who are stuck. */
  #shortest(): Circle | null {
    const from = new Map<Node, { readonly node: Node; readonly knot: Knot }>();
    const looked = new Map<LineFile, number>();
    const queue: Node[] = [this.#asker];
    for (const node of queue) {
      for (const { file, behind } of node.waits) {
        for (let at = looked.get(file) ?? 0; at < behind; at++) {
          const next = file.nodes[at];
          const knot = file.knots[at];
          if (knot === undefined || !next || next.pending === 0) continue;
          if (next === this.#asker) return this.#told(node, knot, from);
          if (from.has(next)) continue;
          from.set(next, { node, knot });
          queue.push(next);
        }
        looked.set(file, Math.max(looked.get(file) ?? 0, behind));
      }
    }
    return null;
  }

  #told(
    last: Node,
    back: Knot,
    from: ReadonlyMap<Node, { readonly node: Node; readonly knot: Knot }>,
  ): Circle {
    const members: Member[] = [this.#member(back, "")];
    let after = back;
    for (let node = last; node !== this.#asker; ) {
      const step = from.get(node);
      assert(step !== undefined, "who was reached was reached from somewhere");
      members.push(this.#member(step.knot, after.line.name));
      after = step.knot;
      node = step.node;
    }
    return { waitsFor: after.line.name, members: members.reverse().slice(0, MAX_SHOWN) };
  }

  #member({ key }: Knot, waitsFor: string): Member {
    const record = this.#world.kv.get(key);
    assert(record !== undefined && record.entry !== null, "a line's entries are records");
    const { actor, owner } = record.entry;
    const shown = { lease: record.lease, actor, ...(owner === "" ? {} : { owner }), key };
    return waitsFor === "" ? shown : { ...shown, waitsFor };
  }
}
