/** What one run of one workload measured; both drivers print it as one JSON line. */
export interface Report {
  readonly operations: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** What a driver is told, on its command line. */
export interface Work {
  readonly workload: string;
  readonly workers: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** The value below which the share `p` of `sorted` lies; 0 when there is none. */
export function percentile(sorted: Float64Array, p: number): number {
  if (sorted.length === 0) return 0;
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? 0;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** The report whose throughput is the median of several runs. */
export function medianReport(reports: readonly Report[]): Report {
  const wanted = median(reports.map(report => report.perSecond));
  const found = reports.find(report => report.perSecond === wanted);
  if (found === undefined) throw new Error("no reports to take the median of");
  return found;
}
