/**
 * A log that cannot be written: it is on a full device, or nobody reads it. The node serves all the
 * same, stops when it is told, and what it ends for is on stderr.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePorts } from "./harness/ports.js";
import { mountSmallDisk, unmountSmallDisks } from "./harness/small-disk.js";
import { until } from "./harness/until.js";

const SERVER_PROGRAM = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const DISK_BYTES = 32 * 1024 * 1024;
const PAGE_BYTES = 4_096;
const { O_RDONLY, O_RDWR, O_NONBLOCK } = fs.constants;

let directory: string;
/** Where the data is, and in some tests a file system of its own. */
let disk: string;
let url: string;
let flags: string[];
let child: ChildProcess | null = null;
let exit: Promise<number | NodeJS.Signals>;
const open: number[] = [];

beforeEach(async () => {
  directory = fs.mkdtempSync(join(tmpdir(), "holdfast-logs-"));
  disk = join(directory, "disk");
  const [client, peer] = await freePorts(2);
  url = `http://127.0.0.1:${client}`;
  flags = [
    "--name=n1",
    `--data-dir=${join(disk, "n1")}`,
    `--listen-client-urls=${url}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
  ];
});
afterEach(async () => {
  if (child !== null) {
    child.kill("SIGKILL");
    await exit;
  }
  for (const fd of open.splice(0)) fs.closeSync(fd);
  unmountSmallDisks();
  fs.rmSync(directory, { recursive: true, force: true });
});

function opened(path: string, mode: string | number): number {
  const fd = fs.openSync(path, mode);
  open.push(fd);
  return fd;
}

const stderr = (): string => fs.readFileSync(join(directory, "stderr"), "utf8");
const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1) ?? "";

function start(stdoutTo: number, stderrTo = opened(join(directory, "stderr"), "a")): void {
  const started = spawn(process.execPath, [SERVER_PROGRAM, ...flags], {
    stdio: ["ignore", stdoutTo, stderrTo],
  });
  child = started;
  exit = new Promise(resolve => {
    started.once("close", (code, signal) => {
      child = null;
      resolve(signal ?? code ?? -1);
    });
  });
}

/** The exit code, or null when it is not gone within 20 s; a busy machine takes some of them. */
async function ended(): Promise<number | NodeJS.Signals | null> {
  await until("the end", () => child === null, 20_000).catch(() => {});
  return child === null ? exit : null;
}

const isReady = async (): Promise<boolean> =>
  (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;

/** A pipe that is full and that nobody reads: its two ends. */
function fullPipe(): { reader: number; writer: number } {
  const path = join(directory, "pipe");
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
  const reader = opened(path, O_RDONLY | O_NONBLOCK);
  const filler = opened(path, O_RDWR | O_NONBLOCK);
  for (const size of [PAGE_BYTES, 1]) {
    expect(() => {
      for (;;) fs.writeSync(filler, Buffer.alloc(size, "\n"));
    }).toThrow("EAGAIN");
  }
  return { reader, writer: opened(path, "a") };
}

test("a node whose log is on a full device serves, says so once on stderr, and stops when told", async () => {
  start(opened("/dev/full", "w"));
  await until("it to serve", isReady);
  child?.kill("SIGTERM");
  expect(await ended()).toBe(0);
  expect(stderr()).toMatch(/^holdfast: the log cannot be written.*ENOSPC.*\n$/);
});

test("a node whose log nobody reads serves, and stops when told", async () => {
  const { writer } = fullPipe();
  start(writer);
  await until("it to serve", isReady);
  child?.kill("SIGTERM");
  expect(await ended()).toBe(0);
  expect(stderr()).toBe("");
});

test("so does one whose last words nobody reads either", async () => {
  const { writer } = fullPipe();
  start(writer, writer);
  await until("it to serve", isReady);
  child?.kill("SIGTERM");
  expect(await ended()).toBe(0);
});

test("a node whose log nobody reads and that is refused says why and ends", async () => {
  const { writer } = fullPipe();
  flags.push("--initial-cluster-state=existing");
  start(writer);
  expect(await ended()).toBe(4);
  expect(lastLine(stderr())).toMatch(
    /^holdfast: CONFIGURATION: --initial-cluster names no other member/,
  );
});

test("what waited for a reader is written when there is one, and the pipe stays as it was for others", async () => {
  const { reader, writer } = fullPipe();
  start(writer);
  await until("it to serve", isReady);
  let said = "";
  const piece = Buffer.alloc(PAGE_BYTES);
  await until("its line", () => {
    said += piece.toString("utf8", 0, fs.readSync(reader, piece));
    return said.includes('"listening"');
  });
  const { flags: modes } = /flags:\s*(?<flags>\d+)/.exec(
    fs.readFileSync(`/proc/self/fdinfo/${writer}`, "utf8"),
  )?.groups ?? { flags: "" };
  expect(Number.parseInt(modes ?? "", 8) & O_NONBLOCK).toBe(0);
});

test("a socket that nobody reads, which cannot be opened anew, is full and not in the way", async () => {
  const lines = new URL("../../dist/server/lines.js", import.meta.url);
  const program = `
    import { writerTo } from ${JSON.stringify(lines.href)};
    const write = writerTo(1);
    try {
      for (;;) write(Buffer.alloc(65536));
    } catch (error) {
      process.exit(error.code === "EAGAIN" ? 0 : 1);
    }`;
  // What spawn calls a pipe is a pair of sockets.
  child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  exit = new Promise(resolve => {
    // Not "close": that comes when all was read.
    child?.once("exit", (code, signal) => {
      child = null;
      resolve(signal ?? code ?? -1);
    });
  });
  expect(await ended()).toBe(0);
});

test("data and log on one disk that is full: it ends by name", async ({ skip }) => {
  const problem = mountSmallDisk(disk, DISK_BYTES);
  if (problem !== null) skip(problem);
  const log = join(disk, "log");
  start(opened(log, "a"));
  await until("it to be ready", isReady);
  // Older lines, up to the end of a page: for its next line the log needs another.
  const lines = PAGE_BYTES - (fs.statSync(log).size % PAGE_BYTES);
  fs.appendFileSync(log, "\n".repeat(lines));
  await fillUntilItEnds();
  expect(await ended()).toBe(1);
  expect(lastLine(stderr())).toMatch(/^holdfast: DISK_FULL: .*Free space on the device/);
  expect(stderr()).toContain("holdfast: the log cannot be written");
});

test("a node that is told to stop when it has failed ends with what it failed for", async () => {
  fs.mkdirSync(join(disk, "n1"), { recursive: true });
  fs.writeFileSync(join(disk, "n1", "identity"), Buffer.alloc(PAGE_BYTES, "x"));
  start(fullPipe().writer);
  await until("the reason", () => stderr() !== "");
  child?.kill("SIGTERM"); // its log has a last chance now, which nobody gives it
  expect(await ended()).toBe(1);
  expect(stderr()).toMatch(/^holdfast: WAL_DAMAGED: .*\n$/);
});

async function fillUntilItEnds(): Promise<void> {
  const value = "x".repeat(700 * 1024);
  await until("it to end", async () => {
    const { bavail, bsize } = fs.statfsSync(disk);
    fs.appendFileSync(join(disk, "something-else"), Buffer.alloc(bavail * bsize));
    if (child === null) return true;
    const response = await fetch(`${url}/v1/kv/put`, {
      method: "POST",
      body: JSON.stringify({ key: "ballast", value }),
      signal: AbortSignal.timeout(5_000),
    });
    await response.arrayBuffer();
    return false;
  }).catch(() => {});
}
