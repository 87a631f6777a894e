/**
 * HTTP requests for the http target: paths, queries, headers and bodies that are good, odd or
 * neither, and raw bytes that mutation starts from. Nothing is sent here.
 */
import fc from "fast-check";
import { mutated } from "../mutator.js";
import { request as registryRequest } from "./requests.js";
import { nest, oddText } from "./wire-values.js";

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

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

export const request = (size: number): fc.Arbitrary<Request> =>
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

export function bytesOf({ method, path: target, headers: more, body }: Request): Uint8Array {
  const own = more.some(([name]) => name === "host") ? [] : [["host", "127.0.0.1"]];
  const isFramed = more.some(([name]) => /^(content-length|transfer-encoding)$/.test(name));
  const framing = isFramed ? [] : [["content-length", String(body.length)]];
  const all = [...own, ...framing, ["connection", "close"], ...more];
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`), body]);
}

export const plain = (method: string, target: string, body = ""): Request => ({
  method,
  path: target,
  headers: [],
  body: Buffer.from(body),
});

/** An upgrade with a masked frame behind it, a chunked body, two requests in one piece. */
export const RAW: readonly Uint8Array[] = [
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
