/**
 * What goes wrong with time: machines that sleep, wall clocks that are set, and, as a kind of its
 * own, clocks that run wrong by more than the promises allow. Under that last one no client's
 * belief is held against the log; tokens, order and all else are.
 */
import type { Fault } from "./arena.js";

/** The machine sleeps: its monotonic clock stands still and its wall clock goes on. */
const suspend: Fault = arena => {
  const node = arena.upNode();
  if (node === null) return false;
  const { process } = node;
  const ms = arena.timeMs();
  arena.note(`suspend ${node.name} for ${ms}`);
  process.pause();
  const end = arena.cluster.health.harm(node.name);
  arena.cluster.loop.after(ms, () => {
    end();
    process.sleptFor(ms);
    process.resume();
  });
  return true;
};

/** Somebody sets a wall clock, forwards or backwards. */
const wallJump: Fault = arena => {
  const most = arena.byHardness(2_000, 60_000, 400_000_000);
  const byMs = arena.random.below(2 * most) - most;
  if (arena.random.below(2) === 0) {
    const node = arena.node();
    node.wallAheadMs += byMs;
    if (node.isUp) node.process.shiftWall(byMs);
    arena.note(`wall clock of ${node.name} by ${byMs}`);
    return true;
  }
  const client = arena.client();
  client?.process.shiftWall(byMs);
  if (client !== null) arena.note(`wall clock of ${client.name} by ${byMs}`);
  return client !== null;
};

/** A clock runs up to twice as fast, or at half its rate. */
const clockRace: Fault = arena => {
  const ppm = arena.random.below(1_500_000) - 500_000;
  const ms = 500 + 2 * arena.timeMs();
  if (arena.random.below(3) === 0) {
    const client = arena.client();
    client?.process.setDrift(ppm);
    if (client !== null) {
      arena.note(`clock of ${client.name} off by ${ppm} ppm`);
      arena.standFor(ms, () => client.process.setDrift(0));
    }
    return client !== null;
  }
  const node = arena.upNode();
  if (node === null) return false;
  const { process } = node;
  const { truth, nowMs } = arena.cluster;
  truth.clocksLieFromMs = Math.min(truth.clocksLieFromMs, nowMs);
  process.setDrift(ppm);
  arena.note(`clock of ${node.name} off by ${ppm} ppm`);
  arena.harmFor(ms, [node.name], () => process.setDrift(0));
  return true;
};

export const CLOCK_FAULTS = { suspend, wallJump, clockRace } as const;
