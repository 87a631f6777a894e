import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError, Reader, Writer } from "../../src/base/codec.js";
import { nodeBytes } from "../../src/server/ports/bytes.js";

const u53 = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.constantFrom(127, 128, 2 ** 28, 2 ** 32 - 1, 2 ** 32, 2 ** 49, 2 ** 53 - 1),
);
const byteString = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(String.fromCharCode) });

const field = fc.oneof(
  fc.record({ kind: fc.constant("u8" as const), value: fc.nat(255) }),
  fc.record({ kind: fc.constant("u16" as const), value: fc.nat(65535) }),
  fc.record({ kind: fc.constant("u32" as const), value: fc.nat(2 ** 32 - 1) }),
  fc.record({ kind: fc.constant("u53" as const), value: u53 }),
  fc.record({ kind: fc.constant("count" as const), value: u53 }),
  fc.record({ kind: fc.constant("boolean" as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant("string" as const), value: byteString }),
  fc.record({ kind: fc.constant("array" as const), value: fc.uint8Array({ maxLength: 300 }) }),
);
type Field = typeof field extends fc.Arbitrary<infer T> ? T : never;

function write(writer: Writer, item: Field): void {
  switch (item.kind) {
    case "boolean":
      writer.boolean(item.value);
      break;
    case "string":
      writer.string(item.value);
      break;
    case "array":
      writer.array(item.value);
      break;
    default:
      writer[item.kind](item.value);
  }
}

function read(reader: Reader, kind: Field["kind"]): unknown {
  switch (kind) {
    case "string":
      return reader.string("field", 1000);
    case "array":
      return reader.array("field", 1000);
    default:
      return reader[kind]("field");
  }
}

function decodeErrorOf(run: () => unknown): DecodeError {
  try {
    run();
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("codec", () => {
  test("what was written comes back, whatever the order of fields", () => {
    const writer = new Writer(nodeBytes, 1);
    fc.assert(
      fc.property(fc.array(field, { maxLength: 30 }), fields => {
        for (const item of fields) write(writer, item);
        const bytes = writer.finish();
        const reader = new Reader(nodeBytes, bytes);
        for (const item of fields) expect(read(reader, item.kind)).toEqual(item.value);
        reader.end("message");
      }),
    );
  });

  test("arbitrary bytes give a value or DecodeError, and never read beyond the end", () => {
    const kinds = fc.array(
      field.map(f => f.kind),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), kinds, (bytes, fields) => {
        const reader = new Reader(nodeBytes, bytes);
        try {
          for (const kind of fields) read(reader, kind);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
        expect(reader.offset).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });

  test("every cut of a message is refused", () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 6 }), fields => {
        const writer = new Writer(nodeBytes);
        for (const item of fields) write(writer, item);
        const bytes = writer.finish();
        for (let cut = 0; cut < bytes.length; cut++) {
          const reader = new Reader(nodeBytes, bytes.subarray(0, cut));
          decodeErrorOf(() => {
            for (const item of fields) read(reader, item.kind);
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  test("a count decodes from its shortest form alone", () => {
    for (const bytes of [
      [0x80, 0x00],
      [0xff, 0x80, 0x00],
      Array(9).fill(0x81),
      Array(8).fill(0xff),
    ]) {
      decodeErrorOf(() => new Reader(nodeBytes, Uint8Array.from(bytes)).count("n"));
    }
    const writer = new Writer(nodeBytes);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 8 }), bytes => {
        const reader = new Reader(nodeBytes, bytes);
        let value: number;
        try {
          value = reader.count("n");
        } catch {
          return;
        }
        writer.count(value);
        expect(writer.finish()).toEqual(bytes.slice(0, reader.offset));
      }),
    );
  });

  test("an error names the field and the place", () => {
    const writer = new Writer(nodeBytes);
    writer.u32(7);
    writer.string("x".repeat(20));
    const reader = new Reader(nodeBytes, writer.finish());
    reader.u32("id");
    const error = decodeErrorOf(() => reader.string("owner", 10));
    expect(error.what).toBe("owner");
    expect(error.offset).toBe(4);
    expect(error.message).toContain("at most 10");
  });

  test("a list cannot announce more items than could be there", () => {
    const writer = new Writer(nodeBytes);
    writer.count(1000);
    writer.u32(0);
    const bytes = writer.finish();
    decodeErrorOf(() => new Reader(nodeBytes, bytes).items("entries", 10_000));
    decodeErrorOf(() => new Reader(nodeBytes, Uint8Array.from([3, 0, 0, 0])).items("e", 10, 2));
    expect(new Reader(nodeBytes, Uint8Array.from([3, 0, 0, 0])).items("e", 10)).toBe(3);
  });

  test("a boolean is 0 or 1, a u53 has 53 bits, and nothing may be left over", () => {
    decodeErrorOf(() => new Reader(nodeBytes, Uint8Array.of(2)).boolean("flag"));
    decodeErrorOf(() => new Reader(nodeBytes, Uint8Array.of(0, 0, 0, 0, 0, 0, 0x20, 0)).u53("n"));
    decodeErrorOf(() => new Reader(nodeBytes, Uint8Array.of(1)).end("message"));
  });

  test("finish gives memory of its own, and the writer can be used again", () => {
    const writer = new Writer(nodeBytes, 4);
    writer.string("first");
    const first = writer.finish();
    writer.string("other");
    writer.finish();
    expect(first.byteLength).toBe(first.buffer.byteLength);
    expect(new Reader(nodeBytes, first).string("s", 10)).toBe("first");
  });

  test("a patched length reads back", () => {
    const writer = new Writer(nodeBytes);
    writer.u8(1);
    writer.u32(0);
    writer.string("abc");
    writer.patchU32(1, 0xfffffffe);
    const reader = new Reader(nodeBytes, writer.finish());
    reader.u8("kind");
    expect(reader.u32("length")).toBe(0xfffffffe);
    expect(() => writer.patchU32(0, 1)).toThrow("outside");
  });
});
