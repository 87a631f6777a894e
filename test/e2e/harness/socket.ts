/** A bare WebSocket to a node that speaks `holdfast.v1.json`, for what the client never says. */
import { WebSocket } from "ws";
import { until } from "./until.js";

export type Message = Record<string, unknown> & {
  readonly id?: number;
  readonly ok?: Record<string, unknown>;
  readonly error?: { readonly code: string; readonly [field: string]: unknown };
  readonly event?: string;
};

export class Socket {
  readonly #socket: WebSocket;
  readonly messages: Message[] = [];
  /** How the connection ended, once it has. */
  closed: { readonly code: number; readonly reason: string } | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      if (!isBinary) this.messages.push(...(JSON.parse(String(data)) as Message[]));
    });
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    socket.on("error", () => {});
  }

  static async open(url: string, protocol = "holdfast.v1.json"): Promise<Socket> {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/ws`, protocol);
    const made = new Socket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    return made;
  }

  /** Opens, says hello, and waits for the welcome. */
  static async hello(url: string, client?: string, leases?: readonly string[]): Promise<Socket> {
    const made = await Socket.open(url);
    const own = client === undefined ? {} : { client };
    made.send([{ hello: { v: 1, ...own, ...(leases === undefined ? {} : { leases }) } }]);
    await until("a welcome", () => made.messages.find(message => "welcome" in message));
    return made;
  }

  send(messages: readonly object[]): void {
    this.#socket.send(JSON.stringify(messages));
  }

  sendRaw(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  answer(id: number): Message | undefined {
    return this.messages.find(one => one.id === id && one.event === undefined);
  }

  answered(id: number): Promise<Message> {
    return until(`the answer ${id}`, () => this.answer(id));
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.#socket.terminate();
  }
}
