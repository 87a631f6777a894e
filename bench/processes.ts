/** Programs that the bench starts: node processes that run until told, drivers that end by themselves. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";

/** A cluster of three that takes work until it is stopped. */
export interface Cluster {
  readonly endpoints: readonly string[];
  stop(): Promise<void>;
}

/** Starts a program that stays; its output goes to `logFile`. */
export function startProcess(command: string, args: readonly string[], logFile: string) {
  const log = openSync(logFile, "a");
  const child = spawn(command, args, { stdio: ["ignore", log, log] });
  closeSync(log);
  return child;
}

export function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise(resolve => {
    const limit = setTimeout(() => child.kill("SIGKILL"), 5_000);
    child.once("close", () => {
      clearTimeout(limit);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

/** Runs a program to its end; its standard output, or an error with what it said. */
export function runToEnd(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment };
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
    let output = "";
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", text => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", text => {
      complaint = (complaint + text).slice(-4_000);
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) {
        if (complaint !== "") console.error(complaint.trimEnd());
        resolve(output);
      } else {
        reject(new Error(`${command} ended with ${code ?? signal}: ${complaint}`));
      }
    });
  });
}

/** Loopback ports that were free just now, below those the kernel uses for outgoing connections. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let port = 20_000 + (process.pid % 1_000) * 10; found.length < count; port += 1) {
    if (port >= 32_768) throw new Error("no free ports");
    const free = await new Promise<boolean>(resolve => {
      const probe = createServer();
      probe.once("error", () => resolve(false));
      probe.listen({ port, host: "127.0.0.1" }, () => probe.close(() => resolve(true)));
    });
    if (free) found.push(port);
  }
  return found;
}

/** Waits until `condition` holds; throws with `what` after 30 s. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > limit) throw new Error(`waited 30 s in vain for ${what}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
