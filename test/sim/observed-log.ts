/**
 * A node's log as its replica sees it, with all that it hands over shown to the truth first, and
 * each snapshot that is begun read back into a fresh machine, which must be the one it was made of.
 */
import type { LogHost, ReplicatedLog, SnapshotSink } from "../../src/log/port/index.js";
import { nodeBytes } from "../../src/server/ports/index.js";
import { SnapshotLoader } from "../../src/state/index.js";
import type { SimCluster } from "./cluster.js";

export interface Observer {
  readonly host: (host: LogHost) => LogHost;
  /** Of the replica's state as it is now. */
  readonly hash: () => string;
  readonly cluster: SimCluster;
  readonly name: string;
}

export function observed(log: ReplicatedLog, observer: Observer): ReplicatedLog {
  return {
    start: (host, started) => log.start(observer.host(host), started),
    append: (payload, onlyInTerm) => log.append(payload, onlyInTerm),
    barrier: done => log.barrier(done),
    confirmLeadership: done => log.confirmLeadership(done),
    leadership: () => log.leadership(),
    ask: (node, question, done) => log.ask(node, question, done),
    beginSnapshot: index => {
      const sink = log.beginSnapshot(index);
      const isRead = sink !== null && observer.cluster.truth.comparesStates;
      return isRead ? readBack(sink, index, observer) : sink;
    },
    members: () => log.members(),
    changeMembers: (change, done) => log.changeMembers(change, done),
    transferLeadership: (to, done) => log.transferLeadership(to, done),
    status: () => log.status(),
    stop: done => log.stop(done),
  };
}

function readBack(sink: SnapshotSink, index: number, observer: Observer): SnapshotSink {
  const { truth } = observer.cluster;
  const made = observer.hash();
  const loader = new SnapshotLoader(nodeBytes);
  return {
    write: (slice, next) => {
      const stop = loader.add(slice.slice());
      if (stop !== null) truth.fail(`${observer.name}'s snapshot at ${index}: ${stop.message}`);
      sink.write(slice, next);
    },
    finish: done => {
      const machine = loader.finish();
      truth.count("snapshots read back");
      if (machine.appliedIndex !== index || machine.hash() !== made)
        truth.fail(`${observer.name}'s snapshot at ${index} is not the state it was made of`);
      sink.finish(done);
    },
    abort: () => sink.abort(),
  };
}
