/** Elections: the exclusive line of a name, whose head's value is what the leader proclaims. */
import { checkFunction, checkText } from "./arguments.js";
import type { Answer } from "./call.js";
import type { Engine } from "./engine.js";
import { HeldLeadership } from "./held.js";
import { runHolding } from "./lock.js";
import type { SessionOf } from "./session.js";
import { Standing } from "./standing.js";
import { beginning, Stream } from "./streams.js";
import type {
  CallOptions,
  Election,
  Leader,
  Leadership,
  ObserveOptions,
  WaitOptions,
} from "./surface.js";
import { bytesOf, textOf, type Value } from "./text.js";

export class ElectionOf implements Election {
  readonly name: string;
  readonly #engine: Engine;
  readonly #standing: Standing<HeldLeadership>;

  constructor(engine: Engine, session: SessionOf, name: string) {
    checkText("name", name);
    this.name = name;
    this.#engine = engine;
    this.#standing = new Standing(engine, session, "election.campaign", HeldLeadership);
  }

  campaign(value: Value, options?: WaitOptions): Promise<Leadership> {
    return this.#standing.stand({ name: this.name, value }, options);
  }

  async runWhileLeading(
    value: Value,
    fn: (leadership: Leadership) => Promise<void>,
    options?: CallOptions,
  ): Promise<void> {
    checkFunction(fn);
    let patience = options;
    for (;;) {
      const leadership = await this.#standing.stand({ name: this.name, value }, patience);
      // From its first term on only a signal or a close ends it, and no outage, however long.
      patience = { ...options, timeoutMs: Number.POSITIVE_INFINITY };
      try {
        return await runHolding(leadership, fn);
      } catch (error) {
        const { loss } = leadership;
        // An error of its own wins; only the loss itself, however told, means another campaign.
        if (loss === null || !tellsOf(error, loss)) throw error;
      }
      if (options?.signal?.aborted === true) throw options.signal.reason;
    }
  }

  leader(options?: CallOptions): Promise<Leader | null> {
    return this.#engine.ask("election.leader", { name: this.name }, options, ok =>
      leaderOf(ok.leader),
    );
  }

  observe(options?: ObserveOptions): AsyncIterable<Leader | null> {
    const { name } = this;
    const { platform, requests } = this.#engine;
    const plan = {
      op: "election.observe" as const,
      params: { name },
      ...beginning(options?.from),
      resumesFromStart: false,
      items: (event: Answer) => [leaderOf(event.leader)],
    };
    return new Stream<Leader | null>(platform, requests, plan, options?.signal);
  }
}

/** Whether `error` is the loss, or was made of it (an abort with the loss as its cause). */
function tellsOf(error: unknown, loss: Error): boolean {
  if (error === loss) return true;
  return error instanceof Error && (error.cause === loss || error.name === "AbortError");
}

function leaderOf(wire: unknown): Leader | null {
  if (typeof wire !== "object" || wire === null) return null;
  const leader = wire as Omit<Leader, "bytes"> & { readonly value: unknown };
  return {
    ...leader,
    name: textOf(leader.name),
    key: textOf(leader.key),
    value: textOf(leader.value),
    bytes: bytesOf(leader.value),
  };
}
