/** The named failures of the log, for people: what happened, where, and what to do about it. */
import { STOP_CODE, type StopCode, type StorageStop } from "../storage/contract.js";
import type { LogFailure } from "./port/index.js";

export const LOG_FAILURE = {
  diskFailed: "DISK_FAILED",
  diskFull: "DISK_FULL",
  damaged: "WAL_DAMAGED",
  formatTooNew: "FORMAT_TOO_NEW",
  directoryLocked: "DIRECTORY_LOCKED",
  memberReplaced: "MEMBER_REPLACED",
  memberRemoved: "MEMBER_REMOVED",
  clusterMismatch: "CLUSTER_MISMATCH",
  /** Flags that contradict themselves, or a port that another process holds. */
  configuration: "CONFIGURATION",
  listenFailed: "LISTEN_FAILED",
} as const;

const BY_STOP: Readonly<Record<StopCode, string>> = {
  [STOP_CODE.damaged]: LOG_FAILURE.damaged,
  [STOP_CODE.formatTooNew]: LOG_FAILURE.formatTooNew,
  [STOP_CODE.locked]: LOG_FAILURE.directoryLocked,
  [STOP_CODE.diskFull]: LOG_FAILURE.diskFull,
  [STOP_CODE.diskError]: LOG_FAILURE.diskFailed,
  [STOP_CODE.closed]: LOG_FAILURE.diskFailed,
};

/** Where it happened is what a stop's message begins with. */
export function failureOfStop(stop: StorageStop): LogFailure {
  return { code: BY_STOP[stop.code], message: `${stop.message}. ${stop.remedy}` };
}

export function memberReplaced(reason: string): LogFailure {
  return {
    code: LOG_FAILURE.memberReplaced,
    message:
      `${reason}. Its data directory is not the one the cluster knows: a voter that has forgotten ` +
      "its votes could lose acknowledged writes. Bring the old directory back, or remove this " +
      "member (holdfast member remove), add it again (holdfast member add) and start it on an empty " +
      "directory with --initial-cluster-state existing.",
  };
}

export function memberRemoved(reason: string): LogFailure {
  return {
    code: LOG_FAILURE.memberRemoved,
    message:
      `${reason}. It takes no further part, and its data directory can be deleted. To bring it ` +
      "back, add it again (holdfast member add), unless it is listed as a member again already, and " +
      "start it on an empty directory with --initial-cluster-state existing.",
  };
}

export function clusterMismatch(reason: string): LogFailure {
  return {
    code: LOG_FAILURE.clusterMismatch,
    message:
      `${reason}. Start it with the --initial-cluster and --initial-cluster-token that it was ` +
      "made with, or give it another data directory.",
  };
}
