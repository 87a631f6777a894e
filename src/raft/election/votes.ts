/** The answers to one (pre-)vote. A grant, once given, is not taken back by a late refusal. */
import type { NodeId } from "../../base/ids.js";
import { type AnswerOf, type Verdict, type Voters, verdict } from "../quorum/quorum.js";

export class Votes {
  private readonly answers = new Map<NodeId, boolean>();

  clear(): void {
    this.answers.clear();
  }

  record(from: NodeId, granted: boolean): void {
    if (granted || !this.answers.has(from)) this.answers.set(from, granted);
  }

  verdict(voters: Voters): Verdict {
    return verdict(voters, this.answerOf);
  }

  private readonly answerOf: AnswerOf = id => this.answers.get(id) ?? null;
}
