/** `holdfast-client/redlock`: the surface of npm's `redlock` 5 over a Holdfast client, in Node. */
export { both } from "./both.js";
export { ExecutionError, ResourceLockedError } from "./errors.js";
export { Lock } from "./lock.js";
export { Locker } from "./locker.js";
export type { RedisLock, RedisRedlock } from "./redis.js";
export { Redlock, Redlock as default } from "./redlock.js";
export type * from "./surface.js";
