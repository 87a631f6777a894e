/**
 * A headless Chromium that tests drive over the DevTools protocol, through a pipe: no port, and
 * when the test's process dies the pipe closes and the browser ends with it. Only the few commands
 * that the tests here need; pages are `page.ts`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { Page } from "./page.js";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

const program: string | null =
  (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap(folder => NAMES.map(name => join(folder, name)))
    .find(path => existsSync(path)) ?? null;

/** Why there is none, and how to get it; null where there is. */
export const noChromium: string | null =
  program === null ? "no Chromium (Debian: apt-get install chromium)" : null;

const FLAGS = [
  "--headless=new",
  "--remote-debugging-pipe",
  // It loads pages of these tests alone; and root, as in a container, has no sandbox.
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-sync",
];

type Fields = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

interface Asked {
  readonly method: string;
  readonly resolve: (result: Fields) => void;
  readonly reject: (error: Error) => void;
}

export class Chromium {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #into: Writable;
  readonly #asked = new Map<number, Asked>();
  readonly #listeners = new Map<string, (method: string, params: Fields) => void>();
  readonly #exit: Promise<void>;
  #said = "";
  #lastId = 0;
  #rest = "";

  private constructor(path: string, flags: readonly string[]) {
    this.#directory = mkdtempSync(join(tmpdir(), "holdfast-chromium-"));
    const args = [...FLAGS, `--user-data-dir=${this.#directory}`, ...flags, "about:blank"];
    this.#child = spawn(path, args, {
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      // Its settings and caches belong to the test as well.
      env: { ...process.env, HOME: this.#directory, XDG_CONFIG_HOME: this.#directory },
    });
    const { stderr, stdio } = this.#child;
    stderr?.on("data", bytes => {
      this.#said = (this.#said + String(bytes)).slice(-4000);
    });
    this.#into = stdio[3] as Writable;
    this.#into.on("error", () => {}); // it is told as its end
    (stdio[4] as Readable).setEncoding("utf8").on("data", text => this.#hear(String(text)));
    this.#exit = new Promise(resolve => {
      this.#child.once("close", () => {
        for (const { method, reject } of this.#asked.values())
          reject(new Error(`${method}: Chromium has ended; it said:\n${this.#said}`));
        this.#asked.clear();
        resolve();
      });
    });
  }

  static async start(flags: readonly string[] = []): Promise<Chromium> {
    if (program === null) throw new Error(noChromium ?? "");
    const browser = new Chromium(program, flags);
    try {
      await browser.send("Browser.getVersion");
      return browser;
    } catch (error) {
      await browser.close();
      throw error;
    }
  }

  /** An empty new tab. The tab before it is hidden from then on. */
  async tab(): Promise<Page> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    return Page.of(this, String(targetId));
  }

  /** A new tab at `url`, once it is ready. */
  async open(url: string): Promise<Page> {
    const page = await this.tab();
    await page.go(url);
    return page;
  }

  /** One command, to a page if it names the session. Its result. */
  send(method: string, params: Fields = {}, sessionId?: string): Promise<Fields> {
    const id = ++this.#lastId;
    const message = { id, method, params, ...(sessionId === undefined ? {} : { sessionId }) };
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { method, resolve, reject });
      this.#into.write(`${JSON.stringify(message)}\0`);
    });
  }

  /** Events of a page's session go to `listener`, if it is still there. */
  listen(sessionId: string, listener: (method: string, params: Fields) => void): void {
    this.#listeners.set(sessionId, listener);
  }

  #hear(text: string): void {
    const messages = (this.#rest + text).split("\0");
    this.#rest = messages.pop() ?? "";
    for (const message of messages) this.#take(JSON.parse(message) as Message);
  }

  #take({ id, sessionId, method, params, result, error }: Message): void {
    if (id === undefined) {
      if (method !== undefined) this.#listeners.get(sessionId ?? "")?.(method, params ?? {});
      return;
    }
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error === undefined) asked?.resolve(result ?? {});
    else asked?.reject(new Error(`${asked.method}: ${error.message}`));
  }

  async close(): Promise<void> {
    // Its processes end with the one that holds the pipe.
    this.#child.kill("SIGKILL");
    await this.#exit;
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}
