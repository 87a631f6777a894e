/** `/metrics` in Prometheus' text format: the process, the node, and how long operations took. */
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { House } from "../house.js";
import { lineMetrics } from "./line-metrics.js";

const snake = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9_]/g, "_")
    .toLowerCase();

export class Metrics {
  readonly #house: House;
  /** The node's own registry: several nodes may live in one process. */
  readonly #registry = new Registry();

  /** `connections` counts the open ones by kind. */
  constructor(house: House, connections: () => Readonly<Record<string, number>>) {
    this.#house = house;
    // A finer look at the loop's delay would wake an idle node more often than its own ticks do.
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 100 });
    new Gauge({
      name: "holdfast_open_connections",
      help: "Open connections by kind.",
      labelNames: ["kind"],
      registers: [this.#registry],
      collect() {
        for (const [kind, open] of Object.entries(connections())) this.set({ kind }, open);
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async render(): Promise<string> {
    const registered = await this.#registry.metrics();
    const { coordinator, jsonBorder } = this.#house;
    const lines = lineMetrics(coordinator.tallies(), jsonBorder);
    return `${registered}\n${this.#nodeText()}${lines}${this.#house.latencies.render()}`;
  }

  #nodeText(): string {
    const status = this.#house.coordinator.status();
    const gauges: Record<string, number> = {
      term: status.term,
      commitIndex: status.commitIndex,
      appliedIndex: status.appliedIndex,
      lastIndex: status.lastIndex,
      snapshotIndex: status.snapshotIndex,
      revision: status.revision,
      isLeader: status.leader === status.nodeId ? 1 : 0,
      hasLeader: status.leader === null ? 0 : 1,
      peersConnected: status.peers.filter(peer => peer.connected).length,
    };
    // The coordinator's counts are of both kinds: sums that grow, and levels that come and go.
    return textOf(gauges, "gauge") + textOf(status.counters, "untyped");
  }
}

function textOf(values: Readonly<Record<string, number>>, type: "gauge" | "untyped"): string {
  let text = "";
  for (const [key, value] of Object.entries(values)) {
    const name = `holdfast_${snake(key)}`;
    text += `# TYPE ${name} ${type}\n${name} ${value}\n`;
  }
  return text;
}
