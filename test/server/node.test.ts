import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { configurationFrom } from "../../src/server/configuration.js";
import { startNode } from "../../src/server/node.js";

test("a member of an existing cluster does not make a new one in an empty directory", async () => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-server-"));
  try {
    const configuration = configurationFrom({
      dataDir: directory,
      initialClusterState: "existing",
      listenClientUrls: "http://127.0.0.1:0",
      listenPeerUrls: "http://127.0.0.1:0",
    });
    const started = startNode(configuration, pino({ level: "silent" }));
    await expect(started).rejects.toThrow(/^--initial-cluster-state: "existing" needs/);
    expect(readdirSync(directory)).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
