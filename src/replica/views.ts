/** What the state shows, as the protocol names it: durations in place of times, fewer reasons. */
import type { EndReason, Holder, KeyRecord, Leader, ResultOf } from "holdfast-protocol";
import type {
  AskedView,
  EntryView,
  Grant,
  RecordView,
  EndReason as StateEndReason,
} from "../state/index.js";

/** A wait that was given up was released by its owner, as far as others are concerned. */
export const endReason = (reason: StateEndReason): EndReason =>
  reason === "cancelled" ? "released" : reason;

/** `clusterMs`: the cluster's time now, as this node guesses it. */
export function holderOf(entry: EntryView, clusterMs: number): Holder {
  const { key, token, lease, owner, labels, actor, mode, progress, asked } = entry;
  const { endsMs, shutUntilMs } = entry;
  return {
    key,
    token,
    ...(lease === "" ? {} : { lease }),
    ...(owner === undefined ? {} : { owner }),
    ...(labels === undefined ? {} : { labels }),
    ...(actor === undefined ? {} : { actor }),
    ...(mode === undefined ? {} : { mode }),
    ...(progress === undefined ? {} : { progress }),
    ...(asked === undefined ? {} : { asked: askedOf(asked, clusterMs) }),
    ...(endsMs === undefined ? {} : { endsInMs: Math.max(0, endsMs - clusterMs) }),
    ...(shutUntilMs === undefined ? {} : { shutForMs: Math.max(0, shutUntilMs - clusterMs) }),
    sinceMs: Math.max(0, clusterMs - entry.sinceMs),
  };
}

export function askedOf(
  { by, why, untilMs, to, breaks }: AskedView,
  clusterMs: number,
): NonNullable<Holder["asked"]> {
  return {
    ...(by === "" ? {} : { by }),
    ...(why === "" ? {} : { why }),
    graceMs: Math.max(0, untilMs - clusterMs),
    ...(to === undefined ? {} : { toKey: to }),
    ...(breaks === true ? { breaks } : {}),
  };
}

/** Who ended it, and why, as far as that was said. */
export function saidBy(blame: { readonly by: string; readonly why: string } | undefined): {
  readonly by?: string;
  readonly why?: string;
} {
  const { by = "", why = "" } = blame ?? {};
  return { ...(by === "" ? {} : { by }), ...(why === "" ? {} : { why }) };
}

export function leaderOf(name: string, entry: EntryView, clusterMs: number): Leader {
  const { key, token, lease, value, owner, labels } = entry;
  return {
    name,
    key,
    token,
    lease,
    value,
    ...(owner === undefined ? {} : { owner }),
    ...(labels === undefined ? {} : { labels }),
    sinceMs: Math.max(0, clusterMs - entry.sinceMs),
  };
}

/** A whole record: of reads that did not leave the values out. */
export function recordOf(record: RecordView): KeyRecord {
  const { key, value = "", createRevision, modRevision, version, lease } = record;
  if (lease === undefined) return { key, value, createRevision, modRevision, version };
  return { key, value, createRevision, modRevision, version, lease };
}

export function grantedOf(grant: Grant, remainingMs: number): ResultOf<"lock.acquire"> {
  const { name, key, token, lease, revision, ttlMs, waitedMs, parts } = grant;
  const granted = { name, key, token, lease, revision, ttlMs, remainingMs, waitedMs };
  if (parts === undefined) return granted;
  return { ...granted, names: parts.map(one => one.name), keys: parts.map(one => one.key) };
}

const SECOND = 1000;

/** `is held by worker@web2 since 12 s`, for messages. */
export function heldText(holder: Holder | undefined): string {
  if (holder === undefined) return "is held by another";
  if (holder.shutForMs === undefined) return `is held by ${holderText(holder)}`;
  const { owner } = holder;
  const whose = owner === undefined || owner === "" ? "its holder's" : `${owner}'s`;
  const left = Math.ceil(holder.shutForMs / SECOND);
  return `is kept shut for ${left} s more: ${whose} lease ran out`;
}

/** `worker@web2 since 12 s`, for messages. */
export function holderText(holder: Holder): string {
  const { owner, lease = "a lease that ran out" } = holder;
  const who = owner === undefined || owner === "" ? lease : owner;
  return `${who} since ${Math.floor(holder.sinceMs / SECOND)} s`;
}

/** 1st, 2nd, 3rd, 4th, … */
export function ordinal(position: number): string {
  const tens = position % 100;
  const ones = position % 10;
  if (tens >= 11 && tens <= 13) return `${position}th`;
  return `${position}${ones === 1 ? "st" : ones === 2 ? "nd" : ones === 3 ? "rd" : "th"}`;
}
