import fc from "fast-check";
import { ERRORS, type ErrorCode, isErrorCode } from "holdfast-protocol";
import { pack } from "msgpackr";
import { describe, expect, test, vi } from "vitest";
import {
  decodeFrame,
  encodeFrame,
  FrameError,
  packable,
} from "../../clients/typescript/core/codec.js";
import { LOOPBACK, webSocketUrls } from "../../clients/typescript/core/endpoints.js";
import * as errors from "../../clients/typescript/core/errors.js";

describe("a frame", () => {
  test("carries integers from 2^32 as int64, and gives them back as numbers", () => {
    const numbers = [0, 1, -1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 31), -(2 ** 40)];
    const frame = encodeFrame([packable({ numbers })]);
    expect(decodeFrame(frame)).toEqual([{ numbers }]);
    expect(Buffer.from(frame).includes(Buffer.from("d30000000100000000", "hex"))).toBe(true);
    expect(Buffer.from(frame).includes(0xcb)).toBe(false);
  });

  test("leaves undefined fields out, and changes nothing that needs no change", () => {
    const plain = { a: 1, b: "x", c: { d: [1, 2] } };
    expect(packable(plain)).toEqual(plain);
    expect(packable({ name: "x", waitMs: -1 })).toEqual({ name: "x", waitMs: -1 });
    const flat = { name: "x", token: 7, wait: true };
    expect(packable(flat)).toBe(flat);
    expect(packable({ a: undefined, b: { c: undefined, d: 1 } })).toEqual({ b: { d: 1 } });
  });

  test("gives values that do not pin the frame", () => {
    const frame = encodeFrame([{ value: Uint8Array.of(1, 2, 3) }]);
    const [message] = decodeFrame(frame) as [{ value: Uint8Array }];
    expect([...message.value]).toEqual([1, 2, 3]);
    expect(message.value.buffer).not.toBe(frame.buffer);
  });

  test("with extensions, lying lengths, trailing bytes or deep nests is refused by name", () => {
    const bad: [string, Uint8Array][] = [
      ["a record definition", Uint8Array.of(0xd4, 0x72, 0x40)],
      ["a date", pack([new Date(0)])],
      ["an array longer than the frame", Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)],
      ["a string longer than the frame", Uint8Array.of(0x91, 0xd9, 0x20, 0x61)],
      ["bytes after the end", Uint8Array.of(0x90, 0x90)],
      ["nothing", new Uint8Array()],
      ["no array", Uint8Array.of(0x80)],
      ["a deep nest", Uint8Array.from({ length: 100 }, () => 0x91)],
    ];
    for (const [what, frame] of bad) expect(() => decodeFrame(frame), what).toThrow(FrameError);
  });

  test("of any bytes at all is messages or a named refusal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), frame => {
        try {
          expect(Array.isArray(decodeFrame(frame))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("gives back what was put in", () => {
    const value = fc.oneof(fc.string(), fc.boolean(), fc.maxSafeInteger(), fc.constant(null));
    const message = fc.dictionary(fc.string({ minLength: 1 }), fc.oneof(value, fc.array(value)));
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), messages => {
        fc.pre(messages.every(one => !Object.hasOwn(one, "__proto__")));
        const frame = encodeFrame(messages.map(one => packable(one)));
        expect(JSON.stringify(decodeFrame(frame))).toBe(JSON.stringify(messages));
      }),
      { numRuns: 200 },
    );
  });
});

describe("errors", () => {
  test("of every code in the table keep what the table says", () => {
    for (const code of Object.keys(ERRORS).filter(isErrorCode)) {
      const { retryable, outcome, message } = ERRORS[code];
      const error = errors.errorFrom({ code, message, retryable, outcome, requestId: "r-1" });
      expect(error).toMatchObject({ code, retryable, outcome, requestId: "r-1", details: {} });
      expect(error).toBeInstanceOf(errors.HoldfastError);
      expect(error).toBeInstanceOf(Error);
      expect(error instanceof errors.OutcomeUnknownError).toBe(outcome === "unknown");
    }
  });

  test("of a newer node keep its code in the details", () => {
    const code = "BRAND_NEW" as ErrorCode;
    const wire = { code, message: "?", retryable: true, outcome: "not-applied" as const };
    expect(errors.errorFrom(wire)).toMatchObject({
      code: "INTERNAL",
      retryable: true,
      outcome: "not-applied",
      details: { code: "BRAND_NEW" },
    });
  });

  test("are told by instanceof across two copies of the package", async () => {
    vi.resetModules();
    const copy = await import("../../clients/typescript/core/errors.js");
    expect(copy.HoldfastError).not.toBe(errors.HoldfastError);
    const lost = new copy.LockLostError("expired", { message: "x" });
    expect(lost).toBeInstanceOf(errors.LockLostError);
    expect(lost).toBeInstanceOf(errors.HoldfastError);
    expect(lost).not.toBeInstanceOf(errors.WaitTimeoutError);
    expect(new Error("x")).not.toBeInstanceOf(errors.HoldfastError);
    expect({ code: "NOT_HELD" }).not.toBeInstanceOf(errors.HoldfastError);
  });

  test("of a class that a user derived are told by their own class", () => {
    class Mine extends errors.LockLostError {}
    const mine = new Mine("broken", { message: "x" });
    expect(mine).toBeInstanceOf(Mine);
    expect(mine).toBeInstanceOf(errors.LockLostError);
    expect(new errors.LockLostError("broken", { message: "x" })).not.toBeInstanceOf(Mine);
  });
});

describe("endpoints", () => {
  test("are taken as people write them", () => {
    expect(webSocketUrls("127.0.0.1")).toEqual(["ws://127.0.0.1:2379/v1/ws"]);
    expect(webSocketUrls("http://a:1, https://b ,[::1]:3")).toEqual([
      "ws://a:1/v1/ws",
      "wss://b:2379/v1/ws",
      "ws://[::1]:3/v1/ws",
    ]);
    expect(webSocketUrls(["a:1", "wss://b:2/"])).toEqual(["ws://a:1/v1/ws", "wss://b:2/v1/ws"]);
    expect(webSocketUrls(LOOPBACK)).toHaveLength(3);
  });

  test.each(["", " , ", "ftp://a", "a:99999", "http://a/path", "http://u:p@a", "a b"])(
    "%j is refused by name",
    bad => {
      expect(() => webSocketUrls(bad)).toThrow(/endpoints/);
    },
  );
});
