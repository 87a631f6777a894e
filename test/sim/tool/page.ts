/**
 * What campaigns have run, as a table in docs/TESTING.md between two marks: written anew whenever a
 * campaign ends, and held to the ledger by test/docs.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { Ledger, Record } from "./ledger.js";

const BEGIN = "<!-- campaigns: written by npm run sim:campaign -->";
const END = "<!-- end of campaigns -->";
/** Of what was broken, in characters. */
const MOST_SHOWN = 60;

/** The page with the table of `ledger`; throws if it has no marks. */
export function withCampaigns(page: string, ledger: Ledger): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the page has no ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n${tableOf(ledger)}${page.slice(end)}`;
}

export function writeCampaigns(path: string, ledger: Ledger): void {
  writeFileSync(path, withCampaigns(readFileSync(path, "utf8"), ledger));
}

function tableOf({ products }: Ledger): string {
  const events = products.reduce((sum, one) => sum + one.events, 0);
  const seeds = products.reduce((sum, one) => sum + one.seeds, 0);
  return [
    `In all ${counted(seeds)} seeds and ${counted(events)} events.`,
    "",
    "| product | a commit that has it | seeds | events | events/s a core | × real time | violations |",
    "|---|---|---|---|---|---|---|",
    ...products.map(rowOf),
    "",
  ].join("\n");
}

function rowOf(record: Record): string {
  const { product, commit, seeds, events, cpuMs, simulatedMs, violations } = record;
  const rate = counted(Math.round((events / cpuMs) * 1000));
  const times = (simulatedMs / cpuMs).toFixed(1);
  const broken = Object.entries(violations).map(([kind, by]) => `${brief(kind)} (${by.join(" ")})`);
  const what = broken.length === 0 ? "none" : broken.join("; ");
  const cells = [`\`${product}\``, commit, counted(seeds), counted(events), rate, times, what];
  return `| ${cells.join(" | ")} |`;
}

/** The ledger has it in full. */
const brief = (kind: string): string =>
  kind.length <= MOST_SHOWN ? kind : `${kind.slice(0, MOST_SHOWN).trimEnd()} …`;

const counted = (value: number): string => value.toLocaleString("en");
