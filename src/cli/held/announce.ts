/**
 * What `lock`, `elect` and `once` tell while they work: sentences on stderr, or with --json one
 * JSON object a line there. Stdout is CMD's.
 */
import type { HoldfastError } from "holdfast-client";
import { errorDocument, say } from "../context.js";
import { printableJson } from "../output/json.js";
import { printable } from "../output/table.js";

/** waiting, unreachable, granted, not-acquired, asked, lost, release-failed, failed. */
export type Announce = (
  event: string,
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** `names`: of the lock, locks, election or job. */
export function announcer(names: readonly string[], json: boolean): Announce {
  // What others said is part of some messages.
  if (!json) return (_event, message) => say(printable(`${names.join(", ")}: ${message}`));
  const [name = ""] = names;
  const all = names.length > 1 ? { names } : {};
  return (event, message, fields) => {
    const told = printableJson({ event, name, ...all, message, ...fields });
    process.stderr.write(`${JSON.stringify(told)}\n`);
  };
}

/** Why CMD is not run; for programs with all of the error, as HTTP has it. */
export function announceError(announce: Announce, error: HoldfastError): void {
  announce("failed", error.message, errorDocument(error));
}
