/** Random requests and crashes against a dumb twin. A failing seed is named by the failure. */
import { describe, expect, it } from "vitest";
import { logIndex, nodeId } from "../../src/base/ids.js";
import { SeededRandom } from "../../src/base/random.js";
import type { Entry } from "../../src/raft/message/entry.js";
import type { AppendRequest, SnapshotSink, Storage } from "../../src/storage/contract.js";
import { DumbLog, lastIndexOf, lastTermOf, termAt, withHardState, withTail } from "./dumb-log.js";
import { entry, IDENTITY, metadata, payload, SMALL, vote, World } from "./world.js";

const SNAPSHOT_BYTES = 2500;

/** Odd lengths are zeros, as of buffers that are not filled yet. */
const content = (index: number, atTerm: number, length: number): Uint8Array =>
  length % 2 === 1 ? new Uint8Array(length) : payload(index, atTerm, length);

class Run {
  readonly world: World;
  readonly twin = new DumbLog();
  readonly random: SeededRandom;
  storage: Storage;
  /** A lower bound of what is committed: never cut into. */
  committed = 0;
  isInstalling = false;
  isSnapshotting = false;

  constructor(readonly seed: number) {
    this.random = new SeededRandom(seed + 1_000_000);
    const synchronousBytes = seed % 3 === 0 ? 1024 : 0;
    this.world = new World(seed, { ...SMALL, synchronousBytes });
    this.storage = this.world.fresh();
  }

  go(steps: number): void {
    for (let n = 0; n < steps; n += 1) this.step();
    this.restart();
    this.world.settle();
  }

  step(): void {
    const draw = this.random.below(100);
    if (draw < 30) this.turn(this.random.below(8));
    else if (draw < 34) this.world.settle();
    else if (draw < 38) this.restart();
    else if (this.isInstalling) this.turn(3);
    else if (draw < 80) this.append();
    else if (draw < 84) this.peer();
    else if (draw < 94) this.snapshot();
    else this.install();
  }

  turn(times: number): void {
    for (let n = 0; n < times; n += 1) this.world.loop.turn(Number.MAX_SAFE_INTEGER);
  }

  /** The answer to a request; none may come from a storage that has crashed since. */
  answered(then: () => void): (stop: unknown) => void {
    const asked = this.storage;
    return stop => {
      expect(stop).toBeNull();
      expect(asked).toBe(this.storage);
      then();
    };
  }

  append(): void {
    let state = this.twin.state;
    const request: { -readonly [K in keyof AppendRequest]: AppendRequest[K] } = { entries: [] };
    if (this.random.below(3) === 0) {
      request.hardState = vote(state.term + 1, this.random.below(2) === 0 ? 7 : null);
      state = withHardState(state, request.hardState);
    }
    const from = this.tailFrom(lastIndexOf(state));
    if (this.random.below(10) === 0 && from <= lastIndexOf(state)) {
      request.truncateFrom = logIndex(from);
      state = withTail(state, from, []);
    }
    request.entries = this.some(from, Math.max(state.term, lastTermOf(state)));
    const shapes = request.entries.map(each => ({ term: each.term, length: each.payload.length }));
    if (shapes.length > 0) state = withTail(state, from, shapes);
    this.twin.ask(state);
    this.storage.append(
      request,
      this.answered(() => this.twin.answer()),
    );
    expect([this.storage.lastIndex, this.storage.lastTerm]).toEqual([
      lastIndexOf(state),
      lastTermOf(state),
    ]);
  }

  /** Mostly behind the last entry, at times into what is not committed. */
  tailFrom(last: number): number {
    const free = last - Math.max(this.committed, this.twin.state.baseIndex);
    return last + 1 - (this.random.below(5) === 0 && free > 0 ? this.random.below(free) : 0);
  }

  some(from: number, atTerm: number): Entry[] {
    const sizes = [0, 3, 60, 400, 900, 1201, 3000, 3001, 5000];
    return Array.from({ length: this.random.below(4) }, (_, n) => {
      const length = sizes[this.random.below(sizes.length)] as number;
      return { ...entry(from + n, atTerm, 0), payload: content(from + n, atTerm, length) };
    });
  }

  peer(): void {
    const { state } = this.twin;
    const peer = 1 + this.random.below(3);
    const incarnation = String(this.random.below(1000)).padStart(16, "0");
    this.twin.ask({ ...state, peers: { ...state.peers, [peer]: incarnation } });
    this.storage.recordPeer(
      nodeId(peer),
      incarnation,
      this.answered(() => this.twin.answer()),
    );
  }

  snapshot(): void {
    const { state } = this.twin;
    const from = Math.max(this.twin.newestBegun, state.baseIndex, this.committed);
    const room = lastIndexOf(state) - from;
    if (room <= 0 || this.isSnapshotting) return;
    const index = from + 1 + this.random.below(room);
    const atTerm = termAt(state, index) as number;
    this.committed = index;
    this.isSnapshotting = true;
    const sink = this.storage.beginSnapshot(metadata(index, atTerm));
    this.fill(sink, index, atTerm, () => {
      this.isSnapshotting = false;
    });
  }

  install(): void {
    const { state } = this.twin;
    const last = lastIndexOf(state);
    const from = Math.max(this.twin.newestBegun, this.committed, state.baseIndex);
    const index = from + 1 + this.random.below(last - from + 20);
    const held = termAt(state, index);
    const isKnown = held !== null && this.random.below(2) === 0;
    // Another term at an index that the log holds is a later one.
    const atTerm = isKnown ? held : Math.max(state.term, lastTermOf(state)) + 1;
    this.committed = Math.max(this.committed, index);
    this.isInstalling = true;
    const sink = this.storage.installSnapshot(metadata(index, atTerm));
    if (!isKnown) {
      this.twin.ask({ ...state, baseIndex: index, baseTerm: atTerm, entries: [] });
    }
    this.fill(sink, index, atTerm, () => {
      if (!isKnown) this.twin.answer();
      this.isInstalling = false;
    });
  }

  fill(sink: SnapshotSink, index: number, atTerm: number, then: () => void): void {
    const answer = this.twin.askSnapshot(index, atTerm);
    const finished = this.answered(() => {
      answer();
      then();
    });
    sink.write(
      payload(index, atTerm, SNAPSHOT_BYTES),
      this.answered(() => sink.finish(finished)),
    );
  }

  restart(): void {
    this.end();
    // Recovery is cut off a few times before it may end.
    for (let tries = this.random.below(3); tries > 0; tries -= 1) {
      this.world.start(() => {});
      this.turn(this.random.below(60));
      this.end();
    }
    const { recovered, storage } = this.world.open();
    this.storage = storage;
    this.isInstalling = false;
    this.isSnapshotting = false;
    expect(this.twin.recover(recovered)).toBeNull();
    expect(recovered.identity).toEqual(IDENTITY);
    this.checkBytes(recovered.entries);
    // What only a lost request made sure of is sure no longer.
    this.committed = Math.min(this.committed, storage.lastIndex);
    if (recovered.snapshot === null) return;
    const { index, term } = recovered.snapshot;
    this.committed = Math.max(index, this.committed);
    expect(this.world.readSnapshot(storage)).toEqual(payload(index, term, SNAPSHOT_BYTES));
  }

  end(): void {
    if (this.random.below(3) === 0) this.world.disk.kill();
    else this.world.disk.crash();
  }

  checkBytes(entries: readonly Entry[]): void {
    for (const each of entries) {
      const want = content(each.index, each.term, each.payload.length);
      expect(each.payload.every((byte, at) => byte === want[at])).toBe(true);
    }
  }
}

describe("against a dumb twin", () => {
  for (const block of [0, 1, 2, 3]) {
    it(`random requests and crashes lose nothing answered and invent nothing (seeds from ${block * 30})`, () => {
      for (let seed = block * 30; seed < block * 30 + 30; seed += 1) {
        try {
          new Run(seed).go(150);
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        }
      }
    });
  }
});
