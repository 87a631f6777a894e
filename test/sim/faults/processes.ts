/**
 * How nodes come to their end, and back: killed, without power, stopped in order, at any boundary
 * between two steps, while they start, one after the other, all at once, and with other limits.
 */
import { randomStream } from "../../../src/base/random.js";
import type { SimNode } from "../node.js";
import { drawNode, nodeLimitsOf } from "../settings.js";
import { BOUNDARIES, Trap } from "../trap.js";
import type { Arena, Fault } from "./arena.js";

const WAYS = ["kill", "crash", "vanish"] as const;
type Way = (typeof WAYS)[number];

function end(node: SimNode, way: Way): void {
  if (way === "kill") node.kill();
  else node.crash(way === "vanish");
}

const ended =
  (way: Way): Fault =>
  arena => {
    const node = arena.node();
    if (!node.isUp) return false;
    arena.note(`${way} ${node.name}`);
    end(node, way);
    arena.startLater(node);
    return true;
  };

const crashAll: Fault = arena => {
  arena.note("crash of all");
  for (const node of arena.cluster.nodes) {
    if (!node.isUp) continue;
    node.crash(false);
    arena.startLater(node);
  }
  return true;
};

/** Its event loop stands still. */
const pause: Fault = arena => {
  const node = arena.upNode();
  if (node === null) return false;
  const { process } = node;
  const ms = arena.timeMs();
  arena.note(`pause ${node.name} for ${ms}`);
  process.pause();
  const done = arena.cluster.health.harm(node.name);
  arena.cluster.loop.after(ms, () => {
    done();
    process.resume();
  });
  return true;
};

/** A machine with too much to do: nodes, one or all, run for a few milliseconds and then do not. */
const starve: Fault = arena => {
  const ms = 1_000 + arena.random.below(6_000);
  const nodes = arena.random.below(2) === 0 ? arena.cluster.nodes : [arena.node()];
  const most = arena.byHardness(30, 150, 600);
  arena.note(`starve ${nodes.map(({ name }) => name).join(" ")} for ${ms}, up to ${most} each`);
  arena.harmFor(
    ms,
    nodes.map(({ name }) => name),
    () => {},
  );
  for (const node of nodes)
    arena.repeatFor(ms, () => {
      const stallMs = 1 + arena.random.below(most);
      if (node.isUp) {
        const { process } = node;
        process.pause();
        arena.cluster.loop.after(stallMs, () => process.resume());
      }
      return stallMs + arena.random.below(10);
    });
  return true;
};

/** In order, the leader if there is one. */
const stop: Fault = arena => {
  const node = arena.leader() ?? arena.node();
  if (!node.isUp || node.stopping) return false;
  stopThen(arena, node, () => arena.startLater(node));
  return true;
};

function stopThen(arena: Arena, node: SimNode, stopped: () => void): void {
  arena.note(`stop ${node.name}`);
  node.stop(() => {
    arena.note(`stopped ${node.name}`);
    if (arena.isOver) arena.start(node);
    else stopped();
  });
}

/** All nodes in order, each when the one before is back: an upgrade. */
const rolling: Fault = arena => {
  const names = [...arena.cluster.nodes];
  const next = (): void => {
    const node = names.shift();
    if (node === undefined || arena.isOver) return;
    if (!node.isUp || node.stopping) next();
    else
      stopThen(arena, node, () => {
        arena.start(node);
        whenBack(arena, node, next);
      });
  };
  arena.note("rolling restart");
  next();
  return true;
};

function whenBack(arena: Arena, node: SimNode, then: () => void): void {
  arena.later(50, () => {
    const { truth } = arena.cluster;
    const applied = node.log?.status().appliedIndex ?? 0;
    if (node.isUp && applied >= truth.index) then();
    else whenBack(arena, node, then);
  });
}

/** The end waits for the n-th step of a kind from now. */
const crashAtStep: Fault = arena => {
  const node = arena.upNode();
  if (node === null || node.trap !== null) return false;
  arm(arena, node, arena.byHardness(300, 60, 12), () => arena.startLater(node));
  return true;
};

/** The end comes while it recovers, or just after. */
const crashAtStart: Fault = arena => {
  const node = arena.node();
  if (node.stopping) return false;
  crashIntoStart(arena, node, () => arena.startLater(node));
  return true;
};

/** Again and again. */
const crashLoop: Fault = arena => {
  const node = arena.node();
  if (node.stopping) return false;
  let left = 2 + arena.random.below(arena.byHardness(3, 6, 12));
  const next = (): void => {
    left -= 1;
    if (left === 0) arena.startLater(node);
    else arena.later(1 + arena.random.below(50), () => crashIntoStart(arena, node, next));
  };
  next();
  return true;
};

function crashIntoStart(arena: Arena, node: SimNode, struck: () => void): void {
  if (node.isUp) {
    arena.note(`crash ${node.name}`);
    node.crash(false);
  }
  arena.start(node);
  if (node.isUp) arm(arena, node, 40, struck);
}

function arm(arena: Arena, node: SimNode, mostSteps: number, struck: () => void): void {
  const boundary = arena.pick(BOUNDARIES) as (typeof BOUNDARIES)[number];
  const steps = 1 + arena.random.below(mostSteps);
  const way = arena.pick(WAYS) as Way;
  arena.note(`${way} ${node.name} ${boundary} ${steps}`);
  const trap = new Trap(boundary, steps, () => {
    arena.note(`${way} ${node.name}, ${boundary}`);
    arena.cluster.truth.count(`crash ${boundary}`);
    end(node, way);
    if (arena.isOver) arena.cluster.loop.after(1, () => arena.start(node));
    else struck();
  });
  node.trap = trap;
  arena.standFor(20_000, () => {
    if (node.trap === trap) node.trap = null;
  });
}

/** Started again with other limits than before, as an operator or a version may choose them. */
const otherLimits: Fault = arena => {
  const node = arena.node();
  if (!node.isUp || node.stopping) return false;
  arena.note(`other limits for ${node.name}`);
  const random = randomStream(arena.random.below(2 ** 32), "limits");
  node.limits = nodeLimitsOf({ ...arena.cluster.drawn, ...drawNode(random) });
  end(node, arena.random.below(2) === 0 ? "kill" : "crash");
  arena.startLater(node);
  return true;
};

/** Upgraded to a version that no other understands, and back. Its data directory stays as it is. */
const laterVersion: Fault = arena => {
  const node = arena.node();
  if (!node.isUp || node.stopping || node.isLater) return false;
  const ms = 500 + arena.timeMs();
  let isBack = false;
  arena.harmFor(ms, [node.name], () => {
    isBack = true;
    node.isLater = false;
    if (!node.isUp || node.stopping) return;
    arena.note(`${node.name} goes back to this version`);
    node.kill();
    arena.cluster.loop.after(1, () => arena.start(node));
  });
  stopThen(arena, node, () => {
    if (!isBack) arena.note(`${node.name} is upgraded`);
    node.isLater = !isBack;
    arena.start(node);
  });
  return true;
};

export const PROCESS_FAULTS = {
  kill: ended("kill"),
  crash: ended("crash"),
  vanish: ended("vanish"),
  crashAll,
  pause,
  starve,
  stop,
  rolling,
  crashAtStep,
  crashAtStart,
  crashLoop,
  otherLimits,
  laterVersion,
} as const;
