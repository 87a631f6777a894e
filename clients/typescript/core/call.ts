/**
 * One request of the client, from the call until its answer is the final truth. Data with its
 * place in the machinery of `Requests`; it sends nothing itself.
 */
import { isDoneAnew, OPERATION_KINDS, type OperationName } from "holdfast-protocol";
import type { HoldfastError } from "./errors.js";

/** An operation's result as it came in. */
export type Answer = Readonly<Record<string, unknown>>;
export type Decode = (ok: Answer, call: Call) => unknown;

/**
 * idle: not taken up. heldBack: waits for room. queued: leaves with the next frame. inFlight: sent
 * on the present connection. parked: asked again after a while. done: nothing more comes of it.
 */
export type CallState = "idle" | "heldBack" | "queued" | "inFlight" | "parked" | "done";

export class Call {
  readonly op: OperationName;
  params: Readonly<Record<string, unknown>>;
  /** Turns the answer into what the caller gets. May return a promise. */
  readonly decode: Decode;
  /** Its number; 0 until it first leaves. Kept when it is sent again. */
  id = 0;
  state: CallState = "idle";
  /** It has a place among the requests under way. */
  hasRoom = false;
  /** Sent on a connection that was lost since, or answered "unknown": it may have taken effect. */
  doubt = false;
  attempts = 0;
  sentAtMs = 0;
  retryAtMs = 0;
  /** When the caller's patience ends; Infinity: never. */
  deadlineMs = Number.POSITIVE_INFINITY;
  /** When its time in line is over; Infinity: that has no bound, or it stands in none. */
  waitEndMs = Number.POSITIVE_INFINITY;
  /**
   * An answer that takes longer means that the connection is dead. Infinity: it may take any time.
   */
  answerWithinMs = 4000;
  /** The caller has been answered; what goes on is only tidying up. */
  settled = false;
  /** Stands in line: no patience, and room of its own. */
  waits = false;
  /** Never held back: keep-alives, releases, what ends things. */
  urgent = false;
  /** A new connection brings a new one: it is not sent again. */
  perishable = false;
  /** Goes on after the caller's patience is over, until it is answered. */
  persists = false;
  /** The lease it hangs on; when that ends, what persists need not any more. */
  lease = "";
  /** Undoes an answer that came when nobody wanted it any more: the grant is released. */
  undo: ((ok: Answer) => void) | null = null;
  /** Takes a failure over: true if it will see to the caller. */
  recover: ((error: HoldfastError, call: Call) => boolean) | null = null;
  /** Called when it has left the machinery, before the caller is told. */
  onDone: ((call: Call) => void) | null = null;
  onPosition: ((event: Answer) => void) | null = null;
  /** The last transient failure, for the message when patience ends. */
  lastFailure: HoldfastError | null = null;

  /** Its links among the calls under way, or among those held back. */
  before: Call | null = null;
  after: Call | null = null;
  nextInBucket: Call | null = null;

  resolve: (value: unknown) => void = nothing;
  reject: (error: unknown) => void = nothing;
  signal: AbortSignal | null = null;
  onAbort: (() => void) | null = null;

  constructor(op: OperationName, params: Readonly<Record<string, unknown>>, decode: Decode) {
    this.op = op;
    this.params = params;
    this.decode = decode;
  }

  get isWrite(): boolean {
    return OPERATION_KINDS[this.op] === "write";
  }

  /** No node keeps its answer: once sent, it is never sent again in the dark. */
  get goesOnce(): boolean {
    return isDoneAnew(this.op);
  }

  /** Whether an answer shows that the cluster has a quorum. */
  get needsQuorum(): boolean {
    return !this.op.startsWith("cluster.") && this.params.consistency !== "serializable";
  }

  /** Whether it may have reached a node. */
  get mayHaveTakenEffect(): boolean {
    return this.isWrite && (this.doubt || this.state === "inFlight");
  }

  /** A connection that has brought no answer by then is dead; Infinity: it may take any time. */
  get answerByMs(): number {
    const isAwaited = this.state === "inFlight" && !this.waits;
    return isAwaited ? this.sentAtMs + this.answerWithinMs : Number.POSITIVE_INFINITY;
  }

  /** It leaves later than it was made: of a bounded wait it asks for what is left. */
  shortenWait(nowMs: number): void {
    if (this.waitEndMs === Number.POSITIVE_INFINITY) return;
    this.params = { ...this.params, waitMs: Math.max(Math.ceil(this.waitEndMs - nowMs), 0) };
  }

  /** The caller gets `value`, unless it was answered before. */
  tell(value: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.detachSignal();
    this.resolve(value);
  }

  /** The caller gets `error`, unless it was answered before. */
  tellFailure(error: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.detachSignal();
    this.reject(error);
  }

  detachSignal(): void {
    if (this.signal !== null && this.onAbort !== null)
      this.signal.removeEventListener("abort", this.onAbort);
    this.signal = null;
    this.onAbort = null;
  }
}

function nothing(): void {
  // until the promise is made
}
