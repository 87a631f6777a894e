/** "Did you mean": the nearest of the names that exist, for whoever mistyped one. */

/** How many letters must be changed, added, dropped or swapped with a neighbour. */
function distance(left: string, right: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      let best = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped && row > 1 && column > 1) best = Math.min(best, (before[column - 2] ?? 0) + 1);
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[right.length] ?? 0;
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** The name that `wrong` was probably meant to be, or null when none is near. Bounded work. */
export function nearest(wrong: string, names: Iterable<string>): string | null {
  const asked = plain(wrong.slice(0, 64));
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(asked.length / 3)) + 1;
  for (const name of names) {
    const far = distance(asked, plain(name));
    if (far < bestDistance) {
      best = name;
      bestDistance = far;
    }
  }
  return best;
}
