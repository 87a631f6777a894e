/** Drives a machine as the replica would, one entry at a time, and collects what it says. */
import { Writer } from "../../src/base/codec.js";
import { nodeBytes as bytes } from "../../src/server/ports/bytes.js";
import {
  type Change,
  type Command,
  type CommandResult,
  type EndReason,
  EntryBuilder,
  type EntryEnd,
  encodeCommand,
  type Grant,
  type LeaseView,
  Machine,
  type MachineOutput,
  type Move,
  type RequestIdentity,
  SnapshotLoader,
  STATE_LIMITS,
  type StateLimits,
  type YieldAsk,
} from "../../src/state/index.js";

export type Event =
  | {
      readonly event: "answer";
      readonly boot: number;
      readonly number: number;
      readonly result: CommandResult;
    }
  | { readonly event: "wrote"; readonly change: Change }
  | { readonly event: "leaseGranted"; readonly lease: LeaseView }
  | { readonly event: "leaseEnded"; readonly lease: LeaseView; readonly reason: EndReason }
  | { readonly event: "granted"; readonly grant: Grant }
  | { readonly event: "grantEnded" | "waitEnded"; readonly end: EntryEnd }
  | { readonly event: "yieldAsked"; readonly ask: YieldAsk }
  | { readonly event: "moved"; readonly move: Move };

export class Recorder implements MachineOutput {
  events: Event[] = [];

  answer(boot: number, number: number, result: CommandResult): void {
    this.events.push({ event: "answer", boot, number, result });
  }
  wrote(change: Change): void {
    this.events.push({ event: "wrote", change });
  }
  leaseGranted(lease: LeaseView): void {
    this.events.push({ event: "leaseGranted", lease });
  }
  leaseEnded(lease: LeaseView, reason: EndReason): void {
    this.events.push({ event: "leaseEnded", lease, reason });
  }
  granted(grant: Grant): void {
    this.events.push({ event: "granted", grant });
  }
  grantEnded(end: EntryEnd): void {
    this.events.push({ event: "grantEnded", end });
  }
  waitEnded(end: EntryEnd): void {
    this.events.push({ event: "waitEnded", end });
  }
  yieldAsked(ask: YieldAsk): void {
    this.events.push({ event: "yieldAsked", ask });
  }
  moved(move: Move): void {
    this.events.push({ event: "moved", move });
  }

  take(): Event[] {
    const { events } = this;
    this.events = [];
    return events;
  }
}

export interface Step {
  readonly command: Command;
  readonly request?: RequestIdentity;
}

const scratch = new Writer(bytes);

export class Driver {
  machine: Machine;
  nowMs = 0;
  wallAheadMs = 1_700_000_000_000;
  #builder = new EntryBuilder(bytes);
  #number = 0;
  readonly recorder = new Recorder();

  constructor(limits: Partial<StateLimits> = {}) {
    this.machine = new Machine(bytes, { ...STATE_LIMITS, ...limits });
  }

  /** One entry with these commands, as bytes. */
  entry(steps: readonly Step[]): Uint8Array {
    this.#builder.begin(this.nowMs, this.wallAheadMs + this.nowMs);
    for (const { command, request } of steps) {
      const origin = { boot: 7, number: ++this.#number };
      this.#builder.add(encodeCommand(scratch, command, origin, request ?? null));
    }
    return this.#builder.finish();
  }

  /** Applies one entry; what it said. */
  apply(...steps: Step[]): Event[] {
    this.applyBytes(this.entry(steps));
    return this.recorder.take();
  }

  applyBytes(payload: Uint8Array) {
    return this.machine.apply(this.machine.appliedIndex + 1, payload, this.recorder);
  }

  /** Applies one command; its answer. */
  do(command: Command, request?: RequestIdentity): CommandResult {
    const events = this.apply(request === undefined ? { command } : { command, request });
    const last = events.at(-1);
    if (last?.event !== "answer") throw new Error("the last event must be the answer");
    return last.result;
  }
}

/** The machine after a trip through its snapshot, cut into slices of `sliceBytes`. */
export function restored(machine: Machine, sliceBytes: number): Machine {
  const view = machine.snapshot();
  const loader = new SnapshotLoader(bytes);
  for (let slice = view.next(sliceBytes); slice !== null; slice = view.next(sliceBytes)) {
    if (slice.length > sliceBytes) throw new Error("a slice is longer than asked for");
    if (loader.add(slice) !== null) throw new Error("its own format must be readable");
  }
  return loader.finish();
}
