/**
 * Calls that wait for the end of a grant, whoever has it: those that asked its holder to hand over
 * before it is broken. What ends it stands in the log, so that nothing depends on who waits here.
 * A key that is named by its lease may stand for a later grant: that one is nobody's here.
 */
import type { EndReason, StateMachine } from "../../state/index.js";
import type { Core } from "../core.js";

export interface EndingWaiter {
  /** Once; the waiter is out by then. */
  grantEnded(reason: EndReason): void;
}

/** All who wait for the end of one grant. */
interface Ending {
  readonly name: string;
  readonly token: number;
  readonly waiters: Set<EndingWaiter>;
}

export class Endings {
  readonly #core: Core;
  readonly #byKey = new Map<string, Ending>();
  #size = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** How many calls wait. */
  get size(): number {
    return this.#size;
  }

  /**
   * Of the grant of that key which is to be broken at `endsMs`, or sooner. Tells at once when it
   * does not stand any more: the answer that said so may be an old one.
   */
  wait(key: string, endsMs: number, waiter: EndingWaiter): void {
    const { machine } = this.#core;
    const truth = machine.entry(key);
    if (truth.kind !== "granted" || !isBreaking(machine, key, endsMs)) {
      waiter.grantEnded(truth.kind === "entryEnded" ? truth.reason : "forgotten");
      return;
    }
    const { name, token } = truth.grant;
    const ending = this.#byKey.get(key) ?? { name, token, waiters: new Set() };
    ending.waiters.add(waiter);
    this.#byKey.set(key, ending);
    this.#size++;
  }

  leave(key: string, waiter: EndingWaiter): void {
    const ending = this.#byKey.get(key);
    if (ending?.waiters.delete(waiter) !== true) return;
    this.#size--;
    if (ending.waiters.size === 0) this.#byKey.delete(key);
  }

  ended(key: string, reason: EndReason): void {
    const ending = this.#byKey.get(key);
    if (ending === undefined) return;
    this.#byKey.delete(key);
    this.#size -= ending.waiters.size;
    for (const waiter of ending.waiters) waiter.grantEnded(reason);
  }

  /** The state was replaced: every grant is compared with it. */
  restored(): void {
    for (const [key, { name, token }] of [...this.#byKey].sort(byKey)) {
      const reason = endOf(this.#core.machine, key, name, token);
      if (reason !== null) this.ended(key, reason);
    }
  }
}

const byKey = ([a]: readonly [string, Ending], [b]: readonly [string, Ending]): number =>
  a < b ? -1 : 1;

/** Said again it may only end sooner; a later grant of the key is not asked, or ends later. */
function isBreaking(machine: StateMachine, key: string, endsMs: number): boolean {
  const standing = machine.check({ key });
  if (!standing.held) return false;
  const { asked, endsMs: standsUntilMs = Number.POSITIVE_INFINITY } = standing.entry;
  return asked?.breaks === true && standsUntilMs <= endsMs;
}

/** How the grant has ended; null: it stands. Readers share a token: of them, the key tells. */
function endOf(machine: StateMachine, key: string, name: string, token: number): EndReason | null {
  const truth = machine.entry(key);
  if (truth.kind === "granted" && truth.grant.token === token) return null;
  const standing = machine.check({ name, token });
  if (!standing.held && isEnd(standing.reason)) return standing.reason;
  return truth.kind === "entryEnded" ? truth.reason : "forgotten";
}

const isEnd = (reason: EndReason | "waiting" | "never" | "ambiguous"): reason is EndReason =>
  reason !== "waiting" && reason !== "never" && reason !== "ambiguous";
