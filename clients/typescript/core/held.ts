/** One grant in the hands of its holder: what is known of it from the clocks, and its end. */
import { LIMITS, type OperationName } from "holdfast-protocol";
import { checkText } from "./arguments.js";
import { type Answer, Call } from "./call.js";
import { tell } from "./callbacks.js";
import { asIs, type Engine } from "./engine.js";
import { HoldfastError, LockLostError, lossReason, YieldAsked } from "./errors.js";
import { textsOf } from "./holders.js";
import { blameOf } from "./incoming.js";
import type { Dependant, Lease } from "./lease.js";
import type { CallOptions, Claim, Held, Leadership } from "./surface.js";
import { textOf, textWithin, type Value } from "./text.js";

type Released = { readonly heldToTheEnd: boolean };

const NOT_TO_THE_END: Released = { heldToTheEnd: false };
/** So much later than it was told, the end of a grace is another one's. */
const SAME_GRACE_MS = 1000;

export class HeldGrant implements Held, Dependant {
  readonly name: string;
  readonly key: string;
  readonly token: number;
  protected readonly engine: Engine;
  readonly actor: string;
  /** Its links among the lease's grants. */
  before: Dependant | null = null;
  after: Dependant | null = null;
  readonly #lease: Lease;
  /** Of several names: the keys of all; else none. */
  readonly #keys: readonly string[];
  #controller: AbortController | null = null;
  #yield: AbortController | null = null;
  /** The newest. */
  #asked: YieldAsked | null = null;
  #graceEndMs = 0;
  readonly #askListeners = new Set<(asked: YieldAsked) => void>();
  /** What is still to be told of its progress, while something is being told. */
  #progress: string | null = null;
  #isTelling = false;
  #lost: LockLostError | null = null;
  #release: Promise<Released> | null = null;

  constructor(engine: Engine, lease: Lease, granted: Answer, actor: string) {
    this.engine = engine;
    this.actor = actor;
    this.#lease = lease;
    this.name = textOf(granted.name);
    this.key = textOf(granted.key);
    this.token = granted.token as number;
    this.#keys = textsOf(granted.keys);
    if (lease.ended !== null) this.#lost = lease.ended;
    else lease.grants.add(this);
  }

  get keyId(): string {
    return this.key;
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  hasKey(keyId: string): boolean {
    return this.key === keyId || this.#keys.includes(keyId);
  }

  get yieldSignal(): AbortSignal {
    if (this.#yield === null) {
      this.#yield = new AbortController();
      if (this.#asked !== null) this.#yield.abort(this.#asked);
    }
    return this.#yield.signal;
  }

  onYieldAsked(listener: (asked: YieldAsked) => void): () => void {
    const own = (asked: YieldAsked): void => tell(listener, asked);
    const earlier = this.#asked;
    this.#askListeners.add(own);
    if (earlier !== null)
      this.engine.platform.schedule(() => {
        // A newer one has been told by then.
        if (earlier === this.#asked && this.#askListeners.has(own) && !this.#isOver) own(earlier);
      });
    return () => void this.#askListeners.delete(own);
  }

  asked(ask: Answer): void {
    if (this.#isOver) return;
    const asked = new YieldAsked(this.name, ask);
    this.#asked = asked;
    this.#graceEndMs = this.engine.platform.monotonicMs() + asked.graceMs;
    this.#yield?.abort(asked);
    for (const listener of [...this.#askListeners]) listener(asked);
  }

  standsAsked(ask: Answer): void {
    const { by, why, graceMs } = new YieldAsked(this.name, ask);
    const isKnown = this.#asked !== null && by === this.#asked.by && why === this.#asked.why;
    const graceEndMs = this.engine.platform.monotonicMs() + graceMs;
    if (!isKnown || graceEndMs > this.#graceEndMs + SAME_GRACE_MS) this.asked(ask);
  }

  get #isOver(): boolean {
    return this.#lost !== null || this.#release !== null;
  }

  get signal(): AbortSignal {
    this.#lease.check();
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#lost !== null) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  get remainingMs(): number {
    const remainingMs = this.#lease.remainingMs;
    return this.#lost === null && this.#release === null ? remainingMs : 0;
  }

  assertHeld(): void {
    this.#lease.check();
    if (this.#lost !== null) throw this.#lost;
    if (this.#release === null) return;
    const message = `${this.name}: this grant (${this.token}) was released by its holder`;
    throw new LockLostError("revoked", { message, details: { key: this.key } });
  }

  annotate(progress: string): void {
    checkText("progress", progress);
    this.#progress = textWithin(progress, LIMITS.remarkBytes);
    if (!this.#isTelling) void this.#tellProgress();
  }

  /** One after the other, and of those that wait only the last. What fails is of no weight. */
  async #tellProgress(): Promise<void> {
    this.#isTelling = true;
    while (this.#progress !== null && this.#lost === null && this.#release === null) {
      const params = { key: this.key, progress: this.#progress };
      this.#progress = null;
      await this.engine.ask("lock.annotate", params, undefined, nothing).catch(nothing);
    }
    this.#isTelling = false;
  }

  async confirm(options?: CallOptions): Promise<void> {
    this.assertHeld();
    try {
      await this.engine.ask("lock.check", { key: this.key }, options, asIs);
    } catch (error) {
      // Whatever the caller's signal gave as its reason comes by here, too.
      const ended =
        error instanceof HoldfastError &&
        (error.code === "NOT_HELD" || error.code === "NO_SUCH_GRANT");
      if (!ended) throw error;
      this.lose(this.#lossOf(error.details));
    }
    this.assertHeld();
  }

  release(options?: CallOptions): Promise<Released> {
    if (this.#release === null) {
      const refusal = this.engine.refusal(options);
      if (refusal !== null) return Promise.reject(refusal);
      this.#release = this.#giveBack(options);
    }
    // What was lost may have been given back long before its holder asks.
    return this.#lost === null ? this.#release : this.#release.then(() => NOT_TO_THE_END);
  }

  /** A failed release goes on in the background, so it is no reason for `await using` to throw. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release().then(nothing, nothing);
  }

  lose(error: LockLostError): void {
    if (this.#lost !== null || this.#release !== null) return;
    this.#lost = error;
    this.#controller?.abort(error);
  }

  abandon(): void {
    this.release().catch(nothing);
  }

  /** It has ended by what its holder did otherwise: there is nothing to release any more. */
  protected endedWell(): void {
    this.#release ??= Promise.resolve({ heldToTheEnd: true });
    this.#gone();
  }

  /** The operation that ends it. */
  protected get releasing(): OperationName {
    return "lock.release";
  }

  #giveBack(options: CallOptions | undefined): Promise<Released> {
    if (this.#lease.hasEnded) return Promise.resolve(NOT_TO_THE_END);
    const call = new Call(this.releasing, { key: this.key }, this.#released);
    call.urgent = true;
    call.persists = true;
    call.lease = this.#lease.id;
    call.onDone = this.#gone;
    call.recover = this.#forgotten;
    return this.engine.run(call, options) as Promise<Released>;
  }

  readonly #gone = (): void => {
    this.#lease.grants.remove(this);
    if (this.#lease.isOrphan) this.engine.keeper.tidy(this.#lease);
  };

  readonly #released = (ok: Answer): Released => {
    if (ok.released === true) return { heldToTheEnd: true };
    this.#lost ??= this.#lossOf((ok.ended ?? {}) as Answer);
    return { heldToTheEnd: false };
  };

  /** We were granted it, so a node that knows of no such grant has forgotten it. */
  readonly #forgotten = (error: HoldfastError, call: Call): boolean => {
    if (error.code !== "NO_SUCH_GRANT") return false;
    call.tell(this.#released({ released: false, ended: { reason: "forgotten" } }));
    return true;
  };

  /** The loss, for `run`: known from the clocks, from a push, or from the release itself. */
  get loss(): LockLostError | null {
    return this.#lost;
  }

  #lossOf(ended: Answer): LockLostError {
    const { reason } = ended;
    const message = `${this.name}: the grant (${this.token}) has ended (${String(reason)})`;
    const cause = `the cluster says: ${String(reason)}${blameOf(ended)}`;
    return new LockLostError(lossReason(reason), {
      message: `${message}${blameOf(ended)}; stop, and acquire again`,
      details: { key: this.key, cause },
    });
  }
}

export class HeldLeadership extends HeldGrant implements Leadership {
  protected override get releasing(): OperationName {
    return "election.resign";
  }

  proclaim(value: Value, options?: CallOptions): Promise<void> {
    return this.engine.ask("election.proclaim", { key: this.key, value }, options, nothing);
  }

  async handOver(options: CallOptions & { readonly to?: string } = {}): Promise<void> {
    const { to, ...callOptions } = options;
    this.assertHeld();
    if (to === undefined) {
      await this.release(callOptions);
      return;
    }
    const params = { key: this.key, toKey: to };
    const isOver = await this.engine.ask(
      "election.resign",
      params,
      callOptions,
      ok => ok.released === true,
    );
    if (isOver) this.endedWell();
    else await this.confirm(callOptions);
  }
}

export class HeldClaim extends HeldGrant implements Claim {
  done(note?: string, options?: CallOptions): Promise<void> {
    return this.#finish("done", note, options);
  }

  fail(note?: string, options?: CallOptions): Promise<void> {
    return this.#finish("failed", note, options);
  }

  async #finish(
    outcome: "done" | "failed",
    note: string | undefined,
    options: CallOptions | undefined,
  ): Promise<void> {
    const params = { key: this.key, outcome, ...(note === undefined ? {} : { note }) };
    await this.engine.ask("slot.finish", params, options, nothing);
    this.endedWell();
  }
}

function nothing(): void {
  // the answer is of no interest
}
