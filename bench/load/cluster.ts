/** Three Holdfast nodes as real processes on loopback, with sync on: what a user would run. */
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

/** Data and logs below `directory`, which the caller removes. */
export async function startHoldfast(directory: string): Promise<Cluster> {
  const ports = await freePorts(6);
  const url = (at: number) => `http://127.0.0.1:${ports[at]}`;
  const initial = [0, 1, 2].map(i => `n${i + 1}=${url(2 * i + 1)}`).join(",");
  mkdirSync(directory, { recursive: true });
  const nodes = [0, 1, 2].map(i => {
    const name = `n${i + 1}`;
    const flags = [
      `--name=${name}`,
      `--data-dir=${join(directory, name)}`,
      `--listen-client-urls=${url(2 * i)}`,
      `--listen-peer-urls=${url(2 * i + 1)}`,
      `--initial-cluster=${initial}`,
      "--log-level=warn",
    ];
    return startProcess(
      process.execPath,
      [SERVER_PROGRAM, ...flags],
      join(directory, `${name}.log`),
    );
  });
  const endpoints = [0, 1, 2].map(i => url(2 * i));
  const stop = async () => {
    await Promise.all(nodes.map(stopProcess));
  };
  try {
    for (const endpoint of endpoints) {
      await until(`${endpoint}/readyz`, () => answers(`${endpoint}/readyz`));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoints, stop };
}
