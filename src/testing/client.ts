/**
 * A client of the test cluster: the real one, over a platform whose clock is turned and whose
 * connections are in memory. Here its process stands still, and its keep-alives are lost.
 */
import {
  type Client,
  type ConnectOptions,
  connectOver,
  type Platform,
  type Wire,
  type WireEvents,
} from "holdfast-client";
import { decodeMsgpack, encodeMsgpack } from "../api/websocket/msgpack.js";
import type { Connection } from "../base/network.js";
import { randomStream } from "../base/random.js";
import type { MemoryNetwork } from "./memory-network.js";
import { CLIENT_PORT, clientUrl } from "./node.js";
import type { Pace } from "./pace.js";
import { Process } from "./process.js";
import { type Message, Traffic } from "./traffic.js";
import type { TurnedLoop } from "./turned-loop.js";

/** The client's own, when it is not told another. */
const TIMEOUT_MS = 10_000;
/** What a call may take beyond its time limit until its caller knows. */
const SLACK_MS = 1_000;
const DIAL_WITHIN_MS = 20_000;

export interface ClientSurroundings {
  readonly loop: TurnedLoop;
  readonly network: MemoryNetwork;
  readonly pace: Pace;
  readonly seed: number;
  readonly nodes: readonly string[];
}

export class TestClient {
  readonly client: Client;
  readonly process: Process;
  losesKeepAlives = false;
  readonly #name: string;
  readonly #surroundings: ClientSurroundings;
  readonly #traffic: Traffic;

  constructor(name: string, surroundings: ClientSurroundings, options: ConnectOptions) {
    const { loop, pace, nodes } = surroundings;
    this.#name = name;
    this.#surroundings = surroundings;
    this.#traffic = new Traffic((options.timeoutMs ?? TIMEOUT_MS) + SLACK_MS);
    this.process = new Process(loop, () => pace.ran());
    this.client = connectOver(this.#platform(), nodes.map(clientUrl), options);
  }

  /** Whether it waits for what a healthy cluster answers at once. */
  isOwed(nowMs: number): boolean {
    return !this.process.isPaused && this.client.state !== "closed" && this.#traffic.isOwed(nowMs);
  }

  /** It has asked for something that is not answered yet. */
  get waits(): boolean {
    return this.client.state !== "closed" && this.#traffic.waits;
  }

  #platform(): Platform {
    const { process } = this;
    const { pace, seed } = this.#surroundings;
    const random = randomStream(seed, this.#name);
    return {
      monotonicMs: () => process.monotonicMs(),
      wallMs: () => process.wallMs(),
      after: (delayMs, callback) => process.after(delayMs, callback),
      schedule: callback => {
        process.schedule(callback);
        pace.kick();
      },
      below: bound => random.below(bound),
      dial: (url, events) => this.#dial(new URL(url).hostname, events),
    };
  }

  #dial(host: string, events: WireEvents): Wire {
    const { network, pace } = this.#surroundings;
    let connection: Connection | null = null;
    let isClosed = false;
    const closed = (reason: string): void => {
      if (isClosed) return;
      this.#traffic.lost(this.process.monotonicMs());
      events.onClose(reason);
    };
    this.#traffic.dialled(this.process.monotonicMs());
    const to = { host, port: CLIENT_PORT };
    const cancel = network.host(this.#name).connect(to, DIAL_WITHIN_MS, (error, made) =>
      this.process.enter(() => {
        if (isClosed) made?.destroy();
        else if (made === null) closed(error?.code ?? "failed");
        else {
          connection = made;
          this.#listen(made, () => isClosed, events, closed);
          events.onOpen();
        }
      }),
    );
    pace.kick();
    return {
      send: frame => {
        if (connection !== null) this.#send(connection, frame);
      },
      close: () => {
        isClosed = true;
        this.#traffic.lost(this.process.monotonicMs());
        cancel();
        connection?.close();
        pace.kick();
      },
    };
  }

  #listen(
    connection: Connection,
    isClosed: () => boolean,
    events: WireEvents,
    closed: (reason: string) => void,
  ): void {
    connection.start({
      received: frame =>
        this.process.enter(() => {
          if (isClosed()) return;
          this.#traffic.came(messagesOf(frame));
          events.onFrame(frame);
        }),
      drained: () => {},
      closed: reason => this.process.enter(() => closed(reason)),
    });
  }

  #send(connection: Connection, frame: Uint8Array): void {
    const messages = messagesOf(frame);
    const kept = this.losesKeepAlives
      ? messages.filter(({ op }) => op !== "lease.keepalive")
      : messages;
    this.#traffic.sent(kept, this.process.monotonicMs());
    if (kept.length === messages.length) connection.write([frame]);
    else if (kept.length > 0) connection.write([encodeMsgpack(kept)]);
    this.#surroundings.pace.kick();
  }
}

/** Both sides send arrays of messages, and each side holds the other to it. */
const messagesOf = (frame: Uint8Array): readonly Message[] =>
  decodeMsgpack(frame) as readonly Message[];
