/**
 * What a user's web server would be: pages and scripts on a loopback port, which is an origin of
 * its own. It serves what the build made, and what a test adds.
 */
import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "../../e2e/harness/ports.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Folders as a page sees them, and as they are. */
const FOLDERS: Readonly<Record<string, string>> = {
  "/client/": "clients/typescript/dist",
  "/protocol/": "src/protocol/dist",
  "/msgpackr/": "node_modules/msgpackr",
};
const STANDALONE = "/holdfast-client.js";

/** No inline script, no eval, nothing from elsewhere, and connections to nodes. */
const STRICT =
  "default-src 'self'; connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:* " +
  "http://*.localhost:* ws://*.localhost:*";

interface Served {
  readonly body: string | Uint8Array;
  readonly type: string;
  readonly policy: string;
}

const script = (body: string | Uint8Array): Served => ({
  body,
  type: "text/javascript",
  policy: STRICT,
});
const html = (body: string, policy = STRICT): Served => ({ body, type: "text/html", policy });

const page = (src: string): string =>
  `<!doctype html><title>test</title><script type="module" src="${src}"></script>`;

export class Site {
  readonly origin: string;
  readonly #server: Server;
  readonly #added = new Map<string, Served>();
  /** What was asked of it, newest last. */
  readonly asked: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = [];

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${port}`;
    this.addProgram(
      "/",
      `import * as holdfast from "${STANDALONE}"; globalThis.holdfast = holdfast;`,
    );
  }

  static async open(): Promise<Site> {
    const [port = 0] = await freePorts(1);
    const server = createServer((request, response) => {
      const path = (request.url ?? "").split("?")[0] ?? "";
      site.asked.push({ path, headers: request.headers });
      const served = site.#find(path);
      if (served === null) {
        response.writeHead(404).end();
        return;
      }
      const { body, type, policy } = served;
      const headers = { "content-type": type, "content-security-policy": policy };
      response.writeHead(200, { ...headers, "cache-control": "no-store" }).end(body);
    });
    const site = new Site(server, port);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host: "127.0.0.1" }, resolve);
    });
    return site;
  }

  /** A page at `path` whose program is `code`, a module; the page is ready when it has run. */
  addProgram(path: string, code: string): void {
    const src = `${path}program.js`;
    this.addScript(src, `${code}\nglobalThis.isReady = true;`);
    this.#added.set(path, html(page(src)));
  }

  addScript(path: string, code: string): void {
    this.#added.set(path, script(code));
  }

  /** A page as somebody wrote it, scripts within it and all. */
  addPage(path: string, text: string): void {
    this.#added.set(path, html(text, STRICT.replace("'self'", "'self' 'unsafe-inline'")));
  }

  #find(path: string): Served | null {
    const added = this.#added.get(path);
    if (added !== undefined) return added;
    if (path === STANDALONE) return this.#find(`/client/standalone${STANDALONE}`);
    const folder = Object.keys(FOLDERS).find(name => path.startsWith(name));
    const inner = normalize(path.slice(folder?.length ?? 0));
    if (folder === undefined || inner.startsWith("..")) return null;
    try {
      return script(readFileSync(join(ROOT, FOLDERS[folder] ?? "", inner)));
    } catch {
      return null;
    }
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
