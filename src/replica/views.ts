/** What the state shows, as the protocol names it: durations in place of times, fewer reasons. */
import type { EndReason, Holder, KeyRecord, Leader, ResultOf } from "holdfast-protocol";
import type { EntryView, Grant, RecordView, EndReason as StateEndReason } from "../state/index.js";

/** A wait that was given up was released by its owner, as far as others are concerned. */
export const endReason = (reason: StateEndReason): EndReason =>
  reason === "cancelled" ? "released" : reason;

/** `clusterMs`: the cluster's time now, as this node guesses it. */
export function holderOf(entry: EntryView, clusterMs: number): Holder {
  const { key, token, lease, owner, labels, actor } = entry;
  return {
    key,
    token,
    lease,
    ...(owner === undefined ? {} : { owner }),
    ...(labels === undefined ? {} : { labels }),
    ...(actor === undefined ? {} : { actor }),
    sinceMs: Math.max(0, clusterMs - entry.sinceMs),
  };
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
  const { name, key, token, lease, revision, ttlMs, waitedMs } = grant;
  return { name, key, token, lease, revision, ttlMs, remainingMs, waitedMs };
}

const SECOND = 1000;

/** `worker@web2 since 12 s`, for messages. */
export function holderText(holder: Holder): string {
  const who = holder.owner === undefined || holder.owner === "" ? holder.lease : holder.owner;
  return `${who} since ${Math.floor(holder.sinceMs / SECOND)} s`;
}

/** 1st, 2nd, 3rd, 4th, … */
export function ordinal(position: number): string {
  const tens = position % 100;
  const ones = position % 10;
  if (tens >= 11 && tens <= 13) return `${position}th`;
  return `${position}${ones === 1 ? "st" : ones === 2 ? "nd" : ones === 3 ? "rd" : "th"}`;
}
