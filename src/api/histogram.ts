/** A histogram in Prometheus' text format. */

export interface Counted {
  readonly boundsMs: readonly number[];
  /** One more than bounds: the last is everything above. */
  readonly counts: ArrayLike<number>;
  readonly sumMs: number;
}

export const totalOf = ({ counts }: Counted): number =>
  Array.from(counts).reduce((sum, count) => sum + count, 0);

/** `label` as it stands between the braces, like `operation="kv.put"`. In seconds. */
export function histogramLines(metric: string, label: string, counted: Counted): string[] {
  const { boundsMs, counts, sumMs } = counted;
  const total = totalOf(counted);
  let below = 0;
  const lines = boundsMs.map((bound, at) => {
    below += counts[at] ?? 0;
    return `${metric}_bucket{${label},le="${bound / 1000}"} ${below}`;
  });
  lines.push(`${metric}_bucket{${label},le="+Inf"} ${total}`);
  lines.push(`${metric}_sum{${label}} ${sumMs / 1000}`);
  lines.push(`${metric}_count{${label}} ${total}`);
  return lines;
}

/** Backslashes, quotes and line ends as the format wants them. */
export const labelValue = (text: string): string =>
  text.replace(/[\\"\n]/g, one => (one === "\n" ? "\\n" : `\\${one}`));
