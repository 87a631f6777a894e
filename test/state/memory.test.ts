/** The tables behind "at most once" and "what became of it", each against a dumb twin. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { nodeBytes } from "../../src/server/ports/index.js";
import { RepeatedTexts } from "../../src/state/command/repeated.js";
import { SequencedKeys, sequencedKey } from "../../src/state/kv/sequence.js";
import { EndedEntries, EndedEntry } from "../../src/state/lock/ended.js";
import { Moment, NEVER } from "../../src/state/moment.js";
import { Answers, KeptAnswer } from "../../src/state/request/answers.js";

const MAX = Number.MAX_SAFE_INTEGER;
/** In a row, far apart, and alike in their low bits. */
const number = fc.oneof(
  fc.nat(40),
  fc.maxSafeNat(),
  fc.nat(40).map(n => n * 4_096),
  fc.nat(5).map(n => MAX - n),
);

test("answers are found by any number, however far apart, and copies stand still", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(number, fc.boolean()), { maxLength: 300 }), steps => {
      const answers = new Answers(null);
      const twin = new Map<number, KeptAnswer>();
      const half = steps.length >> 1;
      let copy = new Answers(answers);
      let copied: number[] = [];
      steps.forEach(([n, add], step) => {
        if (step === half) {
          copy = new Answers(answers);
          copied = answers.numbers();
        }
        expect(answers.get(n)).toBe(twin.get(n));
        if (add && !twin.has(n)) {
          const answer = new KeptAnswer(n, step, -step, null, 1);
          answers.add(answer);
          twin.set(n, answer);
        } else if (!add) {
          expect(answers.delete(n)).toBe(twin.get(n));
          twin.delete(n);
        }
        expect(answers.size).toBe(twin.size);
      });
      expect(answers.numbers()).toEqual([...twin.keys()].sort((a, b) => a - b));
      expect(copy.numbers()).toEqual(copied);
      for (const n of copied) expect(copy.get(n)?.number).toBe(n);
    }),
  );
});

const step = fc.record({
  name: fc.constantFrom("a", "b", "a/b"),
  token: fc.oneof(fc.nat(200), fc.maxSafeNat()),
  byLease: fc.boolean(),
  forget: fc.nat(3).map(n => n === 0),
});

test("ended entries are found by key and by token until they are forgotten", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), steps => {
      const ended = new EndedEntries();
      const kept: EndedEntry[] = [];
      for (const { name, token, byLease, forget } of steps) {
        const key = byLease ? `${name}/5e55` : sequencedKey(name, token);
        const at = new Moment(1, 2);
        const one = new EndedEntry(
          name,
          key,
          token,
          "5e55",
          "",
          "released",
          true,
          NEVER,
          at,
          "exclusive",
          0,
          null,
          "",
          "",
        );
        ended.push(one);
        kept.push(one);
        if (forget) {
          ended.shift();
          kept.shift();
        }
        const last = (match: (e: EndedEntry) => boolean) => kept.filter(match).at(-1);
        expect(ended.byKey(`${name}/5e55`)).toBe(last(e => e.key === `${name}/5e55`));
        expect(ended.byToken(name, token)).toBe(last(e => e.name === name && e.token === token));
        expect(ended.byToken(name, token + 1)).toBe(
          last(e => e.name === name && e.token === token + 1),
        );
        expect(ended.first()).toBe(kept[0]);
      }
    }),
    { numRuns: 50 },
  );
});

test("a sequenced key in one piece is the same key, whatever the prefix and revision", () => {
  const keys = new SequencedKeys(nodeBytes);
  const prefix = fc.oneof(fc.string({ unit: "binary-ascii" }), fc.constant("n".repeat(600)));
  fc.assert(
    fc.property(prefix, fc.maxSafeNat(), (name, revision) => {
      expect(keys.of(name, revision)).toBe(sequencedKey(name, revision));
    }),
  );
});

test("texts read again and again are what stands there, alike or not", () => {
  const texts = new RepeatedTexts(nodeBytes);
  const bytes = fc.uint8Array({ maxLength: 36 });
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 8 }), fc.nat(3), (pieces, times) => {
      for (let i = 0; i <= times; i++) {
        for (const piece of pieces) {
          const there = nodeBytes.latin1Read(piece, 0, piece.length);
          expect(texts.latin1Read(piece, 0, piece.length)).toBe(there);
        }
      }
    }),
  );
});
