/**
 * Who may call: pages of foreign origins may not, and neither may names that merely resolve to this
 * node (DNS rebinding). Programs send no Origin and are not concerned.
 */

import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import type { Failure } from "../../replica/coordinator/index.js";

export interface AllowedCallers {
  /** Origins of pages, such as `https://ops.example.com`; `*` allows all. */
  readonly origins: readonly string[];
  /** Host names beside IP literals and `localhost`, without ports. */
  readonly hosts: readonly string[];
}

/** The host of a Host header, lowercase, without port, brackets and a dot at the end. */
export function hostName(header: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(header);
  const name = bracketed?.[1] ?? header.replace(/:\d*$/, "");
  return name.toLowerCase().replace(/\.$/, "");
}

const normalOrigin = (origin: string): string => origin.toLowerCase().replace(/\/$/, "");

export class Callers {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;

  constructor(allowed: AllowedCallers) {
    this.#origins = new Set(allowed.origins.map(normalOrigin));
    this.#hosts = new Set(["localhost", ...allowed.hosts.map(hostName)]);
  }

  /** Null if the request may go on. A request of HTTP/1.0 may lack its Host; no browser's does. */
  refusal(headers: IncomingHttpHeaders): Failure | null {
    const { host, origin } = headers;
    if (host !== undefined) {
      const name = hostName(host);
      if (isIP(name) === 0 && !this.#hosts.has(name)) return forbiddenHost(name);
    }
    if (origin !== undefined && !this.allows(origin)) return forbiddenOrigin(origin);
    return null;
  }

  allows(origin: string): boolean {
    return this.#origins.has("*") || this.#origins.has(normalOrigin(origin));
  }
}

const forbiddenHost = (host: string): Failure => ({
  code: "FORBIDDEN_HOST",
  message: `this node is not known as ${host.slice(0, 255)}; start it with --allowed-hosts to allow the name`,
  details: { host: host.slice(0, 255) },
});

const forbiddenOrigin = (origin: string): Failure => ({
  code: "FORBIDDEN_ORIGIN",
  message: `pages of ${origin.slice(0, 255)} may not use this node; start it with --allowed-origins to allow them`,
  details: { origin: origin.slice(0, 255) },
});
