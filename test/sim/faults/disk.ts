/**
 * What goes wrong with disks: slow and stuck syncs, errors, no room, rotten bits. Lost and torn
 * writes come with each crash (faults/processes.ts). Whoever makes a node fail excuses the code it
 * must fail with; any other stop, and none where there must be one, is a violation.
 */
import type { DiskErrorCode } from "../../../src/base/disk.js";
import type { DiskOperation } from "../../../src/testing/memory-disk.js";
import type { SimNode } from "../node.js";
import type { Arena, Fault } from "./arena.js";

/** The log's names for these errors. */
const FAILED = "DISK_FAILED";
const FULL = "DISK_FULL";
const DAMAGED = "WAL_DAMAGED";

/** An operation that did not come for so long does not fail. */
const START_FAILS_WITHIN_MS = 10_000;

const slowDisk: Fault = arena => {
  const node = arena.node();
  const most = 20 + arena.random.below(arena.byHardness(50, 500, 1_500));
  arena.note(`slow disk ${node.name} up to ${most}`);
  slow(arena, node, arena.timeMs(), most, () => arena.random.below(most));
  return true;
};

/** One sync after the other takes seconds; the others' do not. */
const stuckDisk: Fault = arena => {
  const node = arena.random.below(2) === 0 ? (arena.leader() ?? arena.node()) : arena.node();
  const each = 1_000 + arena.random.below(arena.byHardness(2_000, 5_000, 12_000));
  arena.note(`stuck disk ${node.name}, ${each} each`);
  slow(arena, node, each + arena.timeMs(), each, () => each);
  return true;
};

/** A sync that is under way when this ends may still take `mostMs`. */
function slow(arena: Arena, node: SimNode, ms: number, mostMs: number, syncMs: () => number): void {
  const quick = node.slowDown(syncMs);
  const well = arena.cluster.health.harm(node.name);
  arena.standFor(ms, () => {
    quick();
    arena.cluster.loop.after(mostMs, well);
  });
}

/** The next operation that `fits`, in this life or a later one, fails: the node must stop by it. */
function failNext(
  arena: Arena,
  node: SimNode,
  fits: (operation: DiskOperation) => boolean,
  starts = node.starts,
  ms = arena.timeMs() + 200,
): void {
  const fault = (operation: DiskOperation): DiskErrorCode | null => {
    if (node.starts !== starts || !fits(operation)) return null;
    node.diskFaults.delete(fault);
    node.excuse(FAILED);
    arena.note(`${node.name}'s ${operation.kind} of ${operation.path} fails`);
    mustStop(arena, node, operation);
    return "IO";
  };
  node.diskFaults.add(fault);
  arena.standFor(ms, () => node.diskFaults.delete(fault));
}

/**
 * After a failed write or sync of the log nobody knows what is on the disk. Who is stopping anyway
 * may leave the segment that was to come next as it is, and who still reads its directory closes
 * what it has open first.
 */
function mustStop(arena: Arena, node: SimNode, { kind, path }: DiskOperation): void {
  if (!path.includes("segment") || !kind.includes("rite")) return;
  // Who has not served anybody yet closes its files first, which may take a while.
  if (node.log?.status().term === 0) return;
  const { process, starts } = node;
  const { loop, truth } = arena.cluster;
  const look = (): void => {
    if (!process.isRunning || node.starts !== starts || node.stopping) return;
    if (node.log?.status().waitingFor?.startsWith("recovery") === true) loop.after(10, look);
    else truth.fail(`${node.name} goes on after its log's ${kind} failed`);
  };
  loop.after(1, look);
}

/** A sync fails once: what was written is on the platter, or not. */
const syncFails: Fault = arena => {
  const node = arena.upNode();
  if (node === null) return false;
  const skip = arena.random.below(20);
  let seen = 0;
  const fits = ({ kind }: DiskOperation): boolean =>
    (kind === "sync" || kind === "writeAndSync") && ++seen > skip;
  failNext(arena, node, fits);
  return true;
};

/** Any other operation fails once. */
const diskFails: Fault = arena => {
  const node = arena.upNode();
  if (node === null) return false;
  const kinds = ["write", "create", "rename", "syncDirectory", "open", "read"];
  const kind = arena.pick(kinds);
  failNext(arena, node, operation => operation.kind === kind);
  return true;
};

/** It starts anew, and the n-th operation of that life fails, whatever it is. */
const startFails: Fault = arena => {
  const node = arena.node();
  if (node.stopping) return false;
  let left = 1 + arena.random.below(arena.byHardness(60, 30, 12));
  if (node.isUp) node.kill();
  arena.note(`killed ${node.name}, whose operation ${left} from then on fails`);
  const fits = (): boolean => --left === 0;
  failNext(arena, node, fits, node.starts + 1, START_FAILS_WITHIN_MS);
  arena.startLater(node);
  return true;
};

/** No room for a while, then there is again. */
const diskFull: Fault = arena => {
  const node = arena.node();
  const { disk } = node;
  const left = arena.random.below(arena.byHardness(60_000, 20_000, 2_000));
  const ms = 200 + 2 * arena.timeMs();
  disk.capacityBytes = disk.usedBytes + left;
  node.excuse(FULL);
  node.damages.add(FULL);
  arena.note(`disk of ${node.name} has ${left} bytes left for ${ms}`);
  arena.harmFor(ms, [node.name], () => {
    disk.capacityBytes = Number.MAX_SAFE_INTEGER;
    node.damages.delete(FULL);
  });
  return true;
};

/**
 * A bit of one node's synced data flips, and flips back. Meanwhile the node goes on with what it
 * has in memory, stops as damaged when it reads that again, or does without: it never serves what
 * was not written.
 */
const rot: Fault = arena => {
  const { standing, random } = arena;
  const node = arena.node();
  if (standing.damaged !== null) return false;
  const flip = flipABit(arena, node);
  if (flip === null) return false;
  const ms = 500 + 2 * arena.timeMs();
  standing.damaged = node;
  node.damages.add(DAMAGED);
  node.excuse(DAMAGED);
  arena.harmFor(ms, [node.name], () => {
    flip();
    node.damages.delete(DAMAGED);
    standing.damaged = null;
  });
  arena.later(random.below(300), () => {
    if (!node.isUp) return;
    arena.note(`kill ${node.name}, which has a rotten bit`);
    node.kill();
    arena.startLater(node);
  });
  return true;
};

const SECTOR_BYTES = 512;

/** Flips one, in a sector that was written and synced and is not to be written again. */
function flipABit(arena: Arena, node: SimNode): (() => void) | null {
  const { random } = arena;
  const { disk } = node;
  const names = disk.paths().filter(path => !path.endsWith(".part"));
  const path = names[random.below(Math.max(1, names.length))];
  if (path === undefined) return null;
  const copies: Uint8Array[] = [];
  disk.rot(path, bytes => copies.push(bytes.slice()));
  const [seen, platter] = copies;
  if (seen === undefined || platter === undefined) return null;
  const settled: number[] = [];
  for (let at = 0; at + SECTOR_BYTES <= seen.length; at += SECTOR_BYTES) {
    const sector = seen.subarray(at, at + SECTOR_BYTES);
    const isSynced = Buffer.compare(sector, platter.subarray(at, at + SECTOR_BYTES)) === 0;
    if (isSynced && sector.some(byte => byte !== 0)) settled.push(at);
  }
  const sector = settled[random.below(Math.max(1, settled.length))];
  if (sector === undefined) return null;
  const at = sector + random.below(SECTOR_BYTES);
  const bit = 1 << random.below(8);
  const flip = (bytes: Uint8Array): void => {
    if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ bit;
  };
  const again = disk.rot(path, flip);
  arena.note(`a bit of ${node.name}'s ${path} at ${at} flips`);
  return () => again(flip);
}

export const DISK_FAULTS = {
  slowDisk,
  stuckDisk,
  syncFails,
  diskFails,
  diskFull,
  rot,
  startFails,
} as const;
