/**
 * A member whose directory was emptied has forgotten its votes: it must not come back as itself,
 * neither in a running cluster nor during the very first election.
 */
import { connect } from "holdfast-client";
import { expect, test } from "vitest";
import { Cluster, type Node } from "./harness/cluster.js";
import { PATIENT } from "./harness/workers.js";

function lastLine(node: Node): string {
  return node.log().trimEnd().split("\n").at(-1) ?? "";
}

const acknowledges = async (node: Node): Promise<boolean> => {
  const put = node.post("/v1/kv/put", { key: "k", value: "v" }).catch(() => ({ status: 0 }));
  return (await put).status === 200;
};

test("an emptied member of a running cluster refuses to join, and says what to do", async () => {
  const cluster = await Cluster.start();
  try {
    const client = connect(cluster.endpoints, PATIENT);
    const gone = await cluster.follower();
    await gone.kill();
    gone.empty();
    gone.start();
    expect(await gone.exit).toBe(1);
    expect(lastLine(gone)).toMatch(/MEMBER_REPLACED: .*remove this member .*add it again/);
    // Again: it does not make itself known by trying.
    gone.start();
    expect(await gone.exit).toBe(1);
    await client.kv.put("the others", "go on");
    await client.close();
  } finally {
    await cluster.close();
  }
});

test("a node wiped before the first election does not vote or acknowledge as itself", async () => {
  const cluster = await Cluster.plan();
  const [n1, n2, n3] = cluster.nodes as [Node, Node, Node];
  try {
    n1.start();
    n2.start();
    // They know each other and wait for the third: nobody has voted yet.
    await cluster.until("n1 and n2 to wait for n3 alone", async () => {
      for (const node of [n1, n2]) {
        const { waitingFor } = await node.status();
        if (!waitingFor?.includes("n3") || waitingFor.includes(" and ")) return false;
      }
      return true;
    });
    expect(await acknowledges(n1)).toBe(false);
    await n1.kill();
    n1.empty();
    n1.start();
    expect(await n1.exit).toBe(1);
    expect(lastLine(n1)).toContain("MEMBER_REPLACED");
    // The third there knows no older n1, but n2 does, and one refusal is enough.
    n3.start();
    n1.start();
    expect(await n1.exit).toBe(1);
    expect(lastLine(n1)).toContain("MEMBER_REPLACED");
  } finally {
    await cluster.close();
  }
});

test("a node wiped amid the first start ends by name, or is let in as a new one", async () => {
  const cluster = await Cluster.plan();
  const [n1] = cluster.nodes as [Node, ...Node[]];
  try {
    for (const node of cluster.nodes) node.start();
    await cluster.until("n1 to be there", () => n1.status());
    await n1.kill();
    n1.empty();
    n1.start();
    await cluster.until("n1 to end or to be let in", async () => !n1.running || n1.ready());
    if (n1.running) {
      // Nobody had heard of the first n1.
      expect(await acknowledges(n1)).toBe(true);
    } else {
      expect(await n1.exit).toBe(1);
      expect(lastLine(n1)).toContain("MEMBER_REPLACED");
    }
  } finally {
    await cluster.close();
  }
});
