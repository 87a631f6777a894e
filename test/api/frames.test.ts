import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { Border, TextError } from "../../src/api/calls/text.js";
import { compileOperations } from "../../src/api/calls/validation.js";
import { DecodeError, decodeMsgpack, encodeMsgpack } from "../../src/api/websocket/msgpack.js";
import { nodeBytes } from "../../src/server/ports/index.js";

const border = new Border(nodeBytes, "msgpack");
const jsonBorder = new Border(nodeBytes, "json");

const bytesOf = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

/** Decodes, or tells that it was refused; anything else is a crash. */
function decoded(bytes: Uint8Array): unknown {
  try {
    return decodeMsgpack(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return DecodeError;
    throw error;
  }
}

const jsonLike = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(
      fc.string({ maxLength: 8 }).filter(name => name !== "__proto__"),
      tie("value"),
      {
        maxKeys: 5,
        noNullPrototype: true,
      },
    ),
  ),
})).value;

describe("msgpack frames", () => {
  test("read back as they were written, integers beyond 32 bits included", () => {
    fc.assert(
      fc.property(jsonLike, value => {
        // Without what JSON cannot say, such as -0.
        const plain = JSON.parse(JSON.stringify(value));
        const sent = encodeMsgpack(border.outward({ value: plain }));
        expect(decoded(sent)).toEqual({ value: plain });
      }),
      { numRuns: 300 },
    );
  });

  test("have integers from 2^32 on as int64, not as floats, and no undefined", () => {
    const sent = encodeMsgpack(border.outward({ r: 2 ** 40, gone: undefined, f: 0.5 }));
    expect(Buffer.from(sent).toString("hex")).toContain("a172d30000010000000000");
    expect(Buffer.from(sent).toString("latin1")).not.toContain("gone");
    expect(decoded(sent)).toEqual({ r: 2 ** 40, f: 0.5 });
  });

  test("of any bytes are decoded or refused, and never crash", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        decoded(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  test("with a byte changed are decoded or refused, and never crash", () => {
    const good = encodeMsgpack([
      { id: 1, op: "kv.put", params: { key: "abc", value: bytesOf(1, 2, 3) }, low: 2 ** 31 },
    ]);
    for (let at = 0; at < good.length; at += 1)
      for (let byte = 0; byte < 256; byte += 1) {
        const bad = Uint8Array.from(good);
        bad[at] = byte;
        decoded(bad);
      }
    for (let length = 0; length < good.length; length += 1)
      expect(decoded(good.subarray(0, length))).toBe(DecodeError);
  });

  test("with extensions, records, false lengths, deep nests or a tail are refused", () => {
    const records = new Packr({ useRecords: true }).pack([{ a: 1 }, { a: 2 }]);
    const date = new Packr().pack(new Date(0));
    const refused: [string, Uint8Array][] = [
      ["records", records],
      ["a date", date],
      ["fixext", bytesOf(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01)],
      ["the type that is never used", bytesOf(0xc1)],
      ["an array of 4 billion", bytesOf(0xdd, 0xff, 0xff, 0xff, 0xff)],
      ["a map of 4 billion", bytesOf(0xdf, 0xff, 0xff, 0xff, 0xff)],
      ["binary of 4 GiB", bytesOf(0xc6, 0xff, 0xff, 0xff, 0xff)],
      ["a string past the end", bytesOf(0xd9, 0x05, 0x61)],
      ["a tail", bytesOf(0x90, 0x90)],
      ["nothing", bytesOf()],
      ["100,000 nested arrays", new Uint8Array(100_000).fill(0x91)],
    ];
    for (const [what, bytes] of refused)
      expect([what, decoded(bytes)]).toEqual([what, DecodeError]);
  });

  test("leave no view of the frame behind in what goes on to the coordinator", () => {
    const frame = encodeMsgpack({ key: bytesOf(1, 200), value: bytesOf(9) });
    const params = decodeMsgpack(frame) as Record<string, unknown>;
    border.inward(params);
    frame.fill(0);
    expect(params).toEqual({ key: "\u0001\u00c8", value: "\t" });
  });
});

describe("text and bytes at the border", () => {
  const byteString = fc.uint8Array({ maxLength: 40 }).map(b => Buffer.from(b).toString("latin1"));

  test("every byte string comes back as it went out, over msgpack and over JSON", () => {
    const shape = fc.record({
      key: byteString,
      value: byteString,
      keys: fc.array(byteString, { maxLength: 4 }),
      nested: fc.array(fc.record({ prefix: byteString }), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(shape, record => {
        const before = structuredClone(record);
        const overMsgpack = decodeMsgpack(encodeMsgpack(border.outward(record)));
        border.inward(overMsgpack as Record<string, unknown>);
        expect(overMsgpack).toEqual(record);
        const overJson = JSON.parse(JSON.stringify(jsonBorder.outward(record)));
        jsonBorder.inward(overJson);
        expect(overJson).toEqual(record);
        expect(record).toEqual(before);
      }),
      { numRuns: 300 },
    );
  });

  test("what needs no change is passed on itself, not copied", () => {
    const result = { key: "a", revision: 5, holders: [{ owner: "me" }] };
    expect(border.outward(result)).toBe(result);
  });
});

test("parameters of any shape are checked without a crash, and only fit ones pass", () => {
  const operations = compileOperations();
  const names = [...operations.keys()];
  const fields = [
    "key",
    "value",
    "name",
    "token",
    "lease",
    "ttlMs",
    "heldBy",
    "compare",
    "success",
  ];
  const params = fc.dictionary(fc.oneof(fc.constantFrom(...fields), fc.string()), jsonLike, {
    maxKeys: 5,
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(fc.constantFrom(...names), params, (name, value) => {
      const own = structuredClone(value);
      try {
        jsonBorder.inward(own);
      } catch (error) {
        if (error instanceof TextError) return;
        throw error;
      }
      const refusal = operations.get(name)?.check(own);
      if (refusal === null) expect(Object.keys(own).every(f => /^\w+$/.test(f))).toBe(true);
      else expect(refusal?.message.length).toBeGreaterThan(5);
    }),
    { numRuns: 1500 },
  );
});
