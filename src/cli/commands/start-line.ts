/** The command that starts a member which was added: what `member add` prints, word by word. */
import type { ClusterMembers } from "holdfast-client";

type Member = ClusterMembers["members"][number];

const CLIENT_PORT = 2379;

const hostOf = (url: string): string => new URL(url).hostname;
const isLoopback = (url: string): boolean =>
  /^(?:localhost|127\.[0-9.]+|\[::1\])$/.test(hostOf(url));

/**
 * As an argument list. `clientUrls` empty: the usual port at the address where the others reach it.
 * What only the operator knows is left out: its data directory, and the cluster's token.
 */
export function startLine(
  members: readonly Member[],
  { name, peerUrls }: Pick<Member, "name" | "peerUrls">,
  clientUrls: readonly string[],
): readonly string[] {
  const cluster = members.flatMap(one => one.peerUrls.map(url => `${one.name}=${url}`)).sort();
  const clients =
    clientUrls.length > 0 ? clientUrls : [`http://${hostOf(peerUrls[0] ?? "")}:${CLIENT_PORT}`];
  const isOpen = ![...peerUrls, ...clients].every(isLoopback);
  return [
    "holdfast",
    "serve",
    ...["--name", name],
    ...["--initial-cluster-state", "existing"],
    ...["--initial-cluster", cluster.join(",")],
    ...["--listen-peer-urls", peerUrls.join(",")],
    ...["--listen-client-urls", clients.join(",")],
    ...(isOpen ? ["--insecure"] : []),
  ];
}

/** For a shell. */
export const asTyped = (words: readonly string[]): string =>
  words.map(word => (/^[\w.,:/=@%+-]+$/.test(word) ? word : `'${word}'`)).join(" ");
