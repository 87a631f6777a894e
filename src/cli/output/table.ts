/** Tables for people: a head, aligned columns, two spaces between, nothing at the line's end. */

const GAP = 2;
/** However narrow the terminal: so much of a last column is shown. */
const NARROWEST = 8;

/** Control characters would let a key or an owner write to the terminal; they are shown as ?. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(length - 1, 0))}…`;
}

/** `columns`: as wide as the terminal; the last column is cut to fit. Absent: nothing is cut. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number | undefined = process.stdout.columns,
): string {
  const all = [head, ...rows].map(row => row.map(printable));
  const widths = head.map((_, at) => Math.max(...all.map(row => (row[at] ?? "").length)));
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP, 0);
  const forLast =
    columns === undefined ? Number.POSITIVE_INFINITY : Math.max(columns - before, NARROWEST);
  const last = head.length - 1;
  return all
    .map(row =>
      row
        .map((cell, at) => (at === last ? cut(cell, forLast) : cell.padEnd(widths[at] ?? 0)))
        .join(" ".repeat(GAP))
        .trimEnd(),
    )
    .join("\n");
}
