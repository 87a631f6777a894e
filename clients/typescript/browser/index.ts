/** holdfast-client in a browser: over its own WebSocket. */
import { type Client, type ConnectOptions, connectOver } from "../core/index.js";
import { browserPlatform } from "./platform.js";

export * from "../core/index.js";
export { browserPlatform } from "./platform.js";

/**
 * A client of the cluster at `endpoints`. The page's origin must be among the nodes'
 * `--allowed-origins`. Nothing is dialled before the first call. Throws `INVALID_PARAMETER` for
 * endpoints or options that cannot be.
 */
export function connect(
  endpoints?: string | readonly string[],
  options: ConnectOptions = {},
): Client {
  return connectOver(browserPlatform, endpoints, options);
}
