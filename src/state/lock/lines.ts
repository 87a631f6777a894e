/** All lines: found by name at once, listed in order of name. Drops a line that nobody needs. */
import { KeyMap } from "../kv/key-map.js";
import type { KvRecord } from "../kv/record.js";
import type { EndedEntry } from "./ended.js";
import { Line } from "./line.js";

export class Lines {
  readonly #byName = new Map<string, Line>();
  readonly #inOrder = new KeyMap<Line>();
  /** The line last looked for: a command asks for its own several times. */
  #last: Line | null = null;
  #entries = 0;
  #occupied = 0;

  /** Entries in all lines. */
  get entries(): number {
    return this.#entries;
  }

  /** Lines that someone stands in; others are only remembered. */
  get occupied(): number {
    return this.#occupied;
  }

  get(name: string): Line | undefined {
    const last = this.#last;
    if (last !== null && last.name === name) return last;
    const found = this.#byName.get(name);
    if (found !== undefined) this.#last = found;
    return found;
  }

  getOrMake(name: string): Line {
    const found = this.get(name);
    if (found !== undefined) return found;
    const line = new Line(name);
    this.#last = line;
    this.#byName.set(name, line);
    this.#inOrder.set(name, line);
    return line;
  }

  /** The line in which the entry stands now. */
  enter(record: KvRecord, name: string): Line {
    const line = this.getOrMake(name);
    if (line.size === 0) this.#occupied++;
    line.enter(record);
    this.#entries++;
    return line;
  }

  leave(record: KvRecord, line: Line): void {
    line.leave(record);
    this.#entries--;
    if (line.size === 0) this.#occupied--;
  }

  /** For a loader: an entry that left its line before. */
  remember(ended: EndedEntry, recentPerLine: number): void {
    if (ended.held) this.getOrMake(ended.name).show(ended, recentPerLine);
  }

  forget(ended: EndedEntry): void {
    const { line } = ended;
    if (line?.hide(ended) === true) this.dropIfUnused(line);
  }

  dropIfUnused(line: Line): void {
    if (line.size > 0 || line.shown > 0) return;
    if (this.#last === line) this.#last = null;
    this.#byName.delete(line.name);
    this.#inOrder.delete(line.name);
  }

  scan(from: string, to: string | null, visit: (line: Line) => boolean): void {
    this.#inOrder.scan(from, to, (_name, line) => visit(line));
  }
}
