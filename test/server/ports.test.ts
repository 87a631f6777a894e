import { describe, expect, test } from "vitest";
import {
  nodeBytes,
  nodeChecksum,
  nodeClock,
  nodeEndOfTurn,
  nodeRandom,
} from "../../src/server/ports/index.js";

describe("the real ports", () => {
  test("a timer never fires before its time, and not at all once cancelled", async () => {
    let cancelledFired = false;
    nodeClock.after(1, () => {
      cancelledFired = true;
    })();
    for (let i = 0; i < 20; i++) {
      const start = nodeClock.monotonicMs();
      await new Promise<void>(resolve => nodeClock.after(1.7, resolve));
      expect(nodeClock.monotonicMs() - start).toBeGreaterThanOrEqual(1.7);
    }
    expect(cancelledFired).toBe(false);
    expect(Math.abs(nodeClock.wallMs() - Date.now())).toBeLessThan(1000);
  });

  test("the end of a turn comes after all of its microtasks and ticks", async () => {
    const order: string[] = [];
    await new Promise<void>(resolve => {
      nodeEndOfTurn.schedule(() => {
        order.push("end");
        resolve();
      });
      process.nextTick(() => order.push("tick"));
      void Promise.resolve().then(() => order.push("microtask"));
    });
    expect(order.toSorted()).toEqual(["end", "microtask", "tick"]);
    expect(order.at(-1)).toBe("end");
  });

  test("bytes: text to its UTF-8 and back, and null for what is not UTF-8", () => {
    expect(nodeBytes.utf8Encode("né")).toBe("n\xc3\xa9");
    expect(nodeBytes.utf8Decode("n\xc3\xa9")).toBe("né");
    expect(nodeBytes.utf8Decode("\xc3")).toBeNull();
    expect(nodeBytes.utf8Encode("\ud800")).toBe("\xef\xbf\xbd");
    const into = nodeBytes.allocate(5);
    nodeBytes.latin1Write(into, 1, "\xff\x00a");
    expect([...into]).toEqual([0, 255, 0, 97, 0]);
    expect(nodeBytes.latin1Read(into, 1, 4)).toBe("\xff\x00a");
    expect(into.buffer.byteLength).toBe(5);
  });

  test("the checksum is CRC-32, and goes on from a seed", () => {
    const bytes = new TextEncoder().encode("123456789");
    expect(nodeChecksum.crc32(bytes)).toBe(0xcbf43926);
    expect(nodeChecksum.crc32(bytes.subarray(4), nodeChecksum.crc32(bytes.subarray(0, 4)))).toBe(
      0xcbf43926,
    );
  });

  test("random draws stay below their bound, to 2^48", () => {
    for (const bound of [1, 2, 1000, 2 ** 48 - 1, 2 ** 48]) {
      for (let i = 0; i < 100; i++) {
        const draw = nodeRandom.below(bound);
        expect(Number.isInteger(draw) && draw >= 0 && draw < bound).toBe(true);
      }
    }
    expect(() => nodeRandom.below(0)).toThrow("bound");
  });
});
