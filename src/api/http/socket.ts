/** Errors where fastify was never asked: Node or ws could not, or would not, take what came. */
import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { ERRORS } from "holdfast-protocol";
import type { Failure } from "../../replica/coordinator/index.js";
import { wireError } from "../calls/failure.js";
import type { House } from "../house.js";

const errorHeaders = (body: string): Readonly<Record<string, string>> => ({
  "content-type": "application/json; charset=utf-8",
  "content-length": String(Buffer.byteLength(body)),
  connection: "close",
});

const errorBody = (house: House, failure: Failure): string =>
  JSON.stringify({ error: wireError(failure, house.nextRequestId(), house.jsonBorder) });

/** Answers by hand, as the error table says, and closes the connection. */
export function refuseOnSocket(house: House, failure: Failure, socket: Duplex): void {
  const body = errorBody(house, failure);
  const { httpStatus } = ERRORS[failure.code];
  const headers = Object.entries(errorHeaders(body)).map(([name, value]) => `${name}: ${value}`);
  const head = [`HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus] ?? ""}`, ...headers];
  socket.once("finish", () => socket.destroy());
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/** The same where Node has made a response of its own. */
export function refuseOnResponse(house: House, failure: Failure, response: ServerResponse): void {
  const body = errorBody(house, failure);
  response.writeHead(ERRORS[failure.code].httpStatus, errorHeaders(body)).end(body);
}
