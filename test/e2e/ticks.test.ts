/**
 * Two hundred replicas share the runs of two jobs while nodes and replicas die: each run has one
 * claimant at a time, and is over once and for ever.
 */
import { type Client, connect, HoldfastError } from "holdfast-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster } from "./harness/cluster.js";
import { Entries, type Entry } from "./harness/entries.js";
import { PATIENT } from "./harness/workers.js";
import { Claimants, idOf, type Run } from "./ticks/claimants.js";
import { breachesOf, type Claim, type Outcome, type Recorded } from "./ticks/claims.js";

const PROCESSES = 8;
const REPLICAS = 25;
const RECLAIMED = "ticks/reclaimed";
const CLOSED = "ticks/closed";
const ON_ABANDON = { [RECLAIMED]: "reclaim", [CLOSED]: "close" } as const;
const EVERY_MS = 60_000;
const FIRST = 1_700_000_000_000 - (1_700_000_000_000 % EVERY_MS);

/** A thousand of the one job and three hundred of the other, mixed. */
const RUNS: readonly Run[] = Array.from({ length: 1_300 }, (_, i) => ({
  job: i % 13 < 10 ? RECLAIMED : CLOSED,
  slot: FIRST + i * EVERY_MS,
}));

const lineOf = ({ job, slot }: Run): string => `${job}/${String(slot).padStart(20, "0")}`;

describe("what is found in a record of one run", () => {
  const entry = (number: number, endRevision: number): Entry => ({
    key: `k${number}`,
    name: "run",
    number,
    endRevision,
  });
  const claim = (number: number, grantedMs: number, more: Partial<Claim> = {}): Claim => ({
    id: `${number}`,
    who: "w",
    job: "run",
    slot: 1,
    key: `k${number}`,
    token: number,
    grantedMs,
    heldUntilMs: grantedMs + 10,
    ...more,
  });
  const over = { ending: "done", ended: "done" } as const;
  const found = (entries: Entry[], claims: Claim[], more: Partial<Recorded> = {}) =>
    [
      ...breachesOf({
        onAbandon: "reclaim",
        entries,
        claims: new Map(claims.map(one => [one.key, one])),
        outcome: { outcome: "done", note: `${entries.at(-1)?.number}` },
        isUnclear: false,
        ...more,
      }),
    ].join();

  test("nothing, where one comes after the other and the last says how it ended", () => {
    const killed = claim(1, 0);
    expect(found([entry(1, 5), entry(6, 9)], [killed, claim(6, 20, over)])).toBe("");
    const closed = { onAbandon: "close", outcome: { outcome: "abandoned" } } as const;
    expect(found([entry(1, 5)], [killed], closed)).toBe("");
  });

  test("two at once, by the cluster's order and by the clock", () => {
    expect(found([entry(1, 7), entry(6, 9)], [claim(1, 0), claim(6, 20, over)])).toMatch(
      /while 1 had/,
    );
    expect(found([entry(1, 5), entry(6, 9)], [claim(1, 0), claim(6, 5, over)])).toMatch(
      /while 1 held/,
    );
  });

  test("a run that is granted again when it is done, or was closed", () => {
    const twice = [claim(1, 0, { ...over, endingMs: 5 }), claim(6, 20, over)];
    expect(found([entry(1, 5), entry(6, 9)], twice)).toMatch(/6 claimed it after it was done/);
    const closes = { onAbandon: "close" } as const;
    const killed = [claim(1, 0), claim(6, 20, over)];
    expect(found([entry(1, 5), entry(6, 9)], killed, closes)).toMatch(/claimed 2 times/);
  });

  test("a claim that nobody has, no outcome, or another one than its last claimant said", () => {
    expect(found([entry(1, 5)], [claim(1, 0)], { outcome: {} })).toMatch(/is open, and 1 was mute/);
    const failed = { outcome: { outcome: "failed", note: "1" } };
    expect(found([entry(1, 5)], [claim(1, 0, over)], failed)).toMatch(/is failed, and 1 was done/);
    expect(found([entry(1, 5), entry(6, 9)], [claim(6, 20, over)])).toMatch(
      /1 claimed it, and nob/,
    );
    const another = { outcome: { outcome: "done", note: "0" } };
    expect(found([entry(1, 5)], [claim(1, 0, over)], another)).toMatch(/done by 0, and 1 had it/);
  });
});

describe("two hundred replicas and 1,300 runs", () => {
  let cluster: Cluster;
  let client: Client;
  let claimants: Claimants | undefined;
  let entries: Entries | undefined;
  let dueCount = 0;

  beforeAll(async () => {
    cluster = await Cluster.start(3);
    client = connect(cluster.endpoints, { ...PATIENT, owner: "test" });
  });
  afterAll(async () => {
    await claimants?.close();
    await entries?.close();
    await client?.close();
    await cluster?.close();
  });

  function next(count: number): readonly Run[] {
    const runs = RUNS.slice(dueCount, dueCount + count);
    dueCount += runs.length;
    return runs;
  }

  /** What closes by being abandoned is said by nobody, so it is read from the lines. */
  async function over(among: Claimants, watched: Entries, count: number): Promise<void> {
    await among.until(`${count} runs to be over`, () => {
      const { lines } = watched;
      for (const run of RUNS.slice(0, dueCount)) {
        const [first] = run.job === CLOSED ? (lines.get(lineOf(run)) ?? []) : [];
        if (first !== undefined && first.endRevision < Number.POSITIVE_INFINITY) among.isOver(run);
      }
      return among.overCount >= count;
    });
  }

  /** What one more is told who wants it. */
  async function outcomeOf({ job, slot }: Run): Promise<Outcome> {
    try {
      await client.call("slot.claim", { job, slot, ttlMs: 60_000 });
      return {};
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return error.code === "SLOT_CLOSED" ? error.details : { outcome: error.code };
    }
  }

  test("each is claimed by one at a time, and over once, whoever dies", {
    timeout: 600_000,
  }, async () => {
    entries = await Entries.watch(client, "ticks/");
    const { endpoints } = cluster;
    const sizes = { processes: PROCESSES, replicas: REPLICAS, ttlMs: 4_000, workMs: 300 };
    claimants = new Claimants({ endpoints, onAbandonOf: ON_ABANDON, ...sizes });
    claimants.comeDue(next(300));
    await over(claimants, entries, 200);

    const leader = await cluster.leader();
    await leader.kill();
    claimants.comeDue(next(200));
    await over(claimants, entries, 400);
    leader.start();
    claimants.comeDue(next(200));
    await cluster.ready();

    const among = claimants;
    await among.killHolders(2, next(200));
    for (let i = 0; i < 2; i++) among.start();
    among.comeDue(next(RUNS.length));
    // What keeps a run open is more than that it is.
    const late: string[] = [];
    await over(among, entries, RUNS.length).catch(error => late.push(String(error)));

    const { claims, unclear } = await among.finish();
    await entries.finish();
    const { lines } = entries;
    const outcomes = await Promise.all(RUNS.map(outcomeOf));
    expect(entries.contradictions).toEqual([]);
    const found = RUNS.flatMap((run, i) => {
      const own = claims.filter(one => idOf(one) === idOf(run));
      const recorded = {
        onAbandon: run.job === CLOSED ? ON_ABANDON[CLOSED] : ON_ABANDON[RECLAIMED],
        entries: lines.get(lineOf(run)) ?? [],
        claims: new Map(own.map(one => [one.key, one])),
        outcome: outcomes[i] ?? {},
        isUnclear: unclear.some(one => idOf(one) === idOf(run)),
      };
      return [...breachesOf(recorded)].map(breach => `${idOf(run)} ${breach}`);
    });
    expect([...late, ...found]).toEqual([]);
    reached(claims, [...lines.values()].flat(), among.refusedAfterOver);
  });
});

/** Where nobody died as he held, and nobody asked in vain, little was tried. */
function reached(claims: readonly Claim[], entries: readonly Entry[], refused: number): void {
  for (const job of [RECLAIMED, CLOSED]) {
    const expired = entries.filter(
      ({ name, cause }) => name.startsWith(job) && cause === "expired",
    );
    expect(expired.length, job).toBeGreaterThan(0);
    for (const how of ["done", "failed", "left"]) {
      const ended = claims.filter(one => one.job === job && one.ended === how);
      expect(ended.length, `${job}: ${how}`).toBeGreaterThan(0);
    }
  }
  expect(refused).toBeGreaterThan(RUNS.length);
  const trouble = claims.filter(one => one.trouble !== undefined).length;
  console.log(
    `${claims.length} claims of ${RUNS.length} runs, ${trouble} in trouble; ` +
      `refused ${refused} times after the end`,
  );
}
