/**
 * A memory disk whose operations end when the script says so, and whose crashes do what the script
 * says: nothing is drawn. With the loop that storage's pauses run on. For the scripts alone.
 */
import type { DiskErrorCode } from "../../src/base/disk.js";
import { type DiskOperation, MemoryDisk } from "../../src/testing/memory-disk.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { DIRECTORY } from "./world.js";

/** What a crash leaves of what was not synced: nothing, all of it, or the sectors given. */
export type Fate = "lose" | "keep" | readonly number[];

const HAPPENS = 0;
const FAILS = 1;
/** The answer to a question of three: each sector is asked about by itself. */
const SECTOR_BY_SECTOR = 2;

/** What asks for a decision when it is interrupted. */
const CHANGES: ReadonlySet<string> = new Set(["write", "writeAndSync", "rename", "remove"]);

interface Underway {
  readonly operation: DiskOperation;
  readonly complete: () => void;
}

export class HandDisk {
  readonly loop = new TurnedLoop();
  readonly disk: MemoryDisk;
  /** Oldest first. */
  underway: Underway[] = [];
  /** Called with each operation, in words, just before it ends. */
  ending: (words: string) => void = () => {};
  #answers: number[] = [];
  #rest = FAILS;
  #failing: { readonly kind: string; readonly code: DiskErrorCode; readonly fate: Fate } | null =
    null;

  constructor(like?: HandDisk) {
    const options = {
      random: { below: (bound: number) => this.#decide(bound) },
      schedule: (operation: DiskOperation, complete: () => void) => {
        this.underway.push({ operation, complete });
      },
    };
    this.disk = like === undefined ? new MemoryDisk(options) : like.disk.copy(options);
    this.disk.fault = operation => this.#fault(operation);
  }

  /** The oldest operation ends. False: there is none. */
  complete(): boolean {
    const next = this.underway.shift();
    if (next === undefined) return false;
    const { operation } = next;
    const fails = this.#failing?.kind === operation.kind;
    this.ending(`${this.words(operation)}${fails ? ", which fails" : ""}`);
    next.complete();
    this.loop.settle();
    // Pauses between background writes are over at once, so that the order is all there is to see.
    if (this.underway.length === 0) this.loop.advance(1000);
    return true;
  }

  completeUntil(isOver: () => boolean): void {
    while (!isOver()) if (!this.complete()) return;
  }

  settle(): void {
    this.completeUntil(() => false);
  }

  /** The next operation of this kind fails, having done nothing (`lose`) or all of it (`keep`). */
  failNext(kind: string, code: DiskErrorCode, fate: Fate): void {
    this.#failing = { kind, code, fate };
  }

  /** Power is lost. */
  crash(fate: Fate): void {
    this.#prepare(fate);
    this.disk.crash();
    this.underway = [];
  }

  /** The process ends. */
  kill(fate: Fate): void {
    this.#prepare(fate);
    this.disk.kill();
    this.underway = [];
  }

  names(): string[] {
    return this.disk.paths().map(path => path.slice(DIRECTORY.length + 1));
  }

  #prepare(fate: Fate): void {
    this.#rest = fate === "lose" ? FAILS : HAPPENS;
    this.#answers = [];
    if (typeof fate === "string") return;
    const [write, ...others] = this.underway.filter(({ operation }) => CHANGES.has(operation.kind));
    if (write === undefined || others.length > 0) throw new Error("one write can be torn, alone");
    const sectors = Math.ceil(write.operation.bytes / 512);
    this.#answers = Array.from({ length: sectors }, (_, n) => (fate.includes(n) ? HAPPENS : FAILS));
  }

  #decide(bound: number): number {
    if (bound === 3) return SECTOR_BY_SECTOR;
    return this.#answers.shift() ?? this.#rest;
  }

  #fault({ kind }: DiskOperation): DiskErrorCode | null {
    if (this.#failing?.kind !== kind) return null;
    const { code, fate } = this.#failing;
    this.#failing = null;
    this.#rest = fate === "keep" ? HAPPENS : FAILS;
    return code;
  }

  /** An operation in words; names without their folder, and as they are now. */
  words({ bytes, kind, path }: DiskOperation): string {
    const renamed = path.replace(/\.part$/, "");
    const exists = (name: string): boolean => this.disk.bytes(name) !== null;
    const isRenamed = kind !== "create" && !exists(path) && exists(renamed);
    const name = (isRenamed ? renamed : path).slice(DIRECTORY.length + 1);
    switch (kind) {
      case "writeAndSync":
        return `write and sync ${bytes} bytes of ${name}`;
      case "syncDirectory":
        return "sync the directory";
      case "makeDirectory":
        return "make the directory";
      case "list":
      case "lock":
        return `${kind} the directory`;
      default:
        return `${kind} ${name}`;
    }
  }
}
