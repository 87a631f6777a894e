/** The recorder and the format on disk. */
import { describe, expect, test } from "vitest";
import { checkAll, fromJsonl, History, HistoryError, type Operation, toJsonl } from "./index.js";
import { did, get, put } from "./trials/lines.js";

function atTimes(...times: readonly number[]): () => number {
  const left = [...times];
  return () => left.shift() ?? Number.NaN;
}

describe("the recorder", () => {
  test("notes who asked what when, and what became of it", () => {
    const history = new History(atTimes(1, 2, 3, 4.5, 5));
    const first = history.begin("w1", { kind: "put", key: "k", value: "a" });
    const second = history.begin("w2", { kind: "get", key: "k" });
    second.ok({ value: null });
    first.ok({ revision: 2 });
    history.begin("w2", { kind: "delete", key: "k" });
    expect(history.operations).toEqual([
      {
        process: "w1",
        call: 1,
        return: 4.5,
        op: { kind: "put", key: "k", value: "a" },
        result: { revision: 2 },
      },
      {
        process: "w2",
        call: 2,
        return: 3,
        op: { kind: "get", key: "k" },
        result: { value: null },
      },
      { process: "w2", call: 5, return: null, op: { kind: "delete", key: "k" }, result: "unknown" },
    ]);
  });

  test("keeps the order of events while its clock stands still", () => {
    const history = new History(() => 7);
    history.begin("w1", { kind: "put", key: "k", value: "a" }).ok({});
    history.begin("w2", { kind: "get", key: "k" }).ok({ value: null });
    expect(checkAll(history).verdict).toBe("violation");
    const epoch = new History(() => 1.8e12);
    epoch.begin("w1", { kind: "put", key: "k", value: "a" }).ok({});
    epoch.begin("w2", { kind: "get", key: "k" }).ok({ value: null });
    expect(checkAll(epoch).verdict).toBe("violation");
  });

  test("lets a holder's proof move on, never back", () => {
    const history = new History(atTimes(1, 2));
    const pending = history.begin("w1", {
      kind: "acquire",
      key: "k",
      holder: "w1",
      mayExpire: true,
    });
    pending.ok({ token: 3 });
    pending.heldUntil(50);
    pending.heldUntil(40);
    expect(history.operations[0]?.op).toMatchObject({ heldUntil: 50 });
  });

  test("refuses what is not of the format at once, and an end told twice", () => {
    const history = new History(() => 1);
    expect(() => history.begin("w1", { kind: "release", key: "k", token: 0.5 })).toThrow(
      /"token" is a whole number from 1, not 0.5/,
    );
    const pending = history.begin("w1", { kind: "get", key: "k" });
    pending.unknown();
    expect(() => pending.ok({ value: null })).toThrow(HistoryError);
    const held = history.begin("w1", { kind: "acquire", key: "l", holder: "w1" });
    expect(() => held.heldUntil(9)).toThrow(/"heldUntil" goes with "mayExpire"/);
  });
});

describe("a history on disk", () => {
  const OPERATIONS: readonly Operation[] = [
    did("w1", [1.5, 2.25], put(`quoted "and"\nbroken`), { revision: 7 }),
    did("w2", [2, null], put("ü"), "unknown"),
    did("w2", [2, 4], put("f"), "failed"),
    did("w3", [5, 6], get, { value: null }),
    did(
      "w3",
      [7, 8],
      { kind: "acquire", holder: "w3", mayExpire: true, heldUntil: 9 },
      {
        token: 1,
      },
    ),
  ];

  test("comes back as it was written, one line an operation", () => {
    const text = toJsonl(OPERATIONS);
    expect(text.split("\n")).toHaveLength(OPERATIONS.length + 1);
    expect(fromJsonl(text)).toEqual(OPERATIONS);
    expect(History.fromJsonl(text).toJsonl()).toBe(text);
  });

  const line = (change: object): string =>
    JSON.stringify({
      process: "w1",
      call: 1,
      return: 2,
      op: { kind: "get", key: "k" },
      result: { value: "a" },
      ...change,
    });
  const ofOp = (op: object, result: unknown = "unknown"): string =>
    line({ op: { key: "k", ...op }, result });

  test.each([
    ["{", /not JSON/],
    ["[]", /not an object/],
    ["null", /not an object/],
    [line({ call: "1" }), /"call" is a time in ms, not "1"/],
    [line({ call: 3 }), /returned before its call/],
    [line({ call: undefined }), /lacks "call"/],
    [line({ note: 1 }), /"note" that is not known/],
    [line({ op: [] }), /"op" is an object/],
    [line({ result: "lost" }), /"result" is an answer, "unknown" or "failed", not "lost"/],
    [line({ return: null }), /an answer, and no time of return/],
    [line({ result: {} }), /lacks "value"/],
    [line({ result: { value: null, revision: 3 } }), /a revision of no value/],
    [line({ result: { value: "a", revision: 0 } }), /a whole number from 1, not 0/],
    [ofOp({ kind: "steal" }), /"kind" of the op is one of put, get, .*not "steal"/],
    [ofOp({ kind: "toString" }), /"kind" of the op is one of/],
    [ofOp({ kind: "put" }), /the put lacks "value"/],
    [ofOp({ kind: "put", value: "a", ttl: 3 }), /the put has a field "ttl"/],
    [ofOp({ kind: "put", value: "a", key: 5 }), /"key" is a string, not 5/],
    [ofOp({ kind: "cas", value: "a", expect: 1 }), /"expect" is a string or null/],
    [
      ofOp({ kind: "cas", value: "a", expect: "b" }, { swapped: false, revision: 3 }),
      /changed nothing/,
    ],
    [ofOp({ kind: "acquire", holder: "a", heldUntil: 9 }), /goes with "mayExpire"/],
    [ofOp({ kind: "acquire", holder: "a", mayExpire: false }), /"mayExpire" is true, not false/],
    [ofOp({ kind: "acquire", holder: "a", mayExpire: true, heldUntil: 0 }), /before its call/],
    [ofOp({ kind: "acquire", holder: "a" }, { refused: false }), /"refused" is true/],
    [ofOp({ kind: "acquire", holder: "a" }, { token: 1, refused: true }), /"refused" that is not/],
    [ofOp({ kind: "leader" }, { candidate: null, token: 3 }), /tells more of no leader/],
    [ofOp({ kind: "expire", token: 3 }, { expired: true }), /an expire is never answered/],
  ])("is refused with the number of its bad line: %s", (bad, complaint) => {
    const text = `${toJsonl(OPERATIONS)}\n${bad}\n${line({})}\n`;
    // Five lines, some text with a broken one inside; then an empty one.
    expect(() => fromJsonl(text)).toThrow(/^line 7: /);
    expect(() => fromJsonl(text)).toThrow(complaint);
    expect(() => fromJsonl(text)).toThrow(HistoryError);
  });

  test("is taken where the line is good", () => {
    expect(fromJsonl(line({}))).toHaveLength(1);
    expect(fromJsonl("\n\n")).toEqual([]);
  });
});
