/**
 * A member whose files were damaged while it was stopped, one way after the other: it ends by
 * name, with the file, the place and what to do, has served nothing, and has changed nothing; the
 * others go on. What a crash can leave is no damage, and it starts. (One node: damage.test.ts.)
 */
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type Client, connect, HoldfastError } from "holdfast-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";
import { PATIENT } from "./harness/workers.js";
import { Writer } from "./harness/writer.js";

/** So that there are two snapshots and a log of several segments of 8 MiB. */
const SNAPSHOT_AFTER_BYTES = 7 * 1024 * 1024;
/** Goes into the log and, since its condition fails, not into the state. */
const BALLAST = "x".repeat(64 * 1024);
const SECTOR = 512;
const LAST = "the very last one";

let cluster: Cluster;
let client: Client;
/** Not before nothing depends any more on what the others have and this one has not. */
let writer: Writer;
let node: Node;
/** The stopped member's directory as it was. */
let pristine: string;
/** In which the leader had its word that it holds `LAST`. */
let pristineTerm: number;
/** Committed when `LAST` was not yet written. */
let indexBeforeLast: number;

beforeAll(async () => {
  cluster = await Cluster.start(3, [`--snapshot-after-bytes=${SNAPSHOT_AFTER_BYTES}`]);
  client = connect(cluster.endpoints, PATIENT);
  node = await cluster.follower();
  pristine = `${node.dataDirectory}.pristine`;
  await fill();
  await stopAndCopy();
});
afterAll(async () => {
  const lost = (await writer?.stop()) ?? [];
  await client?.close();
  await cluster?.close();
  expect(lost).toEqual([]);
});

const termOfOthers = async (): Promise<number> =>
  (await (await cluster.leader(cluster.others(node))).status()).term;

const ballast = (): Promise<unknown> =>
  client.kv.put("absent", BALLAST, { ifRevision: "exists" }).catch(error => {
    if (!(error instanceof HoldfastError) || error.code !== "CONDITION_FAILED") throw error;
  });

const named = (form: RegExp): string[] =>
  readdirSync(node.dataDirectory)
    .filter(name => form.test(name))
    .sort()
    .map(name => join(node.dataDirectory, name));

const segments = (): string[] => named(/^segment-\d+$/);
const snapshots = (): string[] => named(/^snapshot-[\d-]+$/);
const identity = (): string => join(node.dataDirectory, "identity");

/** One is always prepared for what comes, and holds nothing yet. */
function used(): string[] {
  return segments().filter(
    file =>
      !readFileSync(file)
        .subarray(SECTOR)
        .every(byte => byte === 0),
  );
}

const oldest = (): string => segments()[0] ?? "";
const newest = (): string => used().at(-1) ?? "";

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0x04;
  writeFileSync(file, bytes);
}

/** Makes it a file of a later format: version, and the checksum that covers it. */
function age(file: string): void {
  const bytes = readFileSync(file);
  bytes.writeUInt32LE(bytes.readUInt32LE(8) + 1, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  writeFileSync(file, bytes);
}

async function fill(): Promise<void> {
  while (segments().length < 4 || snapshots().length < 2) {
    await Promise.all(Array.from({ length: 16 }, ballast));
  }
}

/** While the third member stands, only this one's word can commit what is written. */
async function acknowledgesLast(): Promise<void> {
  await cluster.until("the leader to have its word for the last entry", async () => {
    const leader = await cluster.leader(cluster.others(node));
    const third = cluster.others(node).find(one => one !== leader);
    pristineTerm = (await leader.status()).term;
    await leader.post("/v1/kv/put", { key: "damage/before", value: "the last but one" });
    indexBeforeLast = (await leader.status()).commitIndex;
    third?.signal("SIGSTOP");
    try {
      const { status } = await leader.post("/v1/kv/put", { key: "damage/last", value: LAST });
      return status === 200;
    } finally {
      third?.signal("SIGCONT");
    }
  });
}

/** A log may end before what a snapshot has: nothing is missing then. */
function isLastInSnapshot(): boolean {
  const [, index] = /snapshot-(\d+)-/.exec(snapshots().at(-1) ?? "") ?? [];
  if (index === undefined) throw new Error("the newest snapshot's name does not tell its index");
  return Number(index) > indexBeforeLast;
}

/**
 * Stops it at rest, with `LAST` in its log only and the segment after the newest one prepared, and
 * keeps what it has.
 */
async function stopAndCopy(): Promise<void> {
  for (;;) {
    await acknowledgesLast();
    await cluster.until("the next segment to be prepared", () => {
      return segments().length > used().length && named(/\.part$/).length === 0;
    });
    expect(await node.stop()).toBe(0);
    if (!isLastInSnapshot()) break;
    node.start();
    await cluster.until("it to be ready", () => node.ready());
  }
  rmSync(pristine, { recursive: true, force: true });
  cpSync(node.dataDirectory, pristine, { recursive: true });
}

function restore(): void {
  rmSync(node.dataDirectory, { recursive: true, force: true });
  cpSync(pristine, node.dataDirectory, { recursive: true });
}

/** Names and checksums of all that is there. */
const contents = (): [string, number][] =>
  readdirSync(node.dataDirectory)
    .sort()
    .map(name => [name, crc32(readFileSync(join(node.dataDirectory, name)))]);

/** Starts it; its exit code, its last line, and whether it ever answered a read of any kind. */
async function ends(): Promise<{ exit: unknown; said: string; served: boolean }> {
  let served = false;
  let isOver = false;
  node.start();
  const exit = node.exit.finally(() => {
    isOver = true;
  });
  await cluster.until("it to end, or to serve", async () => {
    const read = { key: "damage/last", consistency: "serializable" };
    const answer = await node.post("/v1/kv/get", read).catch(() => undefined);
    served = answer !== undefined && answer.status !== 503;
    return isOver || served;
  });
  if (served) await node.kill();
  const said = node.log().trimEnd().split("\n").at(-1) ?? "";
  return { exit: await exit, said, served };
}

interface Damage {
  readonly what: string;
  /** Does it, and gives the file that the node should name. */
  readonly damage: () => string;
  readonly code?: keyof typeof REMEDY;
  /** What else it should say; a place in the file where absent. */
  readonly says?: RegExp;
}

const REMEDY = {
  WAL_DAMAGED: /Put the whole directory back .* or remove this member from the cluster/,
  FORMAT_TOO_NEW: /Start the version of Holdfast that wrote this directory, or a later one/,
};
const PLACE = /, offset \d+: /;
const MIDDLE = 4 * 1024 * 1024;
const TOO_NEW = { code: "FORMAT_TOO_NEW", says: /format version 2 is newer/ } as const;

const DAMAGES: Damage[] = [
  {
    what: "a bit of a segment's head",
    damage: () => damaged(oldest(), file => flip(file, 20)),
    says: /, offset 0: /,
  },
  {
    what: "a bit of a batch's head",
    damage: () => damaged(newest(), file => flip(file, SECTOR + 17)),
    says: /, offset 512: /,
  },
  {
    what: "a bit of an entry in an old segment",
    damage: () => damaged(oldest(), file => flip(file, MIDDLE)),
  },
  {
    what: "a bit of the last entry but one",
    damage: () => damaged(newest(), file => flip(file, readFileSync(file).indexOf("but one"))),
  },
  {
    what: "an old segment cut short",
    damage: () => damaged(oldest(), file => truncateSync(file, MIDDLE)),
  },
  {
    what: "a segment gone from the middle",
    damage: () => damaged(segments()[1] ?? "", file => rmSync(file)),
    says: /missing/,
  },
  {
    what: "the newest segment gone",
    damage: () => damaged(newest(), file => rmSync(file)),
    says: /missing/,
  },
  {
    what: "all segments gone",
    damage: () => {
      for (const file of segments()) rmSync(file);
      return node.dataDirectory;
    },
    says: /missing|no log/,
  },
  {
    what: "both snapshots damaged",
    damage: () => {
      for (const file of snapshots()) flip(file, 3 * SECTOR);
      return snapshots()[0] ?? "";
    },
  },
  { what: "a bit of the identity", damage: () => damaged(identity(), file => flip(file, 18)) },
  {
    what: "the identity gone",
    damage: () => damaged(identity(), file => rmSync(file)),
    says: /missing/,
  },
  { what: "a segment of a later version", damage: () => damaged(newest(), age), ...TOO_NEW },
  {
    what: "a snapshot of a later version",
    damage: () => damaged(snapshots().at(-1) ?? "", age),
    ...TOO_NEW,
  },
  { what: "an identity of a later version", damage: () => damaged(identity(), age), ...TOO_NEW },
];

function damaged(file: string, act: (file: string) => void): string {
  act(file);
  return file;
}

/** It starts, catches up, and has everything. */
async function startsAgain(): Promise<void> {
  node.start();
  await cluster.until("it to be ready", () => node.ready());
  await client.kv.put("damage/after", "written while it is back");
  for (const key of ["damage/last", "damage/after"]) {
    expect((await node.post("/v1/kv/get", { key })).status).toBe(200);
  }
  // A copy from before would have forgotten what it acknowledged since.
  await stopAndCopy();
}

/** Zeroes the batch with the last entry, and what came after: to the disk they never were. */
function cutLast(): void {
  const file = newest();
  const bytes = readFileSync(file);
  let at = bytes.lastIndexOf(LAST);
  at -= at % SECTOR;
  while (bytes.toString("latin1", at, at + 4) !== "HFB1") at -= SECTOR;
  bytes.fill(0, at);
  writeFileSync(file, bytes);
}

test("a log whose end is gone without a trace: the leader's word tells, and the node ends by name", async () => {
  for (;;) {
    restore();
    cutLast();
    node.start();
    await cluster.until("it to end, or to be ready", async () => !node.running || node.ready());
    if ((await termOfOthers()) === pristineTerm) break;
    // A leader of a later term does not know what this node once had, and sent what was missing.
    await node.kill();
    restore();
    node.start();
    await cluster.until("it to be ready", () => node.ready());
    await fill();
    await stopAndCopy();
  }
  await cluster.until("it to end", () => !node.running);
  expect(await node.exit).toBe(1);
  const said = node.log().trimEnd().split("\n").at(-1) ?? "";
  expect(said).toMatch(/holdfast: MEMBER_REPLACED: .* holds entry \d+, but its log ends at \d+/);
});

describe("it ends by name, has served nothing, and changes nothing", () => {
  beforeAll(() => {
    writer = new Writer(
      cluster.others(node).map(({ url }) => url),
      "damage/others/",
    );
  });

  test.each(DAMAGES)("$what", async ({ damage, code = "WAL_DAMAGED", says = PLACE }) => {
    restore();
    const file = damage();
    const before = contents();
    const { exit, said, served } = await ends();
    expect(said).toContain(`holdfast: ${code}: `);
    expect(said).toContain(file);
    expect(said).toMatch(says);
    expect(said).toMatch(REMEDY[code]);
    expect([exit, served]).toEqual([1, false]);
    expect(contents()).toEqual(before);
    await writer.more(1);
  });

  test("another member's directory", async () => {
    const leader = await cluster.leader(cluster.others(node));
    const other = cluster.others(node).find(one => one !== leader) as Node;
    await other.stop();
    rmSync(node.dataDirectory, { recursive: true });
    cpSync(other.dataDirectory, node.dataDirectory, { recursive: true });
    other.start();
    await cluster.until("the other to be ready", () => other.ready());
    const { exit, said, served } = await ends();
    expect(said).toMatch(/holdfast: CONFIGURATION: .* holds the data of member n\d, but --name is/);
    expect([exit, served]).toEqual([4, false]);
  });
});

describe("it starts and catches up", () => {
  test("after its files were put back as they were", async () => {
    restore();
    await startsAgain();
  });

  test("with the newest snapshot damaged, from the one before and the log, and says so", async () => {
    restore();
    const file = snapshots().at(-1) ?? "";
    flip(file, 3 * SECTOR);
    await startsAgain();
    expect(node.log()).toContain("going on from the snapshot before it and the log");
    expect(readdirSync(node.dataDirectory).filter(name => name.endsWith(".damaged"))).toHaveLength(
      1,
    );
  });

  test("with a batch half written as by a crash, its head still missing, and says so", async () => {
    restore();
    const bytes = readFileSync(newest());
    let end = bytes.length;
    while (bytes.subarray(end - SECTOR, end).every(byte => byte === 0)) end -= SECTOR;
    bytes.fill("half", end + SECTOR, end + 2 * SECTOR);
    writeFileSync(newest(), bytes);
    await startsAgain();
    expect(node.log()).toContain("a batch that was never acknowledged is cut");
  });
});
