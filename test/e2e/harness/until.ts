/** Waiting for conditions, with a limit that fails by name: the only way a test here may wait. */

export const pauseMs = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

/**
 * Asks until the answer is neither undefined, null nor false, and gives it; fails after `limitMs`.
 * An error thrown by `ask` counts as "not yet" and is told if the limit is reached.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  limitMs = 20_000,
): Promise<T> {
  const limit = performance.now() + limitMs;
  let trouble: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      trouble = undefined;
    } catch (error) {
      trouble = error;
    }
    if (performance.now() > limit) {
      throw new Error(`waited ${limitMs} ms in vain for ${what}`, { cause: trouble });
    }
    await pauseMs(20);
  }
}
