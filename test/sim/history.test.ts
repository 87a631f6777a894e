import { describe, expect, test } from "vitest";
import { type Held, HoldfastError, LockLostError } from "../../clients/typescript/core/index.js";
import type { Outcome } from "../../src/replica/coordinator/index.js";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import type { SimClient } from "./client.js";
import { contradictionOf, Recorder } from "./history.js";
import { Process } from "./process.js";

/** Clients that are told what a test wants, in a time that it turns. */
class Scene {
  readonly loop = new TurnedLoop();
  readonly cluster = {
    loop: this.loop,
    failure: null as unknown,
    truth: { counts: {} as Record<string, number> },
    get nowMs(): number {
      return this.loop.monotonicMs();
    },
  };
  readonly history = new Recorder(() => this.cluster.nowMs);
  clocksLieFromMs = Number.POSITIVE_INFINITY;
  #tokens = 0;

  client(name: string): SimClient {
    const { loop, cluster } = this;
    const onRun = (): void => {};
    const process = new Process({ loop, name, originMs: 0, driftPpm: 0, onRun });
    return { name, process, cluster } as unknown as SimClient;
  }

  async wait(ms: number): Promise<void> {
    for (let step = 0; step < 4; step += 1) await null;
    this.loop.advance(ms);
  }

  /** A grant of lock/a that `me` believes in for `remainingMs`. */
  held(remainingMs: number): Held & { lose(): void } {
    const endMs = this.cluster.nowMs + remainingMs;
    const controller = new AbortController();
    const token = ++this.#tokens;
    const left = (): number => (controller.signal.aborted ? 0 : endMs - this.cluster.nowMs);
    const grant = {
      name: "lock/a",
      key: `lock/a/${token}`,
      token,
      signal: controller.signal,
      get remainingMs() {
        return left();
      },
      lose: () => controller.abort(),
    };
    return grant as unknown as Held & { lose(): void };
  }

  async acquire(me: SimClient, remainingMs = 1_000): Promise<Held & { lose(): void }> {
    const held = this.held(remainingMs);
    const asked = this.history.acquire(me, "lock/a", Promise.resolve(held));
    await this.wait(1);
    return asked;
  }

  get verdict(): string {
    expect(this.cluster.failure).toBeNull();
    const report = this.history.judge(this.clocksLieFromMs);
    return contradictionOf(report)?.what ?? report.verdict;
  }
}

const GRANTED_TWICE = "the history of lock lock/a is not linearizable";
const never = new Promise<never>(() => {});
const entry = (value: string, modRevision: number) => ({ value, modRevision });

describe("a lock's history", () => {
  test("shows a grant while another holds it, and says what contradicts what", async () => {
    const scene = new Scene();
    await scene.acquire(scene.client("w1"));
    await scene.acquire(scene.client("w2"));
    const found = contradictionOf(scene.history.judge(Number.POSITIVE_INFINITY));
    expect(found?.what).toBe(GRANTED_TWICE);
    expect(found?.details).toMatch(/w1[^\n]*token 1[\s\S]*w2[^\n]*token 2/);
  });

  test("lets the next be granted after the release was begun, and where its outcome is unknown", async () => {
    const scene = new Scene();
    const w1 = scene.client("w1");
    const held = await scene.acquire(w1);
    void scene.history.release(w1, held, () => never);
    await scene.acquire(scene.client("w2"));
    expect(scene.verdict).toBe("linearizable");
  });

  test.each([
    [990, GRANTED_TWICE],
    [1_000, "linearizable"],
  ])("holds for the dead what they could prove: granted anew after %i ms", async (ms, verdict) => {
    const scene = new Scene();
    const w1 = scene.client("w1");
    await scene.acquire(w1);
    scene.history.dies(w1);
    w1.process.end();
    await scene.wait(ms - 1);
    await scene.acquire(scene.client("w2"));
    expect(scene.verdict).toBe(verdict);
  });

  test("holds nobody to a grant that its holder has given up", async () => {
    const scene = new Scene();
    const held = await scene.acquire(scene.client("w1"));
    held.lose();
    await scene.acquire(scene.client("w2"));
    expect(scene.verdict).toBe("linearizable");
  });

  test("counts no proof from where clocks lie: the nodes', or the holder's own", async () => {
    const nodes = new Scene();
    await nodes.acquire(nodes.client("w1"));
    nodes.clocksLieFromMs = 0;
    await nodes.acquire(nodes.client("w2"));
    expect(nodes.verdict).toBe("linearizable");
    const own = new Scene();
    const w1 = own.client("w1");
    w1.process.clocksLie = true;
    await own.acquire(w1);
    await own.acquire(own.client("w2"));
    expect(own.verdict).toBe("linearizable");
  });

  test("takes a wait that went with its lease for one that may have held", async () => {
    const refusedAfter = async (error: Error): Promise<string> => {
      const scene = new Scene();
      const lost = scene.history.acquire(scene.client("w1"), "lock/a", Promise.reject(error));
      await expect(lost).rejects.toBe(error);
      await scene.history.acquire(scene.client("w2"), "lock/a", Promise.resolve(null));
      await scene.wait(1);
      return scene.verdict;
    };
    const ended = new LockLostError("expired", { message: "ended" });
    expect(await refusedAfter(ended)).toBe("linearizable");
    const timeout = new HoldfastError({ code: "WAIT_TIMEOUT", message: "over" });
    expect(await refusedAfter(timeout)).toBe(GRANTED_TWICE);
  });

  test("takes all calls under one key for one acquire, of which one without an answer leaves doubt", async () => {
    const refusedAfter = async (...outcomes: (Outcome | null)[]): Promise<string> => {
      const scene = new Scene();
      const acquire = scene.history.plainAcquire(scene.client("w1"), "lock/a", "w1");
      for (const outcome of outcomes) acquire.answered(outcome);
      acquire.over();
      await scene.history.acquire(scene.client("w2"), "lock/a", Promise.resolve(null));
      await scene.wait(1);
      return scene.verdict;
    };
    const timeout: Outcome = { ok: false, failure: { code: "WAIT_TIMEOUT", message: "over" } };
    expect(await refusedAfter(null, timeout)).toBe("linearizable");
    expect(await refusedAfter(timeout)).toBe(GRANTED_TWICE);
  });
});

describe("a register's history", () => {
  test("shows a read of the past", async () => {
    const scene = new Scene();
    const me = scene.client("w1");
    const { history } = scene;
    await history.put(me, { key: "a", value: "x" }, Promise.resolve({ revision: 2 }));
    await scene.wait(1);
    const swap = { key: "a", expect: entry("x", 2), value: "y" };
    await history.swap(me, swap, Promise.resolve({ revision: 3 }));
    await scene.wait(1);
    await history.get(me, "a", Promise.resolve(entry("x", 2)));
    await scene.wait(1);
    expect(scene.verdict).toBe("the history of register a is not linearizable");
  });

  test("leaves open what the dead have asked, and what nobody knows", async () => {
    const scene = new Scene();
    const [dead, doubtful] = [scene.client("w1"), scene.client("w2")];
    const { history } = scene;
    let answer = (_: { revision: number }): void => {};
    const asked = new Promise<{ revision: number }>(resolve => {
      answer = resolve;
    });
    void history.put(dead, { key: "a", value: "x" }, asked);
    history.dies(dead);
    dead.process.end();
    answer({ revision: 9 });
    const error = new HoldfastError({ code: "OUTCOME_UNKNOWN", message: "who knows" });
    history.put(doubtful, { key: "a", value: "y" }, Promise.reject(error)).catch(() => {});
    await scene.wait(1);
    const me = scene.client("w3");
    for (const found of [entry("y", 2), entry("x", 3)]) {
      await history.get(me, "a", Promise.resolve(found));
      await scene.wait(1);
    }
    expect(scene.verdict).toBe("linearizable");
  });
});
