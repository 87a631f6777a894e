/** Three Holdfast nodes as real processes on loopback, with sync on: what a user would run. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  answers,
  type Cluster,
  freePorts,
  startProcess,
  stopProcess,
  until,
} from "../processes.js";

const SERVER_PROGRAM = fileURLToPath(new URL("../../server/main.js", import.meta.url));

export interface PlannedNode {
  readonly name: string;
  readonly url: string;
  /** Starts it, or starts it again on the same data. */
  start(): ChildProcess;
}

/** The three, not started yet. Data and logs below `directory`, which the caller removes. */
export async function planHoldfast(directory: string): Promise<readonly PlannedNode[]> {
  const ports = await freePorts(6);
  const url = (at: number) => `http://127.0.0.1:${ports[at]}`;
  const initial = [0, 1, 2].map(i => `n${i + 1}=${url(2 * i + 1)}`).join(",");
  mkdirSync(directory, { recursive: true });
  return [0, 1, 2].map(i => {
    const name = `n${i + 1}`;
    const flags = [
      `--name=${name}`,
      `--data-dir=${join(directory, name)}`,
      `--listen-client-urls=${url(2 * i)}`,
      `--listen-peer-urls=${url(2 * i + 1)}`,
      `--initial-cluster=${initial}`,
      "--log-level=warn",
    ];
    const logFile = join(directory, `${name}.log`);
    const start = () => startProcess(process.execPath, [SERVER_PROGRAM, ...flags], logFile);
    return { name, url: url(2 * i), start };
  });
}

export async function untilReady(endpoints: readonly string[]): Promise<void> {
  for (const endpoint of endpoints) {
    await until(`${endpoint}/readyz`, () => answers(`${endpoint}/readyz`));
  }
}

/** Data and logs below `directory`, which the caller removes. */
export async function startHoldfast(directory: string): Promise<Cluster> {
  const planned = await planHoldfast(directory);
  const endpoints = planned.map(node => node.url);
  const running = planned.map(node => node.start());
  const stop = async () => {
    await Promise.all(running.map(stopProcess));
  };
  try {
    await untilReady(endpoints);
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoints, stop };
}
