import { describe, expect, test } from "vitest";
import { lostDeadlines, provenDeadlines } from "../../src/cli/held/watchdog-protocol.js";
import { formatDuration, parseDuration } from "../../src/cli/output/duration.js";
import { bytesField, printableJson, withBytes } from "../../src/cli/output/json.js";
import { table } from "../../src/cli/output/table.js";

describe("durations", () => {
  test.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["0", 0],
  ])("%s is %i ms", (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(["", "s", "-1s", "5 m", "1d", "ten", "1m x", "12", "1.5", "00"])(
    "%o is refused",
    text => expect(parseDuration(text)).toBeNull(),
  );

  test("are shown in the unit that a person would choose", () => {
    const shown = [840, 12_400, 300_000, 12_000_000, 187_200_000].map(formatDuration);
    expect(shown).toEqual(["840 ms", "12 s", "5 min", "3 h 20 min", "2 d 4 h"]);
  });
});

describe("tables", () => {
  test("columns align and lines end without spaces", () => {
    const text = table(
      ["KEY", "VALUE"],
      [
        ["a", "1"],
        ["longer", ""],
      ],
    );
    expect(text).toBe("KEY     VALUE\na       1\nlonger");
  });

  test("a key cannot write to the terminal", () => {
    expect(table(["KEY"], [["\u001b[2Jx\n"]])).toBe("KEY\n?[2Jx?");
  });
});

describe("the watchdog's deadlines", () => {
  test("SIGTERM comes when the proof ends, SIGKILL when half of the margin is over", () => {
    expect(provenDeadlines(1_000n, 2_000, 3_000)).toEqual({
      softNs: String(1_000n + 2_000_000_000n),
      hardNs: String(1_000n + 3_500_000_000n),
    });
  });

  test("a hold that is past its proof is ended at once", () => {
    expect(provenDeadlines(7n, -5, 1_000).softNs).toBe("7");
  });

  test("a loss brings the end nearer", () => {
    const { hardNs } = provenDeadlines(0n, 10_000, 1_000);
    expect(lostDeadlines(5n, hardNs, 1_000)).toEqual({ softNs: "5", hardNs: "500000005" });
  });

  test("a loss that is noticed late gives CMD no more time than it had", () => {
    const { hardNs } = provenDeadlines(0n, 100, 1_000);
    const late = lostDeadlines(BigInt(hardNs) + 1n, hardNs, 1_000);
    expect(late.hardNs).toBe(hardNs);
  });
});

describe("JSON", () => {
  const broken = new Uint8Array([0xff, 0x00]);

  test("text is text and other bytes are base64 under a name of their own", () => {
    expect(bytesField("value", new TextEncoder().encode("é"))).toEqual({ value: "é" });
    expect(printableJson({ results: [{ key: broken, n: 1 }] })).toEqual({
      results: [{ keyBase64: "/wA=", n: 1 }],
    });
  });

  test("what is printed can be read back", () => {
    const value = { success: [{ put: { key: "a", value: broken } }], n: [1, null] };
    expect(withBytes(JSON.parse(JSON.stringify(printableJson(value))))).toEqual(value);
  });
});
