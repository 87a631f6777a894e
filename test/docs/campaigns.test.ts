/** The table of campaigns is what the ledger says, and not what somebody would like. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readLedger } from "../sim/tool/ledger.js";
import { withCampaigns } from "../sim/tool/page.js";

const at = (path: string): string => new URL(`../../${path}`, import.meta.url).pathname;
const page = readFileSync(at("docs/TESTING.md"), "utf8");

test("the campaigns on the page are those of the ledger", () => {
  expect(withCampaigns(page, readLedger(at("test/sim/campaign/ledger.json")))).toBe(page);
});

test("a ledger becomes a row for each product, with its violations by name", () => {
  const one = {
    product: "0011",
    commit: "abc",
    ranges: [[1, 40]],
    seeds: 40,
    events: 2_000_000,
    simulatedMs: 500_000,
    cpuMs: 25_000,
    violations: { "two leaders": [7, 9] },
    sometimes: {},
  } as const;
  const table = withCampaigns(page, { format: 1, products: [one] });
  expect(table).toContain("In all 40 seeds and 2,000,000 events.");
  expect(table).toContain("| `0011` | abc | 40 | 2,000,000 | 80,000 | 20.0 | two leaders (7 9) |");
});
