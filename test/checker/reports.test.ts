/** Keys of all models in one history; what the command says of them, and the picture. */
import { describe, expect, test } from "vitest";
import { statesAlong } from "./core/retell.js";
import {
  check,
  checkAll,
  drawPage,
  election,
  HistoryError,
  lock,
  type Operation,
} from "./index.js";
import { MOST_OPERATIONS } from "./picture/selection.js";
import { reportLines } from "./report.js";
import { generate, realRegister, seeded } from "./trials/generated.js";
import { acquire, did, expire, get, lead, leader, put } from "./trials/lines.js";

const ofKey = (key: string, operation: Operation): Operation => ({
  ...operation,
  op: { ...operation.op, key },
});

const STALE: readonly Operation[] = [
  did("w1", [1, 2], put("a"), {}),
  did("w1", [3, 4], put("b"), {}),
  did("w2", [5, 6.5], get, { value: "a" }),
  did("w3", [5, 7], get, { value: "b" }),
  did("w3", [8, null], put("c")),
];

describe("a history of many objects", () => {
  const free = did("w", [1, 2], acquire("w"), { token: 3 });

  test("is judged key by key, each by the model of its operations", () => {
    const operations = [
      ...STALE.map(one => ofKey("r1", one)),
      ofKey("r2", did("w", [1, 2], get, { value: null })),
      ofKey("r2", free),
      ofKey("e", did("w", [1, 2], lead("w"), { token: 3 })),
      ofKey("e", did("w", [3, null], expire(3))),
      ofKey("e", did("w", [5, 6], leader, { candidate: null })),
    ];
    const { verdict, keys } = checkAll({ operations });
    expect(verdict).toBe("violation");
    expect(keys.map(one => [one.model.name, one.key, one.verdict])).toEqual([
      ["register", "r1", "violation"],
      ["register", "r2", "linearizable"],
      ["lock", "r2", "linearizable"],
      ["election", "e", "linearizable"],
    ]);
  });

  test("is refused where it cannot be told of which model a key is", () => {
    const both = [free, did("w", [1, 2], leader, { candidate: null })];
    expect(() => checkAll({ operations: both })).toThrow(HistoryError);
    expect(() => check({ operations: STALE }, lock)).toThrow(/a put of "k" is nothing that a lock/);
  });

  test("is unknown if one of them is and none is a violation", () => {
    const slow = generate(
      realRegister({ values: 0, tellsRevisions: false, mix: ["put", "get"] }),
      seeded(1),
      { operations: 50, processes: 3, unknownOneIn: 0 },
    ).operations;
    const limits = { limitSteps: 20 };
    expect(checkAll({ operations: [...slow, free] }, limits).verdict).toBe("unknown");
    expect(checkAll({ operations: [...slow, ...STALE] }, limits).verdict).toBe("violation");
  });
});

test("the command says what contradicts what, and marks the answer that nothing explains", () => {
  const late = [ofKey("m", did("w", [1, 2], get, { value: null })), ...STALE];
  expect(reportLines(checkAll({ operations: late }))).toEqual([
    `linearizable  register  "m"  1 operation`,
    `VIOLATION     register  "k"  5 operations`,
    "  these contradict each other, whatever became of the rest:",
    `    w1  put "a" → done   (1 to 2 ms)`,
    `    w1  put "b" → done   (3 to 4 ms)`,
    `  > w2  get → "a"   (5 to 6.5 ms)`,
    "2 keys: 1 linearizable, 1 violation",
  ]);
  expect(reportLines(checkAll({ operations: [] }))).toEqual(["0 keys: nothing to check"]);
});

describe("the picture", () => {
  const page = drawPage(checkAll({ operations: STALE }), "run <1>");
  const bars = (of: string): string[] => of.match(/<g class="bar [^"]*"/g) ?? [];

  test("shows every operation, and which are placed, contradict, and break", () => {
    expect(bars(page)).toEqual([
      `<g class="bar placed conflict"`,
      `<g class="bar placed conflict"`,
      `<g class="bar unplaced conflict breaking"`,
      // Concurrent with what breaks, and answered later.
      `<g class="bar unplaced"`,
      `<g class="bar unplaced unknown"`,
    ]);
    expect(page).toContain("No order explains this answer.");
    expect(page).toContain("1 of 2 in the order found; after it: &quot;a&quot;");
    expect(page).toContain("Nobody knows whether or when it took effect.");
    for (const process of ["w1", "w2", "w3"]) expect(page).toContain(`>${process}</text>`);
  });

  test("needs nothing else, and takes no text for markup", () => {
    expect(page).not.toMatch(/https?:|src=|@import|url\(/);
    expect(page).toContain("run &lt;1&gt;");
    const evil = [did("<b>", [1, 2], put(`"><script>alert(1)</script>`), {}), ...STALE];
    const drawn = drawPage(checkAll({ operations: evil }), "x");
    expect(drawn).not.toContain("<b>");
    expect(drawn.match(/<script>/g)).toHaveLength(1);
  });

  test("shows the neighbourhood of what contradicts, where there is too much", () => {
    const later = generate(
      realRegister({ values: 0, tellsRevisions: false, mix: ["put", "get"] }),
      seeded(5),
      { operations: 1_000, processes: 5, unknownOneIn: 20 },
    ).operations.map(one => ({
      ...ofKey("k", one),
      call: one.call + 100,
      return: one.return === null ? null : one.return + 100,
    }));
    const drawn = drawPage(checkAll({ operations: [...STALE, ...later] }), "x");
    expect(bars(drawn).length).toBeLessThanOrEqual(MOST_OPERATIONS);
    expect(bars(drawn).filter(bar => bar.includes("conflict"))).toHaveLength(3);
    expect(drawn).toContain("1,005 operations, of which");
  });

  test("is drawn of what is linearizable or unknown as well", () => {
    const good = checkAll({ operations: STALE.slice(0, 2) });
    expect(drawPage(good, "x")).toContain("The order explains every answer.");
    const unknown = checkAll({ operations: STALE.slice(0, 2) }, { limitSteps: 1 });
    expect(drawPage(unknown, "x")).toContain("The limit of steps was reached");
  });
});

test("an operation that came to nothing later is told as one that may yet have an effect", () => {
  const op = { kind: "lead", key: "e", candidate: "a", value: "a" } as const;
  const doomed: Operation = { process: "a", call: 1, return: 5, op, result: "failed" };
  expect(statesAlong([doomed], election)).toHaveLength(1);
});
