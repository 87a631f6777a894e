/**
 * The leader's side of forwarding: takes other nodes' commands into its entries, undecoded, only
 * while it leads and serves in exactly the term they name, and each stream without a gap. What
 * comes before it may serve waits for that; what comes after it ceased to lead is refused.
 */
import { assert } from "../../base/assert.js";
import { Reader, Writer } from "../../base/codec.js";
import type { NodeId, Term } from "../../base/ids.js";
import type { Bytes } from "../../base/ports.js";
import type { AppendRefusal, Leadership } from "../../log/port/index.js";
import type { ReplicaLimits } from "../limits.js";
import type { Turn } from "../turn.js";
import type { Assembly, Contributor } from "./assembly.js";
import { decodeOrNull, QUESTION, readStreamHead, TAKEN, writeTaken } from "./questions.js";

type Answer = (bytes: Uint8Array) => void;

/** One origin process's present stream, within one term. */
interface Session {
  stream: number;
  /** The next offset to come; of it, `taken` are in the log. */
  next: number;
  taken: number;
  broken: boolean;
  /** How much of the stream before this one is in the log. */
  takenBefore: number;
}

interface Held {
  readonly kind: number;
  /** A copy of the question behind its kind. */
  readonly rest: Uint8Array;
  readonly answer: Answer;
}

/** One ask whose commands are in entries that are not appended yet. */
class Batch implements Contributor {
  readonly #session: Session;
  readonly #answer: Answer;
  readonly #writer: Writer;
  /** Commands not told of yet; one more while the ask is still being read. */
  #open = 1;
  #refused = false;

  constructor(session: Session, answer: Answer, writer: Writer) {
    this.#session = session;
    this.#answer = answer;
    this.#writer = writer;
  }

  took(): void {
    this.#open++;
  }

  appended(count: number, refusal: AppendRefusal | null): void {
    if (refusal === null) this.#session.taken += count;
    else this.refuse();
    this.#close(count);
  }

  refuse(): void {
    this.#refused = true;
    this.#session.broken = true;
  }

  /** The whole ask has been read. */
  complete(): void {
    this.#close(1);
  }

  #close(count: number): void {
    this.#open -= count;
    assert(this.#open >= 0, "a batch hears of each of its commands once");
    if (this.#open > 0) return;
    const taken = this.#refused ? TAKEN.broken : TAKEN.all;
    this.#answer(writeTaken(this.#writer, taken, this.#session.taken));
  }
}

const MAX_SESSIONS = 65_536;
const MAX_HELD = 65_536;

export class Reception {
  readonly #assembly: Assembly;
  readonly #bytes: Bytes;
  readonly #limits: ReplicaLimits;
  readonly #turn: Turn;
  readonly #self: () => NodeId;
  readonly #leadership: () => Leadership;
  readonly #writer: Writer;
  readonly #sessions = new Map<number, Session>();
  #sessionsTerm = 0;
  #held: Held[] = [];

  constructor(
    assembly: Assembly,
    bytes: Bytes,
    limits: ReplicaLimits,
    turn: Turn,
    self: () => NodeId,
    leadership: () => Leadership,
  ) {
    this.#assembly = assembly;
    this.#bytes = bytes;
    this.#limits = limits;
    this.#turn = turn;
    this.#self = self;
    this.#leadership = leadership;
    this.#writer = new Writer(bytes, 16);
  }

  /** A question of kind `propose` or `openStream`, of which the kind was read already. */
  asked(kind: number, from: Reader, answer: Answer): void {
    const now = this.#leadership();
    if (now.leader === this.#self() && !now.serving) {
      // It is about to serve: its answer then is worth more than a refusal now.
      if (this.#held.length >= MAX_HELD) return;
      const rest = this.#bytes.allocate(from.remaining);
      rest.set(from.raw("question", from.remaining));
      this.#held.push({ kind, rest, answer });
      return;
    }
    this.#handle(now, kind, from, answer);
  }

  leadershipChanged(now: Leadership): void {
    if (this.#held.length === 0 || (now.leader === this.#self() && !now.serving)) return;
    const held = this.#held;
    this.#held = [];
    for (const { kind, rest, answer } of held) {
      this.#handle(now, kind, new Reader(this.#bytes, rest), answer);
    }
  }

  #handle(now: Leadership, kind: number, from: Reader, answer: Answer): void {
    const head = decodeOrNull(() => readStreamHead(from));
    if (head === null) return;
    if (!now.serving || head.term !== now.term) {
      answer(writeTaken(this.#writer, TAKEN.notLeader, 0));
      return;
    }
    const session = this.#session(now.term, head.boot);
    if (session === null) answer(writeTaken(this.#writer, TAKEN.notLeader, 0));
    else if (kind === QUESTION.openStream) this.#openStream(session, head.stream, answer);
    else this.#propose(now.term, session, head.stream, from, answer);
  }

  #session(term: Term, boot: number): Session | null {
    if (this.#sessionsTerm !== term) {
      this.#sessions.clear();
      this.#sessionsTerm = term;
    }
    let session = this.#sessions.get(boot);
    if (session === undefined) {
      // Forgetting one could make its next opening lie, so past the bound no new origin is served.
      if (this.#sessions.size >= MAX_SESSIONS) return null;
      session = { stream: 1, next: 0, taken: 0, broken: false, takenBefore: 0 };
      this.#sessions.set(boot, session);
    }
    return session;
  }

  #openStream(session: Session, stream: number, answer: Answer): void {
    if (stream === session.stream + 1) {
      this.#assembly.appendNow(); // so that `taken` is final
      session.takenBefore = session.taken;
      session.stream = stream;
      session.next = 0;
      session.taken = 0;
      session.broken = false;
    }
    const known = stream === session.stream;
    answer(writeTaken(this.#writer, known ? TAKEN.all : TAKEN.broken, session.takenBefore));
  }

  #propose(term: Term, session: Session, stream: number, from: Reader, answer: Answer): void {
    const offset = decodeOrNull(() => from.count("propose.offset"));
    const inOrder = stream === session.stream && offset === session.next && !session.broken;
    if (!inOrder) {
      if (stream === session.stream) session.broken = true;
      answer(writeTaken(this.#writer, TAKEN.broken, 0));
      return;
    }
    const batch = new Batch(session, answer, this.#writer);
    if (decodeOrNull(() => this.#take(term, session, batch, from)) === null) batch.refuse();
    batch.complete();
    this.#turn.wake();
  }

  #take(term: Term, session: Session, batch: Batch, from: Reader): boolean {
    const items = from.items("propose.commands", this.#limits.maxPendingProposals);
    for (let i = 0; i < items; i++) {
      const command = from.array("propose.command", this.#limits.maxEntryBytes);
      if (!this.#assembly.add(term, command, batch)) {
        batch.refuse();
        return true;
      }
      batch.took();
      session.next++;
    }
    from.end("propose");
    return true;
  }
}
