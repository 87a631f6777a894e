/**
 * Flags to a checked configuration. Every refusal is a ConfigurationError that names the flag, what
 * was wrong with it, and what to give instead. Reads no file and opens nothing.
 */
import { isIP } from "node:net";
import type { Flags } from "./flags.js";

export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

/** A socket to listen on or to reach; `url` as the operator wrote it. */
export interface Endpoint {
  readonly url: string;
  readonly host: string;
  /** 0 … 65535; 0 means any free port, and is allowed for listening only. */
  readonly port: number;
}

export interface InitialMember {
  readonly name: string;
  readonly peerUrls: readonly string[];
}

export interface Configuration {
  readonly name: string;
  readonly dataDirectory: string;
  readonly listenPeer: readonly Endpoint[];
  readonly advertisePeerUrls: readonly string[];
  readonly listenClient: readonly Endpoint[];
  /** Empty: the URLs listened on, once their ports are known. */
  readonly advertiseClientUrls: readonly string[];
  /** Ascending by name; holds this member. */
  readonly initialCluster: readonly InitialMember[];
  readonly initialClusterState: "new" | "existing";
  readonly token: string;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  /** Log written between two snapshots, 65,536 … 2^34; default 2^26. */
  readonly snapshotAfterBytes: number;
  readonly logLevel: string;
  readonly supervised: boolean;
}

const DEFAULT_PEER_URL = "http://127.0.0.1:2380";
const DEFAULT_CLIENT_URL = "http://127.0.0.1:2379";
const DEFAULT_TOKEN = "holdfast-cluster";
const SNAPSHOT_AFTER_BYTES = { least: 65_536, usual: 67_108_864, most: 17_179_869_184 } as const;
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"];
const NAME_FORM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

function refuse(flag: string, why: string): never {
  throw new ConfigurationError(`--${flag}: ${why}`);
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map(part => part.trim())
    .filter(part => part !== "");
}

/** `url` as an endpoint, or a refusal that names `flag`. */
export function parseEndpoint(flag: string, url: string): Endpoint {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return refuse(flag, `"${url}" is not a URL; write it like http://127.0.0.1:2379`);
  }
  if (parsed.protocol === "https:") {
    return refuse(
      flag,
      `"${url}": TLS is not offered yet; put a TLS proxy in front and use http://`,
    );
  }
  if (parsed.protocol !== "http:") return refuse(flag, `"${url}" must begin with http://`);
  if (parsed.pathname !== "/" || parsed.search !== "" || parsed.username !== "") {
    return refuse(flag, `"${url}" must be a host and a port only, like http://127.0.0.1:2379`);
  }
  // Port 80, written or not, is none to the parser.
  if (!/:\d+\/?$/.test(url)) {
    return refuse(flag, `"${url}" needs a port, like http://${parsed.hostname}:2379`);
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = parsed.port === "" ? 80 : Number(parsed.port);
  return { url: `http://${parsed.hostname}:${port}`, host, port };
}

function endpoints(flag: string, text: string): readonly Endpoint[] {
  const list = splitList(text).map(url => parseEndpoint(flag, url));
  if (list.length === 0) refuse(flag, "is empty; give at least one URL");
  return list;
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

/** A variable that is set says by its text what it means. */
function isInsecure({ insecure = false }: Flags): boolean {
  if (typeof insecure === "boolean") return insecure;
  const text = insecure.toLowerCase();
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0" || text === "") return false;
  return refuse("insecure", `"${insecure}" is neither true nor false`);
}

function refuseOpenListening(flag: string, list: readonly Endpoint[], flags: Flags): void {
  const open = list.find(endpoint => !isLoopback(endpoint.host));
  if (open === undefined || isInsecure(flags)) return;
  refuse(
    flag,
    `${open.url} can be reached from other machines, without TLS and tokens. ` +
      "Listen on 127.0.0.1, or add --insecure if the network itself keeps strangers out",
  );
}

function parseInitialCluster(text: string): readonly InitialMember[] {
  const urls = new Map<string, string[]>();
  for (const part of splitList(text)) {
    const at = part.indexOf("=");
    if (at <= 0) refuse("initial-cluster", `"${part}" must be written name=http://host:port`);
    const name = part.slice(0, at);
    const { url, port } = parseEndpoint("initial-cluster", part.slice(at + 1));
    if (port === 0) refuse("initial-cluster", `"${part}" needs a port that others can dial`);
    const known = urls.get(name);
    if (known === undefined) urls.set(name, [url]);
    else known.push(url);
  }
  const seen = new Set<string>();
  for (const url of [...urls.values()].flat()) {
    if (seen.has(url)) refuse("initial-cluster", `${url} is named twice`);
    seen.add(url);
  }
  return [...urls.keys()].sort().map(name => ({ name, peerUrls: urls.get(name) ?? [] }));
}

function initialCluster(flags: Flags, name: string, advertised: readonly string[]) {
  if (flags.initialCluster === undefined) return [{ name, peerUrls: advertised }];
  const members = parseInitialCluster(flags.initialCluster);
  const own = members.find(member => member.name === name);
  if (own === undefined) {
    const names = members.map(member => member.name).join(", ");
    return refuse("initial-cluster", `names ${names}, but this member is --name ${name}`);
  }
  if ([...own.peerUrls].sort().join() !== [...advertised].sort().join()) {
    refuse(
      "initial-cluster",
      `gives ${name} the URL ${own.peerUrls.join(",")}, but --initial-advertise-peer-urls ` +
        `(or --listen-peer-urls) says ${advertised.join(",")}; they must be the same`,
    );
  }
  return members;
}

function checkedName(flags: Flags): string {
  const name = flags.name ?? "default";
  if (!NAME_FORM.test(name)) {
    refuse("name", `"${name}" must be 1 to 63 letters, digits, dots, dashes or underscores`);
  }
  return name;
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find(one => one === value);
  return found ?? refuse(flag, `"${value}" must be one of ${allowed.join(", ")}`);
}

function wholeBytes(
  flag: string,
  text: string | undefined,
  { least, usual, most }: typeof SNAPSHOT_AFTER_BYTES,
): number {
  if (text === undefined) return usual;
  const bytes = /^[0-9]{1,15}$/.test(text) ? Number(text) : -1;
  if (bytes < least || bytes > most) {
    refuse(flag, `"${text}" must be a whole number of bytes from ${least} to ${most}`);
  }
  return bytes;
}

/** Throws ConfigurationError; otherwise everything in the result is checked and complete. */
export function configurationFrom(flags: Flags): Configuration {
  const name = checkedName(flags);
  const listenPeer = endpoints("listen-peer-urls", flags.listenPeerUrls ?? DEFAULT_PEER_URL);
  const listenClient = endpoints(
    "listen-client-urls",
    flags.listenClientUrls ?? DEFAULT_CLIENT_URL,
  );
  refuseOpenListening("listen-peer-urls", listenPeer, flags);
  refuseOpenListening("listen-client-urls", listenClient, flags);
  const advertisePeerUrls =
    flags.initialAdvertisePeerUrls === undefined
      ? listenPeer.map(endpoint => endpoint.url)
      : endpoints("initial-advertise-peer-urls", flags.initialAdvertisePeerUrls).map(e => e.url);
  const state = flags.initialClusterState ?? "new";
  return {
    name,
    dataDirectory: flags.dataDir ?? `${name}.holdfast`,
    listenPeer,
    advertisePeerUrls,
    listenClient,
    advertiseClientUrls:
      flags.advertiseClientUrls === undefined
        ? []
        : endpoints("advertise-client-urls", flags.advertiseClientUrls).map(e => e.url),
    initialCluster: initialCluster(flags, name, advertisePeerUrls),
    initialClusterState: oneOf("initial-cluster-state", state, ["new", "existing"]),
    token: flags.initialClusterToken ?? DEFAULT_TOKEN,
    allowedOrigins: splitList(flags.allowedOrigins ?? ""),
    allowedHosts: splitList(flags.allowedHosts ?? ""),
    snapshotAfterBytes: wholeBytes(
      "snapshot-after-bytes",
      flags.snapshotAfterBytes,
      SNAPSHOT_AFTER_BYTES,
    ),
    logLevel: oneOf("log-level", flags.logLevel ?? "info", LOG_LEVELS),
    supervised: flags.supervised === true,
  };
}
