/**
 * Derives who is who from the initial cluster, so that nodes which were started with the same flags
 * agree on the cluster's and each other's ids without a word. Not a security measure: the token of
 * the links is checked elsewhere. Called by the log's start on an empty directory, and by nobody
 * else once a directory is there (existing data beats the flags).
 */
import { logIndex, type NodeId, nodeId } from "../base/ids.js";
import type { Bytes } from "../base/ports.js";
import { type Configuration, MEMBER_ROLE, type Member } from "../raft/message/entry.js";

/** One member as the operator names it in `--initial-cluster`. */
export interface InitialMember {
  /** Unique in the cluster, 1 … 255 characters. */
  readonly name: string;
  /** At least one. Their order does not matter. */
  readonly peerUrls: readonly string[];
}

export interface InitialCluster {
  /** 16 hex digits. */
  readonly clusterId: string;
  /** In ascending order of id; client URLs and incarnations are not known yet. */
  readonly members: readonly Member[];
}

/**
 * The cluster id is a 64-bit hash of the token and of all members sorted by name; a node id the
 * lower 53 bits of a hash of the cluster id and the member's name. So ids differ between clusters
 * that differ in a token, a name or a URL. A string says what is wrong with the members.
 */
export function deriveCluster(
  initial: readonly InitialMember[],
  token: string,
  bytes: Bytes,
): InitialCluster | string {
  const flaw = flawOf(initial);
  if (flaw !== null) return flaw;
  const sorted = [...initial].sort((a, b) => compare(a.name, b.name));
  const described = sorted.map(member => [member.name, ...[...member.peerUrls].sort(compare)]);
  const clusterHash = hash64(bytes.utf8Encode(JSON.stringify([token, described])));
  const clusterId = hex32(clusterHash.high) + hex32(clusterHash.low);
  const members = sorted.map(
    (member): Member => ({
      id: deriveNodeId(clusterId, member.name, bytes),
      name: member.name,
      role: MEMBER_ROLE.voter,
      peerUrls: member.peerUrls,
      clientUrls: [],
      incarnation: "",
      since: logIndex(0),
    }),
  );
  members.sort((a, b) => a.id - b.id);
  for (let at = 1; at < members.length; at++) {
    if (members[at]?.id === members[at - 1]?.id) {
      return "two members hash to one id: rename one of them";
    }
  }
  return { clusterId, members };
}

/** The configuration every node of a new cluster starts from, before the first leader writes one. */
export function initialConfiguration(cluster: InitialCluster): Configuration {
  return { members: cluster.members, outgoingVoters: [], removed: [] };
}

function deriveNodeId(clusterId: string, name: string, bytes: Bytes): NodeId {
  const hash = hash64(bytes.utf8Encode(JSON.stringify([clusterId, name])));
  const value = (hash.high & 0x1f_ffff) * 0x1_0000_0000 + hash.low;
  return nodeId(value === 0 ? 1 : value);
}

function flawOf(initial: readonly InitialMember[]): string | null {
  if (initial.length === 0) return "it has no members";
  const names = new Set<string>();
  const urls = new Set<string>();
  for (const { name, peerUrls } of initial) {
    if (name === "") return "a member has no name";
    if (names.has(name)) return `it names "${name}" twice`;
    names.add(name);
    if (peerUrls.length === 0) return `member "${name}" has no peer URL`;
    for (const url of peerUrls) {
      if (urls.has(url)) return `it names ${url} twice`;
      urls.add(url);
    }
  }
  return null;
}

/** By code units: the same order in every locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const hex32 = (value: number): string => value.toString(16).padStart(8, "0");

/** Two 32-bit multiply-and-xor lanes over a byte string, mixed into each other at the end (as in cyrb53). */
function hash64(text: string): { readonly high: number; readonly low: number } {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let at = 0; at < text.length; at++) {
    const byte = text.charCodeAt(at);
    a = Math.imul(a ^ byte, 2654435761);
    b = Math.imul(b ^ byte, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return { high: b >>> 0, low: a >>> 0 };
}
