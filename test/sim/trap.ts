/**
 * A crash that waits for a node at a boundary: before, within or after the n-th operation of its
 * disk, or before or after the n-th piece it sends. So the power can fail between any two steps.
 * The node's wires and disk ask it at each step; armed by faults/processes.ts.
 */

export const BOUNDARIES = ["within disk", "after disk", "before send", "after send"] as const;
export type Boundary = (typeof BOUNDARIES)[number];

export class Trap {
  readonly boundary: Boundary;
  readonly #strike: () => void;
  #stepsLeft: number;

  /** Strikes at the `steps`-th step of that kind from now on, once. */
  constructor(boundary: Boundary, steps: number, strike: () => void) {
    this.boundary = boundary;
    this.#stepsLeft = steps;
    this.#strike = strike;
  }

  /** The node is at this boundary: true when that was its end. */
  reached(boundary: Boundary): boolean {
    if (boundary !== this.boundary || this.#stepsLeft === 0) return false;
    this.#stepsLeft -= 1;
    if (this.#stepsLeft > 0) return false;
    this.#strike();
    return true;
  }
}
