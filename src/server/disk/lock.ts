/**
 * Holds a data directory, by an abstract socket named after its device and inode. It holds while
 * the process is stopped, is gone the moment it dies, and leaves no file to clean up. It is known
 * within one network namespace: containers that share a volume do not see each other's. The
 * directory is kept open while it is held, so that its sync needs no descriptor of its own.
 */
import * as fs from "node:fs";
import * as net from "node:net";
import { DISK_ERROR_CODE, type DirectoryLock, type DiskResult } from "../../base/disk.js";
import { keepOpen, letGo } from "./directory.js";
import { diskError } from "./disk-error.js";

export function lockDirectory(directory: string, done: DiskResult<DirectoryLock>): void {
  fs.stat(directory, { bigint: true }, (error, stats) => {
    if (error !== null) {
      done(diskError(error, directory), null);
      return;
    }
    listen(`\0holdfast-${stats.dev}-${stats.ino}`, directory, done);
  });
}

function listen(name: string, directory: string, done: DiskResult<DirectoryLock>): void {
  const server = net.createServer(socket => socket.destroy());
  const refused = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EADDRINUSE") {
      done(diskError(error, directory), null);
      return;
    }
    const message = `the socket @${name.slice(1)} is taken`;
    done({ code: DISK_ERROR_CODE.locked, path: directory, message }, null);
  };
  server.once("error", refused);
  // It keeps no process alive by itself; whoever holds the lock has work of its own.
  server.listen(name, () => {
    server.off("error", refused);
    server.on("error", () => {}); // a visitor that could not be let in; the name is held
    server.unref();
    const unlock = (end: () => void): void => void server.close(end);
    keepOpen(directory, error => {
      if (error !== null) unlock(() => done(error, null));
      else done(null, { release: end => letGo(directory, () => unlock(end)) });
    });
  });
}
