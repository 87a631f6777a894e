/**
 * Why a WebSocket did not come to stand, as far as a page can find out: it asks the same URL over
 * HTTP. What the node says there to a page that it lets in is in its own words; an answer that the
 * page may not read means that the node does not let it in.
 */

/** A handshake that failed has taken its time already. */
const WITHIN_MS = 1000;

interface Told {
  readonly error?: { readonly code?: unknown; readonly message?: unknown };
}

/** Browsers also keep pages from private networks, and do not tell the page so. */
const KEPT_FROM_IT = "it could not be reached, or the browser keeps this page from it";

/** In words for people. Never rejects. */
export async function whyRefused(webSocketUrl: string): Promise<string> {
  const url = webSocketUrl.replace(/^ws/, "http");
  try {
    await ask(url, "no-cors");
  } catch {
    return KEPT_FROM_IT;
  }
  try {
    const response = await ask(url, "cors");
    return inItsWords((await response.json()) as Told);
  } catch {
    return closedToThisPage(url);
  }
}

const ask = (url: string, mode: RequestMode): Promise<Response> =>
  fetch(url, {
    mode,
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout(WITHIN_MS),
  });

function inItsWords({ error }: Told): string {
  // The usual answer to whoever asks this URL for no upgrade: it would have taken one.
  if (error?.code === "INVALID_REQUEST") return "it answers, but the WebSocket was not opened";
  return `${String(error?.code)}: ${String(error?.message)}`;
}

/** The node refuses foreign names (DNS rebinding) as it does foreign pages, and before. */
function closedToThisPage(url: string): string {
  const { hostname } = new URL(url);
  const isName = hostname !== "localhost" && /[a-z]/i.test(hostname) && !hostname.startsWith("[");
  const orHost = isName ? `, or --allowed-hosts=${hostname} (FORBIDDEN_HOST)` : "";
  return (
    `it answers, but not to pages of ${origin} (FORBIDDEN_ORIGIN): ` +
    `start the node with --allowed-origins=${origin}${orHost}`
  );
}
