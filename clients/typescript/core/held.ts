/** One grant in the hands of its holder: what is known of it from the clocks, and its end. */
import type { OperationName } from "holdfast-protocol";
import { type Answer, Call } from "./call.js";
import { asIs, type Engine } from "./engine.js";
import { type HoldfastError, LockLostError, lossReason } from "./errors.js";
import type { Dependant, Lease } from "./lease.js";
import type { CallOptions, Held, Leadership } from "./surface.js";
import { textOf, type Value } from "./text.js";

type Released = { readonly heldToTheEnd: boolean };

const NOT_TO_THE_END: Released = { heldToTheEnd: false };

export class HeldGrant implements Held, Dependant {
  readonly name: string;
  readonly key: string;
  readonly token: number;
  protected readonly engine: Engine;
  /** Its links among the lease's grants. */
  before: Dependant | null = null;
  after: Dependant | null = null;
  readonly #lease: Lease;
  #controller: AbortController | null = null;
  #lost: LockLostError | null = null;
  #release: Promise<Released> | null = null;

  constructor(engine: Engine, lease: Lease, granted: Answer) {
    this.engine = engine;
    this.#lease = lease;
    this.name = textOf(granted.name);
    this.key = textOf(granted.key);
    this.token = granted.token as number;
    if (lease.ended !== null) this.#lost = lease.ended;
    else lease.grants.add(this);
  }

  get keyId(): string {
    return this.key;
  }

  get isLost(): boolean {
    return this.#lost !== null;
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

  async confirm(options?: CallOptions): Promise<void> {
    this.assertHeld();
    try {
      await this.engine.ask("lock.check", { key: this.key }, options, asIs);
    } catch (error) {
      const { code, details } = error as HoldfastError;
      if (code !== "NOT_HELD" && code !== "NO_SUCH_GRANT") throw error;
      this.lose(this.#lossOf(details.reason));
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
    const ended = ok.ended as { readonly reason?: unknown } | undefined;
    this.#lost ??= this.#lossOf(ended?.reason);
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

  #lossOf(endReason: unknown): LockLostError {
    const message = `${this.name}: the grant (${this.token}) has ended (${String(endReason)})`;
    return new LockLostError(lossReason(endReason), {
      message: `${message}; stop, and acquire again`,
      details: { key: this.key, cause: `the cluster says: ${String(endReason)}` },
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
}

function nothing(): void {
  // the answer is of no interest
}
