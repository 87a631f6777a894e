/** The bench of long lines does what it says it measures; how long that takes is not looked at. */
import { expect, test } from "vitest";
import { measureLines, QUICK } from "../../bench/micro/line.js";

test("every step of the bench is answered as it must be, in lines of every length", () => {
  const { rows, threadUs } = measureLines({ ...QUICK, operations: 16, threads: [4, 8] });
  expect(rows.length).toBeGreaterThan(12);
  for (const { what, us } of rows) {
    expect(us, what).toHaveLength(QUICK.lengths.length);
    expect(Math.min(...us), what).toBeGreaterThan(0);
  }
  expect(threadUs).toHaveLength(2);
});
