/**
 * What Raft must keep, seen from outside: at most one leader a term and one vote a term and node,
 * also across crashes; logs that match wherever they hold an entry of equal index and term; a
 * leader that holds all that was committed before its term. It looks at the messages on the wire,
 * as they are sent, and at what nodes say of their leadership. The committed itself is the truth's.
 */
import { crc32 } from "node:zlib";
import {
  type Append,
  decodeConfiguration,
  decodeMessage,
  ENTRY_KIND,
} from "../../src/raft/message/index.js";
import { type Placed, Quorums } from "./quorums.js";
import type { Truth } from "./truth.js";

/** What is known of the entry at one index and term. */
interface Known {
  readonly previousTerm: number;
  readonly checksum: number;
  /** In force there; null: not known. */
  readonly configured: Placed | null;
}

export class Consensus {
  readonly #truth: Truth;
  readonly #leaders = new Map<number, number>();
  readonly #votes = new Map<string, number>();
  /** By index, then by term. */
  readonly #entries = new Map<number, Map<number, Known>>();
  readonly quorums: Quorums;
  /** Is told each configuration that comes on the wire. */
  onConfiguration: (placed: Placed) => void = () => {};
  /** Is told who asks for a vote, as the message leaves. */
  onCandidate: (id: number) => void = () => {};
  readonly counts = { messages: 0, votes: 0, entriesMatched: 0, leaders: 0 };

  constructor(truth: Truth) {
    this.#truth = truth;
    this.quorums = new Quorums(truth);
  }

  /** The configuration at this place of the log, if it is one and was seen. */
  placedAt(index: number, term: number): Placed | null {
    const configured = this.#entries.get(index)?.get(term)?.configured ?? null;
    return configured?.index === index ? configured : null;
  }

  leaderOf(term: number): number | null {
    return this.#leaders.get(term) ?? null;
  }

  /** A node sees `leader` lead in `term`. */
  leads(term: number, leader: number): void {
    const known = this.#leaders.get(term);
    if (known === undefined) {
      this.#leaders.set(term, leader);
      this.counts.leaders += 1;
    } else if (known !== leader) {
      this.#truth.fail(`term ${term} has leaders ${known} and ${leader}`);
    }
  }

  /** `name` has become the leader of `term`, and its log ends at `lastIndex`. */
  won(name: string, term: number, lastIndex: number): void {
    const committed = this.#truth.lastIndexBefore(term);
    if (lastIndex < committed)
      this.#truth.fail(
        `${name} leads term ${term} with ${lastIndex}, and ${committed} is committed`,
      );
  }

  /** A message leaves for another node. */
  sent(payload: Uint8Array): void {
    this.counts.messages += 1;
    const message = decodeMessage(payload);
    const { term, from } = message;
    if (message.type === "append") this.#appends(message);
    else if (message.type === "vote") {
      // Who asks for votes has given its own.
      this.#voted(term, from, from);
      this.onCandidate(from);
    } else if (message.type === "vote-reply" && message.granted) {
      this.#voted(term, from, message.to);
      this.quorums.voted(term, from, message.to);
    } else if (message.type === "append-reply" && !message.rejected)
      this.quorums.acknowledged(term, from, message.index);
    else if (message.type === "timeout-now") this.quorums.handsOver(term, from, message.to);
    else if (message.type === "commit" || message.type === "heartbeat")
      this.quorums.committed(term, from, message.commit);
  }

  #voted(term: number, from: number, to: number): void {
    this.counts.votes += 1;
    const key = `${term}/${from}`;
    const given = this.#votes.get(key);
    if (given !== undefined && given !== to)
      this.#truth.fail(`${from} votes for ${given} and for ${to} in term ${term}`);
    this.#votes.set(key, to);
  }

  /** By induction over these, logs that hold the same (index, term) are equal up to there. */
  #appends(message: Append): void {
    const { from, previousIndex, previousTerm, entries } = message;
    let before: number = previousTerm;
    let configured = this.#entries.get(previousIndex)?.get(previousTerm)?.configured ?? null;
    for (const { index, term, kind, payload } of entries) {
      let terms = this.#entries.get(index);
      if (terms === undefined) {
        terms = new Map();
        this.#entries.set(index, terms);
      }
      const known = terms.get(term);
      const checksum = crc32(payload);
      if (known === undefined) {
        if (term === message.term && before < term && configured !== null)
          this.quorums.elected(term, from, configured);
        if (kind === ENTRY_KIND.configuration) {
          const configuration = decodeConfiguration(payload);
          configured = { index, term, configuration, before: configured };
          this.quorums.entered(configured, message);
          this.onConfiguration(configured);
        }
        terms.set(term, { previousTerm: before, checksum, configured });
      } else if (known.checksum !== checksum || known.previousTerm !== before)
        this.#truth.fail(`${from} sends another entry at ${index} of term ${term}`);
      else {
        this.counts.entriesMatched += 1;
        configured = known.configured ?? configured;
      }
      before = term;
    }
    if (before === message.term) this.quorums.holds(message.term, configured);
    this.quorums.appends(message, previousIndex + entries.length);
    this.quorums.committed(message.term, from, message.commit);
  }
}
