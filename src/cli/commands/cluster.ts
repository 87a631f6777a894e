/** `status`, `member list`: the cluster itself. */
import type { Command } from "commander";
import {
  type Client,
  type ClusterMembers,
  type ClusterStatus,
  connect,
  HoldfastError,
} from "holdfast-client";
import { type CommonOptions, withContext } from "../context.js";
import { EXIT } from "../output/exit-codes.js";
import { table } from "../output/table.js";
import { action, clusterCommand, familyCommand } from "../program.js";

const NODE_TIMEOUT_MS = 2_000;

type ClusterMember = ClusterMembers["members"][number];

/** What one member tells of itself. */
interface Told {
  readonly endpoint: string;
  readonly name: string;
  readonly status: ClusterStatus | HoldfastError;
}

async function membersOf(client: Client): Promise<readonly ClusterMember[]> {
  const { members } = await client.cluster.members();
  const byName = (a: ClusterMember, b: ClusterMember): number =>
    a.name.localeCompare(b.name, "en", { numeric: true });
  return [...members].sort(byName);
}

async function ask(member: ClusterMember): Promise<Told> {
  const endpoint = member.clientUrls[0] ?? "";
  const name = member.name;
  const client = connect(endpoint, { timeoutMs: NODE_TIMEOUT_MS });
  try {
    return { endpoint, name, status: await client.cluster.status() };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { endpoint, name, status: error };
  } finally {
    await client.close();
  }
}

function row({ endpoint, name, status }: Told): string[] {
  if (status instanceof HoldfastError) return [name, endpoint, "unreachable"];
  const role = status.leader === status.nodeId ? "leader" : "follower";
  const waiting = status.waitingFor === undefined ? "" : ` (for ${status.waitingFor})`;
  return [
    name,
    endpoint,
    status.state === "ready" ? role : `${status.state}${waiting}`,
    String(status.term),
    `${status.appliedIndex}/${status.commitIndex}`,
    String(status.revision),
  ];
}

function document({ endpoint, name, status }: Told): unknown {
  if (!(status instanceof HoldfastError)) return { endpoint, ...status };
  return { endpoint, name, error: { code: status.code, message: status.message } };
}

const serves = ({ status }: Told): boolean =>
  !(status instanceof HoldfastError) && status.state === "ready";

function status(): Command {
  const command = clusterCommand("status", "How every member is; 3 when none can serve.");
  return action<CommonOptions>(command, (_args, options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const members = await membersOf(client);
      const all = await Promise.all(members.map(ask));
      if (json) printJson(all.map(document));
      else print(table(["NAME", "ENDPOINT", "STATE", "TERM", "APPLIED", "REVISION"], all.map(row)));
      return all.some(serves) ? EXIT.done : EXIT.unreachable;
    }),
  );
}

function memberList(): Command {
  const command = clusterCommand("list", "The members of the cluster.");
  return action<CommonOptions>(command, (_args, options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const members = await membersOf(client);
      const rows = members.map(member => [
        member.name,
        member.id,
        member.role,
        member.clientUrls.join(","),
        member.peerUrls.join(","),
      ]);
      if (json) printJson(members);
      else print(table(["NAME", "ID", "ROLE", "CLIENT URLS", "PEER URLS"], rows));
      return EXIT.done;
    }),
  );
}

const member = (): Command => familyCommand("member", "Members of the cluster.", [memberList()]);

export const clusterCommands: readonly (() => Command)[] = [status, member];
