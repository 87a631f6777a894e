/** The disk that lies must lie enough: each loss that a real one allows does happen. */
import { describe, expect, it } from "vitest";
import type { Disk, DiskError, DiskFile } from "../../src/base/disk.js";
import { SeededRandom } from "../../src/base/random.js";
import { MemoryDisk } from "../../src/testing/memory-disk.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";

function made(seed: number) {
  const loop = new TurnedLoop();
  const random = new SeededRandom(seed);
  const disk = new MemoryDisk({ random, schedule: (_, complete) => loop.defer(complete) });
  const ok = (begin: (done: (error: DiskError | null) => void) => void): string | null => {
    const answers: (string | null)[] = [];
    begin(error => answers.push(error === null ? null : error.code));
    expect(answers).toEqual([]); // never inside the call
    loop.settle();
    expect(answers.length).toBe(1);
    return answers[0] as string | null;
  };
  const open = (mount: Disk, path: string): DiskFile => {
    const files: (DiskFile | null)[] = [];
    mount.open(path, "create", (_error, file) => files.push(file));
    loop.settle();
    return files[0] as DiskFile;
  };
  return { disk, loop, ok, open };
}

const sectors = (count: number): Uint8Array => new Uint8Array(count * 512).fill(1);

/** Which sectors of the file hold what was written, as "1.1"; "-" without the file. */
function pattern(disk: MemoryDisk, path: string): string {
  const bytes = disk.bytes(path);
  if (bytes === null) return "-";
  return Array.from({ length: Math.ceil(bytes.length / 512) }, (_, n) =>
    bytes[n * 512] === 1 ? "1" : ".",
  ).join("");
}

function outcomes(run: (seed: number) => string): Set<string> {
  return new Set(Array.from({ length: 400 }, (_, seed) => run(seed)));
}

describe("the memory disk", () => {
  it("keeps, loses and tears an unsynced write in every combination of sectors", () => {
    const seen = outcomes(seed => {
      const { disk, ok, open } = made(seed);
      const file = open(disk.mount(), "/d");
      ok(done => file.writeAndSync([new Uint8Array(3 * 512)], 0, done));
      ok(done => disk.mount().syncDirectory("/", done));
      ok(done => file.write([sectors(3)], 0, done));
      disk.crash();
      return pattern(disk, "/d");
    });
    expect([...seen].sort()).toEqual(["...", "..1", ".1.", ".11", "1..", "1.1", "11.", "111"]);
  });

  it("never loses what was synced, with its name", () => {
    const seen = outcomes(seed => {
      const { disk, ok, open } = made(seed);
      const file = open(disk.mount(), "/d");
      ok(done => file.write([sectors(2)], 0, done));
      ok(done => file.sync(done));
      ok(done => disk.mount().syncDirectory("/", done));
      disk.crash();
      return pattern(disk, "/d");
    });
    expect([...seen]).toEqual(["11"]);
  });

  it("may lose a name whose directory was not synced, and undo a rename or a removal", () => {
    const seen = outcomes(seed => {
      const { disk, ok, open } = made(seed);
      const mount = disk.mount();
      for (const path of ["/old", "/gone"]) {
        const file = open(mount, path);
        ok(done => file.writeAndSync([sectors(1)], 0, done));
      }
      ok(done => mount.syncDirectory("/", done));
      ok(done => mount.rename("/old", "/new", done));
      ok(done => mount.remove("/gone", done));
      disk.crash();
      return disk.paths().join(" ");
    });
    expect([...seen].sort()).toEqual(["/gone /new", "/gone /old", "/new", "/old"]);
  });

  it("a write that the crash interrupts may be done, undone or torn; so may one that is killed", () => {
    for (const end of ["crash", "kill"] as const) {
      const seen = outcomes(seed => {
        const { disk, ok, open } = made(seed);
        const file = open(disk.mount(), "/d");
        ok(done => file.writeAndSync([new Uint8Array(2 * 512)], 0, done));
        ok(done => disk.mount().syncDirectory("/", done));
        file.writeAndSync([sectors(2)], 0, () => {
          throw new Error("answered after its process ended");
        });
        disk[end]();
        return pattern(disk, "/d");
      });
      expect([...seen].sort()).toEqual(["..", ".1", "1.", "11"]);
    }
  });

  it("after a kill shows what was written and not synced, and a later crash may still lose it", () => {
    const seen = outcomes(seed => {
      const { disk, ok, open } = made(seed);
      const file = open(disk.mount(), "/d");
      ok(done => file.writeAndSync([new Uint8Array(512)], 0, done));
      ok(done => disk.mount().syncDirectory("/", done));
      ok(done => file.write([sectors(1)], 0, done));
      disk.kill();
      expect(pattern(disk, "/d")).toBe("1");
      disk.crash();
      return pattern(disk, "/d");
    });
    expect([...seen].sort()).toEqual([".", "1"]);
  });

  it("after a failed sync a later one that succeeds proves nothing", () => {
    const seen = outcomes(seed => {
      const { disk, ok, open } = made(seed);
      const file = open(disk.mount(), "/d");
      ok(done => file.writeAndSync([new Uint8Array(512)], 0, done));
      ok(done => disk.mount().syncDirectory("/", done));
      ok(done => file.write([sectors(1)], 0, done));
      disk.fault = ({ kind }) => (kind === "sync" ? "IO" : null);
      expect(ok(done => file.sync(done))).toBe("IO");
      disk.fault = () => null;
      expect(ok(done => file.sync(done))).toBeNull();
      expect(pattern(disk, "/d")).toBe("1");
      disk.crash();
      return pattern(disk, "/d");
    });
    expect([...seen].sort()).toEqual([".", "1"]);
  });

  it("a sync covers what was written before the call and nothing after", () => {
    const seen = outcomes(seed => {
      const { disk, loop, ok, open } = made(seed);
      const file = open(disk.mount(), "/d");
      ok(done => file.writeAndSync([new Uint8Array(2 * 512)], 0, done));
      ok(done => disk.mount().syncDirectory("/", done));
      ok(done => file.write([sectors(1)], 0, done));
      file.write([sectors(1)], 512, () => {});
      file.sync(() => {});
      loop.settle();
      disk.crash();
      return pattern(disk, "/d");
    });
    expect([...seen].sort()).toEqual(["1.", "11"]);
  });

  it("is full at its capacity, and a held directory is locked until its holder ends", () => {
    const { disk, ok, open } = made(1);
    const mount = disk.mount();
    disk.capacityBytes = 1024;
    const file = open(mount, "/d");
    expect(ok(done => file.write([sectors(2)], 0, done))).toBeNull();
    expect(ok(done => file.write([sectors(2)], 0, done))).toBeNull();
    expect(ok(done => file.write([sectors(1)], 1024, done))).toBe("FULL");
    expect(ok(done => mount.lock("/", done))).toBeNull();
    expect(ok(done => mount.lock("/", done))).toBe("LOCKED");
    disk.kill();
    expect(ok(done => disk.mount().lock("/", done))).toBeNull();
  });

  it("a process that ended in the midst of a turn writes no more, not even at once", () => {
    const { disk, open } = made(1);
    const file = open(disk.mount(), "/d");
    disk.kill();
    expect(file.writeAndSyncNow([sectors(1)], 0)?.code).toBe("IO");
    expect(pattern(disk, "/d")).toBe("");
  });

  it("a write for which the caller waits is torn where the power goes within it", () => {
    const seen = outcomes(seed => {
      const { disk, ok, open } = made(seed);
      const file = open(disk.mount(), "/d");
      ok(done => file.writeAndSync([new Uint8Array(2 * 512)], 0, done));
      ok(done => disk.mount().syncDirectory("/", done));
      disk.beforeNow = () => disk.crash();
      expect(file.writeAndSyncNow([sectors(2)], 0)?.code).toBe("IO");
      return pattern(disk, "/d");
    });
    expect([...seen].sort()).toEqual(["..", ".1", "1.", "11"]);
  });

  it("one that fails leaves any of its sectors, and what the cache shows is not to be trusted", () => {
    const seen = outcomes(seed => {
      const { disk, ok, open } = made(seed);
      const file = open(disk.mount(), "/d");
      ok(done => file.writeAndSync([new Uint8Array(2 * 512)], 0, done));
      ok(done => disk.mount().syncDirectory("/", done));
      disk.fault = ({ kind }) => (kind === "writeAndSync" ? "IO" : null);
      expect(file.writeAndSyncNow([sectors(2)], 0)?.code).toBe("IO");
      const shown = pattern(disk, "/d");
      disk.crash();
      return `${shown} ${pattern(disk, "/d")}`;
    });
    expect(seen).toContain("11 ..");
    expect(seen).toContain("11 11");
    expect(seen).toContain(".. ..");
    expect(seen).not.toContain(".. 11");
  });

  it("what has rotted can be turned back, whatever the file's name is by then", () => {
    const { disk, ok, open } = made(1);
    const mount = disk.mount();
    const file = open(mount, "/d");
    ok(done => file.writeAndSync([sectors(1)], 0, done));
    const flip = (bytes: Uint8Array): void => {
      bytes[7] = (bytes[7] as number) ^ 4;
    };
    const again = disk.rot("/d", flip);
    expect(disk.bytes("/d")?.[7]).toBe(5);
    ok(done => mount.rename("/d", "/e", done));
    ok(done => mount.syncDirectory("/", done));
    again(flip);
    expect(disk.bytes("/e")?.[7]).toBe(1);
    disk.crash();
    expect(disk.bytes("/e")?.[7]).toBe(1);
  });
});
