/**
 * What a cluster without clients may still hold on to: its own links, two snapshots a node, and of
 * the log what has come since the older of them.
 */
import type { MemoryDisk } from "../../src/testing/memory-disk.js";
import type { SimCluster } from "./cluster.js";

/** The newest two, and one that is being written. */
const MOST_SNAPSHOTS = 3;
/** The log's bytes since the older snapshot, in lengths after which one is due. */
const SNAPSHOTS_APART = 3;
/**
 * Large batches have segments of their own and come on while a snapshot is written to a slow disk;
 * and former lives had other limits.
 */
const SEGMENTS_BESIDES = 30;

/** Those that a former life made smaller count for what they are. */
function segmentsOn(disk: MemoryDisk, segmentBytes: number): number {
  let count = 0;
  for (const path of disk.paths()) {
    if (!/segment-/.test(path)) continue;
    count += Math.min(1, (disk.inode(path)?.sizeBytes ?? 0) / segmentBytes);
  }
  return Math.ceil(count);
}

export function leaksOf({ members: nodes, network }: SimCluster): string[] {
  const leaks: string[] = [];
  // Each node dials each other one, and each connection has two sides.
  const links = nodes.length * (nodes.length - 1) * 2;
  if (network.openConnections > links) leaks.push(`${network.openConnections} connections`);
  for (const { name, disk, limits } of nodes) {
    const named = (form: RegExp): number => disk.paths().filter(path => form.test(path)).length;
    const snapshots = named(/snapshot-.*(?<!\.damaged)$/);
    if (snapshots > MOST_SNAPSHOTS) leaks.push(`${snapshots} snapshots of ${name}`);
    const parts = named(/snapshot-.*\.part$/);
    if (parts > 0) leaks.push(`${parts} snapshots of ${name} that were begun and left`);
    const { snapshotAfterBytes = 0 } = limits.replicaLimits;
    const { segmentBytes } = limits.logLimits.storage;
    const segments = segmentsOn(disk, segmentBytes);
    const most =
      SEGMENTS_BESIDES + Math.ceil((SNAPSHOTS_APART * snapshotAfterBytes) / segmentBytes);
    // Before the second snapshot the whole log is needed, and a former life may have begun none.
    const isCut = snapshots - parts > 1;
    if (isCut && segments > most) leaks.push(`${segments} segments of ${name}, not ${most}`);
  }
  return leaks;
}
