/**
 * The operator's page shows what the commands print when a lock is stuck: each is run here, in the
 * page's order, against a real node, and prints that, times and leases apart.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ROOT, read } from "../tidy/repository.js";
import { endAll, Holdfast, PROGRAM } from "./cli/holdfast.js";
import { Cluster, type Node } from "./harness/cluster.js";
import { until } from "./harness/until.js";

const execute = promisify(execFile);
const TTL = "8s";

interface Shown {
  readonly command: string;
  readonly output: string;
}

const shown: readonly Shown[] = [
  ...read("docs/OPERATIONS.md").matchAll(/^```console\n\$ (.*)\n([\s\S]*?)^```/gm),
].map(([, command = "", output = ""]) => ({ command, output }));

/** What does not differ from run to run; columns are as wide as what stands in them. */
const lasting = (text: string): string =>
  text
    .replace(/\b\d+ (?:ms|s|min)\b/g, "TIME")
    .replace(/\b[0-9a-f]{12,16}\b/g, "LEASE")
    .replace(/ {2,}/g, "  ")
    .replace(/ +$/gm, "")
    .trim();

let cluster: Cluster;
let node: Node;

/** Whatever its exit code: both of its outputs, as a terminal shows them. */
async function prints(command: string): Promise<string> {
  const here = command.replaceAll("127.0.0.1:2379", new URL(node.url).host);
  const script = `holdfast() { "${process.execPath}" "${PROGRAM}" "$@"; }\n{ ${here}\n} 2>&1`;
  const options = { cwd: ROOT, env: { ...process.env, HOLDFAST_ENDPOINTS: node.url } };
  const { stdout } = await execute("bash", ["-c", script], options).catch(
    error => error as { stdout: string },
  );
  return stdout;
}

const inLine = (name: string, waiters: number) =>
  until(`${waiters} in line for ${name}`, async () => {
    const { body } = await node.post("/v1/lock/inspect", { name });
    return (body.holders as unknown[]).length > 0 && body.waiterCount === waiters;
  });

async function begin(owner: string, place: number): Promise<void> {
  const args = ["lock", "deploy/eu", "--owner", owner, "--ttl", TTL, "--", "sleep", "600"];
  new Holdfast(args, { endpoints: node.url });
  await inLine("deploy/eu", place);
}

/** What has come about before the command that is shown at this place. */
const BEFORE: Readonly<Record<number, () => Promise<void>>> = {
  async 0() {
    for (const [place, owner] of ["deploy@web1", "deploy@web2", "deploy@web3"].entries())
      await begin(owner, place);
    const progress = "step 3 of 7: migrating";
    await node.post("/v1/lock/annotate", { name: "deploy/eu", token: 2, progress });
  },
  async 7() {
    for (const owner of ["a@web1", "b@web2"])
      await node.post("/v1/lock/acquire", { name: "pool", permits: 2, ttlMs: 60_000, owner });
  },
  async 9() {
    const name = "disk/7";
    await node.post("/v1/lock/acquire", { name, ttlMs: 1_000, owner: "backup@db1" });
    const waits = { name, ttlMs: 60_000, owner: "backup@db2", waitMs: -1, pollMs: 10 };
    await node.post("/v1/lock/acquire", waits, { "idempotency-key": "db2" });
    await until("the line to be shut", async () => {
      const { body } = await node.post("/v1/lock/inspect", { name });
      return (body.holders as { shutForMs?: number }[])[0]?.shutForMs !== undefined;
    });
  },
};

beforeAll(async () => {
  cluster = await Cluster.start(1);
  [node] = cluster.nodes as [Node];
});
afterEach(endAll);
afterAll(() => cluster.close());

test("a stuck lock is looked at, asked for, broken and freed as the operator's page shows it", async () => {
  expect(shown.length).toBe(11);
  for (const [place, { command, output }] of shown.entries()) {
    await BEFORE[place]?.();
    expect([command, lasting(await prints(command))]).toEqual([command, lasting(output)]);
  }
});
