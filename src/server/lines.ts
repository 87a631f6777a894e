/**
 * Lines to an open file descriptor that never hold the process up: the log on stdout, and last
 * words on stderr. A pipe that nobody reads, a full disk, a terminal that is held: the lines wait
 * in memory up to a bound, those beyond it are dropped and counted. It registers nothing that runs
 * at exit, and no write of it is under way in another thread. Nothing here knows what a line says.
 * Writes to a regular file block, as they do for everybody: they end in the page cache.
 */
import * as fs from "node:fs";

/** What is used of node:fs: how many of the bytes it took, or throws an error with a code. */
export type WriteNow = (bytes: Uint8Array) => number;

export interface LinesEvents {
  /** It cannot be written, for a reason other than that it is full now. Once until it can again. */
  failed(error: NodeJS.ErrnoException): void;
  /** There is room again, and so many lines were dropped; a line of it may be written now. */
  dropped(count: number): void;
}

/** Lines that wait, in bytes: some thousand. */
export const MAX_WAITING_BYTES = 1024 * 1024;
const FULL_RETRY_MS = 50;
const FAILED_RETRY_MS = 1_000;
const LAST_RETRY_MS = 10;

export class Lines {
  readonly #writeNow: WriteNow;
  readonly #events: LinesEvents;
  /** In order; of the first, what is not written yet. */
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #failed = false;
  #retry: NodeJS.Timeout | null = null;

  constructor(writeNow: WriteNow, events: LinesEvents) {
    this.#writeNow = writeNow;
    this.#events = events;
  }

  /** Written when it returns, unless something waits. `line` ends with its line feed. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#dropped > 0 || this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.#dropped += 1;
    } else {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    }
    if (this.#retry === null) this.flush();
  }

  /** Writes what can be written now. */
  flush(): void {
    this.#writeWaiting();
    this.#tellDropped();
    if (this.#waiting.length === 0 || this.#retry !== null) return;
    const retryMs = this.#failed ? FAILED_RETRY_MS : FULL_RETRY_MS;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.flush();
    }, retryMs);
    this.#retry.unref();
  }

  /** A last chance for what waits: resolves once all is written, it fails, or the time is over. */
  async written(withinMs: number): Promise<void> {
    const limit = performance.now() + withinMs;
    this.flush();
    while (this.#waiting.length > 0 && !this.#failed && performance.now() < limit) {
      await new Promise(resolve => setTimeout(resolve, LAST_RETRY_MS));
      this.flush();
    }
  }

  #writeWaiting(): void {
    for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
      const count = this.#tryWrite(line);
      this.#waitingBytes -= count;
      if (count < line.length) {
        this.#waiting[0] = line.subarray(count);
        // A part of it: the next attempt says why.
        if (count === 0) return;
      } else {
        this.#waiting.shift();
      }
    }
  }

  #tryWrite(bytes: Uint8Array): number {
    try {
      const count = this.#writeNow(bytes);
      this.#failed = false;
      return count;
    } catch (error) {
      const failure = error as NodeJS.ErrnoException;
      if (failure.code === "EAGAIN") this.#failed = false;
      else if (!this.#failed) {
        this.#failed = true;
        this.#events.failed(failure);
      }
      return 0;
    }
  }

  /** Where half of the room is free there is some for the line that says so. */
  #tellDropped(): void {
    if (this.#dropped === 0 || this.#waitingBytes > MAX_WAITING_BYTES / 2) return;
    const count = this.#dropped;
    this.#dropped = 0;
    this.#events.dropped(count);
  }
}

/**
 * How to write to 1 or 2 without being held up. A pipe or terminal is opened anew where /proc
 * allows it: O_NONBLOCK on our own would hold for others who write to the same one too. Where it
 * does not (a socket, somebody else's pipe) Node's stream sets it, as in any program that uses it,
 * and Node takes it back at exit. Somebody else's terminal is left as it is, and may block.
 */
export function writerTo(fd: 1 | 2): WriteNow {
  const to = fs.fstatSync(fd).isFile() ? fd : openedAnew(fd);
  return bytes => fs.writeSync(to, bytes);
}

function openedAnew(fd: 1 | 2): number {
  const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = fs.constants;
  try {
    return fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
  } catch {
    return (fd === 1 ? process.stdout : process.stderr).fd;
  }
}
