/**
 * What befalls clients: they stall, sleep, die, also while they hold, and are away for longer than
 * a lease.
 */
import { waysBetween } from "../network.js";
import type { Arena, Fault } from "./arena.js";

function stall(arena: Arena, sleeps: boolean): boolean {
  const client = arena.client();
  if (client === null) return false;
  const { process, name } = client;
  const ms = arena.timeMs();
  arena.note(`${sleeps ? "suspend" : "pause"} ${name} for ${ms}`);
  process.pause();
  arena.cluster.loop.after(ms, () => {
    if (sleeps) process.sleptFor(ms);
    process.resume();
  });
  return true;
}

const killClient: Fault = arena => {
  const client = arena.client();
  if (client !== null) arena.sufferers.killClient(client);
  return client !== null;
};

/** Of those who believe that they hold. */
const killHolder: Fault = arena => {
  const holders = arena.sufferers.clients().filter(client => client.holds);
  const client = arena.pick(holders);
  if (client !== undefined) arena.sufferers.killClient(client);
  return client !== undefined;
};

/** It hears nobody for longer than its lease, and is then back as who it was. */
const loseClient: Fault = arena => {
  const client = arena.client();
  if (client === null) return false;
  const ms = 1_000 + arena.random.below(arena.byHardness(1_500, 4_000, 8_000));
  arena.note(`${client.name} is away for ${ms}`);
  const ways = waysBetween(client.name, arena.cluster.names);
  arena.standFor(ms, arena.cluster.network.cutOff(ways));
  return true;
};

export const CLIENT_FAULTS = {
  pauseClient: (arena: Arena) => stall(arena, false),
  suspendClient: (arena: Arena) => stall(arena, true),
  killClient,
  killHolder,
  loseClient,
} as const;
