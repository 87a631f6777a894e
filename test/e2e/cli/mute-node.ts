/**
 * A way to a node that lets a client say anything, and lets it hear no more than that it is
 * welcome and that the cluster is ready, or a little more: what it asks for then happens, and it
 * never learns so.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

/** The upgrade's answer, the welcome, and the answer to the question for a quorum. */
const HEARD = 3;

export class MuteNode {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #hears: number;
  #heard = 0;

  private constructor(server: Server, hears: number) {
    this.#server = server;
    this.#hears = hears;
  }

  /** `more`: so many answers are heard beside those. */
  static async before(nodeUrl: string, more = 0): Promise<MuteNode> {
    const { hostname, port } = new URL(nodeUrl);
    const server = createServer();
    const mute = new MuteNode(server, HEARD + more);
    server.on("connection", client => mute.#join(client, connect(Number(port), hostname)));
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    return mute;
  }

  get endpoint(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `127.0.0.1:${address.port}`;
  }

  #join(client: Socket, node: Socket): void {
    for (const socket of [client, node]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    client.on("data", piece => node.write(piece)).on("close", () => node.destroy());
    node
      .on("data", piece => {
        this.#heard += 1;
        if (this.#heard <= this.#hears) client.write(piece);
      })
      .on("close", () => client.destroy());
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
