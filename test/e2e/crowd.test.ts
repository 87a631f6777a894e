/**
 * A thousand sessions in line for a hundred locks of every kind, while the leader is killed and
 * started again, and hands over, five times. What each was told is held against the order in which
 * they stood in line.
 */
import { type Client, connect } from "holdfast-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Crowd, type Place } from "./crowd/crowd.js";
import { breaches, callsOf, type Turn } from "./crowd/turns.js";
import { Cluster } from "./harness/cluster.js";
import { Entries, type Entry } from "./harness/entries.js";
import { judged } from "./harness/judged.js";
import { PATIENT } from "./harness/workers.js";

const PROCESSES = 5;
const SESSIONS = 200;
/** Long enough for a busy machine: nobody dies here, so that none may run out. */
const TTL_MS = 20_000;

const names = (what: string, count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `crowd/${what}/${from + i}`);

/** A hundred names. */
const PLACES: readonly Place[] = [
  { kind: "exclusive", names: names("lock", 40) },
  { kind: "shared", names: names("readers", 20) },
  { kind: "permit", permits: 2, names: names("permits", 10) },
  { kind: "permit", permits: 4, names: names("permits", 10, 10) },
  { kind: "leader", names: names("election", 10) },
  { kind: "several", names: names("several", 10) },
];
/** As many sessions for each name, so that no kind of lock draws all of them into its line. */
const FOR_SESSIONS = PLACES.flatMap(place => Array(place.names.length / 10).fill(place));

describe("what is found in a record of turns", () => {
  const key = (number: number) => `n/${String(number).padStart(20, "0")}`;
  const entry = (number: number, endRevision: number): Entry => ({
    key: key(number),
    name: "n",
    number,
    endRevision,
  });
  /** Enters at `number`, works at `number + 1` or later; one millisecond is one revision. */
  const turn = (number: number, from: number, until: number, more: Partial<Turn> = {}): Turn => ({
    who: `w${number}`,
    kind: "exclusive",
    names: ["n"],
    key: key(number),
    token: number,
    askedMs: number - 0.5,
    grantedMs: from,
    workRevision: from + 0.5,
    heldUntilMs: until + 100,
    releaseMs: until - 0.5,
    releasedMs: until,
    heldToTheEnd: true,
    ...more,
  });
  const found = (...turns: Turn[]) => {
    const line = turns.map(({ token, key: own, releasedMs }) =>
      entry(Number(own.slice(2)) || token, releasedMs),
    );
    return breaches(new Map([["n", line.sort((a, b) => a.number - b.number)]]), turns);
  };

  test("nothing, where each waits for who is ahead", () => {
    expect(found(turn(1, 2, 5), turn(3, 6, 9))).toEqual([]);
    const reader = { kind: "shared", token: 1 } as const;
    expect(found(turn(1, 2, 8, reader), turn(3, 4, 9, reader), turn(5, 10, 12))).toEqual([]);
    const permit = { kind: "permit", permits: 2 } as const;
    expect(found(turn(1, 2, 8, permit), turn(3, 4, 9, permit), turn(5, 8.5, 11, permit))).toEqual(
      [],
    );
  });

  test("the second granted before the first", () => {
    expect(found(turn(1, 8, 10), turn(2, 4, 7)).join()).toMatch(/2 \(w2\) worked at 4.5, before/);
  });

  test("a reader beside a writer, and one that overtakes a writer in line", () => {
    const reader = { kind: "shared" } as const;
    expect(found(turn(1, 2, 8), turn(3, 4, 7, reader)).join()).toMatch(/while exclusive 1/);
    const late = turn(4, 5, 6, { ...reader, token: 1 });
    const overtaken = found(turn(1, 2, 8, reader), turn(3, 9, 11), late);
    expect(overtaken.join()).toMatch(/shared 4 \(w4\) worked at 5.5, before exclusive 3/);
  });

  test("one permit too many, a token of another run, one who was never granted", () => {
    const permit = { kind: "permit", permits: 2 } as const;
    const three = [turn(1, 2, 8, permit), turn(3, 4, 9, permit), turn(5, 6, 11, permit)];
    expect(found(...three).join()).toMatch(/permit 5 \(w5\) was granted before permit 1/);
    const [first, second] = [turn(1, 2, 8, { kind: "shared" }), turn(3, 4, 9, { kind: "shared" })];
    expect(found(first, second).join()).toMatch(/who reads beside it, 1/);
    expect(breaches(new Map([["n", [entry(1, 9)]]]), []).join()).toMatch(/nobody was granted it/);
  });
});

describe("a thousand sessions and five changes of leader", () => {
  let cluster: Cluster;
  let client: Client;
  let crowd: Crowd | undefined;
  let entries: Entries | undefined;

  beforeAll(async () => {
    cluster = await Cluster.start(3);
    client = connect(cluster.endpoints, { ...PATIENT, owner: "test" });
  });
  afterAll(async () => {
    await crowd?.close();
    await entries?.close();
    await client?.close();
    await cluster?.close();
  });

  async function killed(among: Crowd): Promise<void> {
    const leader = await cluster.leader();
    await leader.kill();
    await cluster.leader(cluster.others(leader));
    await among.more(500);
    leader.start();
    await cluster.ready();
  }

  async function handedOver(): Promise<void> {
    await cluster.until("a hand-over", async () => {
      const leader = await cluster.leader();
      return (await leader.post("/v1/cluster/transfer", {})).status === 200;
    });
  }

  const term = async () => (await (await cluster.leader()).status()).term;

  test("all are granted, in turn, and never two who must not hold at once", {
    timeout: 600_000,
  }, async () => {
    entries = await Entries.watch(client, "crowd/");
    const { endpoints } = cluster;
    const sizes = { processes: PROCESSES, sessions: SESSIONS, ttlMs: TTL_MS, holdMs: 400 };
    crowd = new Crowd({ endpoints, places: FOR_SESSIONS, ...sizes });
    await crowd.moreOfEach(1);
    const firstTerm = await term();
    for (const change of ["killed", "handed over", "killed", "handed over", "killed"]) {
      if (change === "killed") await killed(crowd);
      else await handedOver();
      await crowd.more(500);
    }
    expect(await term()).toBeGreaterThanOrEqual(firstTerm + 5);
    // The one that each stood in line for may be of before the last change; the next is not.
    await crowd.moreOfEach(2);
    const { turns, failures } = await crowd.finish();
    await entries.finish();

    expect(failures).toEqual([]);
    expect(turns.filter(({ heldToTheEnd }) => !heldToTheEnd)).toEqual([]);
    expect(entries.contradictions).toEqual([]);
    expect(breaches(entries.lines, turns)).toEqual([]);
    expect(judged({ calls: callsOf(turns, isShared), notes: [] }, "crowd")).toEqual([]);
    reached(turns);
  });
});

const isShared = (name: string): boolean => /^crowd\/(readers|permits)\//.test(name);

/** A crowd in which nobody waited, or read beside another, proves nothing. */
function reached(turns: readonly Turn[]): void {
  const of = (what: string) =>
    turns.filter(({ names: [first = ""] }) => first.startsWith(`crowd/${what}/`));
  for (const what of ["lock", "readers", "permits", "election", "several"]) {
    const some = of(what);
    expect(some.length, what).toBeGreaterThan(100);
    expect(new Set(some.flatMap(({ names: all }) => all)).size, what).toBeGreaterThanOrEqual(10);
  }
  const beside = of("readers").filter(({ key, token }) => !key.endsWith(`${token}`));
  expect(beside.length).toBeGreaterThan(20);
  expect(of("several").filter(({ names: all }) => all.length > 1).length).toBeGreaterThan(20);
  const waitsMs = turns.map(({ askedMs, grantedMs }) => grantedMs - askedMs).sort((a, b) => a - b);
  const [median = 0, longest = 0] = [waitsMs[waitsMs.length >> 1], waitsMs.at(-1)];
  console.log(
    `${turns.length} turns; waited ${Math.round(median)} ms in the median, ` +
      `${Math.round(longest)} ms at most`,
  );
}
