/**
 * Three replicated logs in one process, over real sockets on loopback and real files with sync on:
 * appends a second with many under way, and the time of a lone one. One thread does the work of
 * three machines, so only ratios between two runs mean anything.
 *
 *   node dist/bench/micro/log.js [seconds] [payload bytes] [appends under way]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEmbeddedLog, DEFAULT_LOG_LIMITS } from "#src/log/index.js";
import type { LogHost, ReplicatedLog } from "#src/log/port/index.js";
import { nodeDisk } from "#src/server/disk/index.js";
import { nodeNetwork } from "#src/server/network/index.js";
import {
  nodeBytes,
  nodeChecksum,
  nodeClock,
  nodeEndOfTurn,
  nodeRandom,
} from "#src/server/ports/index.js";

const [seconds = 3, payloadBytes = 200, underWay = 256] = process.argv.slice(2).map(Number);
const FIRST_PORT = 21_380;
const NAMES = ["a", "b", "c"];
const SYNCHRONOUS_BYTES = [0, 16 * 1024];

class Host implements LogHost {
  onCommitted: (() => void) | null = null;
  onTurn: (() => void) | null = null;
  onServing: (() => void) | null = null;
  restore(_: unknown, done: () => void): void {
    done();
  }
  committed(_index: number, _term: number, payload: Uint8Array): void {
    if (payload.length > 0) this.onCommitted?.();
  }
  turnEnded(): void {
    this.onTurn?.();
  }
  leadershipChanged({ serving }: { serving: boolean }): void {
    if (serving) this.onServing?.();
  }
  asked(): void {}
  snapshotWanted(): void {}
  fatal(failure: { message: string }): void {
    throw new Error(failure.message);
  }
}

interface Running {
  readonly logs: readonly ReplicatedLog[];
  readonly leader: ReplicatedLog;
  readonly host: Host;
}

function startThree(directory: string, synchronousBytes: number): Promise<Running> {
  const initialCluster = NAMES.map((name, at) => ({
    name,
    peerUrls: [`http://127.0.0.1:${FIRST_PORT + at}`],
  }));
  const storage = { ...DEFAULT_LOG_LIMITS.storage, synchronousBytes };
  return new Promise((resolve, reject) => {
    const hosts = NAMES.map(() => new Host());
    const logs = NAMES.map((name, at) =>
      createEmbeddedLog({
        disk: nodeDisk,
        directory: join(directory, name),
        network: nodeNetwork,
        clock: nodeClock,
        random: () => nodeRandom,
        bytes: nodeBytes,
        checksum: nodeChecksum,
        endOfTurn: nodeEndOfTurn,
        listen: [{ host: "127.0.0.1", port: FIRST_PORT + at }],
        name,
        clientUrls: [],
        initialCluster,
        initialState: "new",
        token: "bench",
        limits: { ...DEFAULT_LOG_LIMITS, storage },
        note: (_, message) => console.error(message),
      }),
    );
    for (const [at, log] of logs.entries()) {
      const host = hosts[at] as Host;
      host.onServing = () => resolve({ logs, leader: log, host });
      log.start(host, failure => {
        if (failure !== null) reject(new Error(failure.message));
      });
    }
  });
}

const pause = (ms: number): Promise<void> => new Promise(done => setTimeout(done, ms));

/** Appends a second with `underWay` at any time; each committed one makes room for the next. */
async function pipelined({ leader, host }: Running): Promise<number> {
  let committed = 0;
  let open = 0;
  let on = true;
  const fill = (): void => {
    while (on && open < underWay) {
      if (!leader.append(new Uint8Array(payloadBytes), null).ok) return;
      open += 1;
    }
  };
  host.onCommitted = () => {
    committed += 1;
    open -= 1;
  };
  host.onTurn = fill;
  fill();
  await pause(500);
  const from = committed;
  const startedMs = performance.now();
  await pause(seconds * 1_000);
  const rate = ((committed - from) * 1_000) / (performance.now() - startedMs);
  on = false;
  host.onTurn = null;
  while (open > 0) await pause(10);
  return rate;
}

/** Milliseconds from a lone append to its commit, sorted. */
async function lone({ leader, host }: Running): Promise<number[]> {
  const took: number[] = [];
  const endMs = performance.now() + seconds * 1_000;
  while (performance.now() < endMs) {
    const startedMs = performance.now();
    await new Promise<void>(resolve => {
      host.onCommitted = resolve;
      leader.append(new Uint8Array(payloadBytes), null);
    });
    took.push(performance.now() - startedMs);
    await new Promise<void>(resolve => setImmediate(resolve));
  }
  return took.sort((a, b) => a - b);
}

/** Milliseconds of a linearizable read point on the leader, sorted. */
async function barriers({ leader }: Running): Promise<number[]> {
  const took: number[] = [];
  for (let count = 0; count < 2_000; count++) {
    const startedMs = performance.now();
    await new Promise<void>(resolve => leader.barrier(() => resolve()));
    took.push(performance.now() - startedMs);
  }
  return took.sort((a, b) => a - b);
}

const at = (sorted: readonly number[], share: number): string =>
  (sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN).toFixed(3);

async function measure(synchronousBytes: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-log-"));
  const running = await startThree(directory, synchronousBytes);
  await pause(500);
  const rate = await pipelined(running);
  const times = await lone(running);
  const reads = await barriers(running);
  console.log(
    `synchronousBytes ${synchronousBytes}: ${Math.round(rate)} appends/s pipelined, ` +
      `lone append p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms, ` +
      `barrier p50 ${at(reads, 0.5)} ms`,
  );
  await Promise.all(running.logs.map(log => new Promise<void>(done => log.stop(done))));
  rmSync(directory, { recursive: true });
}

console.log(`${payloadBytes} bytes each, ${underWay} under way, ${seconds} s`);
for (const synchronousBytes of SYNCHRONOUS_BYTES) await measure(synchronousBytes);
