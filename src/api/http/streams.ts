/**
 * Server-Sent Events for `watch.start` and `election.observe`. All that happened at one revision
 * is one message, whose id is the revision, so that `Last-Event-ID` resumes behind it. For a slow
 * reader the stream stands still; one that takes nothing is cut off, and resumes by its last id.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { PushedEvent } from "holdfast-protocol";
import { AssertionError } from "../../base/assert.js";
import type { Cancel } from "../../base/ports.js";
import type { Connection, Failure, Outcome } from "../../replica/coordinator/index.js";
import { Backlog } from "../backlog.js";
import { plainFailure, Refusal, wireError } from "../calls/failure.js";
import type { Params } from "../calls/validation.js";
import type { House } from "../house.js";
import { answering, type Exchange, sendFailure } from "./exchange.js";
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
  readonly #backlog: Backlog;
  #params: Params;
  #callId = 0;
  readonly #beganMs: number;
  #begun = false;
  #closed = false;
  /** Events that came while the backlog was held, as they came. */
  #waiting: PushedEvent[] = [];
  #cancelKeepAlive: Cancel = () => {};

  constructor(house: House, name: StreamName, params: Params, reply: FastifyReply) {
    this.#house = house;
    this.#name = name;
    this.#params = params;
    this.#reply = reply;
    this.#beganMs = house.clock.monotonicMs();
    this.#connection = house.coordinator.connect(event => this.#pushed(event));
    this.#backlog = new Backlog(house.clock, house.limits, {
      bufferedBytes: () => reply.raw.writableLength,
      hold: () => this.#connection.holdStreams(),
      resume: () => this.#resumed(),
      cut: () => void reply.raw.destroy(),
    });
  }

  start(): void {
    this.#callId += 1;
    const id = this.#callId;
    this.#connection.call(this.#name, this.#params as never, { id }, outcome => {
      if (this.#closed) return;
      answering(this.#house, this.#reply, () => this.#answered(outcome as Outcome<StreamName>));
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
    this.#backlog.end();
    this.#waiting = [];
    this.#connection.close(true);
  }

  #answered(outcome: Outcome<StreamName>): void {
    const { clock, observe } = this.#house;
    // What begins anew behind a gap in the history was asked for once.
    if (this.#callId === 1) observe(this.#name, clock.monotonicMs() - this.#beganMs, outcome.ok);
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
      // Who has not read what was sent needs no more of it.
      if (!this.#backlog.held) this.#write(": keep-alive\n\n");
      if (!this.#closed) this.#keepAlive();
    });
  }

  #pushed(event: PushedEvent): void {
    if (this.#backlog.held) this.#waiting.push(event);
    else this.#tell(event);
  }

  #resumed(): void {
    while (!this.#backlog.held) {
      const event = this.#waiting.shift();
      if (event === undefined) {
        this.#connection.resumeStreams();
        return;
      }
      this.#tell(event);
    }
  }

  #tell(event: PushedEvent): void {
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
    this.#reply.raw.write(text, () => this.#backlog.drained());
    this.#backlog.sent();
  }
}
