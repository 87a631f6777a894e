/** A cluster whose nodes let the pages of one site in, and a browser to open them in. */
import { Cluster } from "../../e2e/harness/cluster.js";
import { Chromium } from "./chromium.js";
import type { Page } from "./page.js";
import { Site } from "./site.js";

export class Stage {
  readonly site: Site;
  readonly cluster: Cluster;
  readonly browser: Chromium;

  private constructor(site: Site, cluster: Cluster, browser: Chromium) {
    this.site = site;
    this.cluster = cluster;
    this.browser = browser;
  }

  /** `flags` are the browser's. */
  static async open(size = 1, flags: readonly string[] = []): Promise<Stage> {
    const site = await Site.open();
    let cluster: Cluster | undefined;
    try {
      cluster = await Cluster.start(size, [`--allowed-origins=${site.origin}`]);
      return new Stage(site, cluster, await Chromium.start(flags));
    } catch (error) {
      await cluster?.close();
      await site.close();
      throw error;
    }
  }

  /** A new tab with the client in `holdfast`, and in `hf` one that is connected to `endpoints`. */
  async tab(
    options: Readonly<Record<string, unknown>> = {},
    endpoints: readonly string[] = this.cluster.endpoints,
  ): Promise<Page> {
    const page = await this.browser.open(`${this.site.origin}/`);
    const args = [endpoints, options].map(arg => JSON.stringify(arg));
    await page.evaluate(`globalThis.hf = holdfast.connect(${args}), undefined`);
    return page;
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.cluster.close();
    await this.site.close();
  }
}
