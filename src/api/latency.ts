/**
 * How long operations took, counted flat: an array of buckets an operation, so that counting costs
 * nanoseconds, and Prometheus' text is made only when somebody asks.
 */
import { OPERATION_NAMES, type OperationName } from "holdfast-protocol";
import { type Counted, histogramLines, totalOf } from "./histogram.js";

export type ObserveCall = (operation: OperationName, tookMs: number, ok: boolean) => void;

const BOUNDS_MS = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
const METRIC = "holdfast_operation_duration_seconds";

interface Buckets extends Counted {
  readonly counts: Float64Array;
  sumMs: number;
  errors: number;
}

export class Latencies {
  readonly #byName = new Map<OperationName, Buckets>(
    OPERATION_NAMES.map(name => [
      name,
      {
        boundsMs: BOUNDS_MS,
        counts: new Float64Array(BOUNDS_MS.length + 1),
        sumMs: 0,
        errors: 0,
      },
    ]),
  );

  /** Waits in line count with their waiting. */
  readonly observe: ObserveCall = (operation, tookMs, ok) => {
    const buckets = this.#byName.get(operation);
    if (buckets === undefined) return;
    let at = 0;
    while (at < BOUNDS_MS.length && tookMs > (BOUNDS_MS[at] ?? 0)) at += 1;
    buckets.counts[at] = (buckets.counts[at] ?? 0) + 1;
    buckets.sumMs += tookMs;
    if (!ok) buckets.errors += 1;
  };

  /** Prometheus' text format; operations that were never called are left out. */
  render(): string {
    const lines = [
      `# HELP ${METRIC} How long operations took, from decoded request to answer.`,
      `# TYPE ${METRIC} histogram`,
    ];
    const errors = [
      "# HELP holdfast_operation_errors_total Operations answered with an error.",
      "# TYPE holdfast_operation_errors_total counter",
    ];
    for (const [name, buckets] of this.#byName) {
      if (totalOf(buckets) === 0) continue;
      lines.push(...histogramLines(METRIC, `operation="${name}"`, buckets));
      errors.push(`holdfast_operation_errors_total{operation="${name}"} ${buckets.errors}`);
    }
    return `${[...lines, ...errors].join("\n")}\n`;
  }
}
