/**
 * The names that docs/guides/migrating-from-redlock.md leaves open: what a program around its
 * pieces would have. Compiled with them by test/e2e/guide-redlock.test.ts.
 */
import type { Redlock } from "holdfast-client/redlock";
import type { Redis } from "ioredis";

export interface Stage {
  readonly redisA: Redis;
  readonly redisB: Redis;
  readonly redisC: Redis;
  readonly settings: { readonly retryCount: number; readonly retryDelay: number };
  /** In place of those of the page. */
  readonly endpoints: readonly string[];
  readonly redlock: Redlock;
  sql(parts: TemplateStringsArray, ...values: readonly unknown[]): Promise<void>;
}
