import { describe, expect, test } from "vitest";
import { fromText, linkedPair, memory, text } from "./recording-node.js";

describe("a question", () => {
  test("is answered, in order of asking, each with its own answer", () => {
    const { loop, a, b } = linkedPair(5);
    const later: [string, (bytes: Uint8Array) => void][] = [];
    b.onAsk = (question, answer) => later.push([question, answer]);
    const answers: string[] = [];
    for (let i = 0; i < 100; i++) {
      a.links.ask(b.id, text(`q${i}`), answer => {
        answers.push(answer === null ? "null" : fromText(answer));
      });
    }
    expect(answers).toEqual([]);
    loop.settle();
    expect(b.questions).toEqual(Array.from({ length: 100 }, (_, i) => `q${i}`));
    for (const [question, answer] of later.toReversed()) answer(text(`re: ${question}`));
    loop.settle();
    expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => `re: q${99 - i}`));
  });

  test("gets null when the link breaks, once, and a late answer changes nothing", () => {
    const { loop, network, a, b } = linkedPair();
    const kept: ((bytes: Uint8Array) => void)[] = [];
    b.onAsk = (_, answer) => kept.push(answer);
    const answers: (Uint8Array | null)[] = [];
    for (let i = 0; i < 3; i++) a.links.ask(b.id, text("?"), answer => answers.push(answer));
    loop.settle();
    network.reset("host1", "host2");
    loop.settle();
    expect(answers).toEqual([null, null, null]);
    loop.advance(10_000);
    for (const answer of kept) answer(text("late"));
    loop.settle();
    expect(answers).toHaveLength(3);
  });

  test("gets null when its time is over, not much later, and only then", () => {
    const { loop, a, b } = linkedPair();
    b.onAsk = () => undefined;
    const ends: number[] = [];
    const start = loop.monotonicMs();
    a.links.ask(b.id, text("?"), () => ends.push(loop.monotonicMs() - start));
    loop.advance(2_000);
    a.links.ask(b.id, text("?"), () => ends.push(loop.monotonicMs() - start));
    loop.advance(10_000);
    expect(ends).toHaveLength(2);
    expect(ends[0]).toBeGreaterThanOrEqual(5_000);
    expect(ends[0]).toBeLessThanOrEqual(5_500);
    expect(ends[1]).toBeGreaterThanOrEqual(7_000);
    expect(ends[1]).toBeLessThanOrEqual(7_500);
    expect(a.events).toEqual(["up 2"]);
  });

  test("gets null in a later turn when there is no link, or too many wait, or it is too long", () => {
    const { loop, a, b } = linkedPair(undefined, { maxAsksPerPeer: 3, maxAskBytes: 100 });
    b.onAsk = () => undefined;
    const answers: (Uint8Array | null)[] = [];
    for (let i = 0; i < 5; i++) a.links.ask(b.id, text("?"), answer => answers.push(answer));
    a.links.ask(b.id, new Uint8Array(101), answer => answers.push(answer));
    expect(answers).toEqual([]);
    loop.settle();
    expect(answers).toEqual([null, null, null]);
    expect(b.questions).toHaveLength(3);
    const alone = memory().node(9);
    alone.start([]);
    alone.links.ask(b.id, text("?"), answer => answers.push(answer));
    expect(answers).toHaveLength(3);
  });

  test("of a megabyte goes through, both ways", () => {
    const { loop, a, b } = linkedPair(11);
    const long = "x".repeat(1_000_000);
    let answered: string | null = null;
    a.links.ask(b.id, text(long), answer => {
      answered = answer === null ? null : fromText(answer);
    });
    loop.settle();
    expect(answered).toBe(`re: ${long}`);
  });

  test("that is asked the moment the link is up finds the other side ready", () => {
    const { loop, node } = memory(2);
    const a = node(1);
    const b = node(2);
    const answers: (string | null)[] = [];
    const linkUp = a.linkUp.bind(a);
    a.linkUp = peer => {
      linkUp(peer);
      a.links.ask(peer, text("first"), answer => answers.push(answer && fromText(answer)));
    };
    a.start([b]);
    b.start([a]);
    loop.runUntil(() => answers.length > 0, 2_000);
    expect(answers).toEqual(["re: first"]);
  });
});
