/**
 * The Disk port in memory, which does what a disk may do and no more: it loses or tears what was
 * not synced, forgets names whose directory was not synced, fails, fills up, is slow and rots. Pure
 * logic: randomness and time are injected. Used by storage's tests and by the simulator.
 *
 * One `MemoryDisk` outlives its node; each start of the node mounts it anew. `crash` is the loss of
 * power, `kill` the end of the process alone: then the page cache stays, durable or not.
 */
import type {
  DirectoryLock,
  Disk,
  DiskDone,
  DiskError,
  DiskErrorCode,
  DiskFile,
  DiskResult,
  OpenMode,
} from "../base/disk.js";
import type { Random } from "../base/ports.js";
import { MemoryInode } from "./memory-inode.js";

export type DiskOperationKind =
  | "makeDirectory"
  | "lock"
  | "list"
  | "syncDirectory"
  | "open"
  | "create"
  | "rename"
  | "remove"
  | "size"
  | "read"
  | "write"
  | "sync"
  | "writeAndSync"
  | "close";

export interface DiskOperation {
  readonly kind: DiskOperationKind;
  readonly path: string;
  /** Of a write or read. */
  readonly bytes: number;
}

export interface MemoryDiskOptions {
  readonly random: Random;
  /** Runs `complete` in a later turn, never at once: how slow the disk is, and in which order. */
  readonly schedule: (operation: DiskOperation, complete: () => void) => void;
}

interface NameChange {
  readonly directory: string;
  readonly removes: string | null;
  readonly sets: string | null;
  readonly inode: MemoryInode | null;
}

interface Underway {
  /** What of it is done when the process or the power ends in the middle. */
  readonly interrupt: () => void;
}

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")));

export class MemoryDisk {
  /** Answers with a code to make an operation fail; asked when it would succeed. */
  fault: (operation: DiskOperation) => DiskErrorCode | null = () => null;
  /** Told of a write for which the caller waits, before it is done: the process may end by it. */
  beforeNow: (operation: DiskOperation) => void = () => {};
  /** Files may not grow past this together. */
  capacityBytes = Number.MAX_SAFE_INTEGER;
  readonly random: Random;
  readonly #schedule: MemoryDiskOptions["schedule"];
  #seen = new Map<string, MemoryInode>();
  #durable = new Map<string, MemoryInode>();
  #changes: NameChange[] = [];
  #directories = new Set<string>(["/"]);
  readonly #locked = new Set<string>();
  readonly #underway = new Set<Underway>();
  #process = 0;

  constructor(options: MemoryDiskOptions) {
    this.random = options.random;
    this.#schedule = options.schedule;
  }

  /** The disk as one process sees it, until the next `crash` or `kill`. */
  mount(): Disk {
    return new Mount(this, this.#process);
  }

  /** Power is lost. */
  crash(): void {
    this.#endProcess();
    for (const change of this.#changes) {
      if (this.random.below(2) === 0) apply(this.#durable, change);
    }
    this.#changes = [];
    this.#seen = new Map(this.#durable);
    for (const inode of new Set(this.#seen.values())) inode.crash(this.random);
  }

  /** The process ends; what it wrote is seen by the next one, though it may not be durable. */
  kill(): void {
    this.#endProcess();
  }

  paths(): string[] {
    return [...this.#seen.keys()].sort();
  }

  /** A copy of what programs see, or null. */
  bytes(path: string): Uint8Array | null {
    return this.#seen.get(path)?.bytes() ?? null;
  }

  /**
   * Changes a file's bytes under everyone: `change` gets them as programs see them, then as they
   * are on the platter. What it returns does so again to the same file, whatever its name is then.
   */
  rot(
    path: string,
    change: (bytes: Uint8Array) => void,
  ): (change: (bytes: Uint8Array) => void) => void {
    const inode = this.#inode(path);
    inode.rot(change);
    return again => inode.rot(again);
  }

  /** Cuts a file short under everyone. */
  cut(path: string, sizeBytes: number): void {
    this.#inode(path).cut(sizeBytes);
  }

  /** Takes a file away, durably. */
  lose(path: string): void {
    this.#seen.delete(path);
    this.#durable.delete(path);
  }

  /** A second disk with the same content, with no process on it. Nothing may be under way. */
  copy(options: MemoryDiskOptions): MemoryDisk {
    const twin = new MemoryDisk(options);
    const inodes = new Map<MemoryInode, MemoryInode>();
    const twinOf = (inode: MemoryInode): MemoryInode => {
      const known = inodes.get(inode) ?? inode.copy();
      inodes.set(inode, known);
      return known;
    };
    for (const [path, inode] of this.#seen) twin.#seen.set(path, twinOf(inode));
    for (const [path, inode] of this.#durable) twin.#durable.set(path, twinOf(inode));
    twin.#changes = this.#changes.map(change => ({
      ...change,
      inode: change.inode === null ? null : twinOf(change.inode),
    }));
    twin.#directories = new Set(this.#directories);
    return twin;
  }

  // What follows is for Mount and MemoryFile alone.

  /**
   * Runs one operation: later, unless the process has ended by then, `perform` is called, or `done`
   * with the fault. An operation that the process's end interrupts has done `interrupted`.
   */
  begin(
    process: number,
    operation: DiskOperation,
    failed: (error: DiskError) => void,
    perform: () => void,
    interrupted: () => void,
  ): void {
    if (process !== this.#process) return;
    const underway: Underway = { interrupt: interrupted };
    this.#underway.add(underway);
    this.#schedule(operation, () => {
      if (process !== this.#process) return;
      this.#underway.delete(underway);
      const code = this.fault(operation);
      if (code === null) perform();
      else failed(diskError(code, operation.path, `injected into ${operation.kind}`));
    });
  }

  /** As `begin`, of an operation for which the caller waits: false when that was its end. */
  outlasts(process: number, operation: DiskOperation, interrupt: () => void): boolean {
    if (process !== this.#process) return false;
    const underway: Underway = { interrupt };
    this.#underway.add(underway);
    this.beforeNow(operation);
    this.#underway.delete(underway);
    return process === this.#process;
  }

  isRunning(process: number): boolean {
    return process === this.#process;
  }

  inode(path: string): MemoryInode | null {
    return this.#seen.get(path) ?? null;
  }

  change(change: NameChange): void {
    apply(this.#seen, change);
    this.#changes.push(change);
  }

  syncNames(directory: string, changes: readonly NameChange[]): void {
    const settled = new Set(changes.filter(change => change.directory === directory));
    for (const change of this.#changes) if (settled.has(change)) apply(this.#durable, change);
    this.#changes = this.#changes.filter(change => !settled.has(change));
  }

  unsyncedNames(): readonly NameChange[] {
    return [...this.#changes];
  }

  /** Whether the inode may come to reach up to `end`. */
  hasRoom(inode: MemoryInode, end: number): boolean {
    if (end <= inode.sizeBytes || this.capacityBytes === Number.MAX_SAFE_INTEGER) return true;
    return this.usedBytes + end - inode.sizeBytes <= this.capacityBytes;
  }

  /** Of all files that have a name. */
  get usedBytes(): number {
    let used = 0;
    for (const each of new Set(this.#seen.values())) used += each.sizeBytes;
    return used;
  }

  addDirectory(path: string): void {
    for (let each = path; !this.#directories.has(each); each = parentOf(each)) {
      this.#directories.add(each);
    }
  }

  list(directory: string): string[] | null {
    if (!this.#directories.has(directory)) return null;
    const paths = this.paths().filter(path => parentOf(path) === directory);
    return paths.map(path => path.slice(directory.length + 1));
  }

  tryLock(directory: string): boolean {
    if (this.#locked.has(directory)) return false;
    this.#locked.add(directory);
    return true;
  }

  unlock(directory: string): void {
    this.#locked.delete(directory);
  }

  #inode(path: string): MemoryInode {
    const inode = this.#seen.get(path);
    if (inode === undefined) throw new Error(`no file ${path} in the memory disk`);
    return inode;
  }

  #endProcess(): void {
    this.#process += 1;
    this.#locked.clear();
    for (const { interrupt } of this.#underway) interrupt();
    this.#underway.clear();
  }
}

function apply(names: Map<string, MemoryInode>, change: NameChange): void {
  if (change.removes !== null) names.delete(change.removes);
  if (change.sets !== null && change.inode !== null) names.set(change.sets, change.inode);
}

function diskError(code: DiskErrorCode, path: string, message: string): DiskError {
  return { code, path, message };
}

const nothing = (): void => {};

class Mount implements Disk {
  readonly #disk: MemoryDisk;
  readonly #process: number;

  constructor(disk: MemoryDisk, process: number) {
    this.#disk = disk;
    this.#process = process;
  }

  makeDirectory(path: string, done: DiskDone): void {
    this.#begin("makeDirectory", path, done, () => {
      this.#disk.addDirectory(path);
      done(null);
    });
  }

  lock(directory: string, done: DiskResult<DirectoryLock>): void {
    const failed = (error: DiskError): void => done(error, null);
    this.#begin("lock", directory, failed, () => {
      if (!this.#disk.tryLock(directory)) {
        failed(diskError("LOCKED", directory, "held by another process"));
        return;
      }
      done(null, { release: end => this.#release(directory, end) });
    });
  }

  list(directory: string, done: DiskResult<readonly string[]>): void {
    const failed = (error: DiskError): void => done(error, null);
    this.#begin("list", directory, failed, () => {
      const names = this.#disk.list(directory);
      if (names === null) failed(diskError("NOT_FOUND", directory, "no such directory"));
      else done(null, names);
    });
  }

  syncDirectory(directory: string, done: DiskDone): void {
    const changes = this.#disk.unsyncedNames();
    this.#begin("syncDirectory", directory, done, () => {
      this.#disk.syncNames(directory, changes);
      done(null);
    });
  }

  open(path: string, mode: OpenMode, done: DiskResult<DiskFile>): void {
    const failed = (error: DiskError): void => done(error, null);
    this.#begin(mode === "read" ? "open" : "create", path, failed, () => {
      const inode = mode === "read" ? this.#disk.inode(path) : new MemoryInode();
      if (inode === null) {
        failed(diskError("NOT_FOUND", path, "no such file"));
        return;
      }
      if (mode === "create") this.#name(null, path, inode);
      done(null, new MemoryFile(this.#disk, this.#process, path, inode));
    });
  }

  rename(from: string, to: string, done: DiskDone): void {
    const perform = (): boolean => {
      const inode = this.#disk.inode(from);
      if (inode !== null) this.#name(from, to, inode);
      return inode !== null;
    };
    this.#change("rename", from, done, perform);
  }

  remove(path: string, done: DiskDone): void {
    const perform = (): boolean => {
      const inode = this.#disk.inode(path);
      if (inode !== null) this.#name(path, null, null);
      return inode !== null;
    };
    this.#change("remove", path, done, perform);
  }

  #name(removes: string | null, sets: string | null, inode: MemoryInode | null): void {
    this.#disk.change({ directory: parentOf(sets ?? removes ?? "/"), removes, sets, inode });
  }

  #change(kind: DiskOperationKind, path: string, done: DiskDone, perform: () => boolean): void {
    const complete = (): void => {
      done(perform() ? null : diskError("NOT_FOUND", path, "no such file"));
    };
    const interrupted = (): void => {
      if (this.#disk.random.below(2) === 0) perform();
    };
    this.#disk.begin(this.#process, { kind, path, bytes: 0 }, done, complete, interrupted);
  }

  #begin(
    kind: DiskOperationKind,
    path: string,
    failed: (error: DiskError) => void,
    perform: () => void,
  ): void {
    this.#disk.begin(this.#process, { kind, path, bytes: 0 }, failed, perform, nothing);
  }

  #release(directory: string, done: () => void): void {
    if (!this.#disk.isRunning(this.#process)) return;
    this.#disk.unlock(directory);
    this.#begin("close", directory, done, done);
  }
}

class MemoryFile implements DiskFile {
  readonly path: string;
  readonly #disk: MemoryDisk;
  readonly #process: number;
  readonly #inode: MemoryInode;

  constructor(disk: MemoryDisk, process: number, path: string, inode: MemoryInode) {
    this.path = path;
    this.#disk = disk;
    this.#process = process;
    this.#inode = inode;
  }

  size(done: DiskResult<number>): void {
    const failed = (error: DiskError): void => done(error, null);
    this.#begin("size", 0, failed, () => done(null, this.#inode.sizeBytes), nothing);
  }

  read(into: Uint8Array, position: number, done: DiskResult<number>): void {
    const failed = (error: DiskError): void => done(error, null);
    const perform = (): void => done(null, this.#inode.read(into, position));
    this.#begin("read", into.length, failed, perform, nothing);
  }

  write(parts: readonly Uint8Array[], position: number, done: DiskDone): void {
    const bytes = joined(parts);
    const perform = (): void => done(this.#write(bytes, position));
    const interrupted = this.#interruptedWrite(bytes, position);
    this.#begin("write", bytes.length, done, perform, interrupted);
  }

  sync(done: DiskDone): void {
    const capture = this.#inode.capture();
    const failed = (error: DiskError): void => this.#syncFailed(error, done);
    const perform = (): void => {
      this.#inode.commit(capture);
      done(null);
    };
    this.#begin("sync", 0, failed, perform, nothing);
  }

  writeAndSync(parts: readonly Uint8Array[], position: number, done: DiskDone): void {
    // The bytes are taken when it ends: who changes them before that is found out.
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const failed = (error: DiskError): void => {
      this.#inode.writeSome(joined(parts), position, this.#disk.random);
      this.#syncFailed(error, done);
    };
    const perform = (): void => {
      const error = this.#write(joined(parts), position);
      if (error === null) this.#inode.commit(this.#inode.capture());
      done(error);
    };
    const interrupted = (): void => this.#interruptedWrite(joined(parts), position)();
    this.#begin("writeAndSync", length, failed, perform, interrupted);
  }

  writeAndSyncNow(parts: readonly Uint8Array[], position: number): DiskError | null {
    const bytes = joined(parts);
    const operation: DiskOperation = { kind: "writeAndSync", path: this.path, bytes: bytes.length };
    // A process that ended within this turn writes no more, but for what was cut short.
    if (!this.#disk.outlasts(this.#process, operation, this.#interruptedWrite(bytes, position)))
      return diskError("IO", this.path, "nobody is there");
    const code = this.#disk.fault(operation);
    if (code !== null) {
      this.#inode.writeSome(bytes, position, this.#disk.random);
      this.#inode.loseTrack(this.#disk.random);
      return diskError(code, this.path, "injected into writeAndSyncNow");
    }
    const error = this.#write(bytes, position);
    if (error === null) this.#inode.commit(this.#inode.capture());
    return error;
  }

  close(done: DiskDone): void {
    this.#begin("close", 0, done, () => done(null), nothing);
  }

  #write(bytes: Uint8Array, position: number): DiskError | null {
    if (!this.#disk.hasRoom(this.#inode, position + bytes.length)) {
      return diskError("FULL", this.path, "no space left on the memory disk");
    }
    this.#inode.write(bytes, position);
    return null;
  }

  #interruptedWrite(bytes: Uint8Array, position: number): () => void {
    return () => {
      if (!this.#disk.hasRoom(this.#inode, position + bytes.length)) return;
      if (this.#disk.random.below(3) === 0) this.#inode.write(bytes, position);
      else this.#inode.writeSome(bytes, position, this.#disk.random);
    };
  }

  #syncFailed(error: DiskError, done: DiskDone): void {
    this.#inode.loseTrack(this.#disk.random);
    done(error);
  }

  #begin(
    kind: DiskOperationKind,
    bytes: number,
    failed: (error: DiskError) => void,
    perform: () => void,
    interrupted: () => void,
  ): void {
    const operation: DiskOperation = { kind, path: this.path, bytes };
    this.#disk.begin(this.#process, operation, failed, perform, interrupted);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
