/**
 * The Disk port over node:fs, and the lock of a data directory. Completions come from Node's thread
 * pool, which has four threads: storage keeps at most three operations under way.
 */
import * as fs from "node:fs";
import { dirname } from "node:path";
import type { Disk, DiskDone, DiskFile, DiskResult, OpenMode } from "../../base/disk.js";
import { syncDirectory } from "./directory.js";
import { diskError } from "./disk-error.js";
import { lockDirectory } from "./lock.js";
import { NodeFile } from "./node-file.js";

const FLAGS = { read: fs.constants.O_RDONLY, create: "w+" } as const;

export const nodeDisk: Disk = {
  makeDirectory(path, done) {
    fs.mkdir(path, { recursive: true, mode: 0o700 }, (error, first) => {
      if (error !== null) done(diskError(error, path));
      else if (first === undefined) done(null);
      else syncUpwards(dirname(path), dirname(first), done);
    });
  },

  lock: lockDirectory,

  list(directory, done) {
    fs.readdir(directory, (error, names) => {
      if (error === null) done(null, names);
      else done(diskError(error, directory), null);
    });
  },

  syncDirectory,

  open(path: string, mode: OpenMode, done: DiskResult<DiskFile>) {
    fs.open(path, FLAGS[mode], 0o600, (error, descriptor) => {
      if (error === null) done(null, new NodeFile(path, descriptor));
      else done(diskError(error, path), null);
    });
  },

  rename(from, to, done) {
    fs.rename(from, to, error => done(error === null ? null : diskError(error, from)));
  },

  remove(path, done) {
    fs.unlink(path, error => done(error === null ? null : diskError(error, path)));
  },
};

/** Makes the names of new directories durable, from the innermost parent up to the outermost. */
function syncUpwards(from: string, to: string, done: DiskDone): void {
  syncDirectory(from, error => {
    if (error !== null || from === to || from === dirname(from)) done(error);
    else syncUpwards(dirname(from), to, done);
  });
}
