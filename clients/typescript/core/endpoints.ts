/** Endpoints as people write them, to the addresses that are dialled. */
import { invalid } from "./engine.js";

/** Where `npm start` listens. */
export const LOOPBACK: readonly string[] = [
  "http://127.0.0.1:2379",
  "http://127.0.0.1:22379",
  "http://127.0.0.1:32379",
];
const DEFAULT_PORT = 2379;
const FORM = /^(?:(https?|wss?):\/\/)?(\[[0-9a-fA-F:.]+\]|[^/:\s?#@]+)(?::(\d{1,5}))?\/?$/;

/**
 * `http://host:port`, `https://…` or `host:port`; several as a list, or in one string with commas.
 * Throws `INVALID_PARAMETER` by name.
 */
export function webSocketUrls(endpoints: string | readonly string[]): readonly string[] {
  const list = (typeof endpoints === "string" ? [endpoints] : endpoints)
    .flatMap(text => text.split(","))
    .map(text => text.trim())
    .filter(text => text !== "");
  if (list.length === 0) throw invalid("endpoints", "at least one, such as http://127.0.0.1:2379");
  return list.map(webSocketUrl);
}

function webSocketUrl(endpoint: string): string {
  const [, scheme = "http", host, port = String(DEFAULT_PORT)] = FORM.exec(endpoint) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw invalid("endpoints", `like http://127.0.0.1:2379, and "${endpoint}" is not`);
  const secure = scheme === "https" || scheme === "wss";
  return `${secure ? "wss" : "ws"}://${host}:${port}/v1/ws`;
}
