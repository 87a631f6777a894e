/**
 * The Random port over the system's generator. Ids and incarnations are drawn from it, so it must
 * not repeat after a restart nor be guessed.
 */
import { randomInt } from "node:crypto";
import { assert } from "../../base/assert.js";
import type { Random } from "../../base/ports.js";

const HALF = 2 ** 24;

export const nodeRandom: Random = {
  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 48, "bound must be 1 to 2^48");
    // randomInt itself ends one below 2^48.
    if (bound === 2 ** 48) return randomInt(HALF) * HALF + randomInt(HALF);
    return randomInt(bound);
  },
};
