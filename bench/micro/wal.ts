/**
 * What the write-ahead log costs on this disk: lone appends one after the other, and a burst that
 * group commit gathers. Prints JSON; the directory is made under the system's temporary one and
 * removed. Run after a build: node dist/bench/micro/wal.js
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logIndex, nodeId, term } from "#src/base/ids.js";
import type { Entry } from "#src/raft/message/entry.js";
import { nodeDisk } from "#src/server/disk/index.js";
import { nodeBytes, nodeChecksum, nodeClock, nodeRandom } from "#src/server/ports/index.js";
import { DEFAULT_STORAGE_LIMITS, type Storage } from "#src/storage/contract.js";
import { openStorage } from "#src/storage/open.js";

const LONE_APPENDS = 1000;
const BURST_BYTES = 32 * 1024 * 1024;
const BURST_APPENDS_AT_MOST = 50_000;
/** As many as a busy log has waiting. */
const BURST_WINDOW = 256;

function open(directory: string, synchronousBytes: number): Promise<Storage> {
  return new Promise((resolve, reject) => {
    openStorage(
      {
        disk: nodeDisk,
        directory,
        clock: nodeClock,
        bytes: nodeBytes,
        checksum: nodeChecksum,
        random: nodeRandom,
        limits: { ...DEFAULT_STORAGE_LIMITS, synchronousBytes },
        onFatal: stop => reject(new Error(stop.message)),
      },
      result => {
        if (!result.ok) {
          reject(new Error(result.stop.message));
          return;
        }
        const { storage } = result;
        const identity = {
          clusterId: "0000000000000001",
          nodeId: nodeId(1),
          incarnation: "0000000000000001",
        };
        storage.initialize(identity, stop => (stop === null ? resolve(storage) : reject(stop)));
      },
    );
  });
}

const entry = (index: number, payload: Uint8Array): Entry => ({
  term: term(1),
  index: logIndex(index),
  kind: 0,
  payload,
});

function lone(storage: Storage, payload: Uint8Array, from: number): Promise<number[]> {
  return new Promise(resolve => {
    const latencies: number[] = [];
    const next = (): void => {
      if (latencies.length === LONE_APPENDS) {
        resolve(latencies.sort((a, b) => a - b));
        return;
      }
      const begin = performance.now();
      storage.append({ entries: [entry(from + latencies.length, payload)] }, () => {
        latencies.push(performance.now() - begin);
        setImmediate(next);
      });
    };
    next();
  });
}

function burst(storage: Storage, payload: Uint8Array, from: number): Promise<number> {
  const count = Math.min(BURST_APPENDS_AT_MOST, Math.floor(BURST_BYTES / payload.length));
  return new Promise(resolve => {
    const begin = performance.now();
    let asked = 0;
    let answered = 0;
    const ask = (): void => {
      asked += 1; // first, since the answer may come at once
      storage.append({ entries: [entry(from + asked - 1, payload)] }, onDone);
    };
    const onDone = (): void => {
      answered += 1;
      if (asked < count) ask();
      if (answered === count) resolve((count / (performance.now() - begin)) * 1000);
    };
    for (let n = 0; n < Math.min(BURST_WINDOW, count); n += 1) ask();
  });
}

async function measure(payloadBytes: number, synchronousBytes: number): Promise<object> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-wal-"));
  try {
    const storage = await open(directory, synchronousBytes);
    const payload = new Uint8Array(payloadBytes).fill(7);
    const latencies = await lone(storage, payload, 1);
    const perSecond = await burst(storage, payload, LONE_APPENDS + 1);
    await new Promise<void>(done => storage.close(done));
    const at = (share: number): number =>
      Number((latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(3));
    return {
      payloadBytes,
      synchronousBytes,
      loneP50Ms: at(0.5),
      loneP99Ms: at(0.99),
      burstAppendsPerSecond: Math.round(perSecond),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const results: object[] = [];
for (const payloadBytes of [100, 16 * 1024]) {
  for (const synchronousBytes of [0, 64 * 1024]) {
    results.push(await measure(payloadBytes, synchronousBytes));
  }
}
console.log(JSON.stringify({ bench: "wal", node: process.version, results }));
