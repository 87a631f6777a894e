/**
 * One file's bytes twice: as programs see them (the page cache) and as the platter holds them. Only
 * a sync brings the first to the second; a crash brings any of the sectors not synced, or none.
 */
import type { Random } from "../base/ports.js";

const SECTOR_BYTES = 512;

/** What a sync that began will make durable when it ends. */
export interface SyncCapture {
  readonly sizeBytes: number;
  readonly sectors: readonly {
    readonly number: number;
    readonly serial: number;
    readonly bytes: Uint8Array;
  }[];
}

export class MemoryInode {
  sizeBytes = 0;
  #seen = new Uint8Array(SECTOR_BYTES);
  #durable = new Uint8Array(SECTOR_BYTES);
  #durableSizeBytes = 0;
  #serial = 0;
  /** Sectors written and not synced, with the serial of their last write. */
  readonly #dirty = new Map<number, number>();

  /** What programs see; a copy. */
  bytes(): Uint8Array {
    return this.#seen.slice(0, this.sizeBytes);
  }

  read(into: Uint8Array, position: number): number {
    const end = Math.min(this.sizeBytes, position + into.length);
    if (end <= position) return 0;
    into.set(this.#seen.subarray(position, end));
    return end - position;
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    const end = position + bytes.length;
    this.#seen = grown(this.#seen, end);
    this.#seen.set(bytes, position);
    this.sizeBytes = Math.max(this.sizeBytes, end);
    this.#serial += 1;
    const last = Math.floor((end - 1) / SECTOR_BYTES);
    for (let sector = Math.floor(position / SECTOR_BYTES); sector <= last; sector += 1) {
      this.#dirty.set(sector, this.#serial);
    }
  }

  /** A write cut short by a crash: any of its sectors. */
  writeSome(bytes: Uint8Array, position: number, random: Random): void {
    let at = 0;
    while (at < bytes.length) {
      const room = SECTOR_BYTES - ((position + at) % SECTOR_BYTES);
      const end = Math.min(bytes.length, at + room);
      if (random.below(2) === 0) this.write(bytes.subarray(at, end), position + at);
      at = end;
    }
  }

  capture(): SyncCapture {
    const sectors = [...this.#dirty].map(([number, serial]) => {
      const from = number * SECTOR_BYTES;
      return { number, serial, bytes: this.#seen.slice(from, from + SECTOR_BYTES) };
    });
    return { sizeBytes: this.sizeBytes, sectors };
  }

  commit(capture: SyncCapture): void {
    this.#durable = grown(this.#durable, this.#seen.length);
    for (const { bytes, number, serial } of capture.sectors) {
      this.#durable.set(bytes, number * SECTOR_BYTES);
      if (this.#dirty.get(number) === serial) this.#dirty.delete(number);
    }
    this.#durableSizeBytes = Math.max(this.#durableSizeBytes, capture.sizeBytes);
  }

  /** A failed sync: the cache takes the sectors for written, the platter has them or not. */
  loseTrack(random: Random): void {
    const { sectors } = this.capture();
    this.#durable = grown(this.#durable, this.#seen.length);
    for (const { bytes, number } of sectors) {
      if (random.below(2) === 0) this.#durable.set(bytes, number * SECTOR_BYTES);
    }
    this.#dirty.clear();
  }

  /** Power is lost: what was not synced is there, is not, or is in part. */
  crash(random: Random): void {
    const mood = random.below(3);
    const kept = this.capture().sectors.filter(
      () => mood === 1 || (mood === 2 && random.below(2) === 0),
    );
    let reach = mood === 1 ? this.sizeBytes : this.#durableSizeBytes;
    for (const { number } of kept) {
      reach = Math.max(reach, Math.min(this.sizeBytes, (number + 1) * SECTOR_BYTES));
    }
    this.commit({ sizeBytes: reach, sectors: kept });
    this.#dirty.clear();
    this.#seen = this.#durable.slice();
    this.sizeBytes = this.#durableSizeBytes;
    this.#seen.fill(0, this.sizeBytes);
  }

  /** The medium changes under the file, for cache and platter alike. */
  rot(change: (bytes: Uint8Array) => void): void {
    change(this.#seen.subarray(0, this.sizeBytes));
    change(this.#durable.subarray(0, this.sizeBytes));
  }

  cut(sizeBytes: number): void {
    this.sizeBytes = sizeBytes;
    this.#durableSizeBytes = Math.min(this.#durableSizeBytes, sizeBytes);
    this.#seen.fill(0, sizeBytes);
    this.#durable.fill(0, Math.min(sizeBytes, this.#durable.length));
    for (const sector of this.#dirty.keys()) {
      if (sector * SECTOR_BYTES >= sizeBytes) this.#dirty.delete(sector);
    }
  }

  copy(): MemoryInode {
    const twin = new MemoryInode();
    twin.sizeBytes = this.sizeBytes;
    twin.#seen = this.#seen.slice();
    twin.#durable = this.#durable.slice();
    twin.#durableSizeBytes = this.#durableSizeBytes;
    twin.#serial = this.#serial;
    for (const [sector, serial] of this.#dirty) twin.#dirty.set(sector, serial);
    return twin;
  }
}

function grown(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (bytes.length >= length) return bytes;
  const larger = new Uint8Array(
    Math.max(Math.ceil(length / SECTOR_BYTES) * SECTOR_BYTES, bytes.length * 2),
  );
  larger.set(bytes);
  return larger;
}
