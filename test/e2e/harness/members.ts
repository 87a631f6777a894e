/**
 * An operator at a cluster of real nodes: types the commands of `holdfast member`, starts what they
 * say is to be started, and looks at who is a member.
 */
import { expect } from "vitest";
import { type Ended, holdfast } from "../cli/holdfast.js";
import { Cluster, type Node } from "./cluster.js";
import { freePorts } from "./ports.js";

const REMOVED = 4;

/** Where a node will be. */
export interface Place {
  readonly name: string;
  readonly url: string;
  readonly peerUrl: string;
}

/** What `member add --json` says. */
export interface Added {
  readonly member: string;
  /** The command that starts it, as words. */
  readonly start: readonly string[];
}

/** What `member list --json` says of one. */
export interface Listed {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly leads: boolean;
  readonly peerUrls: readonly string[];
}

export async function places(...names: string[]): Promise<Place[]> {
  const ports = await freePorts(2 * names.length);
  const url = (at: number): string => `http://127.0.0.1:${ports[at]}`;
  return names.map((name, i) => ({ name, url: url(2 * i), peerUrl: url(2 * i + 1) }));
}

export class Operator {
  readonly cluster: Cluster;
  /** Of all nodes that are or will be: what a careful operator has given to the clients. */
  readonly endpoints: readonly string[];

  private constructor(cluster: Cluster, endpoints: readonly string[]) {
    this.cluster = cluster;
    this.endpoints = endpoints;
  }

  /** At a cluster of `size` that has been started, with `flags`, and may grow to `further`. */
  static async at(
    size: number,
    further: readonly Place[],
    flags: readonly string[] = [],
  ): Promise<Operator> {
    const cluster = await Cluster.start(size, flags);
    return new Operator(cluster, [...cluster.endpoints, ...further.map(({ url }) => url)]);
  }

  run(...args: string[]): Promise<Ended> {
    return holdfast([...args, "--timeout", "60s"], { endpoints: this.endpoints.join(",") });
  }

  /** What the command printed, which ended with 0. */
  async done(...args: string[]): Promise<string> {
    const { code, out, err } = await this.run(...args);
    expect({ args, code, err }).toMatchObject({ args, code: 0 });
    return out;
  }

  /** Adds it, and starts it by the very words that the command printed. */
  async joins({ name, url, peerUrl }: Place): Promise<Node> {
    const flags = ["--peer-urls", peerUrl, "--client-urls", url, "--json"];
    const { start } = JSON.parse(await this.done("member", "add", name, ...flags)) as Added;
    const [program, serve, nameFlag, ownName, ...rest] = start;
    expect([program, serve, nameFlag, ownName]).toEqual(["holdfast", "serve", "--name", name]);
    const node = this.cluster.further(name, url, rest);
    node.start();
    return node;
  }

  async listed(): Promise<readonly Listed[]> {
    return JSON.parse(await this.done("member", "list", "--json")) as Listed[];
  }

  /** "n1 voter, n4 learner" */
  async members(): Promise<string> {
    return (await this.listed()).map(({ name, role }) => `${name} ${role}`).join(", ");
  }

  /** The members, once all nodes name the same. */
  agreedMembers(): Promise<readonly string[]> {
    return this.cluster.until("all nodes to name the same members", async () => {
      const lists = await Promise.all(
        this.cluster.nodes.map(async node => {
          const { body } = await node.post("/v1/cluster/members", {});
          return (body.members as Listed[]).map(({ name, role }) => `${name} ${role}`).sort();
        }),
      );
      const [first = [], ...others] = lists;
      return others.every(list => list.join() === first.join()) ? first : undefined;
    });
  }
}

export async function endedAsRemoved(node: Node): Promise<void> {
  expect(await node.exit).toBe(REMOVED);
  expect(node.log().trimEnd().split("\n").at(-1)).toMatch(
    /^holdfast: MEMBER_REMOVED: .*removed.* add it again \(holdfast member add\)/,
  );
}
