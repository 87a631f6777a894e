/**
 * The room table: who may import whom. The compiler keeps it through project references, which are
 * transitive; the tidy tests hold both the references and every import against this.
 */

/** Rooms in which no Node, promise, clock or randomness but the injected is used. */
export const PURE_ROOMS = ["src/base", "src/protocol", "src/raft", "src/state"] as const;
/** Rooms that do I/O through ports alone, with completions. */
export const PORT_ROOMS = ["src/storage", "src/log", "src/replica"] as const;

export interface Project {
  /** The rooms, or parts of rooms, that it may import beside itself. */
  readonly mayImport: readonly string[];
  /** The npm packages that it may import. */
  readonly packages: readonly string[];
  /** May it import Node's built-in modules? */
  readonly node: boolean;
}

const walled = (mayImport: readonly string[], packages: readonly string[] = []): Project => ({
  mayImport,
  packages,
  node: false,
});
const open = (mayImport: readonly string[], packages: readonly string[] = []): Project => ({
  mayImport,
  packages,
  node: true,
});

/** Everything below src but the programs and the test kit. */
const ALL_OF_SRC = [
  "src/base",
  "src/protocol",
  "src/raft/message",
  "src/raft",
  "src/storage",
  "src/state",
  "src/peer",
  "src/log/port",
  "src/log",
  "src/replica/coordinator",
  "src/replica",
  "src/api",
] as const;
const CLIENT = ["clients/typescript/core", "clients/typescript/node"] as const;
const CLIENT_PACKAGES = ["msgpackr"] as const;

/**
 * Every composite project. A project inside another (raft/message, log/port, replica/coordinator)
 * is the part of its room that others may see; it never imports the room around it.
 */
export const PROJECTS: Readonly<Record<string, Project>> = {
  "src/base": walled([], ["sorted-btree"]),
  "src/protocol": walled([], ["typebox"]),
  "src/raft/message": walled(["src/base"]),
  "src/raft": walled(["src/base", "src/raft/message"]),
  "src/storage": walled(["src/base", "src/raft/message"]),
  "src/state": walled(["src/base", "src/protocol"]),
  "src/peer": walled(["src/base", "src/raft/message"]),
  "src/log/port": walled(["src/base"]),
  "src/log": walled([
    "src/base",
    "src/raft/message",
    "src/raft",
    "src/storage",
    "src/peer",
    "src/log/port",
  ]),
  "src/replica/coordinator": walled(["src/base", "src/protocol", "src/log/port"]),
  "src/replica": walled([
    "src/base",
    "src/protocol",
    "src/state",
    "src/log/port",
    "src/replica/coordinator",
  ]),
  "src/api": open(
    ["src/base", "src/protocol", "src/replica/coordinator"],
    ["fastify", "@fastify/websocket", "ws", "msgpackr", "nanoid", "typebox", "prom-client", "pino"],
  ),
  "src/server": open(ALL_OF_SRC, ["commander", "fastify", "nanoid", "pino", "prom-client"]),
  "src/cli": open(["src/protocol", ...CLIENT], ["commander", "nanoid"]),
  "src/testing": open([...ALL_OF_SRC, "src/server", ...CLIENT]),
  "clients/typescript/core": walled(["src/protocol"], CLIENT_PACKAGES),
  "clients/typescript/node": open(
    ["src/protocol", "clients/typescript/core"],
    [...CLIENT_PACKAGES, "ws"],
  ),
  "clients/typescript/browser": walled(
    ["src/protocol", "clients/typescript/core"],
    CLIENT_PACKAGES,
  ),
  "clients/typescript/redlock": open(["src/protocol", "clients/typescript/core"]),
  bench: open([...ALL_OF_SRC, "src/server", ...CLIENT], ["undici", "ws"]),
  "test/sim": open(
    [
      ...ALL_OF_SRC,
      "src/server",
      "src/testing",
      "clients/typescript/core",
      "test/checker/core",
      "test/checker",
    ],
    ["vitest"],
  ),
  // Judges all others, and so knows none of them.
  "test/checker/core": walled([]),
  "test/checker": open(["test/checker/core"]),
};

/** The packages of this repository: by name only, since a relative path fails at run time. */
export const WORKSPACES: Readonly<
  Record<string, { readonly folder: string; readonly project: string }>
> = {
  "holdfast-protocol": { folder: "src/protocol", project: "src/protocol" },
  "holdfast-client": { folder: "clients/typescript", project: "clients/typescript/node" },
};

/** The innermost project a path lies in, or null: tests, examples, tools. */
export function projectOf(path: string): string | null {
  if (path.endsWith(".test.ts")) return null;
  let best: string | null = null;
  for (const name of Object.keys(PROJECTS)) {
    if (path.startsWith(`${name}/`) && name.length > (best?.length ?? 0)) best = name;
  }
  return best;
}

/** The rooms proper, each of which tells in a README.md what it is. */
export const ROOMS: readonly string[] = [
  ...PURE_ROOMS,
  ...PORT_ROOMS,
  "src/peer",
  "src/api",
  "src/server",
  "src/cli",
  "src/testing",
  "clients/typescript",
  "bench",
  "test/checker",
];

const inRooms = (rooms: readonly string[], path: string): boolean =>
  rooms.some(room => path.startsWith(`${room}/`));

export const isDeterministic = (path: string): boolean =>
  inRooms(PURE_ROOMS, path) || inRooms(PORT_ROOMS, path);
