/**
 * Assertions that stay on in production. A failed one is a bug of ours, never a user's mistake:
 * nobody catches it, and the process stops before it can do harm.
 */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws {@link AssertionError} unless `condition` holds. `message` says what must hold. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a branch that the types prove impossible; throws if it is reached all the same. */
export function unreachable(value: never, where: string): never {
  throw new AssertionError(`${where}: unreachable value ${String(value)}`);
}
