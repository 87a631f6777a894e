/** `holdfast dev` and `serve`: nodes as people start them, and how they stop. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { endAll, Holdfast, holdfast } from "./cli/holdfast.js";
import { lives } from "./cli/processes.js";
import { freePorts } from "./harness/ports.js";
import { until } from "./harness/until.js";

interface Ready {
  readonly endpoints: readonly string[];
  readonly directory: string;
  readonly pids: readonly number[];
}

let directory: string;
const started: number[] = [];

async function start(...args: string[]): Promise<{ dev: Holdfast; ready: Ready }> {
  const dev = new Holdfast(["dev", "--json", ...args]);
  const ready = JSON.parse(await dev.printed(/^(\{.*\})\n/)) as Ready;
  started.push(...ready.pids);
  return { dev, ready };
}

const ended = (pids: readonly number[]) =>
  until("the nodes to end", () => pids.filter(lives).length === 0, 10_000);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-cli-"));
});
afterEach(endAll);
afterAll(() => {
  for (const pid of started.filter(lives)) process.kill(pid, "SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

test("dev keeps three nodes running, and their data; killed, it leaves no node behind", async () => {
  const args = ["--port", "0", "--data-dir", join(directory, "kept")];
  const { dev, ready } = await start(...args);
  const endpoints = ready.endpoints.join(",");
  expect((await holdfast(["put", "a", "1"], { endpoints })).code).toBe(0);
  const [first = 0] = ready.pids;
  process.kill(first, "SIGKILL");
  await dev.said(/^n1 was killed by SIGKILL; starting it again$/m);
  await dev.said(/^n1 is back as pid \d+$/m);
  started.push(Number(/back as pid (\d+)/.exec(dev.err)?.[1]));
  dev.signal("SIGINT");
  expect(await dev.ended).toMatchObject({ code: 0, out: expect.stringMatching(/^.*\n$/) });
  await ended(started);

  const again = await start(...args);
  expect(again.ready.endpoints).toEqual(ready.endpoints);
  expect((await holdfast(["get", "a"], { endpoints })).out).toBe("1");
  const other = await holdfast(["dev", "--port", "20000", "--data-dir", ready.directory]);
  expect(other.code).toBe(2);
  expect(other.err).toMatch(/belongs to port \d+/);
  again.dev.signal("SIGKILL"); // no node outlives it
  await ended(started);
});

test("dev greets with commands that fit the page, and a second one is told who has the port", async () => {
  const first = (await freePorts(1))[0] ?? 0;
  const args = ["dev", "--memory", "--port", String(first)];
  const dev = new Holdfast(args);
  await dev.printed(/(Ctrl-C stops the cluster)/);
  const lines = dev.out.split("\n");
  expect(lines.filter(line => line.length > 80)).toEqual([]);
  const pid = Number(/n1 {2}pid (\d+)/.exec(dev.out)?.[1]);
  started.push(...[...dev.out.matchAll(/ {2}pid (\d+)/g)].map(found => Number(found[1])));
  const endpoints = /HOLDFAST_ENDPOINTS=(\S+)/.exec(dev.out)?.[1] ?? "";
  for (const line of lines.filter(text => text.startsWith("  npx holdfast "))) {
    const words = line
      .trim()
      .replace(/ {3}#.*/, "")
      .replace("sleep 10", "true")
      .split(" ");
    const { code, err } = await holdfast(words.slice(2), { endpoints });
    const expected = words.includes("who") ? 1 : 0; // the lock is free again by then
    expect({ line, code, err }).toEqual({ line, code: expected, err: "" });
  }
  const second = await holdfast(args);
  expect(second.code).toBe(1);
  expect(second.err).toContain(`http://127.0.0.1:${first} is taken by "node" (pid ${pid})`);
  expect(second.err).toContain("--port");
  dev.signal("SIGTERM");
  expect(await dev.ended).toMatchObject({ code: 0, err: "stopped\n" });
  await ended(started);
});

test("serve is one process: a durable node, by flags or variables, that stops when told", async () => {
  const [client, peer] = await freePorts(2);
  const url = `http://127.0.0.1:${client}`;
  const serve = new Holdfast(["serve", "--name=one", `--data-dir=${join(directory, "one")}`], {
    environment: {
      HOLDFAST_LISTEN_CLIENT_URLS: url,
      HOLDFAST_LISTEN_PEER_URLS: `http://127.0.0.1:${peer}`,
    },
  });
  const status = await until("the node to serve", async () => {
    const { code, out } = await holdfast(["status"], { endpoints: url });
    return code === 0 ? out : undefined;
  });
  expect(status).toMatch(/\none .* leader /);
  serve.signal("SIGTERM");
  expect((await serve.ended).code).toBe(0);
});

test("serve refuses to listen beyond loopback, and names the flag", async () => {
  const { code, err } = await holdfast([
    "serve",
    "--listen-client-urls=http://0.0.0.0:23790",
    `--data-dir=${join(directory, "open")}`,
  ]);
  expect(code).toBe(4);
  expect(err).toMatch(/--listen-client-urls.*--insecure/s);
});

test("serve says in one line what it cannot use, and does not ask to be started again", async () => {
  const file = join(directory, "file");
  writeFileSync(file, "");
  const [port = 0] = await freePorts(1);
  const loopback = `--listen-client-urls=http://127.0.0.1:${port}`;
  const unused = `--data-dir=${join(directory, "unused")}`;
  const nowhere = "--listen-client-urls=http://192.0.2.1:2379";
  for (const [flags, flag] of [
    [[loopback, `--data-dir=${file}`], "--data-dir"],
    [[nowhere, "--insecure", unused], "--listen-client-urls"],
  ] as const) {
    const { code, err } = await holdfast(["serve", "--log-level=silent", ...flags]);
    expect(err).toMatch(new RegExp(`^holdfast: ${flag}: .*\n$`));
    expect(code).toBe(4);
  }
});

test("a node without a terminal outlives the shell that started it", async () => {
  const [port = 0, peer = 0] = await freePorts(2);
  const serve = new Holdfast([
    "serve",
    `--listen-client-urls=http://127.0.0.1:${port}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    `--data-dir=${join(directory, "hangup")}`,
  ]);
  const endpoints = `http://127.0.0.1:${port}`;
  const serves = async () => (await holdfast(["status"], { endpoints })).code === 0;
  await until("the node to serve", serves);
  serve.signal("SIGHUP");
  expect((await holdfast(["put", "a", "1"], { endpoints })).code).toBe(0);
  serve.signal("SIGTERM");
  expect((await serve.ended).code).toBe(0);
});

test("status takes nobody's word for another's: members may share an address", async () => {
  const [port = 0] = await freePorts(1);
  process.env.HOLDFAST_ADVERTISE_CLIENT_URLS = `http://127.0.0.1:${port}`;
  try {
    const { dev } = await start("--port", `${port}`, "--memory");
    const endpoints = `http://127.0.0.1:${port}`;
    const { out } = await until("all to be listed", async () => {
      const status = await holdfast(["status"], { endpoints });
      return status.out.split("\n").length > 3 && !status.out.includes("not seen") ? status : null;
    });
    expect(out.match(/another node's address/g)).toHaveLength(2);
    dev.signal("SIGINT");
    await dev.ended;
  } finally {
    delete process.env.HOLDFAST_ADVERTISE_CLIENT_URLS;
  }
});
