/**
 * Checks of a file's plain text: its length, its lines, what must not be left in it. The patterns
 * are written so that they do not match themselves.
 */
const MAX_FILE_LINES = 700;
const MAX_COLUMNS = 100;
/** Where in a long file the reason for its length must stand. */
const HEAD_LINES = 15;

/** A file past 700 lines says why at its head, in a line that starts with "Long because". */
export function tooLong(text: string): string | null {
  const lines = text.trimEnd().split("\n");
  if (lines.length <= MAX_FILE_LINES) return null;
  const reason = lines.slice(0, HEAD_LINES).some(line => /^[\s/*#]*Long because \w/.test(line));
  return reason ? null : `${lines.length} lines, and no "Long because …" at its head`;
}

// A literal that cannot be broken, with what little stands around it; or an address.
const UNBREAKABLE = /(["'`/]).{30,}\1|:\/\//;

/** The numbers of the lines past 100 columns that are not an address or a long literal. */
export function wideLines(text: string): number[] {
  const numbers: number[] = [];
  text.split("\n").forEach((line, at) => {
    if ([...line].length > MAX_COLUMNS && !UNBREAKABLE.test(line)) numbers.push(at + 1);
  });
  return numbers;
}

const LEFTOVERS: readonly (readonly [RegExp, string])[] = [
  [/\b(?:[T]ODO|[F]IXME|[X]XX|[H]ACK)\b/, "a note to self"],
  [/\b(?:test|it|describe|suite|bench)\.(?:[o]nly|[s]kip|[t]odo)\b/, "a test left out"],
  [/(?<![\w.)}-])\/(?:[w]ork|[r]oot)\//, "a path of one machine"],
  [/\b(?:[C]laude|[A]nthropic|[C]hatGPT|[L]LMs?|[A]I[ -]agents?|[s]ubagents?)\b/i, "the workplace"],
  [/\b(?:[h]elper|[c]oding|[b]uilder) agents?\b|\b[l]anguage model\b/i, "the workplace"],
  [/\b[i]ssues? #?\d{1,2}\b/i, "a number of this workplace"],
];

/** What was left in a text that should not be there, each as `line: what`. */
export function leftovers(text: string): string[] {
  const found: string[] = [];
  text.split("\n").forEach((line, at) => {
    for (const [pattern, what] of LEFTOVERS)
      if (pattern.test(line)) found.push(`${at + 1}: ${what}`);
  });
  return found;
}

const EMPTY_WORDS = new Set(["util", "helper", "manager", "common", "misc", "stuff"]);

/** A path whose name says nothing: util, helper, manager, common. Returns the word. */
export function emptyName(path: string): string | null {
  const words = path
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return words.find(word => EMPTY_WORDS.has(word.replace(/(?<=\w)s$/, ""))) ?? null;
}

const TOP_LEVEL = new Set([
  ..."package.json package-lock.json tsconfig.json README.md LICENSE".split(" "),
  ..."src clients test bench docs examples".split(" "),
]);

/** The top-level entries that do not belong there. Dotfiles do: they are settings. */
export function strayTopLevel(paths: readonly string[]): string[] {
  const top = new Set(paths.map(path => path.split("/")[0] ?? ""));
  return [...top].filter(name => !name.startsWith(".") && !TOP_LEVEL.has(name));
}
