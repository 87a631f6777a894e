/** The scripts' words: names in short, what a start found, and whether the dumb reader agrees. */
import type { Recovered } from "../../src/storage/contract.js";
import { amountTo, readSegment } from "./dumb-reader.js";
import type { Fate } from "./hand-disk.js";
import { DIRECTORY } from "./world.js";

/** What a start found. */
export function told({ entries, hardState, identity, peers, snapshot }: Recovered): string {
  if (identity === null) return "an empty directory";
  const log = ranges(entries.map(each => [each.index, each.term]));
  const facts = [
    `node ${identity.nodeId}: term ${hardState.term} vote ${hardState.votedFor ?? "-"}`,
    ...(snapshot === null ? [] : [`snapshot ${snapshot.index}:${snapshot.term}`]),
    log === "" ? "no entries" : `entries ${log}`,
    ...[...peers].map(([peer, incarnation]) => `peer ${peer} is ${incarnation}`),
  ];
  return facts.join(", ");
}

/** "1..3:1 4:2": entries 1 to 3 of term 1, and 4 of term 2. */
export function ranges(places: readonly (readonly [index: number, term: number])[]): string {
  const runs: { from: number; to: number; term: number }[] = [];
  for (const [index, term] of places) {
    const last = runs.at(-1);
    if (last?.term === term) last.to = index;
    else runs.push({ from: index, to: index, term });
  }
  return runs
    .map(({ from, term, to }) => (from === to ? `${from}:${term}` : `${from}..${to}:${term}`))
    .join(" ");
}

export function fateOf(words: readonly string[]): Fate {
  const [first = "lose"] = words;
  return first === "lose" || first === "keep" ? first : words.map(Number);
}

const digits = (text: string): string => text.padStart(16, "0");

/** `segment-3` and `snapshot-4-1` stand for names with 16 digits. */
export function pathOf(name: string): string {
  const long = name
    .replace(/^segment-(\d+)/, (_, n: string) => `segment-${digits(n)}`)
    .replace(/^snapshot-(\d+)-(\d+)/, (_, i: string, t: string) => {
      return `snapshot-${digits(i)}-${digits(t)}`;
    });
  return `${DIRECTORY}/${long}`;
}

export function shortName(text: string): string {
  return text
    .replace(/segment-0*(\d+)/g, "segment-$1")
    .replace(/snapshot-0*(\d+)-0*(\d+)/g, "snapshot-$1-$2");
}

/** Null when the dumb reader makes of the files what was recovered; else both. */
export function differs(
  recovered: Recovered,
  files: ReadonlyMap<string, Uint8Array>,
): string | null {
  const records = [...files]
    .filter(([name]) => /^segment-\d+$/.test(name))
    .flatMap(([, bytes]) => readSegment(bytes))
    .flatMap(place => ("batch" in place ? place.batch.records : []));
  const { entries, peers, term, vote } = amountTo(records);
  const base = recovered.snapshot?.index ?? 0;
  const standing = [...entries].filter(([index]) => index > base);
  const theirs = JSON.stringify([term, vote, standing, [...peers]]);
  const { hardState } = recovered;
  const ours = JSON.stringify([
    hardState.term,
    String(hardState.votedFor ?? "-"),
    recovered.entries.map(each => [each.index, each.term]),
    [...recovered.peers],
  ]);
  return ours === theirs ? null : `recovered ${ours}, but the files say ${theirs}`;
}
