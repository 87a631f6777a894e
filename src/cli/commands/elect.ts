/** `elect`: run CMD while leading an election. */
import type { Command } from "commander";
import { defaultOwner } from "../held/owner.js";
import { action } from "../program.js";
import { type LineOptions, lineCommand, runWhileHeld, standInLine } from "./held.js";

/** `command` is what stood behind `--`. */
export function electCommand(command: readonly string[]): Command {
  const elect = lineCommand("elect", "Run CMD while leading an election.")
    .argument("<name>")
    .usage("[options] NAME -- CMD [ARG…]")
    .option("--value <text>", "what this leader proclaims (default: the owner)");
  return action<LineOptions & { readonly value?: string }>(elect, ([name = ""], options) => {
    const value = options.value ?? options.owner ?? defaultOwner();
    const usage = "holdfast elect scheduler -- ./scheduler.sh";
    const names = [name];
    return runWhileHeld({ names, command, usage }, options, seat =>
      standInLine(options, seat, { names, having: "led" }, wait =>
        seat.client.election(name).campaign(value, wait),
      ),
    );
  });
}
