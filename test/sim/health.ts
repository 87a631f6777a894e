/**
 * Liveness as it runs: while a majority of those who vote has been well for a while, whatever
 * befalls the others, one of that majority must have a write answered in time; and if one of them
 * leads, each of them. While members change, a majority is one of each half of each configuration
 * that may be in force. Faults say whom they harm.
 */
import type { SimCluster } from "./cluster.js";
import type { SimNode } from "./node.js";
import { PLAIN } from "./plain.js";

const LOOK_MS = 100;
/** A majority that has been well for so long has a leader, and its links stand. */
const SETTLED_MS = 3_000;
/** And from then on somebody's write is answered within so long. */
const ANSWER_MS = 1_500;

/** In entries; of a leader that is unwell itself, no more than it sends at once. */
const MOST_LAG = 8;
/** In entries: past it, an answer takes longer than one that waits for nobody. */
const MOST_WAITING = 32;
/** A log that does not grow for so long stands. */
const ADVANCE_MS = 300;
/** Who is well among others that are has caught up after so long, … */
const CAUGHT_UP_MS = 5_000;
/** … or so long after a piece of a snapshot left for it. */
const INSTALLED_MS = 5_000;
/** … or after so long, of one that is so far behind that its leader may have to write it one. */
const FAR_BEHIND_MS = 10_000;
/** Between two writes asked of one node. */
const ASK_MS = 500;

/** Answers that say that nothing was decided. */
const NO_PROGRESS = ["UNAVAILABLE", "NO_QUORUM", "OUTCOME_UNKNOWN", "SHUTTING_DOWN"];

interface Patient {
  readonly node: SimNode;
  harms: number;
  wellSinceMs: number;
  isMember: boolean;
  starts: number;
  snapshotMs: number;
  /** What it has applied, and when that last grew. */
  appliedIndex: number;
  advancedMs: number;
  askedMs: number;
  /** When a write asked here was last answered, or need not be. */
  answeredMs: number;
}

const windowOf = ({ limits }: SimNode): number => limits.logLimits.raft.windowEntries;

export class Health {
  readonly #cluster: SimCluster;
  readonly #patients: Patient[] = [];
  /** When a write was last answered that was asked of a majority that was well. */
  #answeredMs = 0;
  /** When there was last no majority, or no leader, that was well: nobody could be brought up. */
  #aloneMs = 0;
  /** The last entry that was committed, and when the last of them came. */
  #lastIndex = 0;
  #advancedMs = 0;
  #probe = 0;
  #over = false;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    cluster.equip(node => this.#admit(node));
  }

  /** A piece of one leaves for `name`. */
  snapshotSent(name: string): void {
    for (const patient of this.#patients)
      if (patient.node.name === name) patient.snapshotMs = this.#cluster.nowMs;
  }

  #admit(node: SimNode): void {
    this.#patients.push({
      node,
      harms: 0,
      wellSinceMs: this.#cluster.nowMs,
      isMember: false,
      starts: 0,
      snapshotMs: 0,
      appliedIndex: 0,
      advancedMs: 0,
      askedMs: 0,
      answeredMs: 0,
    });
  }

  /** What befell them before is past. */
  start(): void {
    const { nowMs } = this.#cluster;
    for (const patient of this.#patients) patient.wellSinceMs = nowMs;
    this.#aloneMs = nowMs;
    this.#look();
  }

  /** No more is asked or expected. */
  end(): void {
    this.#over = true;
  }

  /** `name` is unwell until what is returned is called. Hosts of clients do not count. */
  harm(name: string): () => void {
    const patient = this.#patients.find(one => one.node.name === name);
    if (patient === undefined) return () => {};
    patient.harms += 1;
    return () => {
      patient.harms -= 1;
      patient.wellSinceMs = this.#cluster.nowMs;
    };
  }

  /** Something of a moment befalls these. */
  shake(...names: readonly string[]): void {
    for (const name of names) this.harm(name)();
  }

  #look(): void {
    if (this.#over) return;
    const { loop, nowMs } = this.#cluster;
    for (const patient of this.#patients) this.#examine(patient);
    const well = this.#patients.filter(
      one => one.isMember && nowMs - one.wellSinceMs >= SETTLED_MS,
    );
    const isLedByUnwell = this.#patients.some(one => one.node.serves && !well.includes(one));
    if (isLedByUnwell || !this.#isMajority(well)) this.#aloneMs = nowMs;
    const mostLag = isLedByUnwell ? this.#atOnce() : MOST_LAG;
    const settled = well.filter(one => !this.#isBroughtUp(one, mostLag));
    const isMajority = this.#isMajority(settled);
    const hasLeader = isMajority && settled.some(({ node }) => node.serves);
    if (!isMajority) this.#answeredMs = nowMs;
    for (const patient of this.#patients)
      if (!hasLeader || !settled.includes(patient)) patient.answeredMs = nowMs;
    if (isMajority) this.#expectAnswers(settled);
    loop.after(LOOK_MS, () => this.#look());
  }

  #isMajority(settled: readonly Patient[]): boolean {
    const names = new Set(settled.map(({ node }) => node.name));
    const { roster } = this.#cluster;
    return roster
      .electorates()
      .every(voters => voters.filter(name => names.has(name)).length * 2 > voters.length);
  }

  /**
   * Entry after entry is committed, and so many wait for their turn that what is asked now comes
   * late: where little may be under way at once, clients alone can bring that about.
   */
  #isBackedUp(): boolean {
    const { nowMs, truth } = this.#cluster;
    if (truth.index > this.#lastIndex) this.#advancedMs = nowMs;
    this.#lastIndex = truth.index;
    if (nowMs - this.#advancedMs > ADVANCE_MS) return false;
    return this.#patients.some(({ node }) => {
      const { lastIndex = 0, commitIndex = 0 } = node.log?.status() ?? {};
      return node.serves && lastIndex - commitIndex > MOST_WAITING;
    });
  }

  #expectAnswers(settled: readonly Patient[]): void {
    const { nowMs } = this.#cluster;
    if (this.#isBackedUp()) {
      this.#answeredMs = nowMs;
      for (const patient of settled) patient.answeredMs = nowMs;
    }
    if (nowMs - this.#answeredMs > ANSWER_MS) this.#stalled(settled);
    for (const patient of settled) {
      if (nowMs - patient.answeredMs > ANSWER_MS) this.#stalled([patient]);
      this.#ask(patient);
    }
  }

  /** In entries: each further piece may wait a second for a disk that was made slow. */
  #atOnce(): number {
    const { windowEntries, sliceEntries } = this.#cluster.drawn;
    return Math.min(MOST_LAG, windowEntries, sliceEntries);
  }

  /** It is behind the others, and cannot be expected not to be. */
  #isBroughtUp(patient: Patient, mostLag: number): boolean {
    const { node, wellSinceMs, snapshotMs, appliedIndex } = patient;
    const { nowMs, truth } = this.#cluster;
    // A snapshot may jump over what was asked there, and then nobody knows what came of it.
    if (nowMs - snapshotMs < ANSWER_MS) return true;
    if (appliedIndex + mostLag >= truth.index) return false;
    if (this.#isOutrun(patient)) return true;
    const sinceMs = Math.max(wellSinceMs, this.#aloneMs);
    const withinMs = this.#isFarBehind(node) ? FAR_BEHIND_MS : CAUGHT_UP_MS;
    return nowMs - sinceMs < withinMs || nowMs - snapshotMs < INSTALLED_MS;
  }

  /** It gets on, through a window so narrow that clients alone can outrun it. */
  #isOutrun({ advancedMs }: Patient): boolean {
    return (
      this.#cluster.nowMs - advancedMs <= ADVANCE_MS &&
      this.#patients.some(({ node }) => node.serves && windowOf(node) <= MOST_LAG)
    );
  }

  /** Its log ends before its leader's newest snapshot. */
  #isFarBehind(node: SimNode): boolean {
    const lastIndex = node.log?.status().lastIndex ?? 0;
    return this.#patients.some(
      one => one.node.serves && lastIndex < (one.node.log?.status().snapshotIndex ?? 0),
    );
  }

  #examine(patient: Patient): void {
    const { node } = patient;
    const { roster } = this.#cluster;
    const isMember = roster.isMember(node) && roster.voters.includes(node.name);
    const isWell = node.isUp && !node.stopping && !node.process.isHalted && patient.harms === 0;
    const isAnew = node.starts !== patient.starts || isMember !== patient.isMember;
    if (!isWell || isAnew) patient.wellSinceMs = this.#cluster.nowMs;
    patient.isMember = isMember;
    patient.starts = node.starts;
    const { appliedIndex = 0 } = node.log?.status() ?? {};
    if (appliedIndex > patient.appliedIndex) patient.advancedMs = this.#cluster.nowMs;
    patient.appliedIndex = appliedIndex;
  }

  #ask(patient: Patient): void {
    const { process, replica } = patient.node;
    const { truth, nowMs } = this.#cluster;
    if (nowMs - patient.askedMs < ASK_MS) return;
    patient.askedMs = nowMs;
    const value = `once:probe:${++this.#probe}`;
    process.enter(() => {
      const calls = replica?.coordinator.connect(null);
      calls?.call("kv.put", { key: "probe", value }, {}, outcome => {
        if (outcome.ok || !this.#isNoProgress(outcome.failure.code)) {
          this.#answeredMs = this.#cluster.nowMs;
          patient.answeredMs = this.#cluster.nowMs;
          truth.count("probes answered");
        }
        calls.close(true);
      });
    });
  }

  /** Where little may be under way at once, clients alone may keep a node at its bound. */
  #isNoProgress(code: string): boolean {
    const { maxPendingProposals, maxAsksPerPeer } = this.#cluster.drawn;
    const isRoomy =
      maxPendingProposals === PLAIN.maxPendingProposals && maxAsksPerPeer === PLAIN.maxAsksPerPeer;
    return NO_PROGRESS.includes(code) || (isRoomy && code === "OVERLOADED");
  }

  #stalled(settled: readonly Patient[]): never {
    const names = settled.map(({ node }) => node.name).join(" ");
    this.#cluster.truth.fail(
      `${names}: well for ${SETTLED_MS + ANSWER_MS} ms, and no write asked there was answered`,
    );
  }
}
