/**
 * Writing snapshots: begun when enough log has gathered since the last one, or when a laggard needs
 * one; the state's view takes no time to make and is streamed slice by slice, as the log takes
 * them. Never two at once. And reading one: slices into a fresh machine.
 */
import { logIndex } from "../base/ids.js";
import type { ReplicatedLog, SnapshotSink } from "../log/port/index.js";
import type { StateMachine, StateView } from "../state/index.js";
import type { ReplicaLimits } from "./limits.js";

export class Snapshots {
  readonly #log: ReplicatedLog;
  readonly #limits: ReplicaLimits;
  readonly #machine: () => StateMachine;
  #sink: SnapshotSink | null = null;
  #wanted = false;
  written = 0;
  failed = 0;
  bytes = 0;

  constructor(log: ReplicatedLog, limits: ReplicaLimits, machine: () => StateMachine) {
    this.#log = log;
    this.#limits = limits;
    this.#machine = machine;
  }

  /** The log asks for one soon. */
  want(): void {
    this.#wanted = true;
  }

  /** Between entries: begins one if it is time. */
  look(): void {
    if (this.#sink !== null) return;
    const due = this.#log.status().bytesSinceSnapshot >= this.#limits.snapshotAfterBytes;
    if (!due && !this.#wanted) return;
    const machine = this.#machine();
    if (machine.appliedIndex === 0) return;
    const sink = this.#log.beginSnapshot(logIndex(machine.appliedIndex));
    if (sink === null) return;
    this.#wanted = false;
    this.#sink = sink;
    this.#step(sink, machine.snapshot());
  }

  /** The state was replaced, or the node stops: what is being written is given up. */
  abort(): void {
    const sink = this.#sink;
    this.#sink = null;
    sink?.abort();
  }

  #step(sink: SnapshotSink, view: StateView): void {
    if (this.#sink !== sink) return;
    const slice = view.next(this.#limits.snapshotSliceBytes);
    if (slice !== null) {
      this.bytes += slice.length;
      sink.write(slice, () => this.#step(sink, view));
      return;
    }
    sink.finish(durable => {
      if (durable) this.written++;
      else this.failed++;
      if (this.#sink === sink) this.#sink = null;
    });
  }
}
