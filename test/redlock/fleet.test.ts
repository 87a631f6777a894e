/**
 * Fleets in migration: old processes (Redis alone), those of the first step (both), and new ones
 * (Holdfast alone). The two mixtures that the guide allows never have two at work at once; the one
 * that it forbids does, so the witness sees. Over a mock of Redis, and a real one where there is.
 */
import { connect } from "holdfast-client";
import { both, Redlock } from "holdfast-client/redlock";
import NpmRedlock from "redlock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pauseMs, until } from "../e2e/harness/until.js";
import { type AnyRedlock, fresh } from "./contract.js";
import { type OneNode, oneNode } from "./node.js";
import { mockRedis, noRealRedis, type RedisUnderTest, realRedis } from "./redis.js";

const QUICK = { retryCount: -1, retryDelay: 8, retryJitter: 8 } as const;
/** Longer than anything here takes: nobody loses a lock by time. */
const DURATION_MS = 60_000;
/** Long enough for whoever is not kept out to come in. */
const INSIDE_MS = 15;

/** Who polls comes in only while nobody wants it back at once: no process does. */
const REST_MS = 40;
const PATIENCE_MS = 60_000;

/** Sees how many are at work at once. */
class Witness {
  inside = 0;
  most = 0;

  async work(): Promise<void> {
    this.inside += 1;
    this.most = Math.max(this.most, this.inside);
    const leaveMs = performance.now() + INSIDE_MS;
    await until("the work to be done", () => this.inside > 1 || performance.now() >= leaveMs);
    this.inside -= 1;
  }
}

type Kind = "old" | "both" | "new";

class Process {
  readonly kind: Kind;
  turns = 0;
  readonly #redlock: AnyRedlock;
  #isStopping = false;
  #running: Promise<void> = Promise.resolve();

  constructor(kind: Kind, redis: RedisUnderTest, url: string) {
    const npm = (): NpmRedlock => new NpmRedlock([redis.client()], QUICK);
    const ours = (): Redlock => new Redlock([connect(url)], QUICK);
    this.kind = kind;
    this.#redlock = kind === "old" ? npm() : kind === "new" ? ours() : both(npm(), ours());
  }

  start(resource: string, witness: Witness): this {
    this.#running = this.#run(resource, witness);
    return this;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    await this.#redlock.quit();
  }

  async #run(resource: string, witness: Witness): Promise<void> {
    while (!this.#isStopping) {
      await this.#redlock.using([resource], DURATION_MS, () => witness.work());
      this.turns += 1;
      await pauseMs(REST_MS);
    }
  }
}

const everyone = (fleet: readonly Process[], turns: number): Promise<unknown> =>
  until(`${turns} turns of everyone`, () => fleet.every(one => one.turns >= turns), PATIENCE_MS);

function describeFleets(title: string, start: () => Promise<RedisUnderTest>): void {
  describe(title, { timeout: 2 * PATIENCE_MS }, () => {
    let node: OneNode;
    let redis: RedisUnderTest;
    beforeAll(async () => {
      node = await oneNode();
      redis = await start();
    });
    afterAll(async () => {
      await redis.stop();
      await node.stop();
    });

    const make = (kind: Kind): Process => new Process(kind, redis, node.url);

    test.each([
      ["old" as const, "both" as const],
      ["both" as const, "new" as const],
      ["both" as const, "both" as const],
    ])("%s with %s: never two at work, and everyone gets turns", async (one, other) => {
      const [resource, witness] = [fresh(), new Witness()];
      const fleet = [one, other, one, other, one, other].map(make);
      for (const process of fleet) process.start(resource, witness);
      await everyone(fleet, 5);
      await Promise.all(fleet.map(process => process.stop()));
      expect(witness.most).toBe(1);
    });

    test("old with new: two are at work at once, and the witness sees it", async () => {
      const [resource, witness] = [fresh(), new Witness()];
      const fleet = [make("old"), make("new")];
      for (const process of fleet) process.start(resource, witness);
      await until("an overlap", () => witness.most > 1, PATIENCE_MS);
      await Promise.all(fleet.map(process => process.stop()));
      expect(witness.most).toBe(2);
    });

    test("a whole migration, one process at a time, and back again: never two at work", async () => {
      const [resource, witness] = [fresh(), new Witness()];
      const fleet = ["old", "old", "old"].map(() => make("old").start(resource, witness));
      const seen = new Set<string>();
      for (const kind of ["both", "new", "both", "old"] as const) {
        for (let i = 0; i < fleet.length; i++) {
          const leaving = fleet[i];
          fleet[i] = make(kind).start(resource, witness);
          await leaving?.stop();
          const turns = fleet.map(process => process.turns);
          await until(
            "everyone's next turn",
            () => fleet.every((process, at) => process.turns > (turns[at] ?? 0)),
            PATIENCE_MS,
          );
          seen.add(fleet.map(process => process.kind).join(" "));
        }
      }
      await Promise.all(fleet.map(process => process.stop()));
      expect(witness.most).toBe(1);
      expect([...seen]).toContain("both both old");
      expect([...seen]).toContain("new both both");
    });
  });
}

describeFleets("over a mock of Redis,", mockRedis);
if (noRealRedis === null) describeFleets("over Redis,", realRedis);
else
  test("fleets over Redis", ({ skip }) => {
    skip(noRealRedis ?? "");
  });
