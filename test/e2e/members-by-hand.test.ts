/**
 * Changing the members as people do it: what the commands answer, refuse and wait for; the commands
 * of docs/OPERATIONS.md in their order. Under load it is done in members.test.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "holdfast-client";
import { afterEach, describe, expect, test } from "vitest";
import { read } from "../tidy/repository.js";
import { endAll, Holdfast, holdfast } from "./cli/holdfast.js";
import { MuteNode } from "./cli/mute-node.js";
import type { Node } from "./harness/cluster.js";
import {
  type Added,
  endedAsRemoved,
  type Listed,
  Operator,
  type Place,
  places,
} from "./harness/members.js";
import { PATIENT } from "./harness/workers.js";

const LIMIT_MS = 180_000;

let operator: Operator;

afterEach(async () => {
  endAll();
  await operator?.cluster.close();
});

const named = (name: string): Node => {
  const node = operator.cluster.nodes.findLast(one => one.name === name);
  if (node === undefined) throw new Error(`there is no ${name}`);
  return node;
};

describe("a node that was started to join", () => {
  test("says what it waits for, and ends with 0 when it is told to", {
    timeout: LIMIT_MS,
  }, async () => {
    const [place] = (await places("n4")) as [Place];
    operator = await Operator.at(3, [place]);
    const [first] = (await operator.listed()) as [Listed];
    const node = operator.cluster.further("n4", place.url, [
      "--initial-cluster-state=existing",
      `--initial-cluster=${first.name}=${first.peerUrls[0]},n4=${place.peerUrl}`,
      `--listen-peer-urls=${place.peerUrl}`,
      `--listen-client-urls=${place.url}`,
    ]);
    node.start();
    await operator.cluster.until("n4 to say so", () =>
      /"msg":"waits to learn who it is: .*nobody named n4 was added/.test(node.log()),
    );
    const { waitingFor } = await node.status();
    expect(waitingFor).toMatch(/^a member who knows it: .*nobody named n4 was added/);
    const readiness = await fetch(`${place.url}/readyz`);
    expect(readiness.status).toBe(503);
    expect(await readiness.text()).toContain("nobody named n4 was added");
    expect(await node.stop()).toBe(0);
    // Started again and added meanwhile, it joins.
    node.start();
    await operator.done("member", "add", "n4", "--peer-urls", place.peerUrl);
    await operator.cluster.until("n4 to be ready", () => node.ready());
    const shown = (await operator.run("status")).out;
    expect(shown).toMatch(/^n4 +http:\S+ +learner /m);
  });

  test("is refused a vote, a second place and the lead, by name and with what to do", {
    timeout: LIMIT_MS,
  }, async () => {
    const [place] = (await places("n4")) as [Place];
    operator = await Operator.at(3, [place]);
    const add = ["member", "add", "n4", "--peer-urls", place.peerUrl];
    await operator.done(...add);
    expect(await operator.run(...add)).toMatchObject({
      code: 4,
      err: expect.stringMatching(/MEMBER_EXISTS: n4 .*remove it first/),
    });
    expect(await operator.run("member", "promote", "n4")).toMatchObject({
      code: 4,
      err: expect.stringMatching(/LEARNER_BEHIND: n4 has not started yet; start it/),
    });
    expect(await operator.run("move-leader", "n4")).toMatchObject({
      code: 4,
      err: expect.stringMatching(/NOT_A_VOTER: n4/),
    });
    expect(await operator.run("member", "remove", "n9")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/NO_SUCH_MEMBER/),
    });
    expect(await operator.run("member", "add", "n5")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--peer-urls/),
    });
    const leader = await operator.cluster.leader();
    const [down, up] = operator.cluster.others(leader).filter(({ running }) => running) as [
      Node,
      Node,
    ];
    await down.kill();
    await operator.cluster.until("the leader to see that it is gone", async () => {
      const { code, err } = await operator.run("member", "remove", up.name);
      return code === 4 && err.includes(`WOULD_LOSE_QUORUM`) && err.includes(down.name);
    });
    expect(await operator.members()).toBe("n1 voter, n2 voter, n3 voter, n4 learner");
  });
});

test("a change whose answer is lost is 5, without a quorum it is 3; the members tell what became of it", {
  timeout: LIMIT_MS,
}, async () => {
  const [n4] = (await places("n4")) as [Place];
  operator = await Operator.at(3, []);
  const leader = await operator.cluster.leader();
  const add = ["member", "add", "n4", "--peer-urls", n4.peerUrl];
  const mute = await MuteNode.before(leader.url);
  try {
    const lost = await holdfast([...add, "--timeout", "2s", "--json"], {
      endpoints: mute.endpoint,
    });
    expect(lost.code).toBe(5);
    expect(JSON.parse(lost.out)).toMatchObject({ error: { code: "OUTCOME_UNKNOWN" } });
  } finally {
    mute.close();
  }
  expect(await operator.members()).toBe("n1 voter, n2 voter, n3 voter, n4 learner");
  const { code, out } = await operator.run(...add, "--json");
  const { error } = JSON.parse(out) as { error: { code: string; details: object } };
  const id = (await operator.listed()).find(({ name }) => name === "n4")?.id;
  expect({ code, error }).toMatchObject({
    code: 4,
    error: { code: "MEMBER_EXISTS", details: { member: id, name: "n4" } },
  });
  for (const node of operator.cluster.others(leader)) await node.kill();
  const args = ["member", "remove", "n4", "--timeout", "1s", "--json"];
  const alone = await holdfast(args, { endpoints: leader.url });
  expect(alone.code).toBe(3);
  expect(JSON.parse(alone.out)).toMatchObject({ error: { outcome: "not-applied" } });
});

test("a single node grows to three, and may then be removed itself", {
  timeout: LIMIT_MS,
}, async () => {
  const [n2, n3] = (await places("n2", "n3")) as [Place, Place];
  operator = await Operator.at(1, [n2, n3]);
  const [n1] = operator.cluster.nodes as [Node];
  await n1.post("/v1/kv/put", { key: "before", value: "1" });
  expect(await operator.run("member", "remove", "n1")).toMatchObject({
    code: 4,
    err: expect.stringMatching(/LAST_VOTER: without n1 nobody would vote; add and promote/),
  });
  for (const place of [n2, n3]) {
    await operator.joins(place);
    await operator.done("member", "promote", place.name, "--wait", "60s");
  }
  const [follower] = operator.cluster.others(await operator.cluster.leader()) as [Node];
  // Any node takes it, over HTTP as well, and answers for the leader.
  const { status, body } = await follower.post("/v1/cluster/remove", { member: "n1" });
  expect({ status, body }).toMatchObject({ status: 200, body: { members: [{}, {}] } });
  await endedAsRemoved(n1);
  const client = connect([n2.url, n3.url], PATIENT);
  expect(await client.kv.get("before")).toMatchObject({ value: "1" });
  await client.close();
});

test("dev goes on with two nodes when the third was removed, and starts so again", {
  timeout: LIMIT_MS,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-members-"));
  const args = ["dev", "--json", "--port", "0", "--data-dir", directory];
  try {
    for (const round of ["first", "second"]) {
      const dev = new Holdfast(args);
      const line = await dev.printed(/^(\{.*\})\n/);
      const { endpoints } = JSON.parse(line) as { endpoints: string[] };
      const run = (...words: string[]) => holdfast(words, { endpoints: endpoints.join(",") });
      if (round === "first") {
        expect(endpoints).toHaveLength(3);
        expect(await run("member", "remove", "n2")).toMatchObject({ code: 0 });
      }
      await dev.said(/^n2 was removed from the cluster, and is not started again$/m);
      expect(await run("put", round, "1")).toMatchObject({ code: 0 });
      expect((await run("member", "list")).out).toMatch(
        /^NAME .*\nn1 .* voter .*\nn3 .* voter .*\n$/,
      );
      dev.signal("SIGINT");
      expect((await dev.ended).code).toBe(0);
    }
  } finally {
    endAll();
    rmSync(directory, { recursive: true, force: true });
  }
});

describe("the operator's page", () => {
  const section = read("docs/OPERATIONS.md").split("## Adding, replacing, removing a member\n")[1];
  const commands = [...(section?.split("\n## ")[0] ?? "").matchAll(/^```sh\n(.*?)^```/gms)]
    .flatMap(([, block = ""]) =>
      block
        .replace(/\\\n\s*/g, "")
        .trimEnd()
        .split("\n"),
    )
    .map(command => command.split(" ").slice(1));

  test("tells commands that do what it says, in their order", { timeout: LIMIT_MS }, async () => {
    expect(commands).toHaveLength(12);
    const [n4, n5] = (await places("n4", "n5")) as [Place, Place];
    operator = await Operator.at(3, [n4, n5]);
    const client = connect(operator.endpoints, PATIENT);
    await client.kv.put("before", "1");
    const first = await operator.listed();
    const here = new Map<string, string>();
    for (const [at, node] of operator.cluster.nodes.entries()) {
      here.set(`10.0.0.${at + 1}:2380`, first[at]?.peerUrls[0]?.slice(7) ?? "");
      here.set(`10.0.0.${at + 1}:2379`, node.url.slice(7));
    }
    for (const [at, { url, peerUrl }] of [n4, n5].entries()) {
      here.set(`10.0.0.${at + 4}:2380`, peerUrl.slice(7));
      here.set(`10.0.0.${at + 4}:2379`, url.slice(7));
    }
    let start: readonly string[] = [];
    for (const words of commands) {
      const typed = words.map(word => word.replace(/10\.0\.0\.\d:\d+/g, at => here.get(at) ?? at));
      const [verb, what, name = ""] = typed;
      if (verb === "serve") {
        // Told in the page as the command tells it, but for what loopback does not need.
        expect(["holdfast", ...typed].filter(word => word !== "--insecure")).toEqual(start);
        named(name).start();
      } else if (what === "add") {
        ({ start } = JSON.parse(await operator.done(...typed, "--json")) as Added);
        const url = `http://${here.get(`10.0.0.${name.slice(1)}:2379`)}`;
        operator.cluster.further(name, url, start.slice(4));
      } else {
        // The page removes this one because its disk is gone.
        if (what === "remove" && name === "n3") {
          await named("n3").kill();
          named("n3").empty();
        }
        await operator.done(...typed);
      }
    }
    expect(await operator.members()).toBe("n1 voter, n3 voter, n5 voter");
    expect(await client.kv.get("before")).toMatchObject({ value: "1" });
    await client.close();
    const removed = operator.cluster.nodes.filter(({ name }) => name === "n2" || name === "n4");
    for (const node of removed) await endedAsRemoved(node);
  });
});
