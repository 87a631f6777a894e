/** One tab of a Chromium: what tests do to it, and what they ask it. */
import { until } from "../../e2e/harness/until.js";
import type { Chromium } from "./chromium.js";

/** A page on a busy machine. */
const PATIENCE_MS = 60_000;

/** What the page's own policy refused, in `violations`: the console does not tell all of it. */
const VIOLATIONS = `
  globalThis.violations = [];
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    violations.push(violatedDirective + " " + blockedURI));
`;

interface Evaluated {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: {
    readonly text: string;
    readonly exception?: { readonly description?: string };
  };
}

interface Paused {
  readonly requestId: string;
  readonly request: { readonly url: string };
}

/** What a page is given instead of what is at a URL. */
export interface Given {
  readonly type: string;
  readonly body: string;
}

export class Page {
  readonly #browser: Chromium;
  readonly #targetId: string;
  readonly #session: string;
  /** What the page wrote to its console, and errors that nobody caught. */
  readonly console: string[] = [];
  hasCrashed = false;
  #given: ReadonlyMap<string, Given> = new Map();

  private constructor(browser: Chromium, targetId: string, session: string) {
    this.#browser = browser;
    this.#targetId = targetId;
    this.#session = session;
    browser.listen(session, (method, params) => {
      if (method === "Fetch.requestPaused") this.#answer(params as unknown as Paused);
      if (method === "Inspector.targetCrashed") this.hasCrashed = true;
      const isWord = /^(Runtime\.(consoleAPICalled|exceptionThrown)|Log\.entryAdded)$/.test(method);
      if (isWord) this.console.push(JSON.stringify(params));
    });
  }

  static async of(browser: Chromium, targetId: string): Promise<Page> {
    const attached = await browser.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(browser, targetId, String(attached.sessionId));
    for (const domain of ["Page", "Runtime", "Log", "Inspector"])
      await page.send(`${domain}.enable`);
    await page.send("Page.addScriptToEvaluateOnNewDocument", { source: VIOLATIONS });
    return page;
  }

  send(method: string, params: Readonly<Record<string, unknown>> = {}) {
    return this.#browser.send(method, params, this.#session);
  }

  /** Loads `url` and waits until its program says that it is ready, or `isReady` does. */
  async go(url: string, isReady = "globalThis.isReady === true"): Promise<void> {
    const { errorText } = await this.send("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`);
    await this.until("the page to be ready", isReady);
  }

  /** From then on it sees `given`, by URL, as if it came from there: of an https site, say. */
  async give(given: ReadonlyMap<string, Given>): Promise<void> {
    this.#given = given;
    await this.send("Fetch.enable", {
      patterns: [...given.keys()].map(urlPattern => ({ urlPattern })),
    });
  }

  #answer({ requestId, request }: Paused): void {
    const given = this.#given.get(request.url);
    const told = this.send("Fetch.fulfillRequest", {
      requestId,
      responseCode: given === undefined ? 404 : 200,
      responseHeaders: [{ name: "content-type", value: given?.type ?? "text/plain" }],
      body: Buffer.from(given?.body ?? "").toString("base64"),
    });
    // The page may have gone on meanwhile.
    told.catch(() => {});
  }

  /** The value of `expression` there; of a promise, what it comes to. Rejects with what it throws. */
  async evaluate<T>(expression: string): Promise<T> {
    const told = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    const { result, exceptionDetails } = told as unknown as Evaluated;
    if (exceptionDetails === undefined) return result.value as T;
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }

  /** As the `until` of e2e; a failure also tells what the page wrote to its console. */
  until(what: string, expression: string): Promise<unknown> {
    return until(what, () => this.evaluate<unknown>(expression), PATIENCE_MS).catch(error => {
      throw new Error(`${error}\n${this.console.join("\n")}`, { cause: error });
    });
  }

  /** Shows it, which hides the tab that was shown. */
  async show(): Promise<void> {
    await this.#browser.send("Target.activateTarget", { targetId: this.#targetId });
  }

  /** As a browser does to a tab that nobody has looked at for long. */
  async setFrozen(isFrozen: boolean): Promise<void> {
    await this.send("Page.setWebLifecycleState", { state: isFrozen ? "frozen" : "active" });
  }

  /** Its process dies, as of a bug or for lack of memory. */
  async crash(): Promise<void> {
    // The dead do not answer.
    void this.send("Page.crash").catch(() => {});
    await until("the page to be dead", () => this.hasCrashed, PATIENCE_MS);
  }

  /** To a page of no site. */
  async leave(): Promise<void> {
    await this.send("Page.navigate", { url: "about:blank" });
  }

  /** As its user closes it; the page hears of it. */
  async close(): Promise<void> {
    await this.#browser.send("Target.closeTarget", { targetId: this.#targetId });
  }
}
