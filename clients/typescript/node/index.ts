/** holdfast-client in Node: over `ws`. */
import { type Client, type ConnectOptions, connectOver } from "../core/index.js";
import { nodePlatform } from "./platform.js";

export * from "../core/index.js";
export { nodePlatform } from "./platform.js";

/**
 * A client of the cluster at `endpoints`: `http://host:port` or `host:port`, one or more. Without
 * any, those of `HOLDFAST_ENDPOINTS`, else loopback's. Nothing is dialled before the first call;
 * from then on the connection keeps the process alive until `close()`.
 * Throws `INVALID_PARAMETER` for endpoints or options that cannot be.
 */
export function connect(
  endpoints?: string | readonly string[],
  options: ConnectOptions = {},
): Client {
  const told = process.env.HOLDFAST_ENDPOINTS;
  return connectOver(nodePlatform, endpoints ?? (told ? told : undefined), options);
}
