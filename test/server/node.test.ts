import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { configurationFrom } from "../../src/server/configuration.js";
import { startNode } from "../../src/server/node.js";

/** A start in an empty directory that is refused: why, and what lies in the directory then. */
async function refusedStart(flags: Parameters<typeof configurationFrom>[0]) {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-server-"));
  try {
    const configuration = configurationFrom({
      dataDir: directory,
      listenClientUrls: "http://127.0.0.1:0",
      listenPeerUrls: "http://127.0.0.1:0",
      ...flags,
    });
    const error = await startNode(configuration, pino({ level: "silent" })).catch(error => error);
    return { error: String(error), left: readdirSync(directory) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

test("a member of an existing cluster does not make a new one in an empty directory", async () => {
  const { error, left } = await refusedStart({ initialClusterState: "existing" });
  expect(error).toMatch(/--initial-cluster names no other member: .* asks one of them who it is/);
  expect(left).not.toContain("identity");
});
