/** `status`: how every member is, as each says itself. */
import type { Command } from "commander";
import { type ClusterStatus, connect, HoldfastError } from "holdfast-client";
import { type CommonOptions, type Context, withContext } from "../context.js";
import { EXIT } from "../output/exit-codes.js";
import { printable, table } from "../output/table.js";
import { action, clusterCommand } from "../program.js";
import { type ClusterMember, NODE_TIMEOUT_MS, sorted } from "./member.js";

/** What is known of one member; null: it has not told anybody yet where clients reach it. */
interface Told {
  readonly member: ClusterMember;
  readonly endpoint: string;
  readonly status: ClusterStatus | HoldfastError | null;
}

/** `own`: what the node tells that we are connected to. */
async function ask(member: ClusterMember, own: ClusterStatus): Promise<Told> {
  const endpoint = member.clientUrls[0] ?? "";
  if (member.id === own.nodeId) return { member, endpoint, status: own };
  if (endpoint === "") return { member, endpoint, status: null };
  const client = connect(endpoint, { timeoutMs: NODE_TIMEOUT_MS });
  try {
    return { member, endpoint, status: ofMember(member, await client.cluster.status()) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { member, endpoint, status: error };
  } finally {
    await client.close();
  }
}

/** Several members may share an address, or say one that leads back to whoever asks. */
function ofMember(member: ClusterMember, status: ClusterStatus): ClusterStatus | HoldfastError {
  if (status.nodeId === member.id) return status;
  const message = `at this address ${status.name} answers (node ${status.nodeId})`;
  return new HoldfastError({ code: "UNAVAILABLE", message, details: { nodeId: status.nodeId } });
}

/** What a member is that serves; who is no voter is called what it is. */
function placeOf({ role }: ClusterMember, status: ClusterStatus): string {
  if (status.leader === status.nodeId) return "leader";
  return role === "voter" ? "follower" : role;
}

function row({ member, endpoint, status }: Told): string[] {
  const { name } = member;
  if (status === null) return [name, endpoint, "not seen yet"];
  if (status instanceof HoldfastError) {
    return [name, endpoint, "nodeId" in status.details ? "another node's address" : "unreachable"];
  }
  return [
    name,
    endpoint,
    status.state === "ready" ? placeOf(member, status) : status.state,
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

function document({ member: { name, role }, endpoint, status }: Told): unknown {
  if (status === null) return { endpoint, name, role };
  if (!(status instanceof HoldfastError)) return { endpoint, role, ...status };
  return { endpoint, name, role, error: { code: status.code, message: status.message } };
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

export const clusterCommands: readonly (() => Command)[] = [status];
