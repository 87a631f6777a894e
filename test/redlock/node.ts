/** One real node in this process, on free loopback ports and a directory of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "holdfast-client";
import { pino } from "pino";
import { configurationFrom, startNode } from "../../src/server/index.js";
import { freePorts } from "../e2e/harness/ports.js";

export interface OneNode {
  readonly url: string;
  /** Takes the lock of `resource` away from whoever has it, and keeps it. */
  steal(resource: string): Promise<void>;
  stop(): Promise<void>;
}

export async function oneNode(): Promise<OneNode> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-redlock-"));
  const [clientPort, peerPort] = await freePorts(2);
  const url = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const configuration = configurationFrom({
    name: "n1",
    dataDir: join(directory, "n1"),
    listenClientUrls: url,
    listenPeerUrls: peerUrl,
    initialAdvertisePeerUrls: peerUrl,
    initialCluster: `n1=${peerUrl}`,
  });
  const node = await startNode(configuration, pino({ level: "silent" }));
  const thief = connect(url, { timeoutMs: 60_000 });
  await thief.ready();
  return {
    url,
    async steal(resource) {
      const [holder] = (await thief.lock(resource).inspect()).holders;
      if (holder?.lease === undefined) throw new Error(`nobody holds ${resource}`);
      await thief.leases.revoke(holder.lease);
      await thief.lock(resource).acquire();
    },
    async stop() {
      await thief.close();
      await node.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
