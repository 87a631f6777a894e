/**
 * From a violation to what a person can see at once: the first return that nothing explains, the
 * order that explains all before it, and the few operations that contradict each other.
 *
 * Both rest on this: an operation of which nobody heard the end can be placed wherever it could
 * before. So forgetting ends never makes a violation, and what is still one needs no other proof.
 */
import { entriesOf, unheard } from "./entries.js";
import type { Model } from "./model.js";
import type { Operation } from "./operation.js";
import { type Budget, type Found, findOrder } from "./search.js";

export interface Conflict {
  /** The operation whose return no order explains. */
  readonly breaking: Operation;
  /** An order of what had returned until then, if it was found within the budget. */
  readonly order: readonly Operation[];
  /** These contradict each other, whatever became of all others; in order of their calls. */
  readonly operations: readonly Operation[];
  /** None of them can be left out. */
  readonly smallest: boolean;
}

/** `operations` are a violation; `found` is what the search that said so came to. */
export function conflictOf(
  operations: readonly Operation[],
  model: Model,
  found: Found,
  budget: Budget,
): Conflict {
  const narrowing = new Narrowing(operations, model, found, budget);
  return narrowing.run();
}

const isHeard = ({ result }: Operation): boolean => result !== "unknown" && result !== "failed";

const returnOf = (operation: Operation): number => operation.return ?? Number.POSITIVE_INFINITY;

/** As many searches as the one that found the violation may be spent on narrowing it. */
const TRIALS = 50;

class Narrowing {
  readonly #operations: readonly Operation[];
  readonly #model: Model;
  readonly #found: Found;
  readonly #budget: Budget;
  readonly #trialSteps: number;
  /** Of operations whose end was cut off, what they were. */
  readonly #originals = new Map<Operation, Operation>();
  #stepsLeft: number;
  #sure = true;

  constructor(operations: readonly Operation[], model: Model, found: Found, budget: Budget) {
    this.#operations = operations;
    this.#model = model;
    this.#found = found;
    this.#budget = budget;
    this.#stepsLeft = Math.min(budget.limitSteps, TRIALS * (found.steps + operations.length));
    this.#trialSteps = 2 * found.steps + 5 * operations.length;
  }

  run(): Conflict {
    const heard = this.#operations.filter(isHeard).sort((a, b) => returnOf(a) - returnOf(b));
    const end = this.#firstBad(heard);
    const order = this.#orderBefore(heard, end);
    const breaking = heard[end];
    if (breaking === undefined) throw new RangeError("a violation without an answer");
    const beginning = this.#until(returnOf(breaking));
    const kept = this.#smallest(beginning, likeliest(heard.slice(0, end + 1), breaking));
    kept.sort((a, b) => a.call - b.call);
    return { breaking, order, operations: kept, smallest: this.#sure };
  }

  /** The history as it was known at `endMs`. What is not cut stays the same object. */
  #until(endMs: number): Operation[] {
    const begun = this.#operations.filter(({ call }) => call <= endMs);
    return begun.map(one => {
      if (returnOf(one) <= endMs) return one;
      const cut = unheard(one);
      this.#originals.set(cut, one);
      return cut;
    });
  }

  /** The place of the first return by which the history is a violation. */
  #firstBad(heard: readonly Operation[]): number {
    let good = -1;
    let bad = heard.length - 1;
    while (bad - good > 1) {
      const middle = (good + bad) >>> 1;
      const end = heard[middle];
      if (end === undefined) break;
      if (this.#isViolation(this.#until(returnOf(end)))) bad = middle;
      else good = middle;
    }
    return bad;
  }

  #orderBefore(heard: readonly Operation[], end: number): readonly Operation[] {
    const last = heard[end - 1];
    if (last === undefined) return [];
    const beginning = this.#until(returnOf(last));
    const found = this.#search(beginning, new Set());
    const best = found?.end === "placed" ? found : this.#found;
    return best.order.map(({ operation }) => this.#originals.get(operation) ?? operation);
  }

  /** Hears of more and more ends, the likeliest first, until it is one; then of as few as it can. */
  #smallest(beginning: readonly Operation[], heard: readonly Operation[]): Operation[] {
    // What was heard of in the beginning is not cut, and so can be told by identity.
    let kept = [...heard];
    for (let size = 2; size < heard.length; size *= 2) {
      const few = heard.slice(0, size);
      if (!this.#contradict(beginning, heard, few)) continue;
      kept = few;
      break;
    }
    for (let size = Math.ceil(kept.length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let from = 0; from < kept.length; ) {
        const fewer = kept.toSpliced(from, size);
        if (this.#contradict(beginning, heard, fewer)) kept = fewer;
        else from += size;
      }
    }
    return kept;
  }

  #contradict(
    beginning: readonly Operation[],
    heard: readonly Operation[],
    kept: readonly Operation[],
  ): boolean {
    const forgotten = new Set(heard);
    for (const one of kept) forgotten.delete(one);
    return this.#isViolation(beginning, forgotten);
  }

  #isViolation(operations: readonly Operation[], forgotten = new Set<Operation>()): boolean {
    const found = this.#search(operations, forgotten);
    if (found === null || found.end === "steps" || found.end === "time") this.#sure = false;
    return found?.end === "impossible";
  }

  #search(operations: readonly Operation[], forgotten: ReadonlySet<Operation>): Found | null {
    if (this.#stepsLeft <= 0 || this.#budget.isOver()) return null;
    const known = operations.map(one => (forgotten.has(one) ? unheard(one) : one));
    const limitSteps = Math.min(this.#stepsLeft, this.#trialSteps);
    const budget = { limitSteps, isOver: () => this.#budget.isOver() };
    const found = findOrder(entriesOf(known, this.#model), this.#model, budget);
    this.#stepsLeft -= found.steps;
    return found;
  }
}

/** First what speaks of the same values or tokens, then the rest; of each the nearest in time. */
function likeliest(heard: readonly Operation[], breaking: Operation): Operation[] {
  const subjects = subjectsOf(breaking);
  const isKin = (one: Operation): boolean => [...subjectsOf(one)].some(what => subjects.has(what));
  const nearest = heard.toReversed();
  const kin = nearest.filter(isKin);
  return interleave(kin, nearest);
}

/** By turns from both, each once. */
function interleave(some: readonly Operation[], others: readonly Operation[]): Operation[] {
  const all = new Set<Operation>();
  others.forEach((other, at) => {
    const one = some[at];
    if (one !== undefined) all.add(one);
    all.add(other);
  });
  return [...all];
}

function subjectsOf({ op, result }: Operation): Set<string | number> {
  const { kind, key, ...asked } = op;
  const answered = typeof result === "object" ? result : {};
  const all = [...Object.values(asked), ...Object.values(answered)];
  return new Set(all.filter(what => typeof what === "string" || typeof what === "number"));
}
