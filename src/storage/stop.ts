/**
 * Makes the stops that storage answers with: what was wrong, where, and what the operator can do.
 * StopError carries one through recovery's steps; it never leaves this room.
 */
import { DISK_ERROR_CODE, type DiskError } from "../base/disk.js";
import { STOP_CODE, type StorageStop } from "./contract.js";

export class StopError extends Error {
  override readonly name = "StopError";
  readonly stop: StorageStop;
  constructor(stop: StorageStop) {
    super(stop.message);
    this.stop = stop;
  }
}

const REPLACE =
  "Do not delete or edit single files. Put the whole directory back from a copy made since the node last ran, " +
  "or remove this member from the cluster and add it again with an empty directory.";

const CHECK = "Check the device and the directory's permissions, then start the node again.";
const ALLOW_MORE =
  "The device is not to blame: allow more open files (LimitNOFILE= in a systemd unit, ulimit -n in a shell; " +
  "fs.file-max for the whole system), then start the node again.";

export function damaged(file: string, offset: number | null, what: string): StorageStop {
  const where = offset === null ? file : `${file}, offset ${offset}`;
  return {
    code: STOP_CODE.damaged,
    file,
    offset,
    message: `${where}: ${what}`,
    remedy: REPLACE,
  };
}

export function formatTooNew(file: string, version: number, known: number): StorageStop {
  return {
    code: STOP_CODE.formatTooNew,
    file,
    offset: null,
    message: `${file}: format version ${version} is newer than ${known}, the newest that this program reads`,
    remedy: "Start the version of Holdfast that wrote this directory, or a later one.",
  };
}

export function closed(file: string): StorageStop {
  return {
    code: STOP_CODE.closed,
    file,
    offset: null,
    message: `${file}: given up by the caller`,
    remedy: "None is needed.",
  };
}

export function diskStop(error: DiskError): StorageStop {
  const { path, message } = error;
  if (error.code === DISK_ERROR_CODE.locked) {
    return {
      code: STOP_CODE.locked,
      file: path,
      offset: null,
      message: `${path}: another process uses this directory (${message})`,
      remedy: "Stop the other process, or give this node a directory of its own.",
    };
  }
  if (error.code === DISK_ERROR_CODE.full) {
    return {
      code: STOP_CODE.diskFull,
      file: path,
      offset: null,
      message: `${path}: no room left on the device (${message})`,
      remedy: "Free space on the device and start the node again.",
    };
  }
  return {
    code: STOP_CODE.diskError,
    file: path,
    offset: null,
    message: `${path}: ${message}`,
    remedy: error.code === DISK_ERROR_CODE.descriptors ? ALLOW_MORE : CHECK,
  };
}
