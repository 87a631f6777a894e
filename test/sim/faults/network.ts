/**
 * What goes wrong on the way: breaks, silence, splits, slowness, and disorder among peers'
 * messages.
 */
import type { Disorder } from "../disorder.js";
import { waysBetween } from "../network.js";
import type { Arena, Fault } from "./arena.js";

const reset: Fault = arena => {
  const [a, b] = [arena.host(), arena.node().name];
  arena.note(`reset ${a} ${b}`);
  arena.cluster.health.shake(a, b);
  arena.cluster.network.reset(a, b);
  return a !== b;
};

/** A connection breaks within a frame. */
const cut: Fault = arena => {
  const [a, b] = [arena.node().name, arena.host()];
  const bytes = arena.random.below(300);
  arena.note(`cut ${a} ${b} after ${bytes}`);
  arena.cluster.health.shake(a, b);
  arena.cluster.network.cutAfter(a, b, bytes);
  return a !== b;
};

/** Bytes of one direction alone are lost. */
const silence: Fault = arena => {
  const [a, b] = [arena.host(), arena.host()];
  if (a === b) return false;
  const ms = arena.timeMs();
  arena.note(`silence ${a} to ${b} for ${ms}`);
  arena.harmFor(ms, [a, b], arena.cluster.network.cutOff([[a, b]]));
  return true;
};

/** One node is cut from most: both ways, or it is not heard, or hears nothing. */
const partition: Fault = arena => {
  const { name } = arena.node();
  const ms = arena.timeMs();
  const all = [...arena.othersThan(name), ...arena.sufferers.hosts()];
  const others = all.filter(() => arena.random.below(4) > 0);
  const how = arena.pick(["both ways", "both ways", "out", "in"]);
  const ways = waysBetween(name, others).filter(
    ([from]) => how === "both ways" || (from === name) === (how === "out"),
  );
  arena.note(`isolate ${name} ${how} from ${others.length} for ${ms}`);
  arena.harmFor(ms, [name], arena.cluster.network.cutOff(ways));
  return true;
};

/** A new split every few hundred milliseconds: each host is on one side or the other. */
const shifting: Fault = arena => {
  const ms = 1_000 + arena.random.below(5_000);
  arena.note(`shifting splits for ${ms}`);
  let undo = (): void => {};
  arena.harmFor(ms, arena.cluster.names, () => undo());
  arena.repeatFor(ms, () => {
    undo();
    const hosts = [...arena.cluster.names, ...arena.sufferers.hosts()];
    const left = hosts.filter(() => arena.random.below(2) === 0);
    const right = hosts.filter(host => !left.includes(host));
    undo = arena.cluster.network.cutOff(left.flatMap(host => waysBetween(host, right)));
    return 50 + arena.random.below(arena.byHardness(800, 400, 150));
  });
  return true;
};

/** One way of a link carries a few bytes a millisecond. */
const crawl: Fault = arena => {
  const [a, b] = [arena.host(), arena.host()];
  if (a === b) return false;
  const ms = arena.timeMs();
  const bytes = 1 + arena.random.below(arena.byHardness(200, 40, 8));
  arena.note(`crawl ${a} to ${b} at ${bytes} for ${ms}`);
  arena.harmFor(ms, [a, b], arena.cluster.network.letCrawl([a, b], bytes));
  return true;
};

/** What is sent takes up to so much longer, each piece another time. */
const lateBurst: Fault = arena => {
  const [a, b] = [arena.host(), arena.host()];
  if (a === b) return false;
  const ms = arena.timeMs();
  const most = 1 + arena.random.below(arena.byHardness(50, 400, 2_000));
  const draw = (): number => arena.random.below(most);
  arena.note(`late ${a} to ${b} by up to ${most} for ${ms}`);
  arena.harmFor(ms, [a, b], arena.cluster.network.makeLate([a, b], draw));
  return true;
};

/** The links between all nodes, both ways, do this to messages for a while. */
function disorder(arena: Arena, what: string, how: Partial<Disorder>): boolean {
  const { cluster } = arena;
  const ways = cluster.names.flatMap(from => arena.othersThan(from).map(to => `${from}>${to}`));
  const chosen = arena.random.below(2) === 0 ? ways : ways.filter(() => arena.random.below(2) > 0);
  const ms = 200 + 2 * arena.timeMs();
  const none = { lost: 0, twice: 0, swapped: 0, late: 0, mostLateMs: 1 };
  arena.note(`messages ${what} on ${chosen.join(" ")} for ${ms}`);
  for (const way of chosen)
    cluster.disorders.set(way, { ...none, ...cluster.disorders.get(way), ...how });
  arena.harmFor(ms, cluster.names, () => {
    for (const way of chosen) cluster.disorders.delete(way);
  });
  return chosen.length > 0;
}

const lost: Fault = arena =>
  disorder(arena, "lost", { lost: 1 + arena.random.below(arena.byHardness(50, 250, 700)) });

const twice: Fault = arena =>
  disorder(arena, "twice", { twice: 1 + arena.random.below(arena.byHardness(100, 400, 1_000)) });

const disordered: Fault = arena =>
  disorder(arena, "in disorder", {
    swapped: arena.random.below(arena.byHardness(50, 200, 500)),
    late: 1 + arena.random.below(arena.byHardness(50, 200, 500)),
    mostLateMs: 1 + arena.timeMs(),
  });

/** All clients lose their connections at once, and come again. */
const stampede: Fault = arena => {
  const { cluster, sufferers } = arena;
  const nodes = arena.random.below(2) === 0 ? cluster.names : [arena.node().name];
  arena.note(`stampede to ${nodes.join(" ")}`);
  for (const host of sufferers.hosts()) for (const node of nodes) cluster.network.reset(host, node);
  return true;
};

/**
 * The leader is cut from the others, not from its clients, and stands still again and again, so
 * that its own ticks are slow to tell it that it leads no more.
 */
const depose: Fault = arena => {
  const node = arena.leader();
  if (node === null) return false;
  const { process, name } = node;
  const ms = 2_000 + arena.random.below(4_000);
  arena.note(`depose ${name} for ${ms}`);
  const ways = waysBetween(name, arena.othersThan(name));
  arena.harmFor(ms, [name], arena.cluster.network.cutOff(ways));
  arena.repeatFor(ms, () => {
    if (!process.isAlive) return ms;
    const stallMs = 100 + arena.random.below(900);
    process.pause();
    arena.cluster.loop.after(stallMs, () => process.resume());
    return stallMs + 1 + arena.random.below(60);
  });
  return true;
};

export const NETWORK_FAULTS = {
  reset,
  cut,
  silence,
  partition,
  shifting,
  crawl,
  lateBurst,
  messagesLost: lost,
  messagesTwice: twice,
  messagesDisordered: disordered,
  stampede,
  depose,
} as const;
