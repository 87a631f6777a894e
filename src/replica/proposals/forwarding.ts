/**
 * The way from an origin that follows to the leader: commands as numbered streams of asks. An ask
 * may be lost, so each says where in its stream it stands, and the leader takes it only if nothing
 * before it is missing. A stream in which something went wrong is never used again: the origin
 * opens the next one, and the answer to that tells exactly how much of the old one is in the
 * leader's log. So a broken link costs neither order nor certainty while the leader stands; when it
 * falls, the log's terms tell (see proposals.ts).
 */
import { Reader, Writer } from "../../base/codec.js";
import type { NodeId } from "../../base/ids.js";
import type { Bytes } from "../../base/ports.js";
import type { Leadership, ReplicatedLog } from "../../log/port/index.js";
import type { ReplicaLimits } from "../limits.js";
import type { Proposal } from "./proposal.js";
import { decodeOrNull, QUESTION, TAKEN, writeQuestion, writeStreamHead } from "./questions.js";

/** What the origin's proposals learn from the stream. */
export interface ForwardingOutcome {
  /** Of the stream, everything from `offset` on is not in the leader's log and never will be. */
  notTaken(stream: number, offset: number): void;
  /** The node asked does not lead in that term: these were not taken. */
  refused(proposals: readonly Proposal[]): void;
  /** Commands may be handed over again. */
  ready(): void;
}

type Channel =
  | "open"
  /** Something was lost or refused: the next stream must be opened first. */
  | "broken"
  | "opening"
  /** The node does not lead in this term (any more). */
  | "closed";

export class Forwarding {
  readonly #log: ReplicatedLog;
  readonly #boot: number;
  readonly #bytes: Bytes;
  readonly #limits: ReplicaLimits;
  readonly #outcome: ForwardingOutcome;
  readonly #writer: Writer;
  #term = 0;
  #leader: NodeId | null = null;
  #channel: Channel = "closed";
  #stream = 0;
  #offset = 0;
  #retryAtMs = 0;
  asks = 0;

  constructor(
    log: ReplicatedLog,
    boot: number,
    bytes: Bytes,
    limits: ReplicaLimits,
    outcome: ForwardingOutcome,
  ) {
    this.#log = log;
    this.#boot = boot;
    this.#bytes = bytes;
    this.#limits = limits;
    this.#outcome = outcome;
    this.#writer = new Writer(bytes, 4096);
  }

  /** Another node leads: a first stream to it stands open at once. */
  follow(now: Leadership): void {
    if (now.term === this.#term && now.leader === this.#leader) return;
    // A leader that was forgotten and is heard of again in its term goes on with the same stream.
    const returned = now.term === this.#term && now.leader !== null && this.#leader === null;
    if (now.term !== this.#term) {
      this.#stream = 1;
      this.#offset = 0;
      this.#channel = "open";
    }
    this.#term = now.term;
    this.#leader = now.leader;
    if (returned) this.#outcome.ready();
  }

  get ready(): boolean {
    return this.#leader !== null && this.#channel === "open";
  }

  /** Sends proposals in order, in one ask or as few as the limit allows. Only when `ready`. */
  send(proposals: readonly Proposal[]): void {
    let from = 0;
    while (from < proposals.length) {
      let to = from;
      let length = 0;
      for (; to < proposals.length; to++) {
        length += (proposals[to]?.bytes.length ?? 0) + 8;
        if (to > from && length > this.#limits.maxAskBytes - 64) break;
      }
      this.#ask(proposals.slice(from, to));
      from = to;
    }
  }

  /** Looks whether a broken stream is to be followed by the next. */
  tick(nowMs: number): void {
    if (this.#channel === "broken" && this.#leader !== null && nowMs >= this.#retryAtMs) {
      this.#retryAtMs = nowMs + this.#limits.askRetryMs;
      this.#openNext();
    }
  }

  #ask(proposals: readonly Proposal[]): void {
    const leader = this.#leader;
    if (leader === null) return;
    const w = this.#writer;
    w.reset();
    writeQuestion(w, QUESTION.propose);
    writeStreamHead(w, this.#term, this.#boot, this.#stream);
    w.count(this.#offset);
    w.count(proposals.length);
    for (const proposal of proposals) {
      proposal.stream = this.#stream;
      proposal.offset = this.#offset++;
      w.array(proposal.bytes);
    }
    const term = this.#term;
    const stream = this.#stream;
    this.asks++;
    this.#log.ask(leader, w.finish(), answer => this.#taken(term, stream, proposals, answer));
  }

  #taken(
    term: number,
    stream: number,
    proposals: readonly Proposal[],
    answer: Uint8Array | null,
  ): void {
    if (term !== this.#term) return;
    const taken = answer === null ? TAKEN.broken : this.#read(answer).taken;
    if (taken === TAKEN.all) return;
    if (taken === TAKEN.notLeader) {
      this.#channel = "closed";
      this.#outcome.refused(proposals);
    } else if (stream === this.#stream && this.#channel === "open") {
      this.#channel = "broken";
      this.#retryAtMs = 0;
    }
  }

  #openNext(): void {
    const leader = this.#leader;
    if (leader === null) return;
    this.#channel = "opening";
    const w = this.#writer;
    w.reset();
    writeQuestion(w, QUESTION.openStream);
    writeStreamHead(w, this.#term, this.#boot, this.#stream + 1);
    const term = this.#term;
    this.#log.ask(leader, w.finish(), answer => this.#opened(term, answer));
  }

  #opened(term: number, answer: Uint8Array | null): void {
    if (term !== this.#term || this.#channel !== "opening") return;
    if (answer === null) {
      this.#channel = "broken";
      return;
    }
    const { taken, offset } = this.#read(answer);
    if (taken === TAKEN.notLeader) {
      this.#channel = "closed";
      return;
    }
    if (taken === TAKEN.broken) {
      this.#channel = "broken";
      return;
    }
    const old = this.#stream++;
    this.#offset = 0;
    this.#channel = "open";
    this.#outcome.notTaken(old, offset);
    this.#outcome.ready();
  }

  #read(answer: Uint8Array): { taken: number; offset: number } {
    const reader = new Reader(this.#bytes, answer);
    const read = decodeOrNull(() => ({
      taken: reader.u8("taken"),
      offset: reader.count("taken.offset"),
    }));
    return read ?? { taken: TAKEN.broken, offset: 0 };
  }
}
