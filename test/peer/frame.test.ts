import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../../src/base/codec.js";
import type { Connection } from "../../src/base/network.js";
import { FRAME, FrameReader } from "../../src/peer/frame.js";
import { FrameBatch, NO_NUMBER } from "../../src/peer/frame-batch.js";
import { encodeHello, PURPOSE } from "../../src/peer/hello.js";
import { encodeMessage } from "../../src/raft/message/index.js";
import { nodeBytes, nodeChecksum } from "../../src/server/ports/index.js";
import { memory } from "./recording-node.js";

const LIMIT = 100_000;
const frames = fc.array(
  fc.record({
    type: fc.nat(255),
    number: fc.oneof(fc.constant(NO_NUMBER), fc.nat(2 ** 32 - 1)),
    parts: fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 50 }),
        fc.nat(9_000).map(length => new Uint8Array(length).fill(length)),
      ),
      { maxLength: 4 },
    ),
  }),
  { minLength: 1, maxLength: 12 },
);

function encode(list: typeof frames extends fc.Arbitrary<infer T> ? T : never): Uint8Array {
  const batch = new FrameBatch(nodeBytes, nodeChecksum, LIMIT);
  const parts: Uint8Array[] = [];
  for (const [i, { type, number, parts: payload }] of list.entries()) {
    batch.add(type, number, payload);
    if (i % 5 === 4) parts.push(...batch.take());
  }
  const length = batch.length;
  const rest = batch.take();
  expect(rest.reduce((sum, part) => sum + part.length, 0)).toBe(length);
  return concat([...parts, ...rest]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Reads a stream fed in pieces of these sizes; gives the bodies. */
function readAll(reader: FrameReader, stream: Uint8Array, pieces: readonly number[]): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < stream.length; i++) {
    const length = pieces[i % pieces.length] ?? 1;
    reader.feed(stream.subarray(at, at + length));
    for (let body = reader.next(); body !== null; body = reader.next()) bodies.push(body);
    at += length;
  }
  return bodies;
}

const pieces = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 5 });

describe("frames", () => {
  test("come out as they went in, however the stream is cut, in memory of their own", () => {
    fc.assert(
      fc.property(frames, pieces, (list, sizes) => {
        const stream = encode(list);
        const bodies = readAll(new FrameReader(nodeBytes, nodeChecksum, LIMIT), stream, sizes);
        stream.fill(0);
        expect(bodies.length).toBe(list.length);
        for (const [i, { type, number, parts }] of list.entries()) {
          const body = bodies[i] ?? new Uint8Array(0);
          const head = number === NO_NUMBER ? 1 : 5;
          expect(body[0]).toBe(type);
          if (head === 5) expect(new DataView(body.buffer).getUint32(1, true)).toBe(number);
          expect(Buffer.compare(body.subarray(head), concat(parts))).toBe(0);
        }
      }),
    );
  });

  test("of which one byte was changed are never taken for others", () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (list, place, by) => {
        const stream = encode(list.slice(0, 3));
        const whole = readAll(new FrameReader(nodeBytes, nodeChecksum, LIMIT), stream, [1 << 20]);
        const at = place % stream.length;
        stream[at] = (stream[at] ?? 0) ^ by;
        const reader = new FrameReader(nodeBytes, nodeChecksum, LIMIT);
        const bodies: Uint8Array[] = [];
        try {
          reader.feed(stream);
          for (let body = reader.next(); body !== null; body = reader.next()) bodies.push(body);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
        expect(bodies.length).toBeLessThan(whole.length);
        for (const [i, body] of bodies.entries()) expect(body).toEqual(whole[i]);
      }),
    );
  });

  test("past the limit, or of no length, are refused by their head alone", () => {
    for (const length of [0, 101, 2 ** 32 - 1]) {
      const reader = new FrameReader(nodeBytes, nodeChecksum, 100);
      const head = new Uint8Array(8);
      new DataView(head.buffer).setUint32(0, length, true);
      reader.feed(head);
      expect(() => reader.next()).toThrow(DecodeError);
    }
  });
});

describe("an admitted peer", () => {
  test("that sends garbage, or what has no place there, is cut off and harms nothing else", () => {
    const world = memory();
    const b = world.node(2);
    const c = world.node(3);
    const a = world.node(1).start([b, c]);
    c.start([a]);
    expect(world.loop.runUntil(() => a.links.isUp(c.id), 1_000)).toBe(true);
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom(...encodeMessage(c.heartbeat(a, 1)), ...encodeMessage(b.heartbeat(c, 1))),
    );
    const types = [...Object.values(FRAME).filter(t => t !== FRAME.ask && t < FRAME.ping), 16, 99];
    const bad = fc.record({ type: fc.constantFrom(...types), payload });
    fc.assert(
      fc.property(bad, ({ type, payload: bytes }) => {
        let connection: Connection | null = null;
        let closed = false;
        world.network.host("host2").connect(a.address, 1_000, (_, dialled) => {
          connection = dialled;
          dialled?.start({
            received: () => undefined,
            drained: () => undefined,
            closed: () => {
              closed = true;
            },
          });
          const batch = new FrameBatch(nodeBytes, nodeChecksum, LIMIT);
          const hello = encodeHello(nodeBytes, PURPOSE.link, a.id, b.says);
          batch.add(FRAME.hello, NO_NUMBER, [hello]);
          batch.add(type, NO_NUMBER, [bytes]);
          dialled?.write(batch.take());
        });
        world.loop.advance(10);
        expect(connection).not.toBeNull();
        expect(closed).toBe(true);
      }),
      { numRuns: 100 },
    );
    expect(a.admitted.some(peer => peer.nodeId === b.id)).toBe(true);
    expect(a.messages).toEqual([]);
    expect(a.events).toEqual(["up 3"]);
  });
});
