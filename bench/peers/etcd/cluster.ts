/** Three etcd nodes as real processes on loopback, and the driver in Go, built on the spot. */
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import {
  answers,
  type Cluster,
  freePorts,
  runToEnd,
  startProcess,
  stopProcess,
  until,
} from "../../processes.js";

const DEBIAN_GO_PATH = "/usr/share/gocode";
const HOW_TO_GET =
  "etcd is not measured: it needs Debian's packages\n" +
  "  apt-get install etcd-server golang-go golang-etcd-server-dev";

export const howToGetEtcd = HOW_TO_GET;

function onPath(name: string): string | null {
  const places = (process.env.PATH ?? "").split(delimiter);
  return places.map(place => join(place, name)).find(file => existsSync(file)) ?? null;
}

/** Debian's own Go is the one that its golang-* packages are made for. */
function goProgram(): string | null {
  const debian = ["/usr/lib/go-1.19/bin/go", "/usr/lib/go/bin/go"].find(file => existsSync(file));
  return debian ?? onPath("go");
}

/** True when all that the measurement needs is installed. */
export function hasEtcd(): boolean {
  const library = join(DEBIAN_GO_PATH, "src/go.etcd.io/etcd/clientv3");
  return onPath("etcd") !== null && goProgram() !== null && existsSync(library);
}

/** Builds the driver into `directory`; its path. */
export async function buildEtcdDriver(source: string, directory: string): Promise<string> {
  const go = goProgram();
  if (go === null) throw new Error(HOW_TO_GET);
  const program = join(directory, "etcd-driver");
  await runToEnd(go, ["build", "-o", program, source], {
    GO111MODULE: "off",
    GOPATH: DEBIAN_GO_PATH,
    GOFLAGS: "",
    GOCACHE: join(directory, "go-cache"),
  });
  return program;
}

export async function startEtcd(directory: string): Promise<Cluster> {
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
      `--advertise-client-urls=${url(2 * i)}`,
      `--listen-peer-urls=${url(2 * i + 1)}`,
      `--initial-advertise-peer-urls=${url(2 * i + 1)}`,
      `--initial-cluster=${initial}`,
      "--log-level=error",
    ];
    return startProcess("etcd", flags, join(directory, `${name}.log`));
  });
  const stop = async () => {
    await Promise.all(nodes.map(stopProcess));
  };
  try {
    for (const at of [0, 2, 4]) await until("etcd's health", () => answers(`${url(at)}/health`));
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoints: [0, 1, 2].map(i => `127.0.0.1:${ports[2 * i]}`), stop };
}
