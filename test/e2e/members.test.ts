/**
 * Members come and go under load, by the commands that an operator types. Nothing that was
 * acknowledged is lost, locks keep their order, clients find the new nodes, and whoever was
 * removed ends by itself. What else the commands say is in members-by-hand.test.ts.
 */
import { afterEach, describe, expect, test } from "vitest";
import { endAll, Holdfast } from "./cli/holdfast.js";
import type { Node } from "./harness/cluster.js";
import { endedAsRemoved, Operator, type Place, places } from "./harness/members.js";
import { Socket } from "./harness/socket.js";
import { pauseMs, until } from "./harness/until.js";
import { Workers } from "./harness/workers.js";

const LIMIT_MS = 180_000;
const REPLACED = 1;
/** So that a log is cut more than once in a test, and who joins cannot be told all of it. */
const SNAPSHOTS_OFTEN = ["--snapshot-after-bytes=65536"];

let operator: Operator;
let workers: Workers | null = null;

afterEach(async () => {
  endAll();
  await workers?.stop();
  workers = null;
  await operator.cluster.close();
});

async function setUp(further: readonly Place[]): Promise<void> {
  operator = await Operator.at(3, further, SNAPSHOTS_OFTEN);
  const { endpoints } = operator;
  workers = new Workers({ endpoints, clients: 3, workersPerClient: 4, locks: 4, run: "members" });
  workers.start();
}

/** So many acknowledged writes more than now: the cluster serves. */
function goesOn(writes = 20): Promise<unknown> {
  const acknowledged = (): number => workers?.acknowledged.writes.size ?? 0;
  const before = acknowledged();
  return operator.cluster.until(`${writes} more writes`, () => acknowledged() >= before + writes);
}

/** Asks `node` to add a member; what it says of it, "unknown" when it dies over it. */
async function addThrough(node: Node, { name, peerUrl }: Place): Promise<string> {
  const asked = node.post("/v1/cluster/add", { name, peerUrls: [peerUrl] });
  const { status, body } = await asked.catch(() => ({ status: 504, body: {} }));
  if (status === 504) return "unknown";
  return status === 200 ? "added" : String((body as { error: { code: string } }).error.code);
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

describe("under load", () => {
  test("all three first members are replaced one after the other, the leader last", {
    timeout: LIMIT_MS,
  }, async () => {
    const further = await places("n4", "n5", "n6");
    await setUp(further);
    const leader = await operator.cluster.leader();
    const old = [...operator.cluster.others(leader), leader];
    for (const [at, gone] of old.entries()) {
      await goesOn();
      const place = further[at] as Place;
      await operator.joins(place);
      const replacing = ["--replacing", gone.name, "--wait", "60s"];
      expect(await operator.done("member", "promote", place.name, ...replacing)).toBe(
        `${place.name} votes now\n`,
      );
      await endedAsRemoved(gone);
    }
    await goesOn();
    expect(await operator.members()).toBe("n4 voter, n5 voter, n6 voter");
    await nothingIsLost();
  });

  test("a leader that is killed over a change leaves it whole or undone, as it was answered", {
    timeout: LIMIT_MS,
  }, async () => {
    const ghosts = await places("g1", "g2", "g3", "g4");
    await setUp([]);
    for (const [at, ghost] of ghosts.entries()) {
      await goesOn();
      const leader = await operator.cluster.leader();
      const asked = at % 2 === 0 ? leader : await operator.cluster.follower();
      const answer = addThrough(asked, ghost);
      await pauseMs(at); // the kill is to come at one moment or another
      await leader.kill();
      const said = await answer;
      leader.start();
      await operator.cluster.ready();
      const isThere = (await operator.agreedMembers()).includes(`${ghost.name} learner`);
      expect(["added", "unknown", "UNAVAILABLE"]).toContain(said);
      if (said !== "unknown")
        expect({ said, isThere }).toEqual({ said, isThere: said === "added" });
      if (isThere) await operator.done("member", "remove", ghost.name);
    }
    expect(await operator.agreedMembers()).toEqual(["n1 voter", "n2 voter", "n3 voter"]);
    await nothingIsLost();
  });

  test("a fourth votes, leadership is moved there, and the leader is removed", {
    timeout: LIMIT_MS,
  }, async () => {
    const [place] = (await places("n4")) as [Place];
    await setUp([place]);
    await goesOn();
    const n4 = await operator.joins(place);
    await operator.done("member", "promote", "n4", "--wait", "60s");
    await goesOn();
    const socket = await Socket.hello(place.url);
    expect(await operator.done("move-leader", "n4")).toBe("n4 leads\n");
    expect(await operator.cluster.leader([n4])).toBe(n4);
    await goesOn();
    // By its id as well, which is what is left when two were ever called the same.
    const { nodeId } = await n4.status();
    expect(await operator.done("member", "remove", nodeId)).toBe(`removed n4 (${nodeId})\n`);
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
    await setUp([]);
    await goesOn();
    const wiped = await operator.cluster.follower();
    const peerUrl =
      (await operator.listed()).find(one => one.name === wiped.name)?.peerUrls[0] ?? "";
    await wiped.kill();
    wiped.empty();
    wiped.start();
    expect(await wiped.exit).toBe(REPLACED);
    await operator.done("member", "remove", wiped.name);
    await goesOn();
    const { name, url } = wiped;
    const flags = ["--peer-urls", peerUrl, "--client-urls", url, "--promote", "--wait", "60s"];
    const adding = new Holdfast(["member", "add", name, ...flags], {
      endpoints: operator.endpoints.join(","),
    });
    const line = await adding.printed(/^ {2}(holdfast serve .*)$/m);
    await adding.said(/^holdfast: waiting: n\d has not started yet$/m);
    wiped.empty();
    const again = operator.cluster.further(name, url, line.split(" ").slice(4));
    again.start();
    expect(await adding.ended).toMatchObject({ code: 0 });
    expect(adding.out).toMatch(new RegExp(`\n${name} votes now\n$`));
    expect(await operator.members()).toBe("n1 voter, n2 voter, n3 voter");
    await goesOn();
    await nothingIsLost();
  });
});
