/**
 * Rare paths that a campaign must have been on: each is one line of this table, marked as hit
 * where somebody can see it from outside (truth, workloads, faults, sightings of nodes), never by a
 * switch in the product. A path that is never hit is a hole in the simulator. Runs of one thread
 * follow one another, so the marks of the present one are kept here.
 */
export const RARE = {
  "snapshot installed by a laggard": "a running node takes the leader's snapshot for its state",
  "snapshot and appends raced": "entries past a snapshot are there before it is restored",
  "state restored at start": "a node begins from a snapshot of its own and the log after it",
  "conflicting tail cut": "a node's uncommitted tail is replaced by another leader's entries",
  "leader deposed with an uncommitted tail": "a leader loses its term with entries nobody holds",
  "two nodes took themselves for leaders": "a new leader serves while the old one does not know",
  "fast fail-over": "a new leader serves within half a second of the old one's end",
  "leadership handed over on stop": "a leader that is stopped sees its successor lead",
  "an uncommitted tail survived a restart": "a node comes back with entries that it cannot apply",
  "seven terms": "a run sees seven elections won",
  "torn tail cut at recovery": "a batch that power loss tore is found and cut",
  "empty disk refused": "a member that has forgotten everything is not let in",
  "all nodes down at once": "no process of the cluster runs",
  "a cluster of one": "the only voter works, falls and comes back, and nobody is there to hear",
  "minority alone": "a single node runs, without a quorum",
  "lease expired": "nobody kept a lease alive",
  "waiter granted by an expiry": "a dead holder's lease ends and the next in line is granted",
  "several ends in one entry": "one log entry ends three leases or more",
  "expiry lost with the leader": "a leader proposed an end that its successor never heard of",
  "lease survived three leaders": "one lease is kept alive through three terms",
  "answered from the table": "a request sent again gets the answer of its first time",
  "lease collision": "a lease is asked for under an id that lives",
  "grant came before its withdrawal": "a wait is given up after it was granted",
  "wait withdrawn": "a wait is given up, and the log agrees",
  "wait ended with its lease": "a waiter's lease runs out while it stands in line",
  "long line": "five or more stand in one line",
  "history gone for a watcher": "a watch wants to begin before what is remembered",
  "a watch went on elsewhere": "a watch is resumed over another connection without a gap",
  "outcome unknown": "a client is told that nobody knows",
  "unknown, and it was done": "what was answered as unknown is found to have taken effect",
  "client believed to its very end": "a client's belief ran out by its own clock, unanswered",
  "update lost without a token": "a resource that looks at no token loses a holder's update",
  "fenced off": "a resource refuses a token that is too old",
  "guarded write refused": "a write under a grant that has ended is refused",
  "a holder was told that another ended its grant": "its lease lives, its own clock says nothing",
  "a member began with a snapshot": "a node that was added takes over the state of the others",
  "a learner promoted": "it votes from then on",
  "joint configuration left by another leader than began it": "a change survived its leader",
  "leader removed itself": "a leader led until its own going was committed",
  "a removed member was told when it came back": "it was down, or stopped, when it was removed",
  "a change refused because the quorum would be lost": "too few of those to be could be reached",
  "a wiped member came back as another": "removed, added again and started on an empty disk",
  "a change undone with its leader's tail": "a configuration was in force somewhere, and is cut",
  "leadership transferred on request": "an operator asked for it, and another leads",
  "a node joined before it was added": "it waited until somebody knew it",
  "a later version was refused": "a node speaks to its peers as none of them can, and goes back",
  "history slid": "a node forgot its oldest changes",
  "a reader joined a run": "a reader is granted beside another, under its token",
  "several permits held": "two or more hold a semaphore at once",
  "several names granted at once": "a request for several locks gets all of them",
  "a circle refused": "a wait is refused, since others wait for this very actor",
  "a place in line was given away": "another is let go before somebody, who enters anew",
  "a line was shut": "a holder's lease ran out, and nobody is granted in its place at once",
  "a shut line opened": "the delay after a holder has ended",
  "broken after its grace": "a holder was asked, did not answer, and is broken",
  "a break was asked for twice": "it ends at the earlier time",
  "a holder heard that it is asked to hand over": "its yieldSignal has fired",
  "a leader handed over to whom it chose": "to one who waits, before those ahead of it",
  "a claim ended": "of a run that may be claimed again if it is not over",
  "a claim ended that may not be made again": "its run is over, with an outcome or without",
  "a run that is over was asked for": "its claim is refused",
} as const;

export type Rare = keyof typeof RARE;

/** A campaign of at least so many seeds must have been everywhere. */
export const SEEDS_FOR_ALL = 300;

let hits = new Map<Rare, number>();

export function sometimes(what: Rare): void {
  hits.set(what, (hits.get(what) ?? 0) + 1);
}

/** The marks since the last call. */
export function takeHits(): Readonly<Partial<Record<Rare, number>>> {
  const taken = hits;
  hits = new Map();
  return Object.fromEntries(taken);
}

/** Those that a campaign of `seeds` should have hit and did not. */
export function neverHit(seeds: number, all: Readonly<Record<string, number>>): readonly Rare[] {
  if (seeds < SEEDS_FOR_ALL) return [];
  return (Object.keys(RARE) as Rare[]).filter(what => (all[what] ?? 0) === 0);
}
