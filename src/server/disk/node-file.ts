/** An open file over a descriptor. Short writes, which POSIX allows, are gone on with. */
import * as fs from "node:fs";
import type { DiskDone, DiskError, DiskFile, DiskResult } from "../../base/disk.js";
import { DISK_ERROR_CODE } from "../../base/disk.js";
import { diskError } from "./disk-error.js";

/** Linux takes no more parts than this in one call. */
const MAX_PARTS = 1024;
const MAX_READ_BYTES = 1024 * 1024 * 1024;

export class NodeFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  size(done: DiskResult<number>): void {
    fs.fstat(this.#descriptor, (error, stats) => {
      if (error === null) done(null, stats.size);
      else done(diskError(error, this.path), null);
    });
  }

  read(into: Uint8Array, position: number, done: DiskResult<number>): void {
    this.#readFrom(into, 0, position, done);
  }

  write(parts: readonly Uint8Array[], position: number, done: DiskDone): void {
    const first = parts[0];
    if (parts.length === 1 && first !== undefined) {
      fs.write(this.#descriptor, first, 0, first.length, position, (error, written) => {
        this.#wrote(parts, position, error, written, done);
      });
      return;
    }
    fs.writev(this.#descriptor, parts.slice(0, MAX_PARTS), position, (error, written) => {
      this.#wrote(parts, position, error, written, done);
    });
  }

  sync(done: DiskDone): void {
    fs.fdatasync(this.#descriptor, error => {
      done(error === null ? null : diskError(error, this.path));
    });
  }

  writeAndSync(parts: readonly Uint8Array[], position: number, done: DiskDone): void {
    this.write(parts, position, error => {
      if (error === null) this.sync(done);
      else done(error);
    });
  }

  writeAndSyncNow(parts: readonly Uint8Array[], position: number): DiskError | null {
    try {
      let rest = parts;
      let at = position;
      while (rest.length > 0) {
        const written = fs.writevSync(this.#descriptor, rest.slice(0, MAX_PARTS), at);
        if (written === 0) return this.#noProgress();
        at += written;
        rest = unwritten(rest, written);
      }
      fs.fdatasyncSync(this.#descriptor);
      return null;
    } catch (error) {
      return diskError(error as NodeJS.ErrnoException, this.path);
    }
  }

  close(done: DiskDone): void {
    fs.close(this.#descriptor, error => {
      done(error === null || error === undefined ? null : diskError(error, this.path));
    });
  }

  #wrote(
    parts: readonly Uint8Array[],
    position: number,
    error: NodeJS.ErrnoException | null,
    written: number,
    done: DiskDone,
  ): void {
    if (error !== null) {
      done(diskError(error, this.path));
      return;
    }
    const rest = unwritten(parts, written);
    if (rest.length === 0) done(null);
    else if (written === 0) done(this.#noProgress());
    else this.write(rest, position + written, done);
  }

  #readFrom(into: Uint8Array, at: number, position: number, done: DiskResult<number>): void {
    const length = Math.min(into.length - at, MAX_READ_BYTES);
    fs.read(this.#descriptor, into, at, length, position + at, (error, read) => {
      if (error !== null) done(diskError(error, this.path), null);
      else if (read === 0 || at + read === into.length) done(null, at + read);
      else this.#readFrom(into, at + read, position, done);
    });
  }

  #noProgress(): DiskError {
    return { code: DISK_ERROR_CODE.io, path: this.path, message: "a write made no progress" };
  }
}

/** What is left of `parts` after their first `written` bytes; empty parts go as well. */
function unwritten(parts: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let skip = written;
  let n = 0;
  for (; n < parts.length; n += 1) {
    const length = parts[n]?.length ?? 0;
    if (skip < length) break;
    skip -= length;
  }
  const rest = parts.slice(n);
  const first = rest[0];
  if (skip > 0 && first !== undefined) rest[0] = first.subarray(skip);
  return rest;
}
