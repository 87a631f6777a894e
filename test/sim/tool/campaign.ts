/**
 * Runs seeds for as long as it is let, from where the ledger stands, and writes down what it ran
 * once a minute. Any signal that ends it writes first.
 */
import { join } from "node:path";
import { neverHit } from "../sometimes.js";
import type { Verdict } from "../verdict.js";
import { addToLedger, nextSeed, type Record, readLedger } from "./ledger.js";
import type { Options } from "./options.js";
import { writeCampaigns } from "./page.js";
import { Pool } from "./pool.js";
import { commitName, productHash, ROOT } from "./product.js";
import { range } from "./seeds.js";
import { Summary } from "./summary.js";

const LEDGER = join(ROOT, "test/sim/campaign/ledger.json");
const PAGE = join(ROOT, "docs/TESTING.md");
const FLUSH_MS = 60_000;

export async function campaign({ jobs, events, minutes }: Options): Promise<boolean> {
  const first = nextSeed(readLedger(LEDGER));
  const account = new Account(first);
  const endMs = Date.now() + minutes * 60_000;
  const pool = new Pool({ jobs });
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    account.flush();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  const timer = setInterval(() => account.flush(), FLUSH_MS);
  console.log(`product ${account.product}, from seed ${first} on`);
  await pool.run(range(first, Number.MAX_SAFE_INTEGER - first), verdict => {
    account.add(verdict);
    return !stopped && account.events < events && Date.now() < endMs;
  });
  clearInterval(timer);
  pool.close();
  const record = account.flush();
  writeCampaigns(PAGE, readLedger(LEDGER));
  return record === null || judge(record);
}

function judge({ seeds, sometimes, violations }: Record): boolean {
  const never = neverHit(seeds, sometimes);
  for (const what of never) console.log(`NEVER: ${what}`);
  const kinds = Object.keys(violations);
  for (const kind of kinds) console.log(`BROKEN: ${kind}, seeds ${violations[kind]?.join(" ")}`);
  return never.length === 0 && kinds.length === 0;
}

/** Workers finish out of order; only what has no gap before it is written down. */
class Account {
  readonly product = productHash();
  readonly #commit = commitName();
  readonly #finished = new Map<number, Verdict>();
  #next: number;
  events = 0;

  constructor(first: number) {
    this.#next = first;
  }

  add(verdict: Verdict): void {
    const { seed, violation } = verdict;
    this.#finished.set(seed, verdict);
    this.events += verdict.events;
    if (violation !== null) console.log(`seed ${seed}: ${violation.what}`);
  }

  /** null: there was nothing to write. */
  flush(): Record | null {
    const from = this.#next;
    const summary = new Summary();
    for (let next = this.#finished.get(from); next !== undefined; ) {
      summary.add(next);
      this.#finished.delete(this.#next);
      this.#next += 1;
      next = this.#finished.get(this.#next);
    }
    if (summary.seeds === 0) return null;
    const range = [from, this.#next - 1] as const;
    const record = addToLedger(
      LEDGER,
      { product: this.product, commit: this.#commit },
      range,
      summary,
    );
    console.log(
      `seeds ${range.join(" to ")}: ${summary.events} events, ${summary.eventsPerSecond} a second ` +
        `of a core; this product so far: ${record.seeds} seeds, ${record.events} events`,
    );
    return record;
  }
}
