/**
 * What `lock` and `elect` tell while they work: sentences on stderr, or with --json one JSON
 * object a line there. Stdout is CMD's.
 */
import { say } from "../context.js";
import { printableJson } from "../output/json.js";
import { printable } from "../output/table.js";

/** waiting, granted, not-acquired, lost, release-failed, failed. */
export type Announce = (
  event: string,
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** `name`: of the lock or election. */
export function announcer(name: string, json: boolean): Announce {
  if (!json) return (_event, message) => say(`${printable(name)}: ${message}`);
  return (event, message, fields) => {
    const told = printableJson({ event, name, message, ...fields });
    process.stderr.write(`${JSON.stringify(told)}\n`);
  };
}
