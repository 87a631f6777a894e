/**
 * The search for an order in which everything that must be placed can be: depth first, every
 * configuration (what is placed, and the state) once. Wing and Gong's algorithm with Lowe's memory,
 * and the reductions that README.md names. Called by `check.ts` and `conflict.ts`.
 */
import { Board } from "./board.js";
import type { Entry } from "./entries.js";
import { Memory } from "./memory.js";
import type { Model } from "./model.js";
import { States } from "./states.js";
import { isHopeless } from "./zones.js";

/** When to give up; asked every now and then. The steps are what makes a run repeatable. */
export interface Budget {
  readonly limitSteps: number;
  isOver(): boolean;
}

export interface Found {
  /** "steps" and "time" are limits: nothing is known. */
  readonly end: "placed" | "impossible" | "steps" | "time";
  /** All of them; or, where there is no such order, the most that could be placed. */
  readonly order: readonly Entry[];
  readonly steps: number;
}

/** A place in the order: how it was come to, and where one can go from it. */
interface Node {
  readonly state: number;
  /** The entry placed last, or -1. */
  readonly placed: number;
  readonly options: readonly Option[];
  tried: number;
}

interface Option {
  readonly place: number;
  readonly state: number;
}

const STEPS_BETWEEN_LOOKS = 512;

/** Looks for an order, where there is any hope of one. */
export function findOrder(entries: readonly Entry[], model: Model, budget: Budget): Found {
  if (isHopeless(entries, model)) return { end: "impossible", order: [], steps: 0 };
  return new Search(entries, model).run(budget);
}

export class Search {
  readonly #model: Model;
  readonly #board: Board;
  readonly #states: States;
  readonly #memory: Memory;
  readonly #path: Node[] = [];
  #best: readonly Entry[] = [];
  #bestProgress = -1;
  #steps = 0;

  constructor(entries: readonly Entry[], model: Model) {
    this.#model = model;
    this.#board = new Board(entries, model);
    this.#states = new States(model);
    this.#memory = new Memory(this.#states);
  }

  run(budget: Budget): Found {
    this.#enter(-1, this.#states.numberOf(this.#model.initial));
    for (;;) {
      if (this.#board.isDone) return this.#found("placed", this.#order());
      const node = this.#path.at(-1);
      if (node === undefined) return this.#found("impossible", this.#best);
      const option = node.options[node.tried];
      node.tried += 1;
      if (option === undefined) this.#leave(node);
      else {
        this.#steps += 1;
        if (this.#steps > budget.limitSteps) return this.#found("steps", this.#best);
        if (this.#steps % STEPS_BETWEEN_LOOKS === 0 && budget.isOver()) {
          return this.#found("time", this.#best);
        }
        this.#board.place(option.place);
        this.#enter(option.place, option.state);
      }
    }
  }

  #enter(placed: number, state: number): void {
    const before = this.#path.at(-1);
    const known = this.#isKnown(placed, state, before);
    const options = known || this.#board.isDone ? [] : this.#options(placed, state, before);
    this.#path.push({ state, placed, options, tried: 0 });
  }

  #leave(node: Node): void {
    if (this.#board.progress > this.#bestProgress) {
      this.#bestProgress = this.#board.progress;
      this.#best = this.#order();
    }
    this.#path.pop();
    if (node.placed >= 0) this.#board.lift(node.placed);
  }

  #found(end: Found["end"], order: readonly Entry[]): Found {
    return { end, order, steps: this.#steps };
  }

  #order(): readonly Entry[] {
    return this.#path.slice(1).map(({ placed }) => this.#board.at(placed));
  }

  /** After an optional entry, what may follow depends on what was before it. */
  #isKnown(placed: number, state: number, before: Node | undefined): boolean {
    const restriction = this.#isOptional(placed) ? `${placed}:${before?.state}` : "";
    const { requiredName: required, optionalWords: used } = this.#board;
    return this.#memory.isKnown({ required, state, used, restriction });
  }

  #isOptional(placed: number): boolean {
    return placed >= 0 && !this.#board.isRequired(placed);
  }

  #options(placed: number, number: number, before: Node | undefined): readonly Option[] {
    const { latestMs } = this.#board;
    const state = this.#states.at(number);
    const options: Option[] = [];
    const waiting: number[] = [];
    for (const place of this.#board.candidates()) {
      const { move } = this.#board.at(place);
      const after = this.#model.step(state, move, latestMs);
      // A legal read is placed at once. After an optional entry it is one that this made legal.
      if (after === state && this.#model.reads(move)) return [{ place, state: number }];
      if (after === null) waiting.push(place);
      else options.push({ place, state: this.#states.numberOf(after) });
    }
    for (const place of this.#board.helpful(state, waiting)) {
      const after = this.#model.step(state, this.#board.at(place).move, latestMs);
      if (after !== null && after !== state) {
        options.push({ place, state: this.#states.numberOf(after) });
      }
    }
    const idle = this.#isOptional(placed) && before !== undefined;
    return options.filter(
      option =>
        this.#board.wanted.allows(option.place, state, this.#states.at(option.state)) &&
        !(idle && this.#isIdle(placed, before.state, option)),
    );
  }

  /**
   * An optional entry was placed in the state `before`, and this option is to follow. Is the entry
   * idle, since without it, or with it only later, one gets as far?
   */
  #isIdle(optional: number, before: number, { place, state }: Option): boolean {
    const { latestMs } = this.#board;
    const without = this.#model.step(this.#states.at(before), this.#board.at(place).move, latestMs);
    if (without === null) return false;
    if (this.#states.allowsMore(this.#states.numberOf(without), state)) return true;
    // Of two optional ones that commute, the order of their places is the one that is tried.
    if (!this.#board.isRequired(place) && place > optional) return false;
    const later = this.#model.step(without, this.#board.at(optional).move, latestMs);
    return later !== null && this.#states.allowsMore(this.#states.numberOf(later), state);
  }
}
