/** What a cluster without clients may still hold on to: its own links, two snapshots a node. */
import type { SimCluster } from "./cluster.js";

/** The newest two, and one that is being written. */
const MOST_SNAPSHOTS = 3;

export function leaksOf({ members: nodes, network }: SimCluster): string[] {
  const leaks: string[] = [];
  // Each node dials each other one, and each connection has two sides.
  const links = nodes.length * (nodes.length - 1) * 2;
  if (network.openConnections > links) leaks.push(`${network.openConnections} connections`);
  for (const { name, disk } of nodes) {
    const count = (what: string): number =>
      disk.paths().filter(path => path.includes(what) && !path.endsWith(".damaged")).length;
    if (count("snapshot-") > MOST_SNAPSHOTS)
      leaks.push(`${count("snapshot-")} snapshots of ${name}`);
  }
  return leaks;
}
