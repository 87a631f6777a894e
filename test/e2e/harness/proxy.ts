/**
 * A loopback port in front of another one, with a network between them that can be made bad while
 * connections stand: delayed, stalled, lost or trickling in either direction (flow.ts), cut, and
 * refused. PeerNet puts one before every node's peer port; tests put others before client ports.
 * It moves bytes and knows no protocol; who dials may be read off the first of them.
 */
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { type Flow, PASS } from "./flow.js";
import { type End, Pipe } from "./pipe.js";
import { freePorts } from "./ports.js";

/** As the dialler sees it: `forth` to the port behind, `back` from it. */
export type Direction = "forth" | "back";

export interface ProxyOptions {
  readonly targetPort: number;
  /** Who dials, by the first bytes; null while they do not tell yet. Absent: nobody asks. */
  readonly identify?: (first: Buffer) => string | null;
  /** What becomes of the bytes to and from this dialler. Absent: the proxy's own `flows`. */
  readonly flow?: (dialler: string, direction: Direction) => Flow;
}

export class TcpProxy {
  readonly port: number;
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #flows: Record<Direction, Flow> = { forth: PASS, back: PASS };
  #isRefusing = false;
  /** How many connections were made to it so far, refused ones too. */
  accepted = 0;

  private constructor(port: number, options: ProxyOptions) {
    this.port = port;
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, near => {
      this.accepted += 1;
      if (this.#isRefusing) near.resetAndDestroy();
      else this.#connections.add(new Connection(near, this));
    });
  }

  static async open(options: ProxyOptions): Promise<TcpProxy> {
    const [port = 0] = await freePorts(1);
    const proxy = new TcpProxy(port, options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen({ port, host: "127.0.0.1" }, resolve);
    });
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get targetPort(): number {
    return this.#options.targetPort;
  }

  /** Connections that stand, in the eyes of at least one end. */
  get standing(): number {
    return this.#connections.size;
  }

  identify(first: Buffer): string | null {
    return this.#options.identify === undefined ? "" : this.#options.identify(first);
  }

  flow(dialler: string, direction: Direction): Flow {
    return this.#options.flow?.(dialler, direction) ?? this.#flows[direction];
  }

  /** For connections that stand and those to come. */
  set(flows: Partial<Record<Direction, Flow>>): void {
    this.#flows = { ...this.#flows, ...flows };
    this.changed();
  }

  /** New connections are reset at once, as by a host that is there and a port that is not. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
  }

  /** What `flow` answers has changed. */
  changed(): void {
    for (const connection of [...this.#connections]) connection.turn();
  }

  /** Ends the standing connections of `dialler`, or all, to both sides. */
  cut(how: End, dialler?: string): void {
    for (const connection of [...this.#connections]) {
      if (dialler === undefined || connection.dialler === dialler) connection.cut(how);
    }
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.cut("reset");
    await closed;
  }
}

class Connection {
  readonly #proxy: TcpProxy;
  readonly #near: Socket;
  readonly #forth: Pipe;
  #far: Socket | null = null;
  #back: Pipe | null = null;
  #first = Buffer.alloc(0);
  /** Null until its first bytes told; until then nothing passes. */
  dialler: string | null;

  constructor(near: Socket, proxy: TcpProxy) {
    this.#proxy = proxy;
    this.#near = near;
    this.dialler = proxy.identify(this.#first);
    // Before the pipe's own listener, so that the pipe finds out who it is.
    near.on("data", bytes => this.#look(bytes));
    near.once("close", () => this.#perhapsGone());
    // Who gives up before the first byte has arrived was never there.
    near.once("end", () => {
      if (this.#far === null) this.cut("reset");
    });
    const flow = (): Flow => this.#flow("forth");
    this.#forth = new Pipe(
      near,
      () => this.#dialled(),
      flow,
      () => this.cut("reset"),
    );
  }

  turn(): void {
    this.#forth.turn();
    this.#back?.turn();
  }

  cut(how: End): void {
    this.#forth.stop();
    this.#back?.stop();
    for (const socket of [this.#near, this.#far]) {
      if (how === "reset") socket?.resetAndDestroy();
      else socket?.destroySoon();
    }
    this.#proxy.forget(this);
  }

  #flow(direction: Direction): Flow {
    if (this.dialler === null) return { kind: "stall" };
    return this.#proxy.flow(this.dialler, direction);
  }

  #look(bytes: Buffer): void {
    if (this.dialler !== null) return;
    this.#first = Buffer.concat([this.#first, bytes]);
    this.dialler = this.#proxy.identify(this.#first);
  }

  #dialled(): Socket {
    if (this.#far !== null) return this.#far;
    const far = dial({ port: this.#proxy.targetPort, host: "127.0.0.1", allowHalfOpen: true });
    far.setNoDelay();
    this.#far = far;
    const flow = (): Flow => this.#flow("back");
    this.#back = new Pipe(
      far,
      () => this.#near,
      flow,
      () => this.cut("reset"),
    );
    far.once("close", () => this.#perhapsGone());
    return far;
  }

  /** Once neither end stands, or the only one that ever did is gone, nobody is left to tell. */
  #perhapsGone(): void {
    if (this.#near.destroyed && (this.#far === null || this.#far.destroyed)) this.cut("reset");
  }
}
