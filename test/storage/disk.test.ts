/** The real disk, in a directory of its own that is removed. */
import { spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DirectoryLock, DiskError, DiskFile } from "../../src/base/disk.js";
import { SeededRandom } from "../../src/base/random.js";
import { diskError } from "../../src/server/disk/disk-error.js";
import { nodeDisk } from "../../src/server/disk/index.js";
import { nodeBytes, nodeChecksum, nodeClock } from "../../src/server/ports/index.js";
import type { OpenResult, Storage, StorageLimits } from "../../src/storage/contract.js";
import { openStorage } from "../../src/storage/open.js";
import { diskStop } from "../../src/storage/stop.js";
import { CONFIGURATION, entries, IDENTITY, metadata, payload, SMALL, shape } from "./world.js";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-storage-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const open = (path: string, limits: StorageLimits = SMALL): Promise<OpenResult> =>
  new Promise(resolve => {
    openStorage(
      {
        disk: nodeDisk,
        directory: path,
        clock: nodeClock,
        bytes: nodeBytes,
        checksum: nodeChecksum,
        random: new SeededRandom(1),
        limits,
        onFatal: stop => {
          throw new Error(stop.message);
        },
      },
      resolve,
    );
  });

const ok = (begin: (done: (stop: { message: string } | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    begin(stop => (stop === null ? resolve() : reject(new Error(stop.message))));
  });

const close = (storage: Storage): Promise<void> => new Promise(done => storage.close(done));

async function opened(path: string, limits?: StorageLimits) {
  const result = await open(path, limits);
  if (!result.ok) throw new Error(result.stop.message);
  return result;
}

const fileOf = (path: string, mode: "read" | "create"): Promise<DiskFile> =>
  new Promise((resolve, reject) => {
    nodeDisk.open(path, mode, (error, file) => {
      if (file === null) reject(new Error(error?.message));
      else resolve(file);
    });
  });

describe("storage on the real disk", () => {
  for (const synchronousBytes of [0, 4096]) {
    it(`keeps what it answered over a reopening (synchronousBytes ${synchronousBytes})`, async () => {
      const limits = { ...SMALL, synchronousBytes };
      const path = join(directory, "made", "below");
      const { storage } = await opened(path, limits);
      await ok(done => storage.initialize(IDENTITY, done));
      for (let n = 1; n <= 30; n += 1) {
        await ok(done => storage.append({ entries: entries(n, n, 1, n * 100) }, done));
      }
      const sink = storage.beginSnapshot(metadata(10, 1));
      await ok(done => sink.write(payload(10, 1, 9000), done));
      await ok(done => sink.finish(done));
      await close(storage);
      const { recovered, storage: again } = await opened(path, limits);
      expect(recovered.identity).toEqual(IDENTITY);
      expect(recovered.snapshot?.configuration).toEqual(CONFIGURATION);
      expect(recovered.entries.length).toBe(20);
      expect(recovered.entries[19]).toEqual(entries(30, 30, 1, 3000)[0]);
      await close(again);
    });
  }

  it("a directory is held against a second opening, until it is closed", async () => {
    const { storage } = await opened(directory);
    const refused = await open(directory);
    expect(refused.ok ? null : refused.stop.code).toBe("LOCKED");
    await close(storage);
    await close((await opened(directory)).storage);
  });

  it.runIf(process.platform === "linux")(
    "another process's hold ends with that process",
    async () => {
      const { ino, dev } = (await import("node:fs")).statSync(directory, { bigint: true });
      const name = `\\0holdfast-${dev}-${ino}`;
      const script = `require("net").createServer().listen("${name}", () => console.log("held"))`;
      const child = spawn(process.execPath, ["-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      try {
        await new Promise(resolve => child.stdout.once("data", resolve));
        const refused = await open(directory);
        expect(refused.ok ? null : refused.stop.code).toBe("LOCKED");
      } finally {
        const ended = new Promise(resolve => child.once("exit", resolve));
        child.kill("SIGKILL");
        await ended;
      }
      await close((await opened(directory)).storage);
    },
  );

  it("group commit answers a burst in order", async () => {
    const { storage } = await opened(directory, { ...SMALL, segmentBytes: 65536 });
    await ok(done => storage.initialize(IDENTITY, done));
    const answered: number[] = [];
    await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        ok(done =>
          storage.append({ entries: entries(n + 1, n + 1, 1, 50) }, stop => {
            answered.push(n);
            done(stop);
          }),
        ),
      ),
    );
    expect(answered).toEqual(Array.from({ length: 200 }, (_, n) => n));
    await close(storage);
    const { recovered, storage: again } = await opened(directory);
    expect(shape(recovered.entries.slice(-1))).toBe("200:1");
    await close(again);
  });
});

describe("the real disk", () => {
  it("writes more parts than one system call takes", async () => {
    const file = await fileOf(join(directory, "parts"), "create");
    const parts = Array.from({ length: 2500 }, (_, n) => Uint8Array.of(n % 251, 7));
    await ok(done => file.writeAndSync(parts, 3, done));
    expect(file.writeAndSyncNow(parts, 5003)).toBeNull();
    const into = new Uint8Array(20_000);
    const read = await new Promise(resolve => file.read(into, 0, (_e, count) => resolve(count)));
    expect(read).toBe(10_003);
    const whole = parts.flatMap(part => [...part]);
    expect([...into.subarray(0, 10_003)]).toEqual([0, 0, 0, ...whole, ...whole]);
    await ok(done => file.close(done));
  });

  it("says by code and path what failed", async () => {
    const missing = join(directory, "missing");
    const error = await new Promise<DiskError | null>(resolve =>
      nodeDisk.open(missing, "read", resolve),
    );
    expect(error).toMatchObject({ code: "NOT_FOUND", path: missing });
  });

  it.runIf(process.platform === "linux")("a full device is FULL", async () => {
    // Writing to it always fails with ENOSPC.
    const file = await fileOf("/dev/full", "create");
    const parts = [Uint8Array.of(1)];
    const error = await new Promise<DiskError | null>(resolve => file.write(parts, 0, resolve));
    expect(error?.code).toBe("FULL");
    expect(file.writeAndSyncNow(parts, 0)?.code).toBe("FULL");
    await ok(done => file.close(done));
  });

  it("a held directory is synced without being opened again, until it is let go", async () => {
    const path = join(directory, "held");
    await ok(done => nodeDisk.makeDirectory(path, done));
    const lock = await new Promise<DirectoryLock | null>(resolve =>
      nodeDisk.lock(path, (_error, held) => resolve(held)),
    );
    // Under this name there is nothing to open any more.
    renameSync(path, join(directory, "elsewhere"));
    await ok(done => nodeDisk.syncDirectory(path, done));
    await new Promise<void>(resolve => lock?.release(resolve));
    const error = await new Promise<DiskError | null>(resolve =>
      nodeDisk.syncDirectory(path, resolve),
    );
    expect(error?.code).toBe("NOT_FOUND");
  });

  it("out of descriptors is not laid to the device's account", () => {
    for (const code of ["EMFILE", "ENFILE"]) {
      const thrown = Object.assign(new Error(`${code}: too many open files`), { code });
      const { message, remedy } = diskStop(diskError(thrown, "/data/segment-1"));
      expect(message).toBe(`/data/segment-1: ${code}: too many open files`);
      expect(remedy).toMatch(/allow more open files \(LimitNOFILE=.*ulimit -n/);
      expect(remedy).not.toContain("Check the device");
    }
  });
});
