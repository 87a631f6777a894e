/**
 * Which deadline comes next: a binary heap by (deadline, id), with a place for each id, so that a
 * deadline moves or goes in O(log n). Ids of one heap are all strings or all numbers; equal
 * deadlines come out in the order of `<` on ids, whatever the history. Not copy-on-write: where
 * deadlines are part of a snapshot, the heap is rebuilt from what the snapshot holds.
 */
import { assert } from "./assert.js";

export class DeadlineHeap<Id extends string | number> {
  readonly #ids: Id[] = [];
  readonly #deadlines: number[] = [];
  readonly #places = new Map<Id, number>();

  get size(): number {
    return this.#ids.length;
  }

  has(id: Id): boolean {
    return this.#places.has(id);
  }

  /** The deadline of `id`, or undefined. */
  deadlineOf(id: Id): number | undefined {
    const place = this.#places.get(id);
    return place === undefined ? undefined : this.#deadlines[place];
  }

  /** Inserts `id`, or moves it to another deadline. */
  set(id: Id, deadline: number): void {
    const place = this.#places.get(id);
    if (place === undefined) {
      this.#ids.push(id);
      this.#deadlines.push(deadline);
      this.#rise(this.#ids.length - 1, id, deadline);
    } else {
      this.#settle(place, id, deadline);
    }
  }

  /** True when `id` was there. */
  delete(id: Id): boolean {
    const place = this.#places.get(id);
    if (place === undefined) return false;
    this.#places.delete(id);
    const lastId = this.#ids.pop();
    const lastDeadline = this.#deadlines.pop();
    assert(lastId !== undefined && lastDeadline !== undefined, "heap and places must agree");
    if (place < this.#ids.length) this.#settle(place, lastId, lastDeadline);
    return true;
  }

  /** The least (deadline, id): its id, or undefined when empty. */
  nextId(): Id | undefined {
    return this.#ids[0];
  }

  /** The least deadline, or Infinity when empty. */
  nextDeadline(): number {
    return this.#deadlines[0] ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the least one if its deadline is at or before `now`: its id, or undefined. */
  popDue(now: number): Id | undefined {
    const id = this.#ids[0];
    if (id === undefined || this.nextDeadline() > now) return undefined;
    this.delete(id);
    return id;
  }

  clear(): void {
    this.#ids.length = 0;
    this.#deadlines.length = 0;
    this.#places.clear();
  }

  #settle(place: number, id: Id, deadline: number): void {
    if (place > 0 && this.#before(deadline, id, (place - 1) >> 1)) this.#rise(place, id, deadline);
    else this.#sink(place, id, deadline);
  }

  #rise(from: number, id: Id, deadline: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#before(deadline, id, parent)) break;
      this.#move(parent, place);
      place = parent;
    }
    this.#put(place, id, deadline);
  }

  #sink(from: number, id: Id, deadline: number): void {
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#ids.length) break;
      if (child + 1 < this.#ids.length && this.#beforePlace(child + 1, child)) child++;
      if (this.#before(deadline, id, child)) break;
      this.#move(child, place);
      place = child;
    }
    this.#put(place, id, deadline);
  }

  #put(place: number, id: Id, deadline: number): void {
    this.#ids[place] = id;
    this.#deadlines[place] = deadline;
    this.#places.set(id, place);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#ids[from] as Id, this.#deadlines[from] as number);
  }

  #before(deadline: number, id: Id, place: number): boolean {
    const other = this.#deadlines[place] as number;
    return deadline < other || (deadline === other && id < (this.#ids[place] as Id));
  }

  #beforePlace(a: number, b: number): boolean {
    return this.#before(this.#deadlines[a] as number, this.#ids[a] as Id, b);
  }
}
