/** Processes whose clocks lie, where libfaketime is installed: wall clock, and monotonic clock too. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

const LIBRARIES = "/usr/lib";

/** The library for programs with threads; null where it is not installed. */
const library: string | null = (() => {
  try {
    const found = readdirSync(LIBRARIES, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(({ name }) => join(LIBRARIES, name, "faketime"))
      .flatMap(directory => {
        try {
          return readdirSync(directory).map(name => join(directory, name));
        } catch {
          return [];
        }
      });
    return found.find(path => path.endsWith("libfaketimeMT.so.1")) ?? null;
  } catch {
    return null;
  }
})();

/** Why there is none, and how to get it; null where there is. */
export const noFakeTime: string | null =
  library === null ? "no libfaketime (Debian: apt-get install faketime)" : null;

/** `spec` as libfaketime reads it: "+5h x1.1" is five hours ahead and a tenth too fast. */
export const fakeClocks = (spec: string): NodeJS.ProcessEnv =>
  library === null ? {} : { LD_PRELOAD: library, FAKETIME: spec };

/** The wall clock alone, as the file says from one second to the next. */
export const fakeWallFrom = (file: string): NodeJS.ProcessEnv =>
  library === null
    ? {}
    : {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_CACHE_DURATION: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      };
