/**
 * Writes down what clients of one run ask and what they are answered, for the checker of
 * linearizability, which knows nothing of ours and has only this to go by. All times are the
 * loop's. Registers, locks and elections that are read or contended are recorded, but for lock/s
 * and lock/given, whose ends others bring about; what nobody reads back is not. It looks on: no
 * promise of a workload passes through here.
 */
import { ERRORS, type ErrorCode } from "holdfast-protocol";
import {
  type Held,
  HoldfastError,
  type Leader,
  LockLostError,
} from "../../clients/typescript/core/index.js";
import type { Outcome } from "../../src/replica/coordinator/index.js";
import {
  type Answer,
  type AnswerOf,
  checkAll,
  History,
  type Kind,
  type Op,
  type OpOf,
  type Pending,
  type Report,
} from "../checker/core/index.js";
import { reportLines } from "../checker/report.js";
import { Claims } from "./claims.js";
import type { SimClient } from "./client.js";

/** For each key; thousands of times what a key of a run takes. */
const LIMIT_STEPS = 300_000;
/** No lease of a client is shorter. */
const SHORTEST_LEASE_MS = 900;

interface Entry {
  readonly value: string;
  readonly modRevision: number;
}

type Result<K extends Kind> = AnswerOf<K> | "failed" | "unknown";

type Take = OpOf<"acquire"> | OpOf<"lead">;

interface Call<K extends Kind> {
  readonly pending: Pending<K>;
  end(result: Result<K>): void;
}

/** One under way, over a session. */
interface Taking {
  readonly me: SimClient;
  readonly op: Take;
  readonly fromMs: number;
  readonly expiredBefore: number;
}

interface Lane {
  readonly name: string;
  isFree: boolean;
}

/** A grant that came over single calls, and what is left of it by its holder's clocks. */
export interface PlainGrant {
  readonly name: string;
  readonly key: string;
  readonly token: number;
  readonly remainingMs: () => number;
}

/** One acquire over single calls. */
export interface PlainAcquire {
  /** To one of its calls; null: nobody did. */
  answered(outcome: Outcome | null): void;
  granted(grant: PlainGrant): void;
  /** It asks no more, and was not granted. */
  over(): void;
}

export class Recorder {
  readonly #history: History;
  readonly #claims = new Claims();
  readonly #lanes = new Map<SimClient, Lane[]>();
  readonly #takings = new Set<Taking>();
  readonly #lives = new Map<string, number>();

  constructor(nowMs: () => number) {
    this.#history = new History(nowMs);
  }

  get length(): number {
    return this.#history.operations.length;
  }

  get(me: SimClient, key: string, asked: Promise<Entry | null>): Promise<Entry | null> {
    return this.#observe(me, { kind: "get", key }, asked, seen);
  }

  put<R extends { readonly revision: number }>(
    me: SimClient,
    op: { readonly key: string; readonly value: string },
    asked: Promise<R>,
  ): Promise<R> {
    return this.#observe(me, { kind: "put", ...op }, asked, ({ revision }) => ({ revision }));
  }

  /** A put that wants the key as it was seen: as every value comes once, also a swap by value. */
  swap<R extends { readonly revision: number }>(
    me: SimClient,
    op: { readonly key: string; readonly expect: Entry | null; readonly value: string },
    asked: Promise<R>,
  ): Promise<R> {
    const { key, value } = op;
    const expect = op.expect?.value ?? null;
    return this.#observe(me, { kind: "cas", key, expect, value }, asked, ({ revision }) => ({
      swapped: true,
      revision,
    }));
  }

  delete(me: SimClient, key: string, asked: Promise<boolean>): Promise<boolean> {
    return this.#observe(me, { kind: "delete", key }, asked, deleted => ({ deleted }));
  }

  /** What a leader proclaims changes unrecorded, so only who leads is told. */
  leader(me: SimClient, key: string, asked: Promise<Leader | null>): Promise<Leader | null> {
    return this.#observe(me, { kind: "leader", key }, asked, leader =>
      leader === null
        ? { candidate: null }
        : { candidate: leader.owner ?? "", token: leader.token },
    );
  }

  /** However it is asked for; null: tried, and it was held. */
  acquire<H extends Held | null>(me: SimClient, key: string, asked: Promise<H>): Promise<H> {
    const op = { kind: "acquire", key, holder: me.name, mayExpire: true } as const;
    return this.#taking(me, op, asked);
  }

  lead<H extends Held>(
    me: SimClient,
    op: { readonly key: string; readonly value: string },
    asked: Promise<H>,
  ): Promise<H> {
    return this.#taking(
      me,
      { kind: "lead", candidate: me.name, mayExpire: true, ...op } as const,
      asked,
    );
  }

  /** Releases, which a grant bears only once it was looked at. */
  release<R extends { readonly heldToTheEnd: boolean }>(
    me: SimClient,
    held: Held,
    release: () => Promise<R>,
  ): Promise<R> {
    this.#claims.end(held.key);
    const op = { kind: "release", key: held.name, token: held.token } as const;
    return this.#observe(me, op, release(), ({ heldToTheEnd }) =>
      !heldToTheEnd && isDoubted(held) ? "unknown" : { released: heldToTheEnd },
    );
  }

  resign<R extends { readonly heldToTheEnd: boolean }>(
    me: SimClient,
    held: Held,
    release: () => Promise<R>,
  ): Promise<R> {
    this.#claims.end(held.key);
    const op = { kind: "resign", key: held.name, token: held.token } as const;
    return this.#observe(me, op, release(), ({ heldToTheEnd }) =>
      !heldToTheEnd && isDoubted(held) ? "unknown" : { resigned: heldToTheEnd },
    );
  }

  /** Call by call: all calls under one key are one acquire. */
  plainAcquire(me: SimClient, key: string, holder: string): PlainAcquire {
    const op = { kind: "acquire", key, holder, mayExpire: true } as const;
    const call = this.#begin<"acquire" | "lead">(me, op);
    let isRefused = true;
    return {
      answered: outcome => {
        if (!isRefusal(outcome)) isRefused = false;
      },
      granted: grant => {
        call.end({ token: grant.token });
        this.#claims.make(me, call.pending, grant.key, grant.remainingMs);
      },
      over: () => call.end(isRefused ? "failed" : "unknown"),
    };
  }

  /** Each call is one of its own. */
  plainRelease(
    me: SimClient,
    { name, key, token }: PlainGrant,
    call: () => Promise<Outcome | null>,
  ): Promise<Outcome | null> {
    this.#claims.end(key);
    const { end } = this.#begin(me, { kind: "release", key: name, token });
    const asked = call();
    follow(
      me,
      asked,
      outcome => end(releasedOf(outcome)),
      () => end("unknown"),
    );
    return asked;
  }

  /** What it asked and was not answered stays open. */
  dies(me: SimClient): void {
    this.#claims.dies(me);
    for (const taking of this.#takings) if (taking.me === me) this.#unseen(taking);
  }

  /** Judges what was written down so far; nothing is to come after it. */
  judge(clocksLieFromMs: number): Report {
    this.#claims.tell(clocksLieFromMs);
    return checkAll(this.#history, { limitSteps: LIMIT_STEPS });
  }

  #taking<H extends Held | null>(me: SimClient, op: Take, asked: Promise<H>): Promise<H> {
    const call = this.#begin<"acquire" | "lead">(me, op);
    const taking = { me, op, fromMs: me.cluster.nowMs, expiredBefore: expired(me) };
    this.#takings.add(taking);
    const end = (result: Result<"acquire" | "lead">): void => {
      this.#unseen(taking);
      call.end(result);
    };
    follow(
      me,
      asked,
      held => {
        end(held === null ? { refused: true } : { token: held.token });
        if (held !== null) this.#claims.makeOf(me, call.pending, held);
      },
      error => end(told(op, error)),
    );
    return asked;
  }

  /**
   * A session that lost its lease stands in line anew, with a new one, and may have been granted
   * before on the old one, which nobody has seen: as often as leases ran out meanwhile.
   */
  #unseen(taking: Taking): void {
    this.#takings.delete(taking);
    const { me, op, fromMs: call, expiredBefore } = taking;
    const most = 1 + Math.floor((me.cluster.nowMs - call) / SHORTEST_LEASE_MS);
    const times = Math.min(most, expired(me) - expiredBefore);
    for (let time = 0; time < times; time += 1)
      this.#history.add({ process: `${me.name}?`, call, return: null, op, result: "unknown" });
  }

  #observe<K extends Kind, R>(
    me: SimClient,
    op: OpOf<K> & { readonly kind: K },
    asked: Promise<R>,
    answerOf: (result: R) => Result<K>,
  ): Promise<R> {
    const call = this.#begin(me, op);
    follow(
      me,
      asked,
      result => call.end(answerOf(result)),
      error => call.end(told(op, error)),
    );
    return asked;
  }

  #begin<K extends Kind>(me: SimClient, op: OpOf<K> & { readonly kind: K }): Call<K> {
    const lane = this.#laneOf(me);
    const pending = this.#history.begin(lane.name, op);
    return {
      pending,
      end: result => {
        lane.isFree = true;
        if (result === "failed") pending.fail();
        else if (result === "unknown") pending.unknown();
        else pending.ok(result);
      },
    };
  }

  /** A client's calls that overlap are shown as processes of their own, and so are its lives. */
  #laneOf(me: SimClient): Lane {
    let lanes = this.#lanes.get(me);
    if (lanes === undefined) {
      lanes = [];
      this.#lanes.set(me, lanes);
      this.#lives.set(me.name, 1 + (this.#lives.get(me.name) ?? 0));
    }
    let lane = lanes.find(({ isFree }) => isFree);
    if (lane === undefined) {
      const name = `${me.name}.${this.#lives.get(me.name)}.${lanes.length + 1}`;
      lane = { name, isFree: false };
      lanes.push(lane);
    }
    lane.isFree = false;
    return lane;
  }
}

/** Its holder had given it up by its own clock; the cluster may have yet to hear of that. */
const isDoubted = ({ signal: { reason } }: Held): boolean =>
  reason instanceof LockLostError && reason.reason === "unproven";

/** The dead hear no answer; what goes wrong in here ends the run. */
function follow<R>(
  { process, cluster }: SimClient,
  asked: Promise<R>,
  ok: (result: R) => void,
  failed: (error: unknown) => void,
): void {
  asked
    .then(
      result => {
        if (process.isAlive) ok(result);
      },
      error => {
        if (process.isAlive) failed(error);
      },
    )
    .catch(error => {
      cluster.failure ??= error;
    });
}

const seen = (entry: Entry | null): AnswerOf<"get"> =>
  entry === null ? { value: null } : { value: entry.value, revision: entry.modRevision };

const takes = (kind: Kind): boolean => kind === "acquire" || kind === "lead";

/** What an error says of the call; a condition that did not hold is an answer. */
function told<K extends Kind>(op: OpOf<K>, error: unknown): Result<K>;
function told({ kind }: Op, error: unknown): Answer | "failed" | "unknown" {
  if (!(error instanceof HoldfastError)) return "unknown";
  const { code, outcome } = error;
  if (kind === "cas" && code === "CONDITION_FAILED") return { swapped: false };
  if (takes(kind) && GRANTED_MAYBE.has(code)) return "unknown";
  return outcome === "not-applied" ? "failed" : "unknown";
}

/** A wait that went with its lease may have come to its grant before, which nobody has seen. */
const GRANTED_MAYBE: ReadonlySet<ErrorCode> = new Set(["LEASE_ENDED", "NOT_HELD"]);

function isRefusal(outcome: Outcome | null): boolean {
  if (outcome === null || outcome.ok) return false;
  const { code } = outcome.failure;
  return ERRORS[code].outcome === "not-applied" && !GRANTED_MAYBE.has(code);
}

function releasedOf(outcome: Outcome | null): Result<"release"> {
  if (outcome?.ok === true) {
    const { released } = outcome.result as unknown as { readonly released: boolean };
    return { released };
  }
  const isNothing = outcome !== null && ERRORS[outcome.failure.code].outcome === "not-applied";
  return isNothing ? "failed" : "unknown";
}

const expired = ({ cluster }: SimClient): number => cluster.truth.counts.expired ?? 0;

/** What is wrong with a history, in words, and what contradicts what; null: nothing was found. */
export function contradictionOf({ keys }: Report): { what: string; details: string } | null {
  const broken = keys.filter(({ verdict }) => verdict === "violation");
  const [first] = broken;
  if (first === undefined) return null;
  const what = `the history of ${first.model.name} ${first.key} is not linearizable`;
  return { what, details: reportLines({ verdict: "violation", keys: broken }).join("\n") };
}
