/** Ticks from the clock, with gaps: a stopped or stalled process must not wake with an election. */
import { describe, expect, test } from "vitest";
import { Ticker } from "../../src/log/ticker.js";

class StandingClock {
  nowMs = 0;
  due: { atMs: number; callback: () => void } | null = null;

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return 0;
  }

  after(delayMs: number, callback: () => void): () => void {
    this.due = { atMs: this.nowMs + delayMs, callback };
    return () => {
      this.due = null;
    };
  }

  /** Time passes; a timer that is due fires late, as after a stall. */
  pass(ms: number): void {
    this.nowMs += ms;
    const { due } = this;
    if (due === null || due.atMs > this.nowMs) return;
    this.due = null;
    due.callback();
  }
}

function ticking(): { clock: StandingClock; ticker: Ticker; woken: () => number } {
  const clock = new StandingClock();
  let woken = 0;
  const ticker = new Ticker(clock, 20, 3, () => {
    woken += 1;
  });
  ticker.start();
  return { clock, ticker, woken: () => woken };
}

describe("ticks", () => {
  test("are due by the clock and not lost to late timers", () => {
    const { clock, ticker } = ticking();
    let ticks = 0;
    for (let at = 0; at < 100; at++) {
      clock.pass(7);
      ticks += ticker.collect();
    }
    expect(ticks).toBe(35);
  });

  test("a gap counts as one heartbeat interval at most, and is not made up for later", () => {
    const { clock, ticker } = ticking();
    clock.pass(30_000);
    expect(ticker.collect()).toBe(3);
    clock.pass(20);
    expect(ticker.collect()).toBe(1);
  });

  test("are collected by a pass, never from within the timer", () => {
    const { clock, ticker, woken } = ticking();
    expect(ticker.collect()).toBe(0);
    clock.pass(40);
    expect(woken()).toBe(1);
    expect(ticker.collect()).toBe(2);
    expect(ticker.collect()).toBe(0);
  });

  test("end when stopped", () => {
    const { clock, ticker, woken } = ticking();
    ticker.stop();
    clock.pass(1_000);
    expect(woken()).toBe(0);
    expect(ticker.collect()).toBe(0);
  });
});
