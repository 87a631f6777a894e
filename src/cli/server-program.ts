/**
 * The server's program, as this room knows it: a path. `dev` starts it as processes of their own;
 * `serve` becomes it, so that a node is one process which signals reach and whose exit code
 * counts.
 */
import Module from "node:module";
import { fileURLToPath } from "node:url";

export const SERVER_PROGRAM = fileURLToPath(new URL("../server/main.js", import.meta.url));

/**
 * Runs the server as this process's main program, with `flags`, just as `node server/main.js`
 * does.
 */
export function becomeServer(flags: readonly string[]): void {
  process.argv.splice(1, process.argv.length, SERVER_PROGRAM, ...flags);
  Module.runMain(SERVER_PROGRAM);
}
