/** Text into HTML, safely. */
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, letter => ENTITIES[letter] ?? letter);

/** As `escapeHtml`, of at most so many letters. */
export function shorten(text: string, letters: number): string {
  const all = [...text];
  return escapeHtml(all.length <= letters ? text : `${all.slice(0, letters - 1).join("")}…`);
}
