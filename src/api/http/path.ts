/**
 * Paths and queries as bytes: decoded once, never normalised. `%FF` is the byte 255; the result
 * is a byte string. The keyspace's paths are led past the router, which would decode them as
 * text.
 */
import { Refusal } from "../calls/failure.js";

/** Where the router finds the handlers of a key, whatever the key. */
export const KEY_ROUTE = "/v1/kv/-";
const KEY_PREFIX = "/v1/kv/";

const refuse = (parameter: string, message: string): Refusal =>
  new Refusal({ code: "INVALID_PARAMETER", message, details: { parameter } });

/**
 * A target in absolute form, as clients of proxies send it (RFC 9112, section 3.2.2), without its
 * scheme and authority. Who may call is decided by the Host header alone.
 */
const originForm = (url: string): string => {
  if (url.startsWith("/")) return url;
  const rest = /^https?:\/\/[^/?]*(.*)$/is.exec(url)?.[1];
  if (rest === undefined) return url;
  return rest.startsWith("/") ? rest : `/${rest}`;
};

/** The path of the request as it came, without its query. */
export const pathOf = (originalUrl: string): string => {
  const url = originForm(originalUrl);
  const end = url.indexOf("?");
  return end < 0 ? url : url.slice(0, end);
};

/** The URL that the router sees. A POST is for a key only with a slash at its end. */
export function routedUrl(method: string | undefined, originalUrl: string): string {
  const url = originForm(originalUrl);
  if (!url.startsWith(KEY_PREFIX)) return url;
  const path = pathOf(url);
  if (method === "POST" && !path.endsWith("/")) return url;
  return KEY_ROUTE + url.slice(path.length);
}

/** The key in the path of the request as it came: everything after `/v1/kv/`. */
export const keyOf = (originalUrl: string): string =>
  decodeBytes(pathOf(originalUrl).slice(KEY_PREFIX.length), "key");

/** True when the path of the request as it came ends in a slash. */
export const endsInSlash = (originalUrl: string): boolean => pathOf(originalUrl).endsWith("/");

// biome-ignore lint/suspicious/noControlCharactersInRegex: the point is where bytes end.
const BEYOND_BYTES = /[^\u0000-\u00ff]/;

/** `text` with its `%XX` as bytes. Throws {@link Refusal} on a `%` without two hex digits. */
export function decodeBytes(text: string, what: string): string {
  const raw = BEYOND_BYTES.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;
  if (!raw.includes("%")) return raw;
  return raw.replace(/%(.{0,2})/gs, (_all, digits: string) => {
    if (!/^[0-9a-fA-F]{2}$/.test(digits))
      throw refuse(what, `% in the ${what} must be followed by two hex digits; % itself is %25`);
    return String.fromCharCode(Number.parseInt(digits, 16));
  });
}

/** A byte string as part of a path: everything but plain letters and slashes as `%XX`. */
export const encodeBytes = (bytes: string): string =>
  bytes.replace(
    /[^A-Za-z0-9\-._~/!$&'()*+,;=:@]/g,
    one => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );

/** The query of the request as it came, in byte strings; a name without `=` has the value "". */
export function queryOf(originalUrl: string): Map<string, string> {
  const query = new Map<string, string>();
  const start = originalUrl.indexOf("?");
  if (start < 0) return query;
  for (const pair of originalUrl.slice(start + 1).split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decodeForm(equals < 0 ? pair : pair.slice(0, equals), "query");
    if (query.has(name)) throw refuse(name, `${name} is given twice`);
    query.set(name, equals < 0 ? "" : decodeForm(pair.slice(equals + 1), name));
  }
  return query;
}

const decodeForm = (text: string, what: string): string =>
  decodeBytes(text.replaceAll("+", " "), what);
