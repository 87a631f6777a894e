/**
 * What the state machine costs by itself: entries of 64 commands, made before the clock starts,
 * go through `apply`, and nothing else. Prints JSON. Run after a build: node --expose-gc
 * dist/bench/micro/state.js
 */
import { nodeBytes } from "#src/server/ports/index.js";
import {
  type Command,
  EntryBuilder,
  Machine,
  type RequestIdentity,
  SILENT,
} from "#src/state/index.js";

const PER_ENTRY = 64;
const MILLION = 1_000_000;

interface Step {
  readonly command: Command;
  readonly request: RequestIdentity | null;
}

class Bench {
  readonly machine = new Machine(nodeBytes);
  readonly #builder = new EntryBuilder(nodeBytes);
  #timeMs = 0;
  #number = 0;

  entries(steps: readonly Step[]): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    for (let at = 0; at < steps.length; at += PER_ENTRY) {
      this.#builder.begin(++this.#timeMs, 1_700_000_000_000 + this.#timeMs);
      for (const { command, request } of steps.slice(at, at + PER_ENTRY)) {
        this.#builder.encode(command, { boot: 0x123456789abc, number: ++this.#number }, request);
      }
      payloads.push(this.#builder.finish());
    }
    return payloads;
  }

  /** Microseconds of processor time for one command, garbage collection included. */
  run(steps: readonly Step[]): number {
    const payloads = this.entries(steps);
    collect();
    const start = process.cpuUsage();
    let index = this.machine.appliedIndex;
    for (const payload of payloads) this.machine.apply(++index, payload, SILENT);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / steps.length;
  }
}

const digits = (revision: number): string => String(revision).padStart(20, "0");
const plain = (command: Command): Step => ({ command, request: null });
const value32 = (i: number): string => String(i).padStart(32, "v");

/** Each phase has clients of its own. */
let phase = 0;

/** As the client does it: the request's number, and the lowest unanswered 32 behind it. */
function numbered(command: Command, i: number): Step {
  const client = `${phase.toString(16).padStart(8, "0")}0000000${i % 8}`;
  const number = Math.floor(i / 8) + 1;
  return { command, request: { client, number, low: Math.max(number - 32, 1) } };
}

function puts(bench: Bench, count: number, keys: number, withIds: boolean): number {
  const steps: Step[] = [];
  phase++;
  for (let i = 0; i < count; i++) {
    const key = `bench/${(i * 7_919) % keys}`;
    const command: Command = { kind: "kv.put", key, value: value32(i) };
    steps.push(withIds ? numbered(command, i) : plain(command));
  }
  return bench.run(steps);
}

/** Microseconds for one acquire and release, on `names` locks in turn. */
function cycles(bench: Bench, count: number, owned: boolean, withIds: boolean): number {
  const steps: Step[] = [];
  phase++;
  let revision = bench.machine.revision;
  for (let i = 0; i < count; i++) {
    const name = `locks/${i % 256}`;
    const lease = owned ? { id: (0x1000000 * phase + i).toString(16), ttlMs: 15_000 } : "5e55";
    const acquire: Command = { kind: "lock.acquire", name, lease, wait: true };
    const key = `${name}/${digits(revision + 1)}`;
    const release: Command = { kind: "lock.release", grant: { key } };
    revision += 2;
    steps.push(withIds ? numbered(acquire, 2 * i) : plain(acquire));
    steps.push(withIds ? numbered(release, 2 * i + 1) : plain(release));
  }
  return 2 * bench.run(steps);
}

/** Microseconds for one release that grants the next of `waiters`, who stands in line again. */
function handOvers(bench: Bench, count: number, waiters: number): number {
  const queue: number[] = [];
  const acquire: Command = { kind: "lock.acquire", name: "hot", lease: "5e55", wait: true };
  const fill: Step[] = [];
  for (let i = 0; i < waiters; i++) {
    fill.push(plain(acquire));
    queue.push(bench.machine.revision + 1 + i);
  }
  bench.run(fill);
  let revision = bench.machine.revision;
  const steps: Step[] = [];
  for (let i = 0; i < count; i++) {
    const key = `hot/${digits(queue[i] ?? 0)}`;
    steps.push(plain({ kind: "lock.release", grant: { key } }), plain(acquire));
    revision += 2;
    queue.push(revision);
  }
  return 2 * bench.run(steps);
}

function collect(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function million(): Record<string, number> {
  const bench = new Bench();
  bench.run([plain({ kind: "system.configure", historyRevisions: 1_000 })]);
  const before = collect();
  let fillUs = 0;
  for (let at = 0; at < MILLION; at += 50_000) {
    const steps: Step[] = [];
    for (let i = at; i < at + 50_000; i++) {
      const key = `million/${(i * 7_919) % MILLION}`;
      steps.push(plain({ kind: "kv.put", key, value: value32(i) }));
    }
    fillUs += (bench.run(steps) * 50_000) / MILLION;
  }
  const heapBytes = collect() - before;
  const putUs = puts(bench, 100_000, MILLION, false);
  const view = bench.machine.snapshot();
  const started = process.cpuUsage();
  let snapshotBytes = 0;
  let slowestSliceMs = 0;
  for (;;) {
    const start = process.hrtime.bigint();
    const slice = view.next(65_536);
    slowestSliceMs = Math.max(slowestSliceMs, Number(process.hrtime.bigint() - start) / 1e6);
    if (slice === null) break;
    snapshotBytes += slice.length;
  }
  const spent = process.cpuUsage(started);
  const streamMs = (spent.user + spent.system) / 1_000;
  const bytesPerKey = heapBytes / MILLION;
  return { bytesPerKey, fillUs, putUs, snapshotBytes, streamMs, slowestSliceMs };
}

function main(): void {
  const bench = new Bench();
  bench.run([plain({ kind: "lease.grant", lease: "5e55", ttlMs: 15_000 })]);
  cycles(bench, 30_000, true, true);
  puts(bench, 50_000, 10_000, true);
  handOvers(new Bench(), 0, 0);
  const results = {
    putUs: puts(bench, 200_000, 10_000, false),
    putWithRequestIdUs: puts(bench, 200_000, 10_000, true),
    lockCycleSessionUs: cycles(bench, 100_000, false, false),
    lockCyclePrivateLeaseUs: cycles(bench, 100_000, true, false),
    lockCycleWithRequestIdsUs: cycles(bench, 100_000, false, true),
    handOver64Us: handOverWith(64),
    handOver5000Us: handOverWith(5_000),
    million: million(),
  };
  console.log(JSON.stringify(results, (_k, v) => (typeof v === "number" ? round(v) : v), 2));
}

/** A lease carries at most 10,000 keys: that bounds the waiters here. */
function handOverWith(waiters: number): number {
  const bench = new Bench();
  bench.run([plain({ kind: "lease.grant", lease: "5e55", ttlMs: 15_000 })]);
  return handOvers(bench, 50_000, waiters);
}

const round = (value: number): number => Math.round(value * 100) / 100;

main();
