/** `status`, `member list`: the cluster itself. */
import type { Command } from "commander";
import { type ClusterMembers, type ClusterStatus, connect, HoldfastError } from "holdfast-client";
import { type CommonOptions, type Context, withContext } from "../context.js";
import { EXIT } from "../output/exit-codes.js";
import { printable, table } from "../output/table.js";
import { action, clusterCommand, familyCommand } from "../program.js";

const NODE_TIMEOUT_MS = 2_000;

type ClusterMember = ClusterMembers["members"][number];

/** What is known of one member; null: it has not told anybody yet where clients reach it. */
interface Told {
  readonly member: ClusterMember;
  readonly endpoint: string;
  readonly status: ClusterStatus | HoldfastError | null;
}

function sorted(members: readonly ClusterMember[]): readonly ClusterMember[] {
  return [...members].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** `own`: what the node tells that we are connected to. */
async function ask(member: ClusterMember, own: ClusterStatus): Promise<Told> {
  const endpoint = member.clientUrls[0] ?? "";
  if (member.id === own.nodeId) return { member, endpoint, status: own };
  if (endpoint === "") return { member, endpoint, status: null };
  const client = connect(endpoint, { timeoutMs: NODE_TIMEOUT_MS });
  try {
    return { member, endpoint, status: await client.cluster.status() };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { member, endpoint, status: error };
  } finally {
    await client.close();
  }
}

function row({ member: { name }, endpoint, status }: Told): string[] {
  if (status === null) return [name, endpoint, "not seen yet"];
  if (status instanceof HoldfastError) return [name, endpoint, "unreachable"];
  const role = status.leader === status.nodeId ? "leader" : "follower";
  return [
    name,
    endpoint,
    status.state === "ready" ? role : status.state,
    String(status.term),
    `${status.appliedIndex}/${status.commitIndex}`,
    String(status.revision),
  ];
}

/** What members wait for, in a line each; "" when nobody waits. */
function waits(all: readonly Told[]): string {
  const lines = all.flatMap(({ member, status }) => {
    if (status === null || status instanceof HoldfastError) return [];
    return status.waitingFor === undefined ? [] : [`${member.name} waits for ${status.waitingFor}`];
  });
  return lines.map(line => `\n${printable(line)}`).join("");
}

function document({ member: { name }, endpoint, status }: Told): unknown {
  if (status === null) return { endpoint, name };
  if (!(status instanceof HoldfastError)) return { endpoint, ...status };
  return { endpoint, name, error: { code: status.code, message: status.message } };
}

const serves = ({ status }: Told): boolean =>
  status !== null && !(status instanceof HoldfastError) && status.state === "ready";

const ASKS_NODES = { asksNodes: true } as const;

function status(): Command {
  const command = clusterCommand("status", "How every member is; 3 when none can serve.");
  const act = async ({ client, json, print, printJson }: Context): Promise<number> => {
    const own = await client.cluster.status();
    const all = await Promise.all(sorted(own.members).map(member => ask(member, own)));
    const head = ["NAME", "ENDPOINT", "STATE", "TERM", "APPLIED", "REVISION"];
    if (json) printJson(all.map(document));
    else print(table(head, all.map(row)) + waits(all));
    return all.some(serves) ? EXIT.done : EXIT.unreachable;
  };
  return action<CommonOptions>(command, (_args, options) => withContext(options, act, ASKS_NODES));
}

function memberList(): Command {
  const command = clusterCommand("list", "The members of the cluster.");
  const act = async ({ client, json, print, printJson }: Context): Promise<number> => {
    const members = sorted((await client.cluster.members()).members);
    const rows = members.map(one => [
      one.name,
      one.id,
      one.role,
      one.clientUrls.join(","),
      one.peerUrls.join(","),
    ]);
    if (json) printJson(members);
    else print(table(["NAME", "ID", "ROLE", "CLIENT URLS", "PEER URLS"], rows));
    return EXIT.done;
  };
  return action<CommonOptions>(command, (_args, options) => withContext(options, act, ASKS_NODES));
}

const member = (): Command => familyCommand("member", "Members of the cluster.", [memberList()]);

export const clusterCommands: readonly (() => Command)[] = [status, member];
