/** Locks by name. */
import type { Answer } from "./call.js";
import type { Engine } from "./engine.js";
import { WaitTimeoutError } from "./errors.js";
import { HeldGrant } from "./held.js";
import { holdersOf, textsOf } from "./holders.js";
import { listOf } from "./incoming.js";
import type { SessionOf } from "./session.js";
import { Standing } from "./standing.js";
import type {
  CallOptions,
  Held,
  Lock,
  LockInfo,
  LockSummary,
  Transition,
  WaitOptions,
} from "./surface.js";
import { textOf } from "./text.js";

export class LockOf implements Lock {
  readonly name: string;
  readonly #engine: Engine;
  readonly #standing: Standing<HeldGrant>;
  readonly #base: Readonly<Record<string, unknown>>;

  constructor(engine: Engine, session: SessionOf, name: string, actor: string | undefined) {
    this.name = name;
    this.#engine = engine;
    this.#standing = new Standing(engine, session, "lock.acquire", HeldGrant);
    this.#base = actor === undefined ? { name } : { name, actor };
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
    return this.#engine.ask("lock.inspect", { name: this.name }, options, detailsOf);
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
    holders: holdersOf(wire.holders),
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
