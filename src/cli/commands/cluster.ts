/** `status`, `member list`: the cluster itself. */
import { Command } from "commander";
import { connect, type HoldfastError } from "holdfast-client";
import { type CommonOptions, withContext } from "../context.js";
import { EXIT } from "../output/exit-codes.js";
import { table } from "../output/table.js";
import { action, clusterCommand } from "../program.js";

const NODE_TIMEOUT_MS = 2_000;

type NodeStatus = Awaited<ReturnType<ReturnType<typeof connect>["cluster"]["status"]>>;

async function askNode(endpoint: string): Promise<NodeStatus | HoldfastError> {
  const client = connect(endpoint, { timeoutMs: NODE_TIMEOUT_MS });
  try {
    return await client.cluster.status();
  } catch (error) {
    return error as HoldfastError;
  } finally {
    await client.close();
  }
}

function statusRow(endpoint: string, status: NodeStatus | HoldfastError): string[] {
  if (status instanceof Error) return [endpoint, "", "unreachable", "", "", "", status.message];
  const role = status.leader === status.nodeId ? "leader" : "follower";
  return [
    endpoint,
    status.name,
    status.state === "ready" ? role : status.state,
    String(status.term),
    `${status.appliedIndex}/${status.commitIndex}`,
    String(status.revision),
    status.waitingFor === undefined ? "" : `waits for ${status.waitingFor}`,
  ];
}

function status(): Command {
  const command = clusterCommand("status", "How every member is.", EXIT.usage);
  return action<CommonOptions>(command, (_args, options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const { members } = await client.cluster.members();
      const endpoints = members.map(member => member.clientUrls[0] ?? "").filter(url => url !== "");
      const all = await Promise.all(endpoints.map(askNode));
      if (json) {
        printJson(
          endpoints.map((endpoint, at) => {
            const one = all[at];
            return one instanceof Error ? { endpoint, error: one.message } : { endpoint, ...one };
          }),
        );
      } else {
        const rows = endpoints.map((endpoint, at) => statusRow(endpoint, all[at] as NodeStatus));
        const head = ["ENDPOINT", "NAME", "STATE", "TERM", "APPLIED", "REVISION", ""];
        print(table(head, rows));
      }
      return EXIT.done;
    }),
  );
}

function memberList(): Command {
  const command = clusterCommand("list", "The members of the cluster.", EXIT.usage);
  return action<CommonOptions>(command, (_args, options) =>
    withContext(options, async ({ client, json, print, printJson }) => {
      const { members } = await client.cluster.members();
      const rows = members.map(member => [
        member.id,
        member.name,
        member.role,
        member.peerUrls.join(","),
        member.clientUrls.join(","),
      ]);
      if (json) printJson(members);
      else print(table(["ID", "NAME", "ROLE", "PEER URLS", "CLIENT URLS"], rows));
      return EXIT.done;
    }),
  );
}

function member(): Command {
  return new Command("member").description("Members of the cluster.").addCommand(memberList());
}

export const clusterCommands: readonly (() => Command)[] = [status, member];
