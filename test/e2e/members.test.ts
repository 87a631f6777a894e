/**
 * Members come and go under load, by the commands of the operator's page: they are read from
 * docs/OPERATIONS.md or typed as there. Nothing that was acknowledged is lost, locks keep their
 * order, clients find the new nodes, and whoever was removed ends by itself.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "holdfast-client";
import { afterEach, describe, expect, test } from "vitest";
import { read } from "../tidy/repository.js";
import { type Ended, endAll, Holdfast, holdfast } from "./cli/holdfast.js";
import { MuteNode } from "./cli/mute-node.js";
import { Cluster, type Node } from "./harness/cluster.js";
import { freePorts } from "./harness/ports.js";
import { Socket } from "./harness/socket.js";
import { pauseMs, until } from "./harness/until.js";
import { PATIENT, Workers } from "./harness/workers.js";

const LIMIT_MS = 180_000;
const REMOVED = 4;
const REPLACED = 1;

/** So that a log is cut more than once in a test, and who joins cannot be told all of it. */
const SNAPSHOTS_OFTEN = ["--snapshot-after-bytes=65536"];

interface Place {
  readonly name: string;
  readonly url: string;
  readonly peerUrl: string;
}

interface Added {
  readonly member: string;
  /** The command that starts it, as words. */
  readonly start: readonly string[];
}

async function places(...names: string[]): Promise<Place[]> {
  const ports = await freePorts(2 * names.length);
  const url = (at: number): string => `http://127.0.0.1:${ports[at]}`;
  return names.map((name, i) => ({ name, url: url(2 * i), peerUrl: url(2 * i + 1) }));
}

let cluster: Cluster;
let workers: Workers | null = null;
/** Of all nodes that are or will be: what a careful operator has given to the clients. */
let endpoints: readonly string[] = [];

afterEach(async () => {
  endAll();
  await workers?.stop();
  workers = null;
  await cluster?.close();
});

async function setUp(further: readonly Place[], load: boolean, size = 3): Promise<void> {
  cluster = await Cluster.start(size, load ? SNAPSHOTS_OFTEN : []);
  endpoints = [...cluster.endpoints, ...further.map(({ url }) => url)];
  if (!load) return;
  workers = new Workers({ endpoints, clients: 3, workersPerClient: 4, locks: 4, run: "members" });
  workers.start();
}

const run = (...args: string[]): Promise<Ended> =>
  holdfast([...args, "--timeout", "60s"], { endpoints: endpoints.join(",") });

async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await run(...args);
  expect({ args, code, err }).toMatchObject({ args, code: 0 });
  return out;
}

const named = (name: string): Node => {
  const node = cluster.nodes.findLast(one => one.name === name);
  if (node === undefined) throw new Error(`there is no ${name}`);
  return node;
};

/** Adds it, and starts it by the very words that the command printed. */
async function joins({ name, url, peerUrl }: Place): Promise<Node> {
  const flags = ["--peer-urls", peerUrl, "--client-urls", url, "--json"];
  const { start } = JSON.parse(await done("member", "add", name, ...flags)) as Added;
  const [program, serve, nameFlag, ownName, ...rest] = start;
  expect([program, serve, nameFlag, ownName]).toEqual(["holdfast", "serve", "--name", name]);
  const node = cluster.further(name, url, rest);
  node.start();
  return node;
}

/** So many acknowledged writes more than now: the cluster serves. */
function goesOn(writes = 20): Promise<unknown> {
  const acknowledged = (): number => workers?.acknowledged.writes.size ?? 0;
  const before = acknowledged();
  return cluster.until(`${writes} more writes`, () => acknowledged() >= before + writes);
}

async function endedAsRemoved(node: Node): Promise<void> {
  expect(await node.exit).toBe(REMOVED);
  expect(node.log().trimEnd().split("\n").at(-1)).toMatch(
    /^holdfast: MEMBER_REMOVED: .*removed.* add it again \(holdfast member add\)/,
  );
}

/** Asks `node` to add a member; what it says of it, "unknown" when it dies over it. */
async function addThrough(node: Node, { name, peerUrl }: Place): Promise<string> {
  const asked = node.post("/v1/cluster/add", { name, peerUrls: [peerUrl] });
  const { status, body } = await asked.catch(() => ({ status: 504, body: {} }));
  if (status === 504) return "unknown";
  return status === 200 ? "added" : String((body as { error: { code: string } }).error.code);
}

/** The members, once all nodes name the same. */
function agreedMembers(): Promise<readonly string[]> {
  return cluster.until("all nodes to name the same members", async () => {
    const lists = await Promise.all(
      cluster.nodes.map(async node => {
        const { body } = await node.post("/v1/cluster/members", {});
        return (body.members as Listed[]).map(({ name, role }) => `${name} ${role}`).sort();
      }),
    );
    const [first = [], ...others] = lists;
    return others.every(list => list.join() === first.join()) ? first : undefined;
  });
}

/** What the workers saw holds together, and is what the cluster has. */
async function nothingIsLost(): Promise<void> {
  const { holds, acknowledged, lost, failures } = workers as Workers;
  await workers?.stop();
  expect(failures).toEqual([]);
  expect(lost).toEqual([]);
  expect(holds.contradictions()).toEqual([]);
  expect(acknowledged.missingFrom(await (workers as Workers).stored())).toEqual([]);
  const lostUpdates = workers?.unfenced.map(register => register.lostUpdates);
  expect(lostUpdates).toEqual([0, 0, 0, 0]);
  expect(holds.count).toBeGreaterThan(100);
}

interface Listed {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly leads: boolean;
  readonly peerUrls: readonly string[];
}

const listed = async (): Promise<readonly Listed[]> =>
  JSON.parse(await done("member", "list", "--json")) as Listed[];

const members = async (): Promise<string> =>
  (await listed()).map(({ name, role }) => `${name} ${role}`).join(", ");

describe("under load", () => {
  test("all three first members are replaced one after the other, the leader last", {
    timeout: LIMIT_MS,
  }, async () => {
    const further = await places("n4", "n5", "n6");
    await setUp(further, true);
    const leader = await cluster.leader();
    const old = [...cluster.others(leader), leader];
    for (const [at, gone] of old.entries()) {
      await goesOn();
      const place = further[at] as Place;
      await joins(place);
      const replacing = ["--replacing", gone.name, "--wait", "60s"];
      expect(await done("member", "promote", place.name, ...replacing)).toBe(
        `${place.name} votes now\n`,
      );
      await endedAsRemoved(gone);
    }
    await goesOn();
    expect(await members()).toBe("n4 voter, n5 voter, n6 voter");
    await nothingIsLost();
  });

  test("a leader that is killed over a change leaves it whole or undone, as it was answered", {
    timeout: LIMIT_MS,
  }, async () => {
    const ghosts = await places("g1", "g2", "g3", "g4");
    await setUp([], true);
    for (const [at, ghost] of ghosts.entries()) {
      await goesOn();
      const leader = await cluster.leader();
      const asked = at % 2 === 0 ? leader : await cluster.follower();
      const answer = addThrough(asked, ghost);
      await pauseMs(at); // the kill is to come at one moment or another
      await leader.kill();
      const said = await answer;
      leader.start();
      await cluster.ready();
      const isThere = (await agreedMembers()).includes(`${ghost.name} learner`);
      expect(["added", "unknown", "UNAVAILABLE"]).toContain(said);
      if (said !== "unknown")
        expect({ said, isThere }).toEqual({ said, isThere: said === "added" });
      if (isThere) await done("member", "remove", ghost.name);
    }
    expect(await agreedMembers()).toEqual(["n1 voter", "n2 voter", "n3 voter"]);
    await nothingIsLost();
  });

  test("a fourth votes, leadership is moved there, and the leader is removed", {
    timeout: LIMIT_MS,
  }, async () => {
    const [place] = (await places("n4")) as [Place];
    await setUp([place], true);
    await goesOn();
    const n4 = await joins(place);
    await done("member", "promote", "n4", "--wait", "60s");
    await goesOn();
    const socket = await Socket.hello(place.url);
    expect(await done("move-leader", "n4")).toBe("n4 leads\n");
    expect(await cluster.leader([n4])).toBe(n4);
    await goesOn();
    // By its id as well, which is what is left when two were ever called the same.
    const { nodeId } = await n4.status();
    expect(await done("member", "remove", nodeId)).toBe(`removed n4 (${nodeId})\n`);
    await endedAsRemoved(n4);
    // Who was connected to it was told, and did not have to find out.
    await until("the connection's end", () => socket.closed?.code === 1001);
    const goodbye = socket.messages.find(({ error }) => error !== undefined);
    expect(goodbye).toMatchObject({ error: { code: "SHUTTING_DOWN" } });
    await goesOn();
    n4.start();
    await endedAsRemoved(n4);
    await nothingIsLost();
  });

  test("a member whose directory was deleted is removed and added again under its name", {
    timeout: LIMIT_MS,
  }, async () => {
    await setUp([], true);
    await goesOn();
    const wiped = await cluster.follower();
    const peerUrl = (await listed()).find(one => one.name === wiped.name)?.peerUrls[0] ?? "";
    await wiped.kill();
    wiped.empty();
    wiped.start();
    expect(await wiped.exit).toBe(REPLACED);
    await done("member", "remove", wiped.name);
    await goesOn();
    const { name, url } = wiped;
    const flags = ["--peer-urls", peerUrl, "--client-urls", url, "--promote", "--wait", "60s"];
    const adding = new Holdfast(["member", "add", name, ...flags], {
      endpoints: endpoints.join(","),
    });
    const line = await adding.printed(/^ {2}(holdfast serve .*)$/m);
    await adding.said(/^holdfast: waiting: n\d has not started yet$/m);
    wiped.empty();
    const again = cluster.further(name, url, line.split(" ").slice(4));
    again.start();
    expect(await adding.ended).toMatchObject({ code: 0 });
    expect(adding.out).toMatch(new RegExp(`\n${name} votes now\n$`));
    expect(await members()).toBe("n1 voter, n2 voter, n3 voter");
    await goesOn();
    await nothingIsLost();
  });
});

describe("a node that was started to join", () => {
  test("says what it waits for, and ends with 0 when it is told to", {
    timeout: LIMIT_MS,
  }, async () => {
    const [place] = (await places("n4")) as [Place];
    await setUp([place], false);
    const [first] = (await listed()) as [Listed];
    const node = cluster.further("n4", place.url, [
      "--initial-cluster-state=existing",
      `--initial-cluster=${first.name}=${first.peerUrls[0]},n4=${place.peerUrl}`,
      `--listen-peer-urls=${place.peerUrl}`,
      `--listen-client-urls=${place.url}`,
    ]);
    node.start();
    await cluster.until("n4 to say so", () =>
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
    await done("member", "add", "n4", "--peer-urls", place.peerUrl);
    await cluster.until("n4 to be ready", () => node.ready());
    const shown = (await run("status")).out;
    expect(shown).toMatch(/^n4 +http:\S+ +learner /m);
  });

  test("is refused a vote, a second place and the lead, by name and with what to do", {
    timeout: LIMIT_MS,
  }, async () => {
    const [place] = (await places("n4")) as [Place];
    await setUp([place], false);
    const add = ["member", "add", "n4", "--peer-urls", place.peerUrl];
    await done(...add);
    expect(await run(...add)).toMatchObject({
      code: 4,
      err: expect.stringMatching(/MEMBER_EXISTS: n4 .*remove it first/),
    });
    expect(await run("member", "promote", "n4")).toMatchObject({
      code: 4,
      err: expect.stringMatching(/LEARNER_BEHIND: n4 has not started yet; start it/),
    });
    expect(await run("move-leader", "n4")).toMatchObject({
      code: 4,
      err: expect.stringMatching(/NOT_A_VOTER: n4/),
    });
    expect(await run("member", "remove", "n9")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/NO_SUCH_MEMBER/),
    });
    expect(await run("member", "add", "n5")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--peer-urls/),
    });
    const leader = await cluster.leader();
    const [down, up] = cluster.others(leader).filter(({ running }) => running) as [Node, Node];
    await down.kill();
    await cluster.until("the leader to see that it is gone", async () => {
      const { code, err } = await run("member", "remove", up.name);
      return code === 4 && err.includes(`WOULD_LOSE_QUORUM`) && err.includes(down.name);
    });
    expect(await members()).toBe("n1 voter, n2 voter, n3 voter, n4 learner");
  });
});

test("a change whose answer is lost is 5, without a quorum it is 3; the members tell what became of it", {
  timeout: LIMIT_MS,
}, async () => {
  const [n4] = (await places("n4")) as [Place];
  await setUp([], false);
  const leader = await cluster.leader();
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
  expect(await members()).toBe("n1 voter, n2 voter, n3 voter, n4 learner");
  const { code, out } = await run(...add, "--json");
  const { error } = JSON.parse(out) as { error: { code: string; details: object } };
  const id = (await listed()).find(({ name }) => name === "n4")?.id;
  expect({ code, error }).toMatchObject({
    code: 4,
    error: { code: "MEMBER_EXISTS", details: { member: id, name: "n4" } },
  });
  for (const node of cluster.others(leader)) await node.kill();
  const args = ["member", "remove", "n4", "--timeout", "1s", "--json"];
  const alone = await holdfast(args, { endpoints: leader.url });
  expect(alone.code).toBe(3);
  expect(JSON.parse(alone.out)).toMatchObject({ error: { outcome: "not-applied" } });
});

test("a single node grows to three, and may then be removed itself", {
  timeout: LIMIT_MS,
}, async () => {
  const [n2, n3] = (await places("n2", "n3")) as [Place, Place];
  await setUp([n2, n3], false, 1);
  const [n1] = cluster.nodes as [Node];
  await n1.post("/v1/kv/put", { key: "before", value: "1" });
  expect(await run("member", "remove", "n1")).toMatchObject({
    code: 4,
    err: expect.stringMatching(/LAST_VOTER: without n1 nobody would vote; add and promote/),
  });
  for (const place of [n2, n3]) {
    await joins(place);
    await done("member", "promote", place.name, "--wait", "60s");
  }
  const [follower] = cluster.others(await cluster.leader()) as [Node];
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
      ({ endpoints } = JSON.parse(line) as { endpoints: string[] });
      if (round === "first") {
        expect(endpoints).toHaveLength(3);
        await done("member", "remove", "n2");
      }
      await dev.said(/^n2 was removed from the cluster, and is not started again$/m);
      await done("put", round, "1");
      expect(await members()).toBe("n1 voter, n3 voter");
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
    await setUp([n4, n5], false);
    const client = connect(endpoints, PATIENT);
    await client.kv.put("before", "1");
    const first = await listed();
    const here = new Map<string, string>();
    for (const [at, node] of cluster.nodes.entries()) {
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
        ({ start } = JSON.parse(await done(...typed, "--json")) as Added);
        const url = `http://${here.get(`10.0.0.${name.slice(1)}:2379`)}`;
        cluster.further(name, url, start.slice(4));
      } else {
        // The page removes this one because its disk is gone.
        if (what === "remove" && name === "n3") {
          await named("n3").kill();
          named("n3").empty();
        }
        await done(...typed);
      }
    }
    expect(await members()).toBe("n1 voter, n3 voter, n5 voter");
    expect(await client.kv.get("before")).toMatchObject({ value: "1" });
    await client.close();
    const removed = cluster.nodes.filter(({ name }) => name === "n2" || name === "n4");
    for (const node of removed) await endedAsRemoved(node);
  });
});
