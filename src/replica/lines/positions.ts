/**
 * Of the places whose calls want to hear of their position, those near the front of their lines:
 * only they are told, so only they are looked at, however long a line is. Used by places.ts alone.
 */

export interface Positioned {
  readonly name: string;
  /** Of an entry that an acquire made: in one line, keys are in the order of the line. */
  readonly key: string;
}

class OneLine<Place> {
  readonly byKey = new Map<string, Place>();
  lastKey = "";
  inOrder = true;
}

export class Positions<Place extends Positioned> {
  readonly #lines = new Map<string, OneLine<Place>>();

  get lines(): number {
    return this.#lines.size;
  }

  /** Nothing happens if it is in already. */
  add(place: Place): void {
    let line = this.#lines.get(place.name);
    if (line === undefined) {
      line = new OneLine();
      this.#lines.set(place.name, line);
    }
    if (line.byKey.has(place.key)) return;
    line.byKey.set(place.key, place);
    // One that is asked for again, after it was waited for elsewhere, comes out of order.
    if (place.key < line.lastKey) line.inOrder = false;
    else line.lastKey = place.key;
  }

  /** Nothing happens if it is not in. */
  remove(place: Place): void {
    const line = this.#lines.get(place.name);
    if (line === undefined) return;
    line.byKey.delete(place.key);
    if (line.byKey.size === 0) this.#lines.delete(place.name);
  }

  /** Visits those at position `most` or before. `positionOf` knows nothing of an entry that ended. */
  eachNear(
    positionOf: (key: string) => number | undefined,
    most: number,
    visit: (place: Place, position: number) => void,
  ): void {
    for (const line of this.#lines.values()) {
      if (!line.inOrder) putInOrder(line);
      for (const place of line.byKey.values()) {
        const position = positionOf(place.key);
        if (position === undefined) continue;
        if (position > most) break;
        visit(place, position);
      }
    }
  }
}

function putInOrder<Place>(line: OneLine<Place>): void {
  const places = [...line.byKey].sort(([a], [b]) => (a < b ? -1 : 1));
  line.byKey.clear();
  for (const [key, place] of places) line.byKey.set(key, place);
  line.inOrder = true;
}
