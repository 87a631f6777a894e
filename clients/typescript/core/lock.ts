/** Locks by name. */
import {
  callOptions,
  checkFunction,
  checkOptions,
  checkText,
  invalid,
  listFrom,
} from "./arguments.js";
import { type Answer, Call } from "./call.js";
import type { Engine } from "./engine.js";
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

const BREAK_OPTIONS = callOptions("token", "key", "reason", "force");

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
    this.names = listFrom("name", name, "text, or a list of texts");
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
    checkFunction(fn);
    return runHolding(await this.#standing.stand(this.#base, options), fn);
  }

  inspect(options?: CallOptions): Promise<LockInfo> {
    if (this.names.length !== 1) return Promise.reject(invalid("name", "one name, to inspect it"));
    return this.#engine.ask("lock.inspect", { name: this.name }, options, detailsOf);
  }

  async askToYield(options: YieldOptions = {}): Promise<void> {
    const { graceMs, reason, to, ...rest } = options;
    if (reason !== undefined) checkText("reason", reason);
    if (to !== undefined) checkText("to", to);
    const how = {
      ...(graceMs === undefined ? {} : { graceMs }),
      ...(to === undefined ? {} : { toKey: to }),
      ...this.#blame(reason),
    };
    const ask = (name: string) => this.#engine.ask("lock.yield", { name, ...how }, rest, () => {});
    await Promise.all(this.names.map(ask));
  }

  async break(options: BreakOptions): Promise<void> {
    checkOptions(options ?? null, BREAK_OPTIONS);
    const { reason, force, timeoutMs } = options;
    checkText("reason", reason);
    const how = force === true ? { force } : {};
    const params = { ...this.#grantOf(options), ...how, ...this.#blame(reason) };
    const call = new Call("lock.break", params, () => {});
    call.waits = force !== true;
    if (!call.waits || timeoutMs !== undefined) {
      await this.#engine.run(call, options);
      return;
    }
    // How long the holder takes has no bound; whether there is a node to ask has that of any call.
    await this.#engine.ask("lock.inspect", { name: this.name }, options, () => {});
    await this.#engine.run(call, { ...options, timeoutMs: Number.POSITIVE_INFINITY });
  }

  #grantOf({ token, key }: { readonly token?: number; readonly key?: string }) {
    if (key !== undefined) return { key };
    if (token === undefined) throw invalid("break", "given the token of a grant, or its key");
    return { name: this.name, token };
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
