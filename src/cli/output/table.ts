/** Tables for people: a head, aligned columns, two spaces between, nothing at the line's end. */

/** Control characters would let a key or an owner write to the terminal; they are shown as ?. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map(row => row.map(printable));
  const widths = head.map((_, at) => Math.max(...all.map(row => (row[at] ?? "").length)));
  return all
    .map(row =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export { printable };
