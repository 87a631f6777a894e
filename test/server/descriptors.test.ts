import { describe, expect, test } from "vitest";
import {
  connectionsWithin,
  descriptorsAllowed,
  openFilesIn,
  RESERVED,
} from "../../src/server/descriptors.js";

const limits = (soft: string): string =>
  [
    "Limit                     Soft Limit           Hard Limit           Units     ",
    "Max processes             63432                63432                processes ",
    `Max open files            ${soft.padEnd(20)} 1048576              files     `,
    "Max locked memory         8388608              8388608              bytes     ",
  ].join("\n");

describe("descriptors", () => {
  test("are read from the soft limit on open files; unlimited or absent is no bound", () => {
    expect(openFilesIn(limits("1024"))).toBe(1024);
    expect(openFilesIn(limits("unlimited"))).toBeNull();
    expect(openFilesIn("")).toBeNull();
  });

  test.runIf(process.platform === "linux")("are told of this process", () => {
    expect(descriptorsAllowed()).toBeGreaterThan(0);
  });

  test("bound the connections of clients when they are fewer than would be taken", () => {
    expect(connectionsWithin(null, 10_000)).toBeNull();
    expect(connectionsWithin(10_000 + RESERVED, 10_000)).toBeNull();
    expect(connectionsWithin(9_999 + RESERVED, 10_000)).toBe(9_999);
    expect(connectionsWithin(1_024, 10_000)).toBe(1_024 - RESERVED);
  });

  test("however few leave room for an operator", () => {
    expect(connectionsWithin(RESERVED, 10_000)).toBe(16);
    expect(connectionsWithin(3, 10_000)).toBe(16);
  });
});
