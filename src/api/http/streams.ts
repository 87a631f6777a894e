/**
 * Server-Sent Events for `watch.start` and `election.observe`. All that happened at one revision
 * is one message, whose id is the revision, so that `Last-Event-ID` resumes behind it. For a slow
 * reader the stream stands still; one that is far too slow is cut off, and resumes by its last
 * id.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { PushedEvent } from "holdfast-protocol";
import { AssertionError } from "../../base/assert.js";
import type { Cancel } from "../../base/ports.js";
import type { Connection, Failure, Outcome } from "../../replica/coordinator/index.js";
import { plainFailure, Refusal, wireError } from "../calls/failure.js";
import type { Params } from "../calls/validation.js";
import type { House } from "../house.js";
import { type Exchange, sendFailure } from "./exchange.js";
import type { UnderWay } from "./under-way.js";

type StreamName = "watch.start" | "election.observe";

const KEEP_ALIVE_EVERY_MS = 15_000;

export class EventStreams {
  readonly #house: House;
  readonly #exchange: Exchange;
  readonly #underWay: UnderWay;
  readonly #open = new Set<EventStream>();

  constructor(house: House, exchange: Exchange, underWay: UnderWay) {
    this.#house = house;
    this.#exchange = exchange;
    this.#underWay = underWay;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Checks and begins; throws {@link Refusal}. */
  open(name: StreamName, params: Params, request: FastifyRequest, reply: FastifyReply): void {
    const whole = resumed(params, request);
    this.#exchange.check(name, whole);
    // Behind an unanswered request it would gather what nobody can read yet.
    if (reply.raw.socket === null) throw notFirst();
    const stream = new EventStream(this.#house, name, whole, reply);
    this.#open.add(stream);
    stream.start();
    this.#underWay.whenOver(reply.raw, () => {
      this.#open.delete(stream);
      stream.close();
    });
  }

  /** Ends all: readers come again, to another node. */
  stop(): void {
    for (const stream of this.#open) stream.end();
  }
}

const notFirst = (): Refusal =>
  new Refusal({
    code: "INVALID_REQUEST",
    message: "ask for a stream when all requests before it on its connection are answered",
  });

/** A reader that comes again wants what follows the last id it saw. */
function resumed(params: Params, request: FastifyRequest): Params {
  const last = request.headers["last-event-id"];
  if (last === undefined || last === "") return params;
  if (typeof last !== "string" || !/^\d{1,15}$/.test(last))
    throw new Refusal({
      code: "INVALID_PARAMETER",
      message: "Last-Event-ID must be a revision",
      details: { parameter: "Last-Event-ID" },
    });
  return { ...params, from: Number(last) + 1 };
}

class EventStream {
  readonly #house: House;
  readonly #name: StreamName;
  readonly #reply: FastifyReply;
  readonly #connection: Connection;
  #params: Params;
  #callId = 0;
  #begun = false;
  #closed = false;
  #held = false;
  #cancelKeepAlive: Cancel = () => {};

  constructor(house: House, name: StreamName, params: Params, reply: FastifyReply) {
    this.#house = house;
    this.#name = name;
    this.#params = params;
    this.#reply = reply;
    this.#connection = house.coordinator.connect(event => this.#pushed(event));
  }

  start(): void {
    this.#callId += 1;
    const id = this.#callId;
    this.#connection.call(this.#name, this.#params as never, { id }, outcome => {
      if (!this.#closed) this.#answered(outcome as Outcome<StreamName>);
    });
  }

  end(): void {
    if (this.#closed) return;
    if (this.#begun) this.#reply.raw.end();
    else sendFailure(this.#house, this.#reply, { code: "SHUTTING_DOWN", message: "stopping" });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelKeepAlive();
    this.#connection.close(true);
  }

  #answered(outcome: Outcome<StreamName>): void {
    if (!outcome.ok) {
      this.#failed(outcome.failure);
      return;
    }
    const { revision } = outcome.result;
    const { from } = this.#params;
    if (!this.#begun) this.#begin();
    if (this.#callId > 1) this.#message("reset", revision, { revision });
    // An observer's first message is the leader of now: not seen before it came.
    else if (this.#name === "watch.start" && (from === undefined || from === 0))
      this.#write(`id: ${revision}\n\n`);
  }

  #failed(failure: Failure): void {
    if (failure.code === "HISTORY_GONE") {
      this.#restart();
      return;
    }
    if (!this.#begun) {
      sendFailure(this.#house, this.#reply, failure);
      return;
    }
    const error = wireError(failure, this.#reply.request.id, this.#house.jsonBorder);
    this.#message("failure", null, { error });
    this.#reply.raw.end();
  }

  /** What the reader wants is gone: it hears so, reads the state anew, and goes on from now. */
  #restart(): void {
    const { from: _from, ...params } = this.#params;
    this.#params = params;
    this.start();
  }

  #begin(): void {
    this.#begun = true;
    this.#reply.hijack();
    const { raw } = this.#reply;
    raw.writeHead(200, {
      ...(this.#reply.getHeaders() as Record<string, string>),
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    this.#write(": here from now on\n\n");
    this.#keepAlive();
  }

  #keepAlive(): void {
    this.#cancelKeepAlive = this.#house.clock.after(KEEP_ALIVE_EVERY_MS, () => {
      this.#write(": keep-alive\n\n");
      if (!this.#closed) this.#keepAlive();
    });
  }

  #pushed(event: PushedEvent): void {
    if (this.#closed || !("id" in event) || event.id !== this.#callId) return;
    switch (event.event) {
      case "watch":
        if (event.changes.length === 0) {
          this.#write(`id: ${event.revision}\n\n`);
          return;
        }
        this.#message(null, event.revision, {
          revision: event.revision,
          changes: event.changes,
        });
        return;
      case "observe":
        this.#message(null, event.revision, {
          revision: event.revision,
          ...(event.leader === undefined ? {} : { leader: event.leader }),
        });
        return;
      case "end":
        if (event.error === undefined) this.end();
        else this.#failed(event.error);
        return;
      case "position":
        return;
    }
  }

  #message(event: string | null, id: number | null, data: object): void {
    if (this.#closed) return;
    const head = `${id === null ? "" : `id: ${id}\n`}${event === null ? "" : `event: ${event}\n`}`;
    const body = this.#encoded(data);
    if (body === null) this.#failed(plainFailure("INTERNAL"));
    else this.#write(`${head}data: ${body}\n\n`);
  }

  /** Null if it cannot be said: that ends this stream, and must not end the node. */
  #encoded(data: object): string | null {
    try {
      return JSON.stringify(this.#house.jsonBorder.outward(data));
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      this.#house.logger.error({ err: error }, "an event could not be encoded");
      return null;
    }
  }

  #write(text: string): void {
    if (this.#closed) return;
    const { raw } = this.#reply;
    raw.write(text);
    const { maxConnectionBacklogBytes, maxWatchBacklogBytes } = this.#house.limits;
    if (raw.writableLength > maxConnectionBacklogBytes) raw.destroy();
    else if (raw.writableLength > maxWatchBacklogBytes && !this.#held) this.#hold();
  }

  /** The stream stands still until the network has taken what waits. */
  #hold(): void {
    this.#held = true;
    this.#connection.holdStreams();
    this.#reply.raw.once("drain", () => {
      this.#held = false;
      if (!this.#closed) this.#connection.resumeStreams();
    });
  }
}
