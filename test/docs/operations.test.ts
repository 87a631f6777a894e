/** docs/OPERATIONS.md says of flags, limits and codes what the code says. `REWRITE=1` writes the flags. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/base/limits.js";
import { EXIT, HELD_EXIT } from "../../src/cli/output/exit-codes.js";
import { LOG_FAILURE } from "../../src/log/failure.js";
import { REPLICA_LIMITS } from "../../src/replica/limits.js";
import { RESERVED } from "../../src/server/descriptors.js";
import { serveCommand } from "../../src/server/flags.js";
import { PATHS, ROOT, read } from "../tidy/repository.js";

const PAGE = "docs/OPERATIONS.md";
const BEGIN =
  "<!-- flags: REWRITE=1 npx vitest run --config test/vitest.config.ts test/docs/operations -->\n";
const END = "<!-- end of the flags -->";

function flagTable(): string {
  const rows = serveCommand(() => {})
    .options.filter(({ hidden }) => !hidden)
    .map(({ flags, envVar, description }) => {
      const says = description.replace(/</g, "&lt;").replaceAll("|", "\\|");
      return `| \`${flags.replaceAll("|", "\\|")}\` | \`${envVar}\` | ${says} |`;
    });
  return ["| flag | variable | what it is |", "|---|---|---|", ...rows, ""].join("\n");
}

/** The rows of the table under `heading` whose head is `head`, each as its cells. */
function rows(page: string, head: string): string[][] {
  const lines = page.split("\n");
  const at = lines.findIndex(line => line.startsWith(head));
  expect(at, `a table that begins with ${head}`).toBeGreaterThan(0);
  const end = lines.findIndex((line, i) => i > at && !line.startsWith("|"));
  return lines
    .slice(at + 2, end)
    .map(line => line.split(" | ").map(c => c.replace(/^\||\|$/g, "").trim()));
}

const quoted = (cell: string | undefined): string[] =>
  [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(match => match[1] ?? "");

describe("the operator's page", () => {
  const page = read(PAGE);

  test("has every flag of a node, with its variable", () => {
    const begin = page.indexOf(BEGIN) + BEGIN.length;
    const end = page.indexOf(END);
    expect(begin).toBeGreaterThan(BEGIN.length);
    if (process.env.REWRITE === "1") {
      writeFileSync(join(ROOT, PAGE), page.slice(0, begin) + flagTable() + page.slice(end));
    } else {
      expect(page.slice(begin, end)).toBe(flagTable());
    }
  });

  test("tells limits as they are", () => {
    const known: Readonly<Record<string, number>> = { ...REPLICA_LIMITS, ...LIMITS };
    const told = rows(page, "| limit | value").flatMap(([names, value]) =>
      quoted(names).map(name => ({ name, value: Number(value) })),
    );
    expect(told.length).toBeGreaterThan(20);
    for (const { name, value } of told)
      expect({ name, value }).toEqual({ name, value: known[name] });
  });

  test("tells each limit at which a node refuses a call as overloaded", () => {
    const told = rows(page, "| limit | value").flatMap(([names]) => quoted(names));
    const refusing = PATHS.filter(path => /^src\/replica\/.*\.ts$/.test(path)).flatMap(path =>
      [...read(path).matchAll(/overloaded\("[^"]+", (?:[\w.#]+\.)?(max\w+)\)/g)].map(m => m[1]),
    );
    expect(refusing).toContain("maxPlaces");
    expect(told).toEqual(expect.arrayContaining(refusing));
  });

  test("tells how many descriptors are kept from clients", () => {
    expect(page).toContain(`keeps ${RESERVED} of them for itself`);
    expect(page).toContain(`the number of clients and ${RESERVED};`);
  });

  test("has a remedy for every failure by which a node ends", () => {
    const told = rows(page, "| code | what happened").flatMap(([code]) => quoted(code));
    // Those of the log, and those that the rooms above it add.
    const above = PATHS.filter(path => /^src\/(replica|state)\/.*\.ts$/.test(path)).flatMap(path =>
      [...read(path).matchAll(/code: "(\w+_DAMAGED|\w+_TOO_NEW)"/g)].map(match => match[1] ?? ""),
    );
    expect(new Set(above).size).toBe(2);
    expect(told.sort()).toEqual([...new Set([...Object.values(LOG_FAILURE), ...above])].sort());
  });

  test("knows every exit code of the command", () => {
    const told = rows(page, "| exit code of the `holdfast` command").map(([code]) => Number(code));
    const known = [...Object.values(EXIT), ...Object.values(HELD_EXIT), Number.NaN];
    expect(told).toEqual(known);
  });

  test("speaks of pages that exist", () => {
    const links = [...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(match => match[1] ?? "");
    const broken = links.filter(link => !PATHS.includes(join("docs", link)));
    expect(broken).toEqual([]);
  });
});
