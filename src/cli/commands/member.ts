/** `member list|add|promote|remove`, `move-leader`: who is in the cluster, and who leads it. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { type ClusterMembers, connect, HoldfastError, type MembersChanged } from "holdfast-client";
import { type CommonOptions, type Context, DEFAULT_TIMEOUT_MS, withContext } from "../context.js";
import { EXIT } from "../output/exit-codes.js";
import { printable, table } from "../output/table.js";
import { action, clusterCommand, durationMs, familyCommand } from "../program.js";
import { asTyped, startLine } from "./start-line.js";

export type ClusterMember = ClusterMembers["members"][number];

export const NODE_TIMEOUT_MS = 2_000;
const ASK_AGAIN_MS = 250;
const SAY_AGAIN_MS = 5_000;
const START_WITHIN_MS = 600_000;
const URL_FORM = /^http:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+):[0-9]{1,5}$/;

/** What passes by itself, while somebody waits for it. */
const PENDING: readonly string[] = ["CHANGE_PENDING"];
const WHILE_WAITING: readonly string[] = [
  ...PENDING,
  "LEARNER_BEHIND",
  "WOULD_LOSE_QUORUM",
  "UNAVAILABLE",
  "NO_QUORUM",
];

interface AddOptions extends CommonOptions {
  readonly peerUrls: readonly string[];
  readonly clientUrls?: readonly string[];
  readonly promote?: boolean;
  readonly wait?: number;
}

interface PromoteOptions extends CommonOptions {
  readonly replacing?: string;
  readonly wait?: number;
}

export function sorted(members: readonly ClusterMember[]): readonly ClusterMember[] {
  return [...members].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** For commander: `http://a:1/,http://b:1` as nodes want them. */
function urls(text: string): readonly string[] {
  const list = text.split(",").map(url => url.trim().toLowerCase().replace(/\/$/, ""));
  if (list.every(url => URL_FORM.test(url))) return list;
  throw new InvalidArgumentError("write it like http://10.0.0.4:2380.");
}

const pauseMs = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

/** Acts, and again for as long as it is refused for one of `passing` and the time is not over. */
async function persist<T>(
  limitMs: number,
  passing: readonly string[],
  act: () => Promise<T>,
  refused: (error: HoldfastError) => Promise<void> = async () => {},
): Promise<T> {
  const endsAtMs = performance.now() + limitMs;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const passes = error instanceof HoldfastError && passing.includes(error.code);
      if (!passes || performance.now() >= endsAtMs) throw error;
      await refused(error);
    }
    await pauseMs(ASK_AGAIN_MS);
  }
}

/** How far the learner is, in words. Its own node is asked: nobody else knows. */
async function progress({ client }: Context, name: string): Promise<string> {
  const { members, commitIndex } = await client.cluster.status();
  const learner = members.find(one => one.name === name || one.id === name);
  if (learner === undefined) return "";
  const shown = printable(learner.name);
  const [endpoint] = learner.clientUrls;
  if (endpoint === undefined) return `${shown} has not started yet`;
  const own = connect(endpoint, { timeoutMs: NODE_TIMEOUT_MS });
  try {
    const { nodeId, appliedIndex } = await own.cluster.status();
    if (nodeId !== learner.id) return `${shown} cannot be asked: ${endpoint} leads to another node`;
    if (appliedIndex === 0) return `${shown} is being sent the state`;
    return `${shown} has applied ${appliedIndex} of ${commitIndex} log entries`;
  } finally {
    await own.close();
  }
}

/** Says on stderr what is waited for, when that changes and not too often. */
function reporter(context: Context, name: string): (refusal: HoldfastError) => Promise<void> {
  let said = "";
  let saidAtMs = Number.NEGATIVE_INFINITY;
  return async refusal => {
    if (performance.now() - saidAtMs < SAY_AGAIN_MS) return;
    let text = refusal.message;
    try {
      if (refusal.code === "LEARNER_BEHIND") text = (await progress(context, name)) || text;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
    }
    if (text !== said) context.say(`waiting: ${text}`);
    said = text;
    saidAtMs = performance.now();
  };
}

function promoted(
  context: Context,
  name: string,
  waitMs: number,
  replacing?: string,
): Promise<MembersChanged> {
  const options = replacing === undefined ? {} : { replacing };
  const act = (): Promise<MembersChanged> => context.client.cluster.promote(name, options);
  if (waitMs === 0) return act();
  return persist(waitMs, WHILE_WAITING, act, reporter(context, name));
}

const patienceOf = (options: CommonOptions): number => options.timeout ?? DEFAULT_TIMEOUT_MS;

const nameOf = ({ members }: ClusterMembers, id: string): string =>
  printable(members.find(one => one.id === id)?.name ?? id);

async function addMember(context: Context, name: string, options: AddOptions): Promise<number> {
  const { json, print, printJson, say } = context;
  const { peerUrls, clientUrls = [], promote } = options;
  const added = await persist(patienceOf(options), PENDING, () =>
    context.client.cluster.add({ name, peerUrls }),
  );
  const start = startLine(added.members, { name, peerUrls }, clientUrls);
  const told = json ? say : print;
  if (json && promote !== true) printJson({ ...added, start });
  else {
    told(`added ${name} as a learner, with the id ${added.member}`);
    told(`Start it on an empty directory:\n  ${asTyped(start)}`);
    told("(with the cluster's --initial-cluster-token, if it was made with one of its own)");
  }
  if (promote !== true) {
    if (!json) print(`Let it vote once it runs: holdfast member promote ${name} --wait 10m`);
    return EXIT.done;
  }
  const changed = await promoted(context, added.member, options.wait ?? START_WITHIN_MS);
  if (json) printJson({ ...changed, start });
  else print(`${name} votes now`);
  return EXIT.done;
}

function list(): Command {
  const command = clusterCommand("list", "The members of the cluster.");
  const act = async ({ client, json, print, printJson }: Context): Promise<number> => {
    const { members, leader } = await client.cluster.status();
    const all = sorted(members);
    const rows = all.map(one => [
      one.name,
      one.id,
      one.role,
      one.id === leader ? "yes" : "",
      one.clientUrls.join(",") || "not started yet",
      one.peerUrls.join(","),
    ]);
    if (json) printJson(all.map(one => ({ ...one, leads: one.id === leader })));
    else print(table(["NAME", "ID", "ROLE", "LEADS", "CLIENT URLS", "PEER URLS"], rows));
    return EXIT.done;
  };
  return action<CommonOptions>(command, (_args, options) =>
    withContext(options, act, { asksNodes: true }),
  );
}

const wait = (description: string): Option =>
  new Option("--wait <duration>", description).argParser(durationMs);

function add(): Command {
  const command = clusterCommand("add", "Add a member, and tell how to start it.")
    .argument("<name>", "what its process will have as --name")
    .addOption(
      new Option("--peer-urls <urls>", "where the other members will reach it (required)")
        .argParser(urls)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option(
        "--client-urls <urls>",
        "where clients will, for the command that is told",
      ).argParser(urls),
    )
    .option("--promote", "wait until it runs and has caught up, then let it vote")
    .addOption(wait("with --promote: for at most so long (default 10m)"));
  return action<AddOptions>(command, ([name = ""], options) =>
    withContext(options, context => addMember(context, name, options)),
  );
}

function promote(): Command {
  const command = clusterCommand("promote", "Let a learner vote.")
    .argument("<member>", "its name or id")
    .option("--replacing <member>", "take this one out in the same step, dead or alive")
    .addOption(wait("until it has caught up, for at most so long (default: not at all)"));
  return action<PromoteOptions>(command, ([name = ""], options) =>
    withContext(options, async context => {
      const { json, print, printJson } = context;
      const changed = await promoted(context, name, options.wait ?? 0, options.replacing);
      if (json) printJson(changed);
      else print(`${nameOf(changed, changed.member)} votes now`);
      return EXIT.done;
    }),
  );
}

function remove(): Command {
  const command = clusterCommand(
    "remove",
    "Take a member out; its process ends by itself.",
  ).argument("<member>", "its name or id");
  return action<CommonOptions>(command, ([name = ""], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const before = await client.cluster.members();
      const act = (): Promise<MembersChanged> => client.cluster.remove(name);
      const changed = await persist(patienceOf(options), PENDING, act);
      if (json) printJson(changed);
      else print(`removed ${nameOf(before, changed.member)} (${changed.member})`);
      return EXIT.done;
    }),
  );
}

const member = (): Command =>
  familyCommand("member", "Members of the cluster.", [list(), add(), promote(), remove()]);

function moveLeader(): Command {
  const command = clusterCommand(
    "move-leader",
    "Hand leadership over, in an orderly way.",
  ).argument("[member]", "to whom, by name or id (default: the follower that is furthest)");
  return action<CommonOptions>(command, ([to], options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const { leader } = await client.cluster.transfer(to === undefined ? {} : { to });
      const members = await client.cluster.members();
      if (json) printJson({ leader });
      else print(`${nameOf(members, leader)} leads`);
      return EXIT.done;
    }),
  );
}

export const memberCommands: readonly (() => Command)[] = [member, moveLeader];
