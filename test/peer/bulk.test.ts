import { describe, expect, test } from "vitest";
import type { BulkSink, BulkStream } from "../../src/peer/index.js";
import { linkedPair, memory, RecordingNode, text } from "./recording-node.js";

/** A sink that keeps what it gets, and is slow if told to. */
class Keeping implements BulkSink {
  readonly bytes: number[] = [];
  readonly nexts: (() => void)[] = [];
  slow = false;
  takes = true;
  finished = 0;
  aborted = 0;
  write(slice: Uint8Array, next: () => void): void {
    this.bytes.push(...slice);
    if (this.slow) this.nexts.push(next);
    else next();
  }
  finish(done: (taken: boolean) => void): void {
    this.finished++;
    done(this.takes);
  }
  abort(): void {
    this.aborted++;
  }
}

/** Sends `total` bytes in slices, from where the receiver says; writes down how it ends. */
function send(from: RecordingNode, to: RecordingNode, total: number, slice: number): string[] {
  const log: string[] = [];
  from.links.openBulk(to.id, text("snapshot 7"), (stream, resumeAt) => {
    log.push(stream === null ? "declined" : `from ${resumeAt}`);
    if (stream !== null) pour(stream, resumeAt, total, slice, log);
  });
  return log;
}

function pour(stream: BulkStream, at: number, total: number, slice: number, log: string[]): void {
  if (at >= total) {
    stream.finish(taken => log.push(taken ? "taken" : "not taken"));
    return;
  }
  const length = Math.min(slice, total - at);
  const bytes = Uint8Array.from({ length }, (_, i) => (at + i) % 251);
  stream.write(bytes, standing => {
    if (standing) pour(stream, at + length, total, slice, log);
    else log.push("broken");
  });
}

const expected = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => (from + i) % 251);

describe("a bulk stream", () => {
  test("arrives whole and in order, while the link carries messages", () => {
    const { loop, a, b } = linkedPair(3);
    const sink = new Keeping();
    let offered = "";
    b.onBulk = (metadata, decide) => {
      offered = metadata;
      decide(sink, 0);
    };
    const log = send(a, b, 300_000, 7_000);
    a.links.send(b.id, a.heartbeat(b, 1));
    loop.settle();
    expect(offered).toBe("snapshot 7");
    expect(log).toEqual(["from 0", "taken"]);
    expect(sink.bytes).toEqual(expected(0, 300_000));
    expect([sink.finished, sink.aborted]).toEqual([1, 0]);
    expect(b.rounds).toEqual([1]);
    expect(a.events).toEqual(["up 2"]);
  });

  test("is paced by its receiver: never more than a window is on the way", () => {
    const { loop, a, b } = linkedPair(undefined, { bulkWindowBytes: 10_000 });
    const sink = new Keeping();
    sink.slow = true;
    b.onBulk = (_, decide) => decide(sink, 0);
    let written = 0;
    const log: string[] = [];
    a.links.openBulk(b.id, text("x"), stream => {
      const more = (): void => {
        if (written >= 100_000) stream?.finish(taken => log.push(`${taken}`));
        else {
          written += 1_000;
          stream?.write(new Uint8Array(1_000), standing => standing && more());
        }
      };
      more();
    });
    for (let taken = 0; log.length === 0 && taken < 200; taken++) {
      loop.settle();
      expect(written - taken * 1_000).toBeLessThanOrEqual(11_000);
      sink.nexts.shift()?.();
      loop.settle();
    }
    expect(log).toEqual(["true"]);
    expect(sink.bytes).toHaveLength(100_000);
  });

  test("keeps to its window when the end of its turns comes late", () => {
    const { loop, network, node } = memory();
    const b = node(2, { bulkWindowBytes: 10_000 });
    const endOfTurn = { schedule: (callback: () => void) => void loop.after(3, callback) };
    const world = { network: network.host("host1"), clock: loop, endOfTurn };
    const limits = { bulkWindowBytes: 10_000 };
    const a = new RecordingNode(1, { host: "host1", port: 2380 }, world, limits);
    a.start([b]);
    b.start([a]);
    loop.runUntil(() => a.links.isUp(b.id));
    const sink = new Keeping();
    sink.slow = true;
    b.onBulk = (_, decide) => decide(sink, 0);
    const log = send(a, b, 50_000, 1_000);
    for (let i = 0; i < 1_000 && log.length < 2; i++) {
      loop.advance(1);
      if (i < 20 || i > 60) sink.nexts.shift()?.(); // it takes some, pauses, and takes the rest
    }
    expect(log).toEqual(["from 0", "taken"]);
  });

  test("a slow receiver keeps it open as long as it likes", () => {
    const { loop, a, b } = linkedPair();
    const sink = new Keeping();
    sink.slow = true;
    b.onBulk = (_, decide) => decide(sink, 0);
    const log = send(a, b, 3_000, 1_000);
    for (let i = 0; i < 3; i++) {
      loop.advance(60_000);
      sink.nexts.shift()?.();
    }
    loop.settle();
    expect(log).toEqual(["from 0", "taken"]);
  });

  test("that breaks off is aborted once, told once, and resumes where it was", () => {
    for (let bytes = 0; bytes < 60_000; bytes += 9_001) {
      const { loop, network, a, b } = linkedPair(bytes + 1);
      const sink = new Keeping();
      b.onBulk = (_, decide) => decide(sink, sink.bytes.length);
      const log = send(a, b, 50_000, 3_000);
      loop.runUntil(() => log.length > 0);
      network.cutAfter("host1", "host2", bytes);
      loop.advance(1_000);
      if (log.includes("taken")) continue;
      expect(log).toHaveLength(2);
      expect(sink.aborted).toBe(1);
      const got = sink.bytes.length;
      const again = send(a, b, 50_000, 3_000);
      loop.advance(1_000);
      expect(again).toEqual([`from ${got}`, "taken"]);
      expect(sink.bytes).toEqual(expected(0, 50_000));
    }
  });

  test("is declined by the receiver, by silence, and by nobody being there", () => {
    const { loop, network, a, b } = linkedPair();
    const declined = send(a, b, 10, 10);
    loop.settle();
    expect(declined).toEqual(["declined"]);
    network.silence("host1", "host2");
    const unheard = send(a, b, 10, 10);
    loop.advance(5_000);
    expect(unheard).toEqual(["declined"]);
    a.links.setPeers([]);
    const nowhere = send(a, b, 10, 10);
    expect(nowhere).toEqual([]);
    loop.settle();
    expect(nowhere).toEqual(["declined"]);
  });

  test("a refusal, of the offer or of the whole, is told from a break", () => {
    const { loop, network, a, b } = linkedPair();
    const attempt = (end: () => void): boolean => {
      let ended = false;
      const sender = a.links.openBulk(b.id, text("x"), stream => {
        ended = stream === null;
        stream?.write(new Uint8Array(5), standing => {
          if (!standing) ended = true;
          else
            stream.finish(taken => {
              ended = !taken;
            });
        });
      });
      loop.settle();
      end();
      loop.advance(1_000);
      expect(ended).toBe(true);
      return sender.isRefused;
    };
    expect(attempt(() => undefined)).toBe(true);
    const sink = new Keeping();
    sink.takes = false;
    b.onBulk = (_, decide) => decide(sink, 0);
    expect(attempt(() => undefined)).toBe(true);
    sink.slow = true;
    expect(attempt(() => network.reset("host1", "host2"))).toBe(false);
    b.onBulk = () => undefined;
    expect(attempt(() => network.reset("host1", "host2"))).toBe(false);
  });

  test("the receiver's refusal at the end, and the sender's abort, reach the other side", () => {
    const { loop, network, a, b } = linkedPair();
    const sink = new Keeping();
    sink.takes = false;
    b.onBulk = (_, decide) => decide(sink, 0);
    const log = send(a, b, 10, 10);
    loop.settle();
    expect(log).toEqual(["from 0", "not taken"]);

    const second = new Keeping();
    b.onBulk = (_, decide) => decide(second, 0);
    const streams: BulkStream[] = [];
    a.links.openBulk(b.id, text("x"), stream => {
      if (stream !== null) streams.push(stream);
    });
    loop.settle();
    streams[0]?.write(new Uint8Array(5), () => undefined);
    loop.settle();
    const open = network.openConnections;
    streams[0]?.abort();
    loop.settle();
    expect([second.aborted, second.finished]).toEqual([1, 0]);
    expect(network.openConnections).toBe(open - 2);
  });
});
