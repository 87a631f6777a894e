/**
 * What one lock cycle and one put cost in `apply`, as under load: one stream of encoded entries,
 * 64 commands each, from 8 sessions with request ids, on 256 names. The history, the memory of
 * ended entries and the request windows are full before the clock starts. Prints JSON: medians over
 * the rounds in microseconds of processor time, garbage collection included, and the state's hash,
 * which must not change with what is tuned. Run after a build:
 * node --expose-gc dist/bench/micro/apply.js [rounds] [cycle|put]
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
const CLIENTS = 8;
const NAMES = 256;
const KEYS = 10_000;
const FILL_CYCLES = 60_000;
const ROUND = 32_768;
const OUTSTANDING = 32;

const hex = (value: number): string => value.toString(16);
const leaseOf = (client: number): string => hex(0x5e55_0000 + client);
const digits = (revision: number): string => String(revision).padStart(20, "0");

class Stream {
  readonly machine = new Machine(nodeBytes);
  readonly #builder = new EntryBuilder(nodeBytes);
  readonly #numbers = new Array<number>(CLIENTS).fill(0);
  #timeMs = 1_700_000_000_000;
  #proposals = 0;
  #index = 0;
  #salt = 0;

  constructor() {
    const payload = this.#entry(() => {
      for (let client = 0; client < CLIENTS; client++) {
        const command: Command = { kind: "lease.grant", lease: leaseOf(client), ttlMs: 15_000 };
        this.#add(command, null);
      }
    });
    this.#apply([payload]);
  }

  /** Entries in which 32 locks are taken and released. */
  cycles(count: number): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    let revision = this.machine.revision;
    const half = PER_ENTRY / 2;
    for (let at = 0; at < count; at += half) {
      const first = revision;
      const name = (i: number): string => `bench/lock-${(at + i) % NAMES}`;
      const acquires = () => {
        for (let i = 0; i < half; i++) this.#acquire(name(i), i);
      };
      const releases = () => {
        for (let i = 0; i < half; i++) {
          const key = `${name(i)}/${digits(first + 1 + i)}`;
          this.#numbered({ kind: "lock.release", grant: { key } }, i % CLIENTS);
        }
      };
      payloads.push(
        this.#entry(() => {
          acquires();
          releases();
        }),
      );
      revision += PER_ENTRY;
    }
    return payloads;
  }

  puts(count: number): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    for (let at = 0; at < count; at += PER_ENTRY) {
      payloads.push(
        this.#entry(() => {
          for (let i = at; i < at + PER_ENTRY; i++) {
            const value = String(++this.#salt).padStart(32, "v");
            const key = `bench/key-${(i * 7_919) % KEYS}`;
            this.#numbered({ kind: "kv.put", key, value }, i % CLIENTS);
          }
        }),
      );
    }
    return payloads;
  }

  /** Microseconds of processor time for one of `per`. */
  run(payloads: readonly Uint8Array[], per: number): number {
    globalThis.gc?.();
    const start = process.cpuUsage();
    this.#apply(payloads);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / per;
  }

  #apply(payloads: readonly Uint8Array[]): void {
    for (const payload of payloads) this.machine.apply(++this.#index, payload, SILENT);
  }

  #acquire(name: string, i: number): void {
    const client = i % CLIENTS;
    this.#numbered({ kind: "lock.acquire", name, lease: leaseOf(client), wait: true }, client);
  }

  #numbered(command: Command, client: number): void {
    const number = (this.#numbers[client] ?? 0) + 1;
    this.#numbers[client] = number;
    const id = `c1ae47${hex(client).padStart(10, "0")}`;
    const low = Math.max(number - OUTSTANDING, 1);
    this.#add(command, { client: id, number, low, lease: leaseOf(client) });
  }

  #add(command: Command, request: RequestIdentity | null): void {
    this.#builder.encode(command, { boot: 0x123456789abc, number: ++this.#proposals }, request);
  }

  #entry(fill: () => void): Uint8Array {
    this.#timeMs += 4;
    this.#builder.begin(this.#timeMs, this.#timeMs);
    fill();
    return this.#builder.finish();
  }
}

function main(): void {
  const rounds = Number(process.argv[2] ?? 7);
  const only = process.argv[3] ?? "";
  const stream = new Stream();
  stream.run(stream.puts(KEYS), KEYS);
  stream.run(stream.cycles(FILL_CYCLES), FILL_CYCLES);
  const cycle: number[] = [];
  const put: number[] = [];
  for (let round = 0; round < rounds; round++) {
    if (only !== "put") cycle.push(stream.run(stream.cycles(ROUND), ROUND));
    if (only !== "cycle") put.push(stream.run(stream.puts(ROUND), ROUND));
  }
  const hash = only === "" ? stream.machine.hash() : "";
  console.log(JSON.stringify({ cycleUs: median(cycle), putUs: median(put), hash }));
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  return Math.round((values[values.length >> 1] ?? 0) * 100) / 100;
}

main();
