/**
 * Lines in which many stand, for line.ts to measure: so many lines of one length in one state
 * machine, always full again after each operation. Knows who stands where, so that it can name
 * whom it releases or cancels, and holds every answer against what must come: a bench that is
 * refused measures nothing.
 */
import { nodeBytes } from "#src/server/ports/index.js";
import {
  type Command,
  EntryBuilder,
  Machine,
  type MachineOutput,
  SILENT,
  STATE_LIMITS,
} from "#src/state/index.js";
import { median } from "../load/report.js";

const PER_ENTRY = 64;
const PER_SESSION = 1_000;
const PERMITS = 8;

/** Lines of those who hold alone; of readers and writers in turn; of a semaphore. */
export type Kind = "exclusive" | "mixed" | "semaphore";

export interface StandingLine {
  readonly name: string;
  /** Keys of those in line, the head first. */
  keys: string[];
}

export const keyOf = (name: string, revision: number): string =>
  `${name}/${String(revision).padStart(20, "0")}`;
export const session = (number: number): string => (0x5e550000 + number).toString(16);

export class StandingLines {
  /** A short history, so that what is measured is not the forgetting of a long one. */
  readonly machine = new Machine(nodeBytes, { ...STATE_LIMITS, historyRevisions: 1_000 });
  readonly lines: readonly StandingLine[];
  readonly sessions: number;
  readonly #kind: Kind;
  readonly #builder = new EntryBuilder(nodeBytes);
  readonly #answers = new Map<string, number>();
  readonly #out: MachineOutput;
  #index = 0;
  #timeMs = 1_700_000_000_000;
  #asked = 0;
  #at = 0;

  readonly #waiters: number;

  /** Empty lines, in which `waiters` in all are to stand, `length` in each. */
  constructor(kind: Kind, length: number, waiters: number) {
    this.#kind = kind;
    this.#waiters = waiters;
    this.sessions = Math.ceil(waiters / PER_SESSION);
    this.#out = {
      ...SILENT,
      answer: (_boot, _number, { kind }) => {
        this.#answers.set(kind, (this.#answers.get(kind) ?? 0) + 1);
      },
    };
    this.lines = Array.from({ length: Math.ceil(waiters / length) }, (_, i) => ({
      name: `bench/line-${i}`,
      keys: [],
    }));
    const grants = Array.from({ length: this.sessions }, (_, i) => ({
      kind: "lease.grant" as const,
      lease: session(i),
      ttlMs: 15_000,
    }));
    this.run(grants, "leaseGranted");
  }

  /** Everyone comes, to one line after the other; those who hold first. */
  fill(): this {
    const held = (this.#kind === "semaphore" ? PERMITS : 1) * this.lines.length;
    this.enter(held, "granted", true);
    this.enter(this.#waiters, "waiting", true);
    return this;
  }

  /** The line that is measured now. */
  get line(): StandingLine {
    const line = this.lines[this.#at];
    if (line === undefined) throw new Error("there are no lines");
    return line;
  }

  /** Another line is measured from now on. */
  turn(): void {
    this.#at = (this.#at + 1) % this.lines.length;
  }

  /**
   * Microseconds for each of these: the median over pieces, each an entry of the log, so that the
   * pauses of the garbage collector and of the machine are not in it.
   */
  run(commands: readonly Command[], expected: string, piece = PER_ENTRY): number {
    const payloads: Uint8Array[] = [];
    for (let at = 0; at < commands.length; at += piece) {
      this.#timeMs += 4;
      this.#builder.begin(this.#timeMs, this.#timeMs);
      for (const command of commands.slice(at, at + piece))
        this.#builder.encode(command, { boot: 0x123456789abc, number: ++this.#asked }, null);
      payloads.push(this.#builder.finish());
    }
    this.#answers.clear();
    const took = payloads.map((payload, i) => {
      const size = Math.min(piece, commands.length - i * piece);
      return micros(() => this.machine.apply(++this.#index, payload, this.#out)) / size;
    });
    if (this.#answers.get(expected) !== commands.length) {
      const got = JSON.stringify([...this.#answers]);
      throw new Error(`expected ${commands.length} of ${expected}, got ${got}`);
    }
    return median(took);
  }

  /** So many more come to the end of the line, or of all lines in turn. */
  enter(count: number, expected = "waiting", toAll = false): number {
    let { revision } = this.machine;
    const commands = Array.from({ length: count }, (_, i): Command => {
      if (toAll) this.turn();
      const { name, keys } = this.line;
      keys.push(keyOf(name, ++revision));
      return { ...this.#request(keys.length), name, lease: session(i % this.sessions) };
    });
    return this.run(commands, expected);
  }

  #request(place: number): Command & { kind: "lock.acquire" } {
    const request = { kind: "lock.acquire", name: "", lease: "", wait: true } as const;
    if (this.#kind === "semaphore") return { ...request, mode: "permit", permits: PERMITS };
    return this.#kind === "mixed" && place % 2 === 0 ? { ...request, mode: "shared" } : request;
  }

  /** So many in the middle of the line give up. */
  cancel(count: number): number {
    const commands = Array.from({ length: count }, (): Command => {
      const { keys } = this.line;
      const [key = ""] = keys.splice(keys.length >> 1, 1);
      return { kind: "lock.cancel", key };
    });
    return this.run(commands, "cancelled");
  }

  /** So many times the head releases, for the next to be granted. */
  release(count: number): number {
    const commands = Array.from({ length: count }, (): Command => {
      const key = this.line.keys.shift() ?? "";
      return { kind: "lock.release", grant: { key } };
    });
    return this.run(commands, "released");
  }

  /** So many times the holder hands over to one before whom `ahead` others stand: for each of those. */
  handOver(count: number, ahead: number): number {
    let { revision } = this.machine;
    const commands = Array.from({ length: count }, (): Command => {
      const { line } = this;
      const [key = "", ...passed] = line.keys.slice(0, 1 + ahead);
      const rest = line.keys.slice(1 + ahead);
      line.keys = [...rest, ...passed.map(() => keyOf(line.name, ++revision))];
      // The release itself comes last.
      revision++;
      return { kind: "lock.handOver", grant: { key }, to: rest[0] ?? "" };
    });
    return this.run(commands, "released", 1) / ahead;
  }
}

export function micros(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1_000;
}

/** Bytes in use, once what is not has been collected. */
export function heapBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
