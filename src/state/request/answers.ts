/**
 * A client's answers by request number. Numbers come in a row and go in a row, so each has its
 * place by its low bits, in a list that is never more than a few times longer than there are
 * answers; the few that find theirs taken stand in a map.
 */
import type { CommandResult } from "../command/result.js";
import { answerBytes } from "./answer-bytes.js";

const FIRST_PLACES = 8;
const SPARSE = 4;

export class KeptAnswer {
  readonly number: number;
  /** The words of the command's fingerprint, so that another one under the same number is told. */
  readonly a: number;
  readonly b: number;
  /** null: it was too large to be kept then. */
  readonly result: CommandResult | null;
  readonly bytes: number;

  constructor(number: number, a: number, b: number, result: CommandResult | null, bytes: number) {
    this.number = number;
    this.a = a;
    this.b = b;
    this.result = result;
    this.bytes = bytes;
  }

  static of(number: number, a: number, b: number, result: CommandResult, maxBytes: number) {
    const bytes = answerBytes(result);
    if (bytes <= maxBytes) return new KeptAnswer(number, a, b, result, bytes);
    return new KeptAnswer(number, a, b, null, answerBytes(null));
  }
}

export class Answers {
  #places: (KeptAnswer | null)[];
  #others: Map<number, KeptAnswer> | null;
  #size: number;

  constructor(from: Answers | null) {
    this.#places = from === null ? noAnswers(FIRST_PLACES) : from.#places.slice();
    this.#others = from === null || from.#others === null ? null : new Map(from.#others);
    this.#size = from === null ? 0 : from.#size;
  }

  get size(): number {
    return this.#size;
  }

  get(number: number): KeptAnswer | undefined {
    const found = this.#places[number & (this.#places.length - 1)];
    if (found && found.number === number) return found;
    return this.#others === null ? undefined : this.#others.get(number);
  }

  /** Its number must not be here yet. */
  add(answer: KeptAnswer): void {
    this.#size++;
    while (!this.#place(answer)) {
      if (this.#size * SPARSE >= this.#places.length) {
        this.#spread();
      } else {
        this.#others ??= new Map();
        this.#others.set(answer.number, answer);
        return;
      }
    }
  }

  /** The answer that was there. */
  delete(number: number): KeptAnswer | undefined {
    const found = this.get(number);
    if (found === undefined) return undefined;
    this.#size--;
    const place = number & (this.#places.length - 1);
    if (this.#places[place] === found) this.#places[place] = null;
    else this.#others?.delete(number);
    return found;
  }

  /** In ascending order. */
  numbers(): number[] {
    const numbers: number[] = this.#others === null ? [] : [...this.#others.keys()];
    for (const answer of this.#places) if (answer !== null) numbers.push(answer.number);
    return numbers.sort((a, b) => a - b);
  }

  #place(answer: KeptAnswer): boolean {
    const place = answer.number & (this.#places.length - 1);
    if (this.#places[place] !== null) return false;
    this.#places[place] = answer;
    return true;
  }

  /** Twice as many places: what did not collide before does not collide now. */
  #spread(): void {
    const before = this.#places;
    this.#places = noAnswers(2 * before.length);
    for (const answer of before) if (answer !== null) this.#place(answer);
  }
}

function noAnswers(places: number): (KeptAnswer | null)[] {
  return new Array<KeptAnswer | null>(places).fill(null);
}
