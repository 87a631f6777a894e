import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, hexOf, inputOf, textOf } from "./text.js";

test("bytes are hex, and runs of one byte are counted", () => {
  expect(hexOf(Uint8Array.of(1, 255, 0, 0))).toBe("01ff0000");
  expect(hexOf(new Uint8Array(512).fill(7, 500))).toBe("(00*500)(07*12)");
  expect([...bytesOf("01(00*9)ff")]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255]);
  expect(() => bytesOf("01zz")).toThrow("no hex from character 2 on");
  expect(() => bytesOf("0")).toThrow("no hex from character 0 on");
});

test("every input is read back as it was written", () => {
  const leaf = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .uint8Array({ minLength: 8, maxLength: 8 })
      .map(([byte = 0]) => new Uint8Array(30).fill(byte)),
    fc.string({ unit: "binary" }),
    fc.double(),
    fc.bigInt(),
    fc.constantFrom(null, undefined, true, Number.NaN, -0, "\ud800"),
  );
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      leaf,
      fc.array(tie("tree")),
      fc.dictionary(fc.string(), tie("tree"), { noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(tree, input => {
      expect(inputOf(textOf(input))).toStrictEqual(input);
    }),
    { numRuns: 150 },
  );
});

test("an object that looks like a spelling of something else stays what it is", () => {
  for (const name of ["$", "$hex", "$int", "$number", "$object", "$other"]) {
    for (const value of [null, "undefined", "00", { [name]: undefined }]) {
      const input = { [name]: value };
      expect(inputOf(textOf(input))).toStrictEqual(input);
    }
  }
});

test("a field named __proto__ stays a field", () => {
  const input = JSON.parse('{"__proto__": 1, "a": {"__proto__": {"b": 2}}}');
  expect(JSON.stringify(inputOf(textOf(input)))).toBe(JSON.stringify(input));
});
