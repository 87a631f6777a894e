/**
 * The language of testdata/*.txt: one data directory on a disk in memory, and commands that write
 * to it, end its operations one by one, cut the power, and look at the bytes. Nothing reaches the
 * disk by itself: an operation is under way until `complete` or `settle` ends it.
 *
 *   directory [segment=4096] [batch=2048] [piece=1024]     an empty disk
 *   fresh […]           such a disk with node 7's directory on it, open and at rest
 *   open, start         open the directory, to rest; begin to, and leave the disk to the script
 *   initialize          make it node 7's
 *   append 1 1 2 [len=20] [zeros=10] [stairs=5] [at=4] [vote=2:7] [cut=4]    one append: entries
 *                       of these terms after the last (or from 4 on), whose payloads end in 10
 *                       zeros, or are 5 zeros, 5 ones and so on; term 2 vote 7; entries from 4 on
 *                       are dropped
 *   peer 8 00000000000000ee       a peer's incarnation
 *   snapshot 4:1 [len=1500], install 9:2      begin, write and finish one
 *   read-snapshot, last, close
 *   disk                what is under way
 *   complete [n | reading]    the n oldest operations end, each is told; all up to one that changes
 *                       something; `settle`: all, untold
 *   crash, kill [lose | keep | 0 2]      power is lost; the process alone ends. What was under way
 *                       or not synced is lost, is all there, or these sectors of the one write are
 *   ls, dump FILE       names and sizes; a file as the reader in dumb-reader.ts sees it
 *   flip FILE AT, zero FILE FROM TO, shorten FILE SIZE, remove FILE, swap FILE FILE, format FILE 2
 *   fail KIND [lose | keep], capacity BYTES     its next such operation fails; the disk is so large
 *   save, load          keep the disk as it is at rest; have it back
 *   each-step lose|keep COMMAND …    the command again and again on copies of this disk, cut off
 *                       after 0, 1, 2 … operations: what is there then, and what is recovered.
 *                       Steps that leave the same as the one before are not told
 *
 * Whatever is recovered is compared with what the dumb reader makes of the files: if they disagree
 * the script ends. A refused opening tells which files it changed.
 */
import { logIndex, nodeId } from "../../src/base/ids.js";
import { SeededRandom } from "../../src/base/random.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import type {
  AppendRequest,
  OpenResult,
  SnapshotSink,
  Storage,
  StorageDone,
  StorageStop,
} from "../../src/storage/contract.js";
import { openStorage } from "../../src/storage/open.js";
import { dump } from "./dumb-reader.js";
import { type Fate, HandDisk } from "./hand-disk.js";
import { differs, fateOf, pathOf, ranges, shortName, told } from "./script-words.js";
import { DIRECTORY, entry, IDENTITY, metadata, payload, SMALL, stairs, vote } from "./world.js";
import { flip, reformat, swap, zero } from "./wounds.js";

const READING: ReadonlySet<string> = new Set(
  "makeDirectory lock list open size read close".split(" "),
);

type Command = (words: readonly string[], options: ReadonlyMap<string, string>) => void;

export class Script {
  #disk = new HandDisk();
  #limits = SMALL;
  #storage: Storage | null = null;
  #saved: HandDisk | null = null;
  #lines: string[] = [];
  readonly #remedies = new Set<string>();
  /** Salts come from here: as many starts, as many salts. */
  #random = new SeededRandom(1);

  /** Runs one block of commands; what happened, a line each. */
  run(commands: readonly string[]): string[] {
    this.#lines = [];
    for (const line of commands) {
      try {
        this.#do(line);
      } catch (cause) {
        throw new Error(`at "${line}", after\n${this.#lines.join("\n")}`, { cause });
      }
    }
    return this.#lines.length > 0 ? this.#lines : ["ok"];
  }

  #do(line: string): void {
    const [name = "", ...rest] = line.trim().split(/\s+/);
    const command = this.#commands[name];
    if (command === undefined) throw new Error(`no such command: ${line}`);
    const words = rest.filter(word => !word.includes("="));
    const options = rest.filter(word => word.includes("="));
    command(words, new Map(options.map(word => word.split("=") as [string, string])));
  }

  readonly #commands: Readonly<Record<string, Command>> = {
    directory: (_, options) => this.#create(options),
    fresh: (_, options) => {
      this.#create(options);
      this.#quietly(() => {
        for (const step of ["open", "initialize", "settle"]) this.#do(step);
      });
    },
    open: () => this.#open(),
    start: () => this.#start(result => this.#opened(result)),
    initialize: () => this.#open_.initialize(IDENTITY, this.#answer("the identity")),
    append: (terms, options) => this.#append(terms, options),
    peer: ([peer = "", incarnation = ""]) =>
      this.#open_.recordPeer(nodeId(+peer), incarnation, this.#answer(`peer ${peer}`)),
    snapshot: ([place = ""], options) => this.#snapshot("beginSnapshot", place, options),
    install: ([place = ""], options) => this.#snapshot("installSnapshot", place, options),
    "read-snapshot": () => this.#readSnapshot(),
    last: () => this.#say(`the log ends at ${this.#open_.lastIndex}:${this.#open_.lastTerm}`),
    close: () => {
      this.#wait<true>(done => this.#open_.close(() => done(true)));
      this.#storage = null;
    },
    disk: () => {
      for (const { operation } of this.#disk.underway) this.#say(this.#disk.words(operation));
      if (this.#disk.underway.length === 0) this.#say("at rest");
    },
    complete: ([count = "1"]) => {
      if (count === "reading") this.#completeReading();
      else this.#complete(+count);
    },
    settle: () => this.#disk.settle(),
    crash: words => this.#end(() => this.#disk.crash(fateOf(words))),
    kill: words => this.#end(() => this.#disk.kill(fateOf(words))),
    ls: () => this.#list(),
    dump: ([name = ""]) => {
      for (const line of dump(name, this.#bytes(name))) this.#say(line);
    },
    flip: ([name = "", at = ""]) => this.#rot(name, bytes => flip(bytes, +at)),
    zero: ([name = "", from = "", to = ""]) => this.#rot(name, bytes => zero(bytes, +from, +to)),
    format: ([name = "", version = ""]) => this.#rot(name, bytes => reformat(bytes, +version)),
    shorten: ([name = "", size = ""]) => this.#disk.disk.cut(pathOf(name), +size),
    remove: ([name = ""]) => this.#disk.disk.lose(pathOf(name)),
    swap: ([one = "", other = ""]) => swap(this.#disk.disk, pathOf(one), pathOf(other)),
    fail: ([kind = "", ...fate]) => this.#disk.failNext(kind, "IO", fateOf(fate)),
    capacity: ([bytes = ""]) => {
      this.#disk.disk.capacityBytes = +bytes;
    },
    save: () => {
      this.#saved = new HandDisk(this.#disk);
    },
    load: () => {
      if (this.#saved === null) throw new Error("nothing was saved");
      this.#storage = null;
      this.#disk = new HandDisk(this.#saved);
    },
    "each-step": ([fate = "", ...command], options) => {
      const named = [...options].map(([name, value]) => `${name}=${value}`);
      this.#eachStep(fateOf([fate]), [...command, ...named].join(" "));
    },
  };

  #create(options: ReadonlyMap<string, string>): void {
    const limit = (name: string, otherwise: number) => Number(options.get(name) ?? otherwise);
    this.#disk = new HandDisk();
    this.#storage = null;
    this.#random = new SeededRandom(1);
    this.#limits = {
      ...SMALL,
      segmentBytes: limit("segment", SMALL.segmentBytes),
      batchBytes: limit("batch", SMALL.batchBytes),
      pieceBytes: limit("piece", SMALL.pieceBytes),
    };
  }

  #start(done: (result: OpenResult) => void): void {
    openStorage(
      {
        disk: this.#disk.disk.mount(),
        directory: DIRECTORY,
        clock: this.#disk.loop,
        bytes: nodeBytes,
        checksum: nodeChecksum,
        random: this.#random,
        limits: this.#limits,
        onFatal: stop => {
          this.#say(`the storage stops: ${stop.code}`);
          this.#tell(stop);
        },
      },
      done,
    );
  }

  #open(): void {
    const before = this.#contents();
    const result = this.#wait<OpenResult>(done => this.#start(done));
    this.#opened(result);
    this.#disk.settle();
    if (result.ok) return;
    const after = this.#contents();
    const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
      name => String(before.get(name)) !== String(after.get(name)),
    );
    this.#say(`  changed: ${changed.join(", ") || "no file"}`);
  }

  #opened(result: OpenResult): void {
    if (!result.ok) {
      this.#say(`refused: ${result.stop.code}`);
      this.#tell(result.stop);
      return;
    }
    this.#storage = result.storage;
    this.#say(told(result.recovered));
    for (const note of result.recovered.notes) this.#say(`  note: ${note}`);
    const doubt = differs(result.recovered, this.#contents());
    if (doubt !== null) throw new Error(doubt);
  }

  #tell(stop: StorageStop): void {
    this.#say(`  ${stop.message}`);
    const isKnown = this.#remedies.has(stop.code);
    this.#remedies.add(stop.code);
    this.#say(`  remedy: ${isKnown ? "as before" : stop.remedy}`);
  }

  get #open_(): Storage {
    if (this.#storage === null) throw new Error("the directory is not open");
    return this.#storage;
  }

  #append(terms: readonly string[], options: ReadonlyMap<string, string>): void {
    const storage = this.#open_;
    const at = Number(options.get("at") ?? storage.lastIndex + 1);
    const length = Number(options.get("len") ?? 20);
    const entries = terms.map((each, n) => {
      const made = entry(at + n, +each, length);
      made.payload.fill(0, length - Number(options.get("zeros") ?? 0));
      const step = options.get("stairs");
      if (step !== undefined) made.payload.set(stairs(length, +step));
      return made;
    });
    const [atTerm, votedFor] = options.get("vote")?.split(":") ?? [];
    const cut = options.get("cut");
    const request: AppendRequest = {
      entries,
      ...(atTerm === undefined
        ? {}
        : { hardState: vote(+atTerm, votedFor === "-" ? null : Number(votedFor)) }),
      ...(cut === undefined ? {} : { truncateFrom: logIndex(+cut) }),
    };
    const what = [
      ...(atTerm === undefined ? [] : [`term ${atTerm} vote ${votedFor}`]),
      ...(cut === undefined ? [] : [`the drop from ${cut}`]),
      ...(entries.length === 0 ? [] : [ranges(entries.map(each => [each.index, each.term]))]),
    ];
    storage.append(request, this.#answer(what.join(", ") || "nothing"));
  }

  #snapshot(
    kind: "beginSnapshot" | "installSnapshot",
    where: string,
    options: ReadonlyMap<string, string>,
  ): void {
    const [index = 0, atTerm = 0] = where.split(":").map(Number);
    const sink: SnapshotSink = this.#open_[kind](metadata(index, atTerm));
    const content = payload(index, atTerm, Number(options.get("len") ?? 1500));
    const answer = this.#answer(`the snapshot at ${where}`);
    sink.write(content, stop => {
      if (stop === null) sink.finish(answer);
      else answer(stop);
    });
  }

  #readSnapshot(): void {
    const { snapshot } = this.#open_;
    this.#open_.openSnapshot((stop, reader) => {
      if (snapshot === null || reader === null) throw new Error(stop?.message);
      const { sizeBytes } = reader.content;
      reader.close();
      this.#say(`the newest snapshot is at ${snapshot.index}:${snapshot.term}, ${sizeBytes} bytes`);
    });
    this.#disk.settle();
  }

  #answer(what: string): StorageDone {
    return stop =>
      this.#say(stop === null ? `durable: ${what}` : `not done: ${what}: ${stop.code}`);
  }

  #complete(count: number): void {
    this.#disk.ending = words => this.#say(`done: ${words}`);
    for (let n = 0; n < count; n += 1) {
      if (!this.#disk.complete()) throw new Error("the disk is at rest");
    }
    this.#disk.ending = () => {};
  }

  #completeReading(): void {
    let count = 0;
    while (READING.has(this.#disk.underway[0]?.operation.kind ?? "")) {
      this.#disk.complete();
      count += 1;
    }
    this.#say(`done: ${count} that change nothing`);
  }

  #end(how: () => void): void {
    how();
    this.#storage = null;
  }

  #wait<T>(begin: (done: (value: T) => void) => void): T {
    const answers: T[] = [];
    begin(value => answers.push(value));
    this.#disk.completeUntil(() => answers.length > 0);
    if (answers[0] === undefined) throw new Error("the disk is at rest, and there is no answer");
    return answers[0];
  }

  /** The command, cut off after each number of operations; on copies, so this disk stays. */
  #eachStep(fate: Fate, command: string): void {
    const base = this.#disk;
    this.#storage = null;
    let before = "";
    for (let steps = 0; ; steps += 1) {
      this.#disk = new HandDisk(base);
      if (command !== "start") this.#quietly(() => this.#open());
      const acts: string[] = [];
      this.#disk.ending = words => acts.push(words);
      const said = this.#quietly(() => {
        this.#do(command);
        while (acts.length < steps && this.#disk.complete());
      });
      this.#disk.ending = () => {};
      if (acts.length < steps) break;
      const answered = said.some(line => /^(durable|node)/.test(line)) ? ", answered" : "";
      const found = this.#afterCrash(fate);
      if (`${answered}${found}` === before) continue;
      this.#say(`after ${steps} (${acts.at(-1) ?? "nothing"})${answered}`);
      for (const line of found) this.#say(`    ${line}`);
      before = `${answered}${found}`;
    }
    this.#disk = base;
    this.#storage = null;
  }

  /** What lies there, and what is recovered from it. */
  #afterCrash(fate: Fate): string[] {
    this.#end(() => this.#disk.crash(fate));
    const names = this.#disk.names().join(" ") || "(nothing)";
    return [names, ...this.#quietly(() => this.#open()).map(line => line.trim())];
  }

  #quietly(act: () => void): string[] {
    const lines = this.#lines;
    this.#lines = [];
    act();
    const said = this.#lines;
    this.#lines = lines;
    return said;
  }

  #list(): void {
    const names = this.#disk.names();
    if (names.length === 0) this.#say("(empty)");
    for (const name of names) {
      this.#say(`${shortName(name).padEnd(18)} ${this.#disk.disk.bytes(pathOf(name))?.length}`);
    }
  }

  #contents(): Map<string, Uint8Array> {
    return new Map(this.#disk.names().map(name => [name, this.#bytes(name)]));
  }

  #bytes(name: string): Uint8Array {
    const bytes = this.#disk.disk.bytes(pathOf(name));
    if (bytes === null) throw new Error(`no such file: ${name}`);
    return bytes;
  }

  #rot(name: string, change: (bytes: Uint8Array) => void): void {
    this.#disk.disk.rot(pathOf(name), change);
  }

  #say(line: string): void {
    this.#lines.push(shortName(line.replaceAll(`${DIRECTORY}/`, "")));
  }
}
