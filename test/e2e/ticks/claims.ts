/**
 * Claims of runs, as those who were granted them tell, held against the lines in which they stood
 * (harness/entries.ts) and against what the cluster says of each run in the end.
 */
import type { Entry } from "../harness/entries.js";

/** Times are the machine's. What is absent never came to pass, or its holder was killed before. */
export interface Claim {
  readonly id: string;
  readonly who: string;
  readonly job: string;
  readonly slot: number;
  readonly key: string;
  readonly token: number;
  readonly grantedMs: number;
  /** Up to when its holder could prove it, at least. */
  readonly heldUntilMs: number;
  /** Of a write that was made under the claim. */
  readonly workRevision?: number;
  /** How its holder was about to end it, and when; and that it was answered. */
  readonly ending?: Ending;
  readonly endingMs?: number;
  readonly ended?: Ending;
  /** What went wrong in between. */
  readonly trouble?: string;
}

type Ending = "done" | "failed" | "left";

/** A call for a claim that was not answered for certain. */
export interface Unclear {
  readonly job: string;
  readonly slot: number;
  readonly unclear: string;
}

/** What the cluster says of a run that is over; the note is the token of the claim that ended it. */
export interface Outcome {
  readonly outcome?: string;
  readonly note?: string;
}

export interface Recorded {
  readonly onAbandon: "reclaim" | "close";
  /** All who ever claimed the run, in order. */
  readonly entries: readonly Entry[];
  /** By key. */
  readonly claims: ReadonlyMap<string, Claim>;
  readonly outcome: Outcome;
  /** Somebody may have been granted it and never heard of it. */
  readonly isUnclear: boolean;
}

/** Whatever cannot be of one run, in words. */
export function* breachesOf(run: Recorded): Generator<string> {
  const { entries, claims, onAbandon, isUnclear } = run;
  if (entries.length === 0) yield "was never claimed";
  if (onAbandon === "close" && entries.length > 1) yield `was claimed ${entries.length} times`;
  for (const [at, entry] of entries.entries()) {
    const claim = claims.get(entry.key);
    const before = entries[at - 1];
    // Who is killed as he is granted it hears of it no more.
    const isKnown = claim !== undefined || isUnclear || entry.cause === "expired";
    if (!isKnown) yield `${entry.number} claimed it, and nobody has it`;
    if (claim !== undefined) yield* badClaim(claim, entry);
    if (before !== undefined) yield* together(before, claims.get(before.key), entry, claim);
  }
  for (const { key } of claims.values())
    if (!entries.some(entry => entry.key === key)) yield `${key} was granted, and never stood`;
  yield* badOutcome(run);
}

function* badClaim({ token, workRevision = 0 }: Claim, { number, endRevision }: Entry) {
  if (token !== number) yield `${number} has the token ${token}`;
  if (workRevision !== 0 && (workRevision < number || workRevision > endRevision))
    yield `${number} worked at ${workRevision}, and did not hold`;
}

function* together(
  before: Entry,
  first: Claim | undefined,
  entry: Entry,
  claim: Claim | undefined,
): Generator<string> {
  const { number, endRevision } = before;
  if (entry.number <= endRevision) yield `${entry.number} claimed it while ${number} had it`;
  const how = first?.ended;
  if (how === "done" || how === "failed") yield `${entry.number} claimed it after it was ${how}`;
  if (first === undefined || claim === undefined) return;
  const untilMs = Math.min(first.heldUntilMs, first.endingMs ?? Number.POSITIVE_INFINITY);
  if (claim.grantedMs < untilMs) yield `${entry.number} was granted it while ${number} held`;
}

/** It is over as its last claim says; one without a word is over only where that closes. */
function* badOutcome({ entries, claims, onAbandon, outcome }: Recorded): Generator<string> {
  const last = entries.at(-1);
  if (last === undefined) return;
  if (last.endRevision === Number.POSITIVE_INFINITY) yield `${last.number} has it still`;
  const { ending, ended } = claims.get(last.key) ?? {};
  const said = outcome.outcome ?? "open";
  const possible = new Set<string>();
  if (ending === "done" || ending === "failed") possible.add(ending);
  if (onAbandon === "close" && ended !== "done" && ended !== "failed") possible.add("abandoned");
  if (!possible.has(said)) yield `is ${said}, and ${last.number} was ${ended ?? ending ?? "mute"}`;
  if (said !== "abandoned" && outcome.note !== `${last.number}`)
    yield `is ${said} by ${outcome.note}, and ${last.number} had it last`;
}
