/**
 * Directories whose names are made durable. Those that are held are kept open: a node that has run
 * out of descriptors must still be able to sync its own. For this room alone.
 */
import * as fs from "node:fs";
import type { DiskDone } from "../../base/disk.js";
import { diskError } from "./disk-error.js";

const kept = new Map<string, number>();

/** From now on, until `letGo`, this directory is synced through one descriptor. */
export function keepOpen(directory: string, done: DiskDone): void {
  fs.open(directory, fs.constants.O_RDONLY, (error, descriptor) => {
    if (error === null) kept.set(directory, descriptor);
    done(error === null ? null : diskError(error, directory));
  });
}

/** To be called with no sync of it under way. */
export function letGo(directory: string, done: () => void): void {
  const descriptor = kept.get(directory);
  kept.delete(directory);
  if (descriptor === undefined) done();
  else fs.close(descriptor, () => done());
}

/** Makes durable which names the directory holds. */
export function syncDirectory(directory: string, done: DiskDone): void {
  const descriptor = kept.get(directory);
  if (descriptor === undefined) openAndSync(directory, done);
  else fs.fsync(descriptor, error => done(error === null ? null : diskError(error, directory)));
}

function openAndSync(directory: string, done: DiskDone): void {
  fs.open(directory, fs.constants.O_RDONLY, (openError, descriptor) => {
    if (openError !== null) {
      done(diskError(openError, directory));
      return;
    }
    fs.fsync(descriptor, syncError => {
      fs.close(descriptor, () => done(syncError === null ? null : diskError(syncError, directory)));
    });
  });
}
