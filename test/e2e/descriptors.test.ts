/** A node that may have few files open, and clients that connect and say nothing. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster } from "./harness/cluster.js";

const OPEN_FILES = 256;
const VALUE = "x".repeat(700 * 1024);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start(1, [], { openFiles: OPEN_FILES });
});
afterAll(() => cluster.close());

/** Dials on and on, and keeps all that the node does not close. */
class Flood {
  dials = 0;
  readonly #open = new Set<Socket>();
  readonly #over: Promise<void>;
  #stopping = false;

  constructor(port: number) {
    this.#over = this.#run(port);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#over;
    for (const socket of this.#open) socket.destroy();
  }

  async #run(port: number): Promise<void> {
    while (!this.#stopping) {
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
      await Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => {});
      this.dials += 1;
    }
  }
}

test("connections that take all descriptors do not end the node, nor keep its log from going on", async () => {
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error("a cluster of one has a node");
  expect(node.log()).toMatch(/this process may have 256 files open: for more, set LimitNOFILE=/);
  // This connection is there before all others, and is kept.
  expect((await node.post("/v1/kv/put", { key: "first", value: "1" })).status).toBe(200);
  const flood = new Flood(Number(new URL(node.url).port));
  await cluster.until(
    "the flood to be more than the node may take",
    () => flood.dials > 4 * OPEN_FILES,
  );
  // Several segments of 8 MiB: each asks for a file, and has the directory synced.
  for (let n = 0; n < 40; n += 1) {
    const { status } = await node.post("/v1/kv/put", { key: `large/${n % 4}`, value: VALUE });
    expect(status).toBe(200);
  }
  await flood.stop();
  expect(node.running).toBe(true);
  await cluster.until("it to take connections again", () => node.ready());
  expect(await node.stop()).toBe(0);
});
