/** The newest durable snapshot as the host and the links want it: slice after slice, then the end. */
import type { SnapshotReader, Storage, StorageStop } from "../storage/contract.js";
import type { SnapshotSource } from "./port/index.js";

/** A failed read is the caller's to report through `failed`; nothing is answered then. */
export function readSnapshot(
  storage: Storage,
  failed: (stop: StorageStop) => void,
  opened: (source: SnapshotSource, reader: SnapshotReader) => void,
): void {
  storage.openSnapshot((stop, reader) => {
    if (stop !== null) failed(stop);
    else if (reader !== null) opened(sourceOf(reader, failed), reader);
  });
}

function sourceOf(reader: SnapshotReader, failed: (stop: StorageStop) => void): SnapshotSource {
  let offset = 0;
  let reading = false;
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    if (!reading) reader.close();
  };
  const read = (done: (slice: Uint8Array | null) => void): void => {
    if (closed || reading) return;
    reading = true;
    reader.read(offset, (stop, bytes) => {
      reading = false;
      if (closed) return reader.close();
      if (stop !== null || bytes === null) return stop === null ? undefined : failed(stop);
      offset += bytes.length;
      done(bytes.length === 0 ? null : bytes);
    });
  };
  return { index: reader.metadata.index, term: reader.metadata.term, read, close };
}
