/**
 * The HTTP door before a whole node, over real sockets: requests of every kind, and bytes that are
 * none. What comes back is HTTP with a status and a code that the error table knows, never 500,
 * never a stack; nothing is logged as a bug; and the next caller is served.
 */
import { connect } from "node:net";
import fc from "fast-check";
import { ERRORS, isErrorCode } from "holdfast-protocol";
import { pino } from "pino";
import type { Replica } from "../../../src/replica/index.js";
import { nodeClock, nodeEndOfTurn } from "../../../src/server/ports/index.js";
import { type NodeUnderTest, startNode as startDoors } from "../../api/node-under-test.js";
import { mutated } from "../mutator.js";
import { Broken, type FuzzTarget, hold } from "../target.js";
import { startNode } from "./one-node.js";
import { request as registryRequest } from "./requests.js";
import { nest, oddText } from "./wire-values.js";

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}
type Input =
  | { readonly requests: readonly Request[] }
  /** `hangsUp`: the caller is gone before anything can be answered. */
  | { readonly raw: Uint8Array; readonly hangsUp: boolean };

const SERVED_WITHIN_MS = 10_000;
/** Half a request is given up soon, so that every exchange comes to an end. */
const TIMES = {
  headersTimeoutMs: 400,
  requestTimeoutMs: 500,
  keepAliveTimeoutMs: 400,
  sweepEveryMs: 50,
};
const STACK = /\bat \S*[:(]\S*:\d+:\d+|node:internal/;

interface Doors {
  readonly node: NodeUnderTest;
  readonly replica: Replica;
  /** Lines that were logged as errors. */
  readonly bugs: string[];
}

let doors: Promise<Doors> | null = null;

async function open(): Promise<Doors> {
  const replica = startNode({ clock: nodeClock, endOfTurn: nodeEndOfTurn });
  const bugs: string[] = [];
  const logger = pino({ level: "error" }, { write: line => void bugs.push(line) });
  const node = await startDoors({ coordinator: replica.coordinator, logger, times: TIMES });
  const deadline = performance.now() + SERVED_WITHIN_MS;
  while ((await node.ask("GET", "/health")).status !== 200)
    hold(performance.now() < deadline, "the node becomes healthy");
  return { node, replica, bugs };
}

// What is sent.

const NAMES = [
  "a",
  "b",
  "n",
  "n/m",
  "%FF",
  "%",
  "%2F",
  "a%00b",
  "..",
  ".",
  "",
  "é",
  "a b",
  "?",
  "#",
];
const segment = fc.oneof(fc.constantFrom(...NAMES), oddText);
const FIELDS = [
  ...["prefix", "key", "rangeEnd", "limit", "after", "order", "sortBy", "keysOnly", "countOnly"],
  ...["revision", "lease", "prevExist", "prevValue", "prevRevision", "heldBy", "token", "prev"],
  ...["consistency", "from", "value", "nothing", "%", "__proto__"],
];
const query = fc
  .array(
    fc.tuple(
      fc.constantFrom(...FIELDS),
      fc.oneof(
        segment,
        fc.constantFrom("1", "-1", "true", "false", "0", "1e3", "9007199254740993", "ascend", "="),
      ),
    ),
    { maxLength: 4 },
  )
  .map(pairs => (pairs.length === 0 ? "" : `?${pairs.map(pair => pair.join("=")).join("&")}`));
const path = fc.oneof(
  fc.tuple(segment, segment, query).map(([a, b, q]) => `/v1/kv/${a}/${b}${q}`),
  fc.tuple(segment, query).map(([a, q]) => `/v1/kv/${a}${q}`),
  query.map(q => `/v1/kv${q}`),
  query.map(q => `/v1/watch${q}`),
  fc.constantFrom(
    ...["/health", "/readyz", "/metrics", "/version", "/v1/openapi.json", "/v1/ws", "/", "//", "*"],
    ...["/v1/kv/", "/v1/lock/acquire/", "/v1/lock", "/v1/../v1/kv/a", "http://x/v1/kv/a", "/%ff"],
  ),
  fc.tuple(segment, segment, query).map(([a, b, q]) => `/v1/${a}/${b}${q}`),
);
const header: fc.Arbitrary<readonly [string, string]> = fc.oneof(
  fc.tuple(
    fc.constantFrom(
      ...["if-match", "if-none-match", "idempotency-key", "accept", "content-type", "origin"],
      ...["last-event-id", "content-encoding", "upgrade", "range", "x-forwarded-for", "cookie"],
    ),
    fc.constantFrom(
      ...["*", '"1"', '"999"', "1", "", "k", "application/octet-stream", "text/event-stream"],
      ...[
        "http://evil.example",
        "null",
        "gzip",
        "h2c",
        "websocket",
        "identity",
        "é",
        "a".repeat(300),
      ],
    ),
  ),
  fc.constantFrom<readonly [string, string]>(
    ["host", "evil.example"],
    ["host", "[::1"],
    ["expect", "100-continue"],
    ["expect", "else"],
    ["content-length", "5"],
    ["content-length", "-1"],
    ["content-length", "99999999999999999999"],
    ["transfer-encoding", "chunked"],
    ["transfer-encoding", "gzip"],
    ["connection", "upgrade"],
    ["x", "a".repeat(17_000)],
  ),
);
const headers = fc.array(header, { maxLength: 2 });

const operationCall: fc.Arbitrary<Request> = fc
  .tuple(registryRequest, headers)
  .map(([{ op, params }, more]) => ({
    method: "POST",
    path: `/v1/${op.replace(".", "/")}`,
    headers: more,
    // A wait of a second is as good as one of a millisecond, and there are many of them.
    body: Buffer.from(
      JSON.stringify(params, (name, value) => (name === "waitMs" ? Math.min(value, 2) : value)) ??
        "",
    ),
  }));

const BODIES: readonly Uint8Array[] = [
  Buffer.from('{"key":"a","value":"b"}'),
  Buffer.from('{"keyBase64":"!","value":"b"}'),
  Buffer.from(JSON.stringify(nest(70, "key"))),
  Buffer.from('{"key":"a","value":"\\ud800"}'),
];

const request = (size: number): fc.Arbitrary<Request> =>
  fc.oneof(
    { weight: 4, arbitrary: operationCall },
    {
      weight: 1,
      arbitrary: fc
        .tuple(operationCall, mutated(BODIES, size))
        .map(([good, body]) => ({ ...good, body })),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        method: fc.constantFrom(
          ...["GET", "GET", "PUT", "DELETE", "POST", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"],
        ),
        path,
        headers,
        body: fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ maxLength: 20 })),
      }),
    },
  );

function bytesOf({ method, path: target, headers: more, body }: Request): Uint8Array {
  const own = more.some(([name]) => name === "host") ? [] : [["host", "127.0.0.1"]];
  const isFramed = more.some(([name]) => /^(content-length|transfer-encoding)$/.test(name));
  const framing = isFramed ? [] : [["content-length", String(body.length)]];
  const all = [...own, ...framing, ["connection", "close"], ...more];
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`), body]);
}

const plain = (method: string, target: string, body = ""): Request => ({
  method,
  path: target,
  headers: [],
  body: Buffer.from(body),
});

/** An upgrade with a masked frame behind it, a chunked body, two requests in one piece. */
const RAW: readonly Uint8Array[] = [
  Buffer.concat([
    Buffer.from(
      "GET /v1/ws HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        "sec-websocket-protocol: holdfast.v1.json\r\n\r\n",
    ),
    Uint8Array.of(0x81, 0x94, 0, 0, 0, 0),
    Buffer.from('[{"hello":{"v":"1"}}]'),
  ]),
  Buffer.from(
    "POST /v1/kv/put HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n" +
      '5\r\n{"key\r\n14\r\n":"a","value":"bcd"}\r\n0\r\n\r\n',
  ),
  Buffer.from(
    "GET /v1/kv/a HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" +
      "GET /version HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
  ),
];

// What comes back.

/** Everything that the node says to `bytes` on a connection of its own, until it is over. */
function exchange(port: number, bytes: Uint8Array, hangsUp: boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect(port, "127.0.0.1");
    const done = (): void => {
      socket.destroy();
      resolve(Buffer.concat(parts));
    };
    socket.setTimeout(SERVED_WITHIN_MS, () => {
      socket.destroy();
      reject(new Broken(`no answer in ${SERVED_WITHIN_MS} ms`));
    });
    socket.on("data", part => {
      parts.push(part);
      // Streams and WebSockets have no end.
      if (part.includes("text/event-stream") || part.includes("HTTP/1.1 101 ")) done();
    });
    socket.on("close", done);
    socket.on("error", done);
    socket.write(bytes);
    if (hangsUp) socket.destroySoon();
  });
}

/** The status of the first answer in `answer`, all of which is judged; "none" if there is none. */
function judge(answer: Buffer, method: string): string {
  const text = answer.toString("latin1").replace(/^HTTP\/1\.1 1\d\d [^\r]*\r\n\r\n/, "");
  if (text === "") return "none";
  const [, digits] = /^HTTP\/1\.1 (\d{3}) /.exec(text) ?? [];
  hold(digits !== undefined, `this is no HTTP: ${text.slice(0, 80)}`);
  const status = Number(digits);
  hold(status !== 500, `500: ${text.slice(0, 400)}`);
  hold(!STACK.test(text), `a stack is shown: ${text.slice(0, 400)}`);
  const bodyAt = text.indexOf("\r\n\r\n") + 4;
  if (status < 400 || method === "HEAD") return String(status);
  checkError(status, text.slice(bodyAt));
  return String(status);
}

function checkError(status: number, body: string): void {
  const [line = ""] = body.split("\r\nHTTP/1.1 ");
  const end = line.indexOf("}}HTTP/1.1 ");
  const { error } = JSON.parse(end < 0 ? line : line.slice(0, end + 2)) as {
    error: { code: string; requestId?: string; message: string };
  };
  hold(isErrorCode(error.code), `${error.code} is no code`);
  const declared = ERRORS[error.code].httpStatus;
  hold(declared === status, `${error.code} comes with ${status} instead of ${declared}`);
  hold(error.message !== "" && error.requestId !== undefined, `${error.code} says what is wrong`);
}

export const http: FuzzTarget<Input> = {
  name: "http",
  promise: "every request gets a status and a code of the table, never 500, and no stack",
  reaches: ["200", "400", "404", "405", "none"],
  shortRuns: 100,

  samples: () => ({
    key: {
      requests: [plain("PUT", "/v1/kv/a", "x"), plain("GET", "/v1/kv/a"), plain("GET", "/v1/kv")],
    },
    operation: { requests: [plain("POST", "/v1/kv/put", '{"key":"a","value":"b"}')] },
    upgrade: { raw: RAW[0] as Uint8Array, hangsUp: false },
    chunked: { raw: RAW[1] as Uint8Array, hangsUp: false },
  }),

  inputs: (_corpus, size) =>
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ requests: fc.array(request(size), { minLength: 1, maxLength: 3 }) }),
      },
      { weight: 1, arbitrary: fc.record({ raw: mutated(RAW, size), hangsUp: fc.boolean() }) },
    ),

  fuzz: async input => {
    doors ??= open();
    const { node, bugs } = await doors;
    bugs.length = 0;
    let outcome = "none";
    if ("raw" in input) {
      outcome = judge(await exchange(node.port, input.raw, input.hangsUp), "GET");
    } else {
      for (const one of input.requests) {
        const answer = await exchange(node.port, bytesOf(one), false);
        outcome = judge(answer, one.method);
      }
    }
    const { status } = await node.ask("GET", "/version");
    hold(status === 200, "the next caller is served");
    hold(bugs.length === 0, `logged as a bug: ${bugs[0]}`);
    return outcome;
  },

  close: async () => {
    if (doors === null) return;
    const { node, replica } = await doors;
    doors = null;
    await node.stop();
    await new Promise<void>(resolve => replica.stop(resolve));
  },
};
