/** `system.configure`: replicated limits, set by nodes through the log. */
import type { ConfigureCommand } from "./command/command.js";
import type { CommandResult } from "./command/result.js";
import type { World } from "./world.js";

export function applyConfigure(world: World, command: ConfigureCommand): CommandResult {
  const { limits } = world;
  world.limits = {
    ...limits,
    maxStateBytes: command.maxStateBytes ?? limits.maxStateBytes,
    historyRevisions: Math.max(command.historyRevisions ?? limits.historyRevisions, 1),
    historyBytes: command.historyBytes ?? limits.historyBytes,
  };
  const { historyRevisions, historyBytes } = world.limits;
  world.history.slide(world.revision, historyRevisions, historyBytes);
  return { kind: "configured" };
}
