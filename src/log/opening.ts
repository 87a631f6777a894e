/**
 * From a directory to an opened log: recovers it, or makes an empty one this node's, and settles
 * who this node is. Existing data beats the flags, which count only until a configuration is in the
 * log. Called once, by the embedded log's start; sends nothing.
 */
import type { NodeId } from "../base/ids.js";
import type { Address } from "../base/network.js";
import type { Random } from "../base/ports.js";
import { addressOf, type Joined } from "../peer/index.js";
import {
  type Configuration,
  DecodeError,
  decodeConfiguration,
  ENTRY_KIND,
} from "../raft/message/index.js";
import type { Identity, Recovered, Storage, StorageStop } from "../storage/contract.js";
import { openStorage } from "../storage/open.js";
import { deriveCluster, type InitialCluster, initialConfiguration } from "./cluster.js";
import { clusterMismatch, failureOfStop, LOG_FAILURE } from "./failure.js";
import type { EmbeddedLogOptions } from "./options.js";
import type { LogFailure } from "./port/index.js";

export interface OpenedLog {
  readonly storage: Storage;
  readonly recovered: Recovered;
  readonly identity: Identity;
  /** In force before the first recovered entry. */
  readonly base: Configuration;
}

export type OpenedResult =
  | { readonly ok: true; readonly opened: OpenedLog }
  | { readonly ok: false; readonly failure: LogFailure };

/** Asks the other members who this node is; `done` once, with what they say or why not. */
export type AskWhoIAm = (
  addresses: readonly Address[],
  incarnation: string,
  done: (answer: Joined | LogFailure) => void,
) => void;

/** `onFatal`: storage failed later. `done` is called once, in a later turn. */
export function openLog(
  options: EmbeddedLogOptions,
  join: AskWhoIAm,
  onFatal: (stop: StorageStop) => void,
  done: (result: OpenedResult) => void,
): void {
  const { disk, directory, clock, bytes, checksum, random, limits } = options;
  openStorage(
    {
      disk,
      directory,
      clock,
      bytes,
      checksum,
      random: random("storage"),
      limits: limits.storage,
      onFatal,
    },
    result => {
      if (!result.ok) {
        done({ ok: false, failure: failureOfStop(result.stop) });
        return;
      }
      const { storage, recovered } = result;
      for (const note of recovered.notes) options.note("warn", note, { directory });
      const settled = (self: Self | LogFailure): void => {
        settle(storage, recovered, self, outcome => {
          if (outcome.ok) done(outcome);
          else storage.close(() => done(outcome));
        });
      };
      const isKnown = recoveredConfiguration(recovered) !== null;
      if (isKnown || options.initialState === "new") settled(whoAmI(options, recovered));
      else askWhoIAm(options, recovered, join, settled);
    },
  );
}

type Self = Pick<OpenedLog, "identity" | "base">;

/** Makes an empty directory this node's. */
function settle(
  storage: Storage,
  recovered: Recovered,
  self: Self | LogFailure,
  done: (result: OpenedResult) => void,
): void {
  if ("code" in self) {
    done({ ok: false, failure: self });
    return;
  }
  const { identity, base } = self;
  const opened: OpenedLog = { storage, recovered, identity, base };
  if (recovered.identity !== null) {
    done({ ok: true, opened });
    return;
  }
  storage.initialize(identity, stop => {
    if (stop === null) done({ ok: true, opened });
    else done({ ok: false, failure: failureOfStop(stop) });
  });
}

/**
 * This node was added to a cluster, and has no configuration of its own yet: it takes what a member
 * says, until its first snapshot brings one. As long as that has not come it asks at every start.
 */
function askWhoIAm(
  options: EmbeddedLogOptions,
  recovered: Recovered,
  join: AskWhoIAm,
  done: (self: Self | LogFailure) => void,
): void {
  const others = options.initialCluster.filter(({ name }) => name !== options.name);
  const urls = others.flatMap(({ peerUrls }) => peerUrls);
  const addresses = urls.map(addressOf).filter((at): at is Address => at !== null);
  if (addresses.length === 0) {
    const message =
      "--initial-cluster names no other member: a node that joins an existing cluster asks one of " +
      "them who it is";
    done({ code: LOG_FAILURE.configuration, message });
    return;
  }
  const incarnation =
    recovered.identity?.incarnation ?? drawIncarnation(options.random("incarnation"));
  join(addresses, incarnation, answer => {
    done("code" in answer ? answer : told(options, recovered, incarnation, answer));
  });
}

/** What a member said, held against what the directory says. */
function told(
  { directory }: EmbeddedLogOptions,
  recovered: Recovered,
  incarnation: string,
  { clusterId, nodeId, configuration }: Joined,
): Self | LogFailure {
  const known = recovered.identity;
  if (known !== null && (known.clusterId !== clusterId || known.nodeId !== nodeId)) {
    return clusterMismatch(`${directory} was made for another node or another cluster`);
  }
  const base = decoded(configuration);
  if (base === null || base.members.every(({ id }) => id !== nodeId)) {
    return clusterMismatch("A member answered with members among whom this node is not");
  }
  return { identity: { clusterId, nodeId, incarnation }, base };
}

/** Null for what no member of this version would send. */
function decoded(configuration: Uint8Array): Configuration | null {
  try {
    return decodeConfiguration(configuration);
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}

function whoAmI(options: EmbeddedLogOptions, recovered: Recovered): Self | LogFailure {
  const known = recoveredConfiguration(recovered);
  if (recovered.identity !== null && known !== null) {
    const { identity } = recovered;
    return misnamed(options, identity, known) ?? { identity, base: known };
  }
  const cluster = derive(options);
  if ("code" in cluster) return cluster;
  const { clusterId, members } = cluster;
  const self = members.find(member => member.name === options.name);
  if (self === undefined) {
    const names = members.map(member => member.name).join(", ");
    const message = `--name ${options.name} is not in --initial-cluster, which names ${names}`;
    return { code: LOG_FAILURE.configuration, message };
  }
  const base = initialConfiguration(cluster);
  if (recovered.identity !== null) {
    const failure = mismatch(options, recovered.identity, cluster, self.id);
    return failure ?? { identity: recovered.identity, base };
  }
  const incarnation = drawIncarnation(options.random("incarnation"));
  return { identity: { clusterId, nodeId: self.id, incarnation }, base };
}

function derive(options: EmbeddedLogOptions): InitialCluster | LogFailure {
  const { initialCluster, token, bytes } = options;
  const cluster = deriveCluster(initialCluster, token, bytes);
  if (typeof cluster !== "string") return cluster;
  return { code: LOG_FAILURE.configuration, message: `--initial-cluster: ${cluster}` };
}

function mismatch(
  options: EmbeddedLogOptions,
  identity: Identity,
  cluster: InitialCluster,
  self: NodeId,
): LogFailure | null {
  if (identity.clusterId === cluster.clusterId && identity.nodeId === self) return null;
  return clusterMismatch(
    `${options.directory} was made for another node or another initial cluster ` +
      `(cluster ${identity.clusterId}; the flags say ${cluster.clusterId}), and that cluster ` +
      "has not agreed on its members yet",
  );
}

/**
 * A member never changes its name. One that is started on another member's directory would speak
 * and vote in that one's place, perhaps beside it.
 */
function misnamed(
  { directory, name }: EmbeddedLogOptions,
  identity: Identity,
  known: Configuration,
): LogFailure | null {
  const own = known.members.find(({ id }) => id === identity.nodeId);
  if (own === undefined || own.name === name) return null;
  const message =
    `${directory} holds the data of member ${own.name}, but --name is ${name}: ` +
    "give each member its own directory, and never a copy of another's";
  return { code: LOG_FAILURE.configuration, message };
}

/**
 * What was in force before the first recovered entry. Without a snapshot that is the initial
 * cluster, and the first configuration in the log names the same voters and more about them.
 */
function recoveredConfiguration({ snapshot, entries }: Recovered): Configuration | null {
  if (snapshot !== null) return snapshot.configuration;
  const entry = entries.find(({ kind }) => kind === ENTRY_KIND.configuration);
  return entry === undefined ? null : decodeConfiguration(entry.payload);
}

/** 64 random bits in 16 hex digits. */
function drawIncarnation(random: Random): string {
  let digits = "";
  for (let part = 0; part < 4; part++) {
    digits += random.below(0x1_0000).toString(16).padStart(4, "0");
  }
  return digits;
}
