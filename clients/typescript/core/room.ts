/**
 * Room for requests under way. When it is full, those who come wait here and get in in their order.
 * It counts and holds back; what being under way means is the matter of `Requests`.
 */
import type { Call } from "./call.js";
import { Chain } from "./chain.js";

export class Room {
  readonly #places: number;
  readonly #heldBack = new Chain<Call>();
  #taken = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** Gives `call` a place, or holds it back behind those who came before. */
  enter(call: Call): boolean {
    if (this.#taken < this.#places && this.#heldBack.first === null) {
      this.#place(call);
      return true;
    }
    call.state = "heldBack";
    this.#heldBack.add(call);
    return false;
  }

  /** `call` wants its place no more, or to wait for one; nothing happens if it has neither. */
  leave(call: Call): void {
    if (call.hasRoom) {
      call.hasRoom = false;
      this.#taken -= 1;
    } else if (call.state === "heldBack") {
      this.#heldBack.remove(call);
    }
  }

  /** Gives a place to the first of those held back, if there is one for it. */
  next(): Call | null {
    const { first } = this.#heldBack;
    if (first === null || this.#taken >= this.#places) return null;
    this.#heldBack.remove(first);
    this.#place(first);
    return first;
  }

  /** Those who are held back. */
  [Symbol.iterator](): IterableIterator<Call> {
    return this.#heldBack[Symbol.iterator]();
  }

  #place(call: Call): void {
    this.#taken += 1;
    call.hasRoom = true;
  }
}
