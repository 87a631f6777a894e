/** The way into storage: locks the directory, recovers, and answers. Called by src/log at its start. */

import { assert } from "../base/assert.js";
import type { DirectoryLock } from "../base/disk.js";
import { logIndex } from "../base/ids.js";
import type { OpenResult, Recovered, StorageOptions, StorageStop } from "./contract.js";
import { DataDirectory } from "./data-directory.js";
import { DurableStorage } from "./durable-storage.js";
import { SECTOR_BYTES } from "./layout.js";
import { type RecoveredState, recover } from "./recovery.js";
import { Replay } from "./replay.js";
import { done, run, type Steps, value } from "./steps.js";

/**
 * Opens the data directory, which is made if it is not there. Answered once, in a later turn, with
 * the storage and what it recovered, all of it durable; or with why not, the lock let go again.
 */
export function openStorage(options: StorageOptions, onDone: (result: OpenResult) => void): void {
  const { pieceBytes, segmentBytes } = options.limits;
  assert(segmentBytes % SECTOR_BYTES === 0, "segmentBytes is a multiple of 512");
  assert(pieceBytes % SECTOR_BYTES === 0 && pieceBytes > 0, "pieceBytes is a multiple of 512");
  const directory = new DataDirectory(options);
  run(lock(directory), (refused, held) => {
    if (held === null) {
      onDone({ ok: false, stop: refused as StorageStop });
      return;
    }
    const storage = new DurableStorage(directory, held);
    run(open(directory, storage), (stop, recovered) => {
      if (recovered !== null) onDone({ ok: true, storage, recovered });
      else storage.close(() => onDone({ ok: false, stop: stop as StorageStop }));
    });
  });
}

function* lock(directory: DataDirectory): Steps<DirectoryLock> {
  const { disk, path } = directory;
  yield* done(end => disk.makeDirectory(path, end));
  return yield* value<DirectoryLock>(end => disk.lock(path, end));
}

function* open(directory: DataDirectory, storage: DurableStorage): Steps<Recovered> {
  const state = yield* recover(directory);
  if (state !== null) yield* storage.resume(state);
  directory.check();
  directory.isOpen = true;
  return recoveredFrom(state);
}

function recoveredFrom(state: RecoveredState | null): Recovered {
  if (state === null) {
    const { hardState, peers } = new Replay(logIndex(0));
    return { identity: null, hardState, snapshot: null, entries: [], peers, notes: [] };
  }
  const { entries, identity, notes, snapshot, start } = state;
  const { hardState, peers } = start;
  return { identity, hardState, snapshot, entries, peers, notes };
}
