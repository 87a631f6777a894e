/**
 * The flags of `holdfast serve`: etcd's names, `--flag=value` or `--flag value`, each also as an
 * environment variable (`--data-dir` is `HOLDFAST_DATA_DIR`). Text only: configuration.ts checks it.
 */
import { Command, Option } from "commander";

/** What was given, flag by flag; absent when neither flag nor variable was. */
export interface Flags {
  readonly name?: string;
  readonly dataDir?: string;
  readonly listenPeerUrls?: string;
  readonly initialAdvertisePeerUrls?: string;
  readonly listenClientUrls?: string;
  readonly advertiseClientUrls?: string;
  readonly initialCluster?: string;
  readonly initialClusterState?: string;
  readonly initialClusterToken?: string;
  readonly allowedOrigins?: string;
  readonly allowedHosts?: string;
  readonly snapshotAfterBytes?: string;
  readonly logLevel?: string;
  /** True without a value; its variable, like a value, is a text that says so or not. */
  readonly insecure?: boolean | string;
  /** Set by `holdfast dev`: SIGINT is the parent's to handle, and its going away ends the node. */
  readonly supervised?: boolean;
}

const VALUE_FLAGS: readonly (readonly [flag: string, value: string, says: string])[] = [
  ["name", "name", 'this member\'s name (default "default")'],
  ["data-dir", "dir", "where the log and snapshots live (default <name>.holdfast)"],
  [
    "listen-peer-urls",
    "urls",
    "where other members reach this one (default http://127.0.0.1:2380)",
  ],
  [
    "initial-advertise-peer-urls",
    "urls",
    "peer URLs told to the others (default: those listened on)",
  ],
  ["listen-client-urls", "urls", "where clients reach this one (default http://127.0.0.1:2379)"],
  ["advertise-client-urls", "urls", "client URLs told to clients (default: those listened on)"],
  [
    "initial-cluster",
    "n1=url,n2=url",
    "the members with their peer URLs: all first ones, or those to join (default: this one alone)",
  ],
  [
    "initial-cluster-state",
    "new|existing",
    "whether the cluster is being made now, or this member was added to it (default new)",
  ],
  ["initial-cluster-token", "text", "shared by the members of one cluster; keeps strangers out"],
  ["allowed-origins", "origins", "web origins whose pages may talk to this node, or *"],
  ["allowed-hosts", "hosts", "further host names that clients may address this node by"],
  [
    "snapshot-after-bytes",
    "bytes",
    "log written between two snapshots, 65536 to 2^34 (default 67108864)",
  ],
  ["log-level", "level", "trace, debug, info, warn, error or silent (default info)"],
];

export function environmentName(flag: string): string {
  return `HOLDFAST_${flag.replaceAll("-", "_").toUpperCase()}`;
}

/** The command that parses them; `act` gets what was given. Usage errors exit with 2. */
export function serveCommand(act: (flags: Flags) => void): Command {
  const command = new Command("serve")
    .description("Run one node. With no flags: a durable single node on loopback.")
    .allowExcessArguments(false)
    .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : 2))
    .showHelpAfterError("(holdfast serve --help lists the flags)");
  for (const [flag, value, says] of VALUE_FLAGS) {
    command.addOption(new Option(`--${flag} <${value}>`, says).env(environmentName(flag)));
  }
  command.addOption(
    new Option("--insecure [bool]", "allow listening beyond loopback without TLS and tokens").env(
      environmentName("insecure"),
    ),
  );
  command.addOption(new Option("--supervised").hideHelp());
  return command.action((flags: Flags) => act(flags));
}
