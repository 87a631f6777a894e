/**
 * A set of numbers with an exact and short name: from the first word that is not full to the last
 * that is not empty. In a search the set is nearly all of a beginning, so the name is a few words.
 */
const WORD_BITS = 16;
const FULL = 0xffff;

function bitsIn(word: number): number {
  let rest = word - ((word >>> 1) & 0x5555);
  rest = (rest & 0x3333) + ((rest >>> 2) & 0x3333);
  rest = (rest + (rest >>> 4)) & 0x0f0f;
  return (rest + (rest >>> 8)) & 0x1f;
}

export class PlacedSet {
  readonly #words: Uint16Array;
  #size = 0;
  /** Every word before this one is full. */
  #open = 0;

  constructor(places: number) {
    this.#words = new Uint16Array(Math.ceil(places / WORD_BITS) + 1);
  }

  get size(): number {
    return this.#size;
  }

  has(place: number): boolean {
    return ((this.#wordAt(place >>> 4) >>> (place & 15)) & 1) === 1;
  }

  add(place: number): void {
    const at = place >>> 4;
    this.#words[at] = this.#wordAt(at) | (1 << (place & 15));
    this.#size += 1;
    while (this.#wordAt(this.#open) === FULL) this.#open += 1;
  }

  remove(place: number): void {
    const at = place >>> 4;
    this.#words[at] = this.#wordAt(at) & ~(1 << (place & 15));
    this.#size -= 1;
    if (at < this.#open) this.#open = at;
  }

  /** Where the first word that is not full is, and the words from there on. */
  get name(): string {
    return `${this.#open}:${this.#wordsFrom(this.#open, this.#size - this.#open * WORD_BITS)}`;
  }

  /** All words to the last that is not empty, a character each. */
  get words(): string {
    return this.#wordsFrom(0, this.#size);
  }

  #wordsFrom(from: number, size: number): string {
    let text = "";
    let left = size;
    for (let at = from; left > 0; at += 1) {
      const word = this.#wordAt(at);
      left -= bitsIn(word);
      text += String.fromCharCode(word);
    }
    return text;
  }

  #wordAt(at: number): number {
    return this.#words[at] ?? 0;
  }
}
