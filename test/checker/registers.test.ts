/** Registers, told by hand: what is allowed and what is not. */
import { describe, expect, test } from "vitest";
import { check, type Operation, register } from "./index.js";
import { cas, did, get, put, remove } from "./trials/lines.js";

const verdict = (...operations: Operation[]): string => check({ operations }, register).verdict;

describe("a register allows", () => {
  test("a read of what was there before, while the write is under way", () => {
    const write = did("w1", [1, 9], put("a"), {});
    const old = did("w2", [2, 3], get, { value: null });
    const fresh = did("w2", [4, 5], get, { value: "a" });
    expect(verdict(write, old, fresh)).toBe("linearizable");
  });

  test("a put of unknown outcome to take effect long after it was given up", () => {
    const lines = [
      did("w1", [1, 2], put("a"), {}),
      did("w2", [3, 4], put("late"), "unknown"),
      did("w3", [10, 11], get, { value: "a" }),
      did("w3", [90, 91], get, { value: "late" }),
    ];
    expect(verdict(...lines)).toBe("linearizable");
  });

  test("a put of unknown outcome never to take effect", () => {
    const lines = [
      did("w1", [1, 2], put("a"), {}),
      did("w2", [3, null], put("never")),
      did("w3", [10, 11], get, { value: "a" }),
    ];
    expect(verdict(...lines)).toBe("linearizable");
  });

  test("a swap that failed because of one of unknown outcome that nobody saw", () => {
    const lines = [
      did("w1", [1, 2], put("a"), {}),
      did("w2", [3, 4], cas("a", "b"), "unknown"),
      did("w3", [5, 6], cas("a", "c"), { swapped: false }),
    ];
    expect(verdict(...lines)).toBe("linearizable");
  });

  test("a value that came of one unknown outcome upon another, each of which two may have had", () => {
    const lost = (process: string, asked: Parameters<typeof did>[2]) =>
      did(process, [1, null], asked);
    const puts = [lost("w1", put("a")), lost("w2", put("a"))];
    const swaps = [lost("w3", cas("a", "b")), lost("w4", cas("a", "b"))];
    const read = did("r", [5, 6], get, { value: "b" });
    const before = did("w0", [0, 0.5], put("z"), {});
    expect(verdict(before, ...puts, ...swaps, read)).toBe("linearizable");
    expect(verdict(before, ...swaps, read)).toBe("violation");
  });

  test("an operation at the very moment at which another ends to come before it", () => {
    const lines = [did("w1", [1, 5], put("a"), {}), did("w2", [5, 6], get, { value: null })];
    expect(verdict(...lines)).toBe("linearizable");
  });

  test("gaps between revisions, since other keys take some, and no more writes than fit in one", () => {
    const seen = (value: string) => did("w2", [5, 6], get, { value });
    const around = [did("w1", [1, 2], put("a"), { revision: 3 })];
    const after = did("w1", [7, 8], put("z"), { revision: 5 });
    expect(verdict(...around, did("w3", [3, null], put("x")), seen("x"), after)).toBe(
      "linearizable",
    );
    const two = [did("w3", [3, null], put("x")), did("w4", [3, null], cas("x", "y"))];
    expect(verdict(...around, ...two, seen("y"), after)).toBe("violation");
  });
});

describe("a register does not allow", () => {
  test("a stale read", () => {
    const lines = [
      did("w1", [1, 2], put("a"), {}),
      did("w1", [3, 4], put("b"), {}),
      did("w2", [5, 6], get, { value: "a" }),
    ];
    expect(verdict(...lines)).toBe("violation");
  });

  test("a stale read of a value that was written twice, when its revision is the older one's", () => {
    const lines = [
      did("w1", [1, 2], put("a"), { revision: 2 }),
      did("w1", [3, 4], put("a"), { revision: 3 }),
    ];
    const reads = (revision: number) => did("w2", [5, 6], get, { value: "a", revision });
    expect(verdict(...lines, reads(3))).toBe("linearizable");
    expect(verdict(...lines, reads(2))).toBe("violation");
  });

  test("a lost update: two swaps of the same value", () => {
    const lines = [
      did("w1", [1, 2], put("a"), {}),
      did("w1", [3, 9], cas("a", "b"), { swapped: true }),
      did("w2", [3, 9], cas("a", "c"), { swapped: true }),
    ];
    expect(verdict(...lines)).toBe("violation");
    expect(verdict(...lines.slice(0, 2))).toBe("linearizable");
  });

  test("a read from the future", () => {
    const write = did("w1", [5, 6], put("a"), {});
    expect(verdict(did("w2", [1, 4], get, { value: "a" }), write)).toBe("violation");
    expect(verdict(did("w2", [1, 5], get, { value: "a" }), write)).toBe("linearizable");
  });

  test("a read of what nobody wrote, or of what provably was not written", () => {
    const read = did("w2", [5, 6], get, { value: "a" });
    expect(verdict(read)).toBe("violation");
    expect(verdict(did("w1", [1, 2], put("a"), "failed"), read)).toBe("violation");
  });

  test("two readers to see two writes in different orders", () => {
    const seen = (who: string, at: number, value: string) => did(who, [at, at + 1], get, { value });
    const writes = [did("w1", [1, 20], put("a"), {}), did("w2", [1, 20], put("b"), {})];
    const first = [seen("r1", 2, "a"), seen("r1", 6, "b")];
    expect(verdict(...writes, ...first, seen("r2", 4, "a"), seen("r2", 8, "b"))).toBe(
      "linearizable",
    );
    expect(verdict(...writes, ...first, seen("r2", 8, "b"), seen("r2", 10, "a"))).toBe("violation");
  });

  test("a put of unknown outcome to be seen, then not, and then again", () => {
    const lines = [
      did("w1", [1, 2], put("a"), {}),
      did("w2", [3, 4], put("u"), "unknown"),
      did("w3", [5, 6], get, { value: "u" }),
      did("w3", [7, 8], put("b"), {}),
    ];
    expect(verdict(...lines)).toBe("linearizable");
    expect(verdict(...lines, did("w3", [9, 10], get, { value: "u" }))).toBe("violation");
  });

  test("a put of unknown outcome to be seen before it was asked for", () => {
    const write = did("w2", [8, null], put("u"));
    expect(verdict(did("w3", [5, 6], get, { value: "u" }), write)).toBe("violation");
  });

  test("a value to stay after its delete", () => {
    const lines = [did("w1", [1, 2], put("a"), {}), did("w1", [3, 4], remove, { deleted: true })];
    expect(verdict(...lines, did("w2", [5, 6], get, { value: null }))).toBe("linearizable");
    expect(verdict(...lines, did("w2", [5, 6], get, { value: "a" }))).toBe("violation");
    expect(verdict(...lines, did("w2", [5, 6], remove, { deleted: true }))).toBe("violation");
  });

  test("a revision to fall, to stand still, or to be read as another", () => {
    const first = did("w1", [1, 2], put("a"), { revision: 7 });
    const second = (revision: number) => did("w1", [3, 4], put("b"), { revision });
    expect(verdict(first, second(8))).toBe("linearizable");
    expect(verdict(first, second(7))).toBe("violation");
    expect(verdict(first, second(6))).toBe("violation");
    const read = did("w2", [3, 4], get, { value: "a", revision: 6 });
    expect(verdict(first, read)).toBe("violation");
  });

  test("a swap to be refused while what it expects is there", () => {
    const lines = [
      did("w1", [1, 2], put("a"), {}),
      did("w2", [3, 4], cas("a", "b"), { swapped: false }),
    ];
    expect(verdict(...lines)).toBe("violation");
  });
});
