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
import { bytesOf, plain, RAW, type Request, request } from "./http-requests.js";
import { startNode } from "./one-node.js";

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
