/**
 * What callers pass, held against what it may be, before anything is sent. Looked at is only what
 * would be misread here, would be told by the wire's name for it, or would be ignored in silence:
 * all else is the node's to refuse. Costs nothing where no options are given.
 */
import { HoldfastError } from "./errors.js";

/** A wrong argument. */
export function invalid(parameter: string, expected: string): HoldfastError {
  return new HoldfastError({
    code: "INVALID_PARAMETER",
    message: `${parameter} must be ${expected}`,
    details: { parameter },
  });
}

/** Throws `INVALID_PARAMETER`. */
export function checkText(parameter: string, value: unknown): void {
  if (typeof value !== "string") throw invalid(parameter, "text");
}

/** As text in a list. Throws `INVALID_PARAMETER`; `expected` says what it may be. */
export function listFrom(parameter: string, value: unknown, expected: string): readonly string[] {
  const list: unknown = typeof value === "string" ? [value] : value;
  const isList = Array.isArray(list) && list.every(one => typeof one === "string");
  if (!isList) throw invalid(parameter, expected);
  return [...list];
}

/** Throws `INVALID_PARAMETER`: something to call was forgotten, or stands in another place. */
export function checkFunction(value: unknown): void {
  if (typeof value !== "function") throw invalid("fn", "a function, and the options come after it");
}

export const isSignal = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  "addEventListener" in value &&
  typeof value.addEventListener === "function";

/** The names of options that a call takes. */
export type Options = ReadonlySet<string>;

const CALL_OPTIONS = ["signal", "timeoutMs"];
/** `names`, and what every call takes. */
export const callOptions = (...names: readonly string[]): Options =>
  new Set([...names, ...CALL_OPTIONS]);

/**
 * What is wrong with options as a whole. A misspelt one would be ignored, and with it a condition
 * or a bound that the caller counts on. Absent ones and undefined fields are none.
 */
export function strangeOption(options: unknown, known: Options): HoldfastError | null {
  if (options === undefined) return null;
  if (typeof options !== "object" || options === null) return invalid("options", "an object");
  for (const name in options)
    if (!known.has(name) && Reflect.get(options, name) !== undefined)
      return noSuchOption(name, known);
  return null;
}

/** Throws what {@link strangeOption} finds. */
export function checkOptions(options: unknown, known: Options): void {
  const error = strangeOption(options, known);
  if (error !== null) throw error;
}

function noSuchOption(name: string, known: Options): HoldfastError {
  const message = `there is no option ${name} here; known are ${[...known].join(", ")}`;
  return new HoldfastError({ code: "UNKNOWN_FIELD", message, details: { field: name } });
}
