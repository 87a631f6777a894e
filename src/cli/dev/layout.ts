/**
 * Where the nodes of `holdfast dev` listen. Data outlives the cluster, and its members know each
 * other by their peer ports, so the ports are written beside the data and used again.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts, isFree } from "./ports.js";

export interface Layout {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
}

const NAMES = ["n1", "n2", "n3"] as const;
const USUAL_CLIENT_PORTS = [2_379, 22_379, 32_379] as const;
const HIGHEST_FIRST_PORT = 65_535 - 2 * NAMES.length + 1;

/** What the user has to change; the message says so. */
export class BadLayout extends Error {
  override readonly name = "BadLayout";
}

export const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

/** They are where clients look when nobody tells them. */
export const isUsual = (all: readonly Layout[]): boolean =>
  all.every(({ clientPort }, at) => clientPort === USUAL_CLIENT_PORTS[at]);

/** null: the usual ports. 0: any free ones. Else the first of six in a row. Throws BadLayout. */
export async function planLayout(port: number | null): Promise<readonly Layout[]> {
  if (port === null) return layoutOf(USUAL_CLIENT_PORTS.flatMap(client => [client, client + 1]));
  if (port === 0) return layoutOf(await freePorts(2 * NAMES.length));
  if (port > HIGHEST_FIRST_PORT) throw new BadLayout(`--port ends at ${HIGHEST_FIRST_PORT}`);
  return layoutOf(Array.from({ length: 2 * NAMES.length }, (_, at) => port + at));
}

function layoutOf(ports: readonly number[]): readonly Layout[] {
  return NAMES.map((name, at) => ({
    name,
    clientPort: ports[2 * at] ?? 0,
    peerPort: ports[2 * at + 1] ?? 0,
  }));
}

/** As {@link planLayout}, but for data that is there already its own ports. */
export async function layoutFor(
  directory: string,
  port: number | null,
): Promise<readonly Layout[]> {
  const file = join(directory, "ports.json");
  const kept = readLayout(file);
  const first = kept?.[0]?.clientPort;
  if (kept !== null && (port === null || port === 0 || port === first)) return kept;
  if (kept !== null) {
    const instead = "leave --port out, or choose another --data-dir";
    throw new BadLayout(`the data in ${directory} belongs to port ${first}: ${instead}`);
  }
  const planned = await planLayout(port);
  mkdirSync(directory, { recursive: true });
  writeLayout(file, planned);
  return planned;
}

/** At once and whole: half a file would hide whose ports they were. */
function writeLayout(file: string, all: readonly Layout[]): void {
  const part = `${file}.part`;
  writeFileSync(part, `${JSON.stringify(all)}\n`, { flush: true });
  renameSync(part, file);
}

/** Null for new data. Throws BadLayout rather than give old data other ports than its own. */
function readLayout(file: string): readonly Layout[] | null {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new BadLayout(`${file} cannot be read: ${message}`);
  }
  const wrong = (what: string): BadLayout => {
    const instead = "Put it back as it was, or choose another --data-dir";
    return new BadLayout(`${file}, which has the ports of the data beside it, ${what}. ${instead}`);
  };
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch (error) {
    throw wrong(`is not JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(kept) || kept.length !== NAMES.length)
    throw wrong(`is no list of ${NAMES.length} nodes`);
  return NAMES.map((name, at) => keptNode(kept[at], name, wrong));
}

function keptNode(node: unknown, name: string, wrong: (what: string) => BadLayout): Layout {
  const fields: Readonly<Record<string, unknown>> = { ...(node ?? {}) };
  if (fields.name !== name) throw wrong(`has no node ${name} in its place`);
  const port = (field: string): number => {
    const value = fields[field];
    if (typeof value === "number" && Number.isInteger(value) && value > 0 && value < 65_536)
      return value;
    throw wrong(`has no port as ${field} of ${name}`);
  };
  return { name, clientPort: port("clientPort"), peerPort: port("peerPort") };
}

/** The first node one of whose ports somebody else has. */
export async function firstTaken(all: readonly Layout[]): Promise<Layout | null> {
  for (const node of all) {
    if (!((await isFree(node.clientPort)) && (await isFree(node.peerPort)))) return node;
  }
  return null;
}
