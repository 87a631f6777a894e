/** Locks by name. */
import { type Answer, Call } from "./call.js";
import { type Engine, invalid } from "./engine.js";
import { WaitTimeoutError } from "./errors.js";
import { HeldGrant } from "./held.js";
import { holdersOf, textsOf } from "./holders.js";
import { listOf } from "./incoming.js";
import type { SessionOf } from "./session.js";
import { Standing } from "./standing.js";
import type {
  BreakOptions,
  CallOptions,
  Held,
  Lock,
  LockInfo,
  LockSummary,
  Transition,
  WaitOptions,
  YieldOptions,
} from "./surface.js";
import { textOf } from "./text.js";

export class LockOf implements Lock {
  readonly name: string;
  readonly names: readonly string[];
  readonly #engine: Engine;
  readonly #standing: Standing<HeldGrant>;
  readonly #base: Readonly<Record<string, unknown>>;

  /** `how`: mode, permits and actor, as far as they are given. */
  constructor(
    engine: Engine,
    session: SessionOf,
    name: string | readonly string[],
    how: Readonly<Record<string, unknown>>,
  ) {
    this.names = typeof name === "string" ? [name] : [...name];
    this.name = this.names[0] ?? "";
    this.#engine = engine;
    this.#standing = new Standing(engine, session, "lock.acquire", HeldGrant);
    this.#base =
      this.names.length === 1 ? { name: this.name, ...how } : { names: this.names, ...how };
  }

  acquire(options?: WaitOptions): Promise<Held> {
    return this.#standing.stand(this.#base, options);
  }

  async tryAcquire(options?: CallOptions): Promise<Held | null> {
    try {
      return await this.#standing.stand(this.#base, { ...options, waitMs: 0 });
    } catch (error) {
      if (error instanceof WaitTimeoutError) return null;
      throw error;
    }
  }

  async run<T>(fn: (held: Held) => T | Promise<T>, options?: WaitOptions): Promise<T> {
    return runHolding(await this.#standing.stand(this.#base, options), fn);
  }

  inspect(options?: CallOptions): Promise<LockInfo> {
    if (this.names.length !== 1) return Promise.reject(invalid("name", "one name, to inspect it"));
    return this.#engine.ask("lock.inspect", { name: this.name }, options, detailsOf);
  }

  async askToYield(options: YieldOptions = {}): Promise<void> {
    const { graceMs, reason, to, ...callOptions } = options;
    const how = {
      ...(graceMs === undefined ? {} : { graceMs }),
      ...(to === undefined ? {} : { toKey: to }),
      ...this.#blame(reason),
    };
    const ask = (name: string) =>
      this.#engine.ask("lock.yield", { name, ...how }, callOptions, () => {});
    await Promise.all(this.names.map(ask));
  }

  async break(options: BreakOptions): Promise<void> {
    const { reason, force, timeoutMs = Number.POSITIVE_INFINITY, signal } = options;
    const params = {
      ...("key" in options ? { key: options.key } : { name: this.name, token: options.token }),
      ...(force === true ? { force } : {}),
      ...this.#blame(reason),
    };
    const call = new Call("lock.break", params, () => {});
    call.waits = force !== true;
    await this.#engine.run(call, { timeoutMs, ...(signal === undefined ? {} : { signal }) });
  }

  #blame(why: string | undefined) {
    const { owner } = this.#engine.shown;
    return {
      ...(owner === undefined ? {} : { by: owner }),
      ...(why === undefined ? {} : { why }),
    };
  }
}

/** Runs `fn` and releases. See `Lock.run` for what comes out. */
export async function runHolding<H extends HeldGrant, T>(
  held: H,
  fn: (held: H) => T | Promise<T>,
): Promise<T> {
  let result: T;
  try {
    result = await fn(held);
  } catch (error) {
    await held[Symbol.asyncDispose]();
    throw error;
  }
  // What the clocks say when the work is done counts, not what they say after the release.
  const lostBefore = held.loss ?? lossNow(held);
  await held[Symbol.asyncDispose]();
  const loss = lostBefore ?? held.loss;
  if (loss !== null) throw loss;
  return result;
}

function lossNow(held: HeldGrant): HeldGrant["loss"] {
  void held.remainingMs;
  return held.loss;
}

export function infoOf(wire: Answer): LockSummary {
  return {
    name: textOf(wire.name),
    rule: wire.rule as LockSummary["rule"],
    holders: holdersOf(wire.holders),
    holderCount: wire.holderCount as number,
    waiterCount: wire.waiterCount as number,
  };
}

function detailsOf(ok: Answer): LockInfo {
  const recent = listOf(ok.recent, "recent") as readonly unknown[] as readonly Transition[];
  return {
    ...infoOf(ok),
    waiters: holdersOf(ok.waiters),
    recent: recent.map(one => ({ ...one, key: textOf(one.key) })),
    ignored: textsOf(ok.ignored),
    revision: ok.revision as number,
  };
}
