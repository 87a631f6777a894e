/**
 * Who would wait for ever: played to its end by letting everybody who waits for nothing go with all
 * he has, again and again. Whoever is left waits in a circle, or behind one.
 */

/** One who stands in a line, as far as this goes. */
export interface Player {
  readonly name: string;
  readonly revision: number;
  /** All that is his goes together. */
  readonly thread: string;
  readonly mode: "exclusive" | "shared" | "permit";
  readonly permits: number;
  /** Not empty: of a request for several names, which is granted in all of them or in none. */
  readonly group: readonly string[];
  /** 0 while it waits. */
  readonly token: number;
}

/** The threads that are left. `permitsOf`: how many may hold in that line now. */
export function stuckAmong(
  standing: readonly Player[],
  permitsOf: (name: string) => number,
): ReadonlySet<string> {
  const permits = new Map<string, number>();
  for (const { name, permits: named } of standing) permits.set(name, permitsOf(name) || named);
  let left = standing.map(one => ({ ...one, holds: one.token > 0 }));
  const turn = (one: (typeof left)[number]): boolean => {
    const ahead = left.filter(({ name, revision }) => name === one.name && revision < one.revision);
    if (ahead.some(({ holds }) => !holds)) return false;
    if (one.mode === "permit") return ahead.length < (permits.get(one.name) ?? 0);
    if (one.mode === "shared") return ahead.every(({ mode }) => mode === "shared");
    return ahead.length === 0;
  };
  for (;;) {
    for (let isChanged = true; isChanged; ) {
      isChanged = false;
      for (const one of left) {
        if (one.holds) continue;
        const parts = one.group.length === 0 ? [one] : partsOf(left, one.revision);
        if (!parts.every(turn)) continue;
        for (const part of parts) part.holds = true;
        isChanged = true;
      }
    }
    const waiting = new Set(left.filter(({ holds }) => !holds).map(({ thread }) => thread));
    const stay = left.filter(({ thread }) => waiting.has(thread));
    if (stay.length === left.length) return waiting;
    left = stay;
  }
}

/** Entries of one request have one revision. */
const partsOf = <P extends Player>(left: readonly P[], wanted: number): P[] =>
  left.filter(({ revision }) => revision === wanted);
