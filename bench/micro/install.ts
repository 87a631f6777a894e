/**
 * A snapshot for a laggard, over real sockets on loopback and real files with sync on: how long its
 * writing takes and how long until the laggard holds it, and what lone appends on the leader take
 * meanwhile. All three nodes share one thread and one disk, which is harder on the appends than
 * machines of their own. Prints JSON.
 *
 *   node dist/bench/micro/install.js [MiB]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logIndex } from "#src/base/ids.js";
import { createEmbeddedLog, DEFAULT_LOG_LIMITS } from "#src/log/index.js";
import type { LogHost, ReplicatedLog, SnapshotSource } from "#src/log/port/index.js";
import { nodeDisk } from "#src/server/disk/index.js";
import { nodeNetwork } from "#src/server/network/index.js";
import {
  nodeBytes,
  nodeChecksum,
  nodeClock,
  nodeEndOfTurn,
  nodeRandom,
} from "#src/server/ports/index.js";

const [mebibytes = 64] = process.argv.slice(2).map(Number);
const FIRST_PORT = 21_480;
const NAMES = ["a", "b", "c"];
const SLICE_BYTES = 256 * 1024;
const QUIET_MS = 3_000;
const PAYLOAD_BYTES = 200;
/** Kept in memory for laggards: enough for what is appended during a run … */
const TAIL_BYTES = 2 * 1024 * 1024;
/** … and less than this, which the laggard misses. */
const MISSED_APPENDS = 16;
const MISSED_BYTES = 256 * 1024;
const LIMITS = {
  ...DEFAULT_LOG_LIMITS,
  raft: { ...DEFAULT_LOG_LIMITS.raft, tailBytes: TAIL_BYTES },
};

class Host implements LogHost {
  last = 0;
  restoredBytes = 0;
  onCommitted: (() => void) | null = null;
  onRestore: (() => void) | null = null;
  restore(source: SnapshotSource, done: () => void): void {
    this.onRestore?.();
    const read = (): void =>
      source.read(slice => {
        if (slice !== null) {
          this.restoredBytes += slice.length;
          read();
          return;
        }
        this.last = source.index;
        source.close();
        done();
      });
    read();
  }
  committed(index: number, _term: number, payload: Uint8Array): void {
    this.last = index;
    if (payload.length > 0) this.onCommitted?.();
  }
  turnEnded(): void {}
  leadershipChanged(): void {}
  asked(): void {}
  snapshotWanted(): void {}
  fatal(failure: { message: string }): void {
    throw new Error(failure.message);
  }
}

interface Node {
  readonly host: Host;
  readonly log: ReplicatedLog;
}

function start(directory: string, at: number): Node {
  const host = new Host();
  const log = createEmbeddedLog({
    disk: nodeDisk,
    directory: join(directory, NAMES[at] as string),
    network: nodeNetwork,
    clock: nodeClock,
    random: () => nodeRandom,
    bytes: nodeBytes,
    checksum: nodeChecksum,
    endOfTurn: nodeEndOfTurn,
    listen: [{ host: "127.0.0.1", port: FIRST_PORT + at }],
    name: NAMES[at] as string,
    clientUrls: [],
    initialState: "new",
    initialCluster: NAMES.map((name, n) => ({
      name,
      peerUrls: [`http://127.0.0.1:${FIRST_PORT + n}`],
    })),
    token: "bench",
    limits: LIMITS,
    note: () => undefined,
  });
  log.start(host, failure => {
    if (failure !== null) throw new Error(failure.message);
  });
  return { host, log };
}

const pause = (ms: number): Promise<void> => new Promise(done => setTimeout(done, ms));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(1);
}

function append({ log, host }: Node, payloadBytes: number): Promise<void> {
  return new Promise(resolve => {
    host.onCommitted = resolve;
    log.append(new Uint8Array(payloadBytes), null);
  });
}

function writeSnapshot({ log, host }: Node): Promise<void> {
  return new Promise((resolve, reject) => {
    const sink = log.beginSnapshot(logIndex(host.last));
    if (sink === null) {
      reject(new Error("no snapshot could be begun"));
      return;
    }
    let left = mebibytes * 1024 * 1024;
    const next = (): void => {
      if (left === 0) {
        sink.finish(durable => (durable ? resolve() : reject(new Error("it was given up"))));
        return;
      }
      left -= SLICE_BYTES;
      sink.write(new Uint8Array(SLICE_BYTES).fill(left % 251), next);
    };
    next();
  });
}

/** Lone appends on the leader, one after the other, for as long as `work` goes on. */
async function appendsBeside(leader: Node, work: Promise<void>): Promise<object> {
  const took: number[] = [];
  let on = true;
  const beganMs = performance.now();
  void work.then(() => {
    on = false;
  });
  while (on) {
    const startedMs = performance.now();
    await append(leader, PAYLOAD_BYTES);
    took.push(performance.now() - startedMs);
    await pause(1);
  }
  const tookMs = Math.round(performance.now() - beganMs);
  took.sort((a, b) => a - b);
  const at = (share: number): number =>
    Number((took[Math.floor((took.length - 1) * share)] ?? 0).toFixed(2));
  return { tookMs, appends: took.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

async function install(directory: string, at: number): Promise<Node> {
  const node = start(directory, at);
  await new Promise<void>(resolve => {
    node.host.onRestore = resolve;
  });
  await until(() => node.host.restoredBytes === mebibytes * 1024 * 1024);
  return node;
}

async function measure(directory: string): Promise<void> {
  const nodes = NAMES.map((_, at) => start(directory, at));
  const serving = (): Node | undefined => nodes.find(({ log }) => log.leadership().serving);
  await until(() => serving() !== undefined);
  await pause(1_500);
  const leader = serving() as Node;
  const away = nodes.findIndex(node => node !== leader);
  await new Promise<void>(done => (nodes[away] as Node).log.stop(done));
  const quiet = await appendsBeside(leader, pause(QUIET_MS));
  for (let count = 0; count < MISSED_APPENDS; count++) await append(leader, MISSED_BYTES);
  const idleMs = performance.now();
  await writeSnapshot(leader);
  const ownIdleMs = Math.round(performance.now() - idleMs);
  await append(leader, PAYLOAD_BYTES);
  const ownSnapshot = await appendsBeside(leader, writeSnapshot(leader));
  const again = install(directory, away).then(node => {
    nodes[away] = node;
  });
  const installed = await appendsBeside(leader, again);
  const figures = { quiet, ownIdleMs, ownSnapshot, install: installed };
  console.log(JSON.stringify({ bench: "install", mebibytes, node: process.version, ...figures }));
  await Promise.all(nodes.map(({ log }) => new Promise<void>(done => log.stop(done))));
}

const directory = mkdtempSync(join(tmpdir(), "holdfast-install-"));
try {
  await measure(directory);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
