/** Lines to a descriptor that takes what a script says, and nothing else. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Lines, MAX_WAITING_BYTES } from "../../src/server/lines.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** What can be written to it: so many bytes, or the code of an error. */
class Scripted {
  written = "";
  attempts = 0;
  room: number | string = Number.POSITIVE_INFINITY;
  readonly failed: string[] = [];
  readonly dropped: number[] = [];
  readonly lines = new Lines(bytes => this.#write(bytes), {
    failed: error => this.failed.push(error.code ?? "none"),
    dropped: count => {
      this.dropped.push(count);
      this.lines.write(`${count} were dropped\n`);
    },
  });

  #write(bytes: Uint8Array): number {
    this.attempts += 1;
    const code = this.room === 0 ? "EAGAIN" : this.room;
    if (typeof code === "string") throw Object.assign(new Error(`${code}: scripted`), { code });
    const taken = bytes.subarray(0, code);
    this.written += Buffer.from(taken).toString();
    this.room = code - taken.length;
    return taken.length;
  }
}

/** 1,023 bytes and a line feed. */
const long = (mark: string): string => `${mark.padEnd(1_023, ".")}\n`;
const LINES_THAT_WAIT = MAX_WAITING_BYTES / 1_024;

test("a line is written when it was said, so that a process which then dies has said it", () => {
  const to = new Scripted();
  to.lines.write("one\n");
  expect(to.written).toBe("one\n");
  expect(vi.getTimerCount()).toBe(0);
});

test("what a full pipe does not take waits, in order, and is written when it is read", () => {
  const to = new Scripted();
  to.room = 6;
  for (const line of ["one\n", "two\n", "three\n"]) to.lines.write(line);
  expect(to.written).toBe("one\ntw");
  to.room = Number.POSITIVE_INFINITY;
  to.lines.write("four\n");
  vi.advanceTimersByTime(1_000);
  expect(to.written).toBe("one\ntwo\nthree\nfour\n");
  expect(to.failed).toEqual([]);
  expect(to.dropped).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a pipe that takes no more bytes now, and says so with 0, is no loop without end", () => {
  const to = new Lines(() => 0, { failed: () => {}, dropped: () => {} });
  to.write("one\n");
  expect(vi.getTimerCount()).toBe(1);
});

test("lines past the bound are dropped, and one line says how many as soon as it can", () => {
  const to = new Scripted();
  to.room = 0;
  for (let i = 0; i < LINES_THAT_WAIT; i++) to.lines.write(long(`kept ${i}`));
  for (let i = 0; i < 3; i++) to.lines.write(long("lost"));
  to.room = MAX_WAITING_BYTES / 4;
  vi.advanceTimersByTime(1_000);
  to.lines.write("lost as well: what waits is still more than half\n");
  expect(to.dropped).toEqual([]);
  to.room = Number.POSITIVE_INFINITY;
  vi.advanceTimersByTime(1_000);
  to.lines.write("after\n");
  const said = to.written.split("\n").map(line => line.replace(/\.+$/, ""));
  const kept = Array.from({ length: LINES_THAT_WAIT }, (_, i) => `kept ${i}`);
  expect(said).toEqual([...kept, "4 were dropped", "after", ""]);
  expect(to.dropped).toEqual([4]);
});

test("a line that is longer than the bound is counted, and shuts nothing", () => {
  const to = new Scripted();
  to.lines.write("x".repeat(MAX_WAITING_BYTES + 1));
  to.lines.write("after\n");
  expect(to.written).toBe("1 were dropped\nafter\n");
});

test("a full disk is told once, tried now and then, and told again after it had room", () => {
  const to = new Scripted();
  to.room = 2; // the last bytes of the last page
  to.lines.write("one\n");
  expect(to.written).toBe("on");
  to.room = "ENOSPC";
  vi.advanceTimersByTime(1_000);
  expect(to.failed).toEqual(["ENOSPC"]);
  const attempts = to.attempts;
  for (let i = 0; i < 100; i++) to.lines.write(`${i}\n`);
  vi.advanceTimersByTime(10_000);
  expect(to.attempts - attempts).toBeLessThanOrEqual(10);
  expect(to.failed).toEqual(["ENOSPC"]);
  to.room = Number.POSITIVE_INFINITY;
  vi.advanceTimersByTime(1_000);
  const rest = Array.from({ length: 100 }, (_, i) => `${i}\n`).join("");
  expect(to.written).toBe(`one\n${rest}`);
  to.room = "ENOSPC";
  to.lines.write("again\n");
  expect(to.failed).toEqual(["ENOSPC", "ENOSPC"]);
});

test("last lines are written within their time when the reader is only slow", async () => {
  const to = new Scripted();
  to.room = 0;
  to.lines.write("last\n");
  const written = to.lines.written(100);
  await vi.advanceTimersByTimeAsync(20);
  to.room = Number.POSITIVE_INFINITY;
  await vi.advanceTimersByTimeAsync(20);
  await written;
  expect(to.written).toBe("last\n");
});

test.each([
  [0, 110],
  ["ENOSPC", 0],
])("last lines are not waited for past their time: %s", async (room, withinMs) => {
  const to = new Scripted();
  to.room = room;
  to.lines.write("last\n");
  let over = false;
  void to.lines.written(100).then(() => {
    over = true;
  });
  await vi.advanceTimersByTimeAsync(withinMs);
  expect(over).toBe(true);
  expect(to.written).toBe("");
});
