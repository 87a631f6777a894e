/** Endpoints as people write them, to the addresses that are dialled. */
import type { WelcomeMessage } from "holdfast-protocol";
import { invalid, listFrom } from "./arguments.js";

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
  const expected = "text or a list of it, such as http://127.0.0.1:2379; options come after it";
  const list = listFrom("endpoints", endpoints, expected)
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

/**
 * Which of `urls` (as {@link webSocketUrls} gave them) is the leader's, if another node than the
 * one that welcomes leads; -1 otherwise. Only what the caller listed counts: what a node advertises
 * may be out of a client's reach.
 */
export function leaderAmong(urls: readonly string[], welcome: WelcomeMessage["welcome"]): number {
  const { leader, leaderUrls, nodeId } = welcome;
  if (leader === undefined || leader === nodeId || !Array.isArray(leaderUrls)) return -1;
  const texts = leaderUrls.filter(url => typeof url === "string");
  const addresses = texts.map(url => url.replace(/^http/, "ws").replace(/\/?$/, "/v1/ws"));
  return urls.findIndex(url => addresses.includes(url));
}
