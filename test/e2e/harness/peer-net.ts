/**
 * The network between the nodes of a cluster: whatever goes from one node to another passes a proxy
 * and is delayed, stalled or lost as a test says, for each pair and direction by itself.
 *
 * All nodes must be told the same `--initial-cluster`, since the ids of cluster and nodes come of
 * it. So there is one proxy for each node that is dialled, not for each pair, and nodes advertise
 * the proxies' URLs. Who dials stands in the hello, the first frame of every connection between
 * nodes, links and snapshots alike (src/peer/README.md): it is read here with the nodes' own code.
 * A pair of nodes has two connections, one dialled by each. What goes from a to b is what a writes
 * on the one and what it answers on the other: a flow is set for both.
 */
import { FRAME, FRAME_HEAD_BYTES } from "../../../src/peer/frame.js";
import { decodeHello } from "../../../src/peer/hello.js";
import { nodeBytes } from "../../../src/server/ports/index.js";
import { type Flow, PASS, STALL } from "./flow.js";
import type { End } from "./pipe.js";
import { TcpProxy } from "./proxy.js";

/** The name in the hello that `first` begins with; null while it is not whole. */
function diallerOf(first: Buffer): string | null {
  if (first.length < FRAME_HEAD_BYTES) return null;
  const end = FRAME_HEAD_BYTES + first.readUInt32LE(0);
  if (first.length < end) return null;
  if (first[FRAME_HEAD_BYTES] !== FRAME.hello) throw new Error("a link begins with a hello");
  const hello = decodeHello(nodeBytes, first.subarray(FRAME_HEAD_BYTES + 1, end));
  if (!hello.understood) throw new Error(`hello of version ${hello.version}`);
  return hello.identity.name;
}

const way = (from: string, to: string): string => `${from}>${to}`;

export class PeerNet {
  readonly #proxies = new Map<string, TcpProxy>();
  readonly #flows = new Map<string, Flow>();

  /** `ports`: where each node listens for its peers, by its name. */
  static async open(ports: ReadonlyMap<string, number>): Promise<PeerNet> {
    const net = new PeerNet();
    for (const [name, targetPort] of ports) {
      const proxy = await TcpProxy.open({
        targetPort,
        identify: diallerOf,
        flow: (dialler, direction) =>
          direction === "forth" ? net.#flow(dialler, name) : net.#flow(name, dialler),
      });
      net.#proxies.set(name, proxy);
    }
    return net;
  }

  /** Where the others dial this node. */
  url(name: string): string {
    return this.#proxy(name).url;
  }

  /** What goes from one to the other. */
  oneWay(from: Named, to: Named, flow: Flow): void {
    this.#flows.set(way(from.name, to.name), flow);
    this.#changed();
  }

  /** What goes between two, either way. */
  between(a: Named, b: Named, flow: Flow): void {
    this.oneWay(a, b, flow);
    this.oneWay(b, a, flow);
  }

  /** What goes between one and all others. */
  around(node: Named, flow: Flow = STALL): void {
    for (const name of this.#proxies.keys()) {
      if (name !== node.name) this.between(node, { name }, flow);
    }
  }

  everywhere(flow: Flow): void {
    for (const name of this.#proxies.keys()) this.around({ name }, flow);
  }

  /** Everything passes from now on; what was stalled arrives. */
  heal(): void {
    this.#flows.clear();
    this.#changed();
  }

  /** Ends the connections between two that stand; they may dial again. */
  cut(a: Named, b: Named, how: End = "reset"): void {
    this.#proxy(a.name).cut(how, b.name);
    this.#proxy(b.name).cut(how, a.name);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map(proxy => proxy.close()));
  }

  #flow(from: string, to: string): Flow {
    return this.#flows.get(way(from, to)) ?? PASS;
  }

  #proxy(name: string): TcpProxy {
    const proxy = this.#proxies.get(name);
    if (proxy === undefined) throw new Error(`no node is named ${name}`);
    return proxy;
  }

  #changed(): void {
    for (const proxy of this.#proxies.values()) proxy.changed();
  }
}

interface Named {
  readonly name: string;
}
