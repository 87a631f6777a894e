/**
 * The Disk port: what storage needs of a file system, and no more. It promises only what POSIX
 * does: written bytes are durable after a sync of the file, a name (made, renamed or removed) after
 * a sync of its directory. The real one is src/server/disk, the one that loses, tears and rots is
 * src/testing/memory-disk. Everything completes later, in a turn of its own and exactly once,
 * except what says "now". A crashed or closed disk may never complete what is under way.
 */

export const DISK_ERROR_CODE = {
  notFound: "NOT_FOUND",
  exists: "EXISTS",
  /** No room is left on the device, or the quota is used up. */
  full: "FULL",
  /** Another process holds the directory. */
  locked: "LOCKED",
  denied: "DENIED",
  /** The process or the system has as many files and sockets open as it may. */
  descriptors: "DESCRIPTORS",
  /** The device failed, or anything else; what was written before and not synced may be lost. */
  io: "IO",
} as const;
export type DiskErrorCode = (typeof DISK_ERROR_CODE)[keyof typeof DISK_ERROR_CODE];

export interface DiskError {
  readonly code: DiskErrorCode;
  /** The file or directory concerned. */
  readonly path: string;
  /** What the system said. */
  readonly message: string;
}

export type DiskDone = (error: DiskError | null) => void;
/** `value` is null exactly when `error` is not. */
export type DiskResult<T> = (error: DiskError | null, value: T | null) => void;

/**
 * `read` opens an existing file for reading; `create` makes an empty file for reading and writing
 * and cuts an existing one of that name to nothing.
 */
export type OpenMode = "read" | "create";

/** An open file. Positions and lengths are in bytes, up to 2^53-1. The buffers belong to the disk until the completion. */
export interface DiskFile {
  readonly path: string;
  size(done: DiskResult<number>): void;
  /** Fills `into` from `position`; the value is the number of bytes read, less only at the end. */
  read(into: Uint8Array, position: number, done: DiskResult<number>): void;
  /** Writes all parts one after the other from `position`, or fails with any of it written. */
  write(parts: readonly Uint8Array[], position: number, done: DiskDone): void;
  /** Makes durable what was written before the call (fdatasync). */
  sync(done: DiskDone): void;
  /** Write and, when it has succeeded, sync. */
  writeAndSync(parts: readonly Uint8Array[], position: number, done: DiskDone): void;
  /** The same, blocking the caller: for a lone small write on an idle loop. */
  writeAndSyncNow(parts: readonly Uint8Array[], position: number): DiskError | null;
  /** To be called once, with nothing under way. Makes nothing durable. */
  close(done: DiskDone): void;
}

export interface DirectoryLock {
  /** To be called once, with nothing under way in the directory. */
  release(done: () => void): void;
}

export interface Disk {
  /** Makes the directory and those above it; one that is there is no error. Durable at once. */
  makeDirectory(path: string, done: DiskDone): void;
  /** Holds the directory against every other process until released or until this one dies. */
  lock(directory: string, done: DiskResult<DirectoryLock>): void;
  /** The names of the files in the directory, in no order. */
  list(directory: string, done: DiskResult<readonly string[]>): void;
  /** Makes durable which names the directory holds. */
  syncDirectory(directory: string, done: DiskDone): void;
  open(path: string, mode: OpenMode, done: DiskResult<DiskFile>): void;
  /** At once and whole; a file named `to` is replaced. Both are in the same directory. */
  rename(from: string, to: string, done: DiskDone): void;
  /** The name goes; whoever has the file open can go on reading it. */
  remove(path: string, done: DiskDone): void;
}
