/** CMD's start: what may reach it while it starts. */
import { spawn } from "node:child_process";
import { beforeEach, expect, test, vi } from "vitest";
import { CannotStart } from "../../src/cli/held/cannot-start.js";
import { startChild } from "../../src/cli/held/child.js";

const SIGNALS = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"];
const listeners = () => SIGNALS.map(signal => process.listenerCount(signal));
let before: number[];
let atSpawn: number[];

vi.mock("node:child_process", async original => {
  const real = await original<typeof import("node:child_process")>();
  return { ...real, spawn: vi.fn(real.spawn) };
});

beforeEach(async () => {
  const real = await vi.importActual<typeof import("node:child_process")>("node:child_process");
  before = listeners();
  atSpawn = [];
  vi.mocked(spawn).mockImplementation(((...args: Parameters<typeof real.spawn>) => {
    atSpawn = listeners();
    return real.spawn(...args);
  }) as typeof spawn);
});

test("signals are caught for CMD before it is started, and no more when it has ended", async () => {
  const { target, ended } = startChild("true", [], {});
  expect(target?.pid).toBeGreaterThan(0);
  expect(atSpawn).toEqual(before.map(count => count + 1));
  expect(await ended).toEqual({ code: 0, killed: false });
  expect(listeners()).toEqual(before);
});

test("nor are they when it could not be started", async () => {
  await expect(startChild("no-such-command", [], {}).ended).rejects.toThrow(CannotStart);
  expect(listeners()).toEqual(before);
  expect(() => startChild("x".repeat(5_000), [], {})).toThrow(CannotStart);
  expect(listeners()).toEqual(before);
});
