/** A PostgreSQL server of a test's own: on loopback, empty, and gone afterwards. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { freePorts } from "./ports.js";
import { until } from "./until.js";

const DEBIAN = "/usr/lib/postgresql";

/** Where `postgres` and `initdb` lie together; Debian has them in no PATH. */
function findPrograms(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const debian = versions.sort((a, b) => Number(b) - Number(a)).map(v => join(DEBIAN, v, "bin"));
  const folders = [...(process.env.PATH ?? "").split(":"), ...debian];
  const has = (folder: string, name: string): boolean => existsSync(join(folder, name));
  return folders.find(folder => has(folder, "postgres") && has(folder, "initdb")) ?? null;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Whom it runs as: it refuses to be root. */
function findUser(): User | null {
  const { uid, gid } = userInfo();
  if (uid !== 0) return { uid, gid };
  try {
    const id = (what: string) => Number(execFileSync("id", [what, "postgres"], { stdio: "pipe" }));
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    return null;
  }
}

const programs = findPrograms();
const user = findUser();

/** Why there is none, and how to get it; null where there is. */
export const noPostgres: string | null =
  programs !== null && user !== null ? null : "no PostgreSQL (Debian: apt-get install postgresql)";

export interface PostgresUnderTest {
  /** Where it is, for any of its clients. */
  readonly env: Readonly<Record<string, string>>;
  readonly sql: Sql;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<PostgresUnderTest> {
  if (programs === null || user === null) throw new Error(noPostgres ?? "");
  const directory = mkdtempSync(join(tmpdir(), "holdfast-postgres-"));
  chownSync(directory, user.uid, user.gid);
  const as = { ...user, cwd: directory, stdio: "ignore" } as const;
  const data = join(directory, "data");
  const initial = ["-D", data, "-U", "holdfast", "-A", "trust", "-E", "UTF8", "--locale=C"];
  execFileSync(join(programs, "initdb"), [...initial, "--no-sync"], as);
  const [port = 0] = await freePorts(1);
  const settings = [
    `port=${port}`,
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
  ];
  const flags = ["-D", data, ...settings.flatMap(setting => ["-c", setting])];
  const server = spawn(join(programs, "postgres"), flags, as);
  const sql = postgres({ host: "127.0.0.1", port, user: "holdfast", database: "postgres" });
  const stop = async (): Promise<void> => {
    await sql.end({ timeout: 1 });
    await ended(server);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until("PostgreSQL to answer", () => sql`select 1`, 60_000);
  } catch (error) {
    await stop();
    throw error;
  }
  const env = {
    PGHOST: "127.0.0.1",
    PGPORT: String(port),
    PGUSER: "holdfast",
    PGDATABASE: "postgres",
  };
  return { env, sql, stop };
}

/** By SIGQUIT it ends at once, and takes its own processes with it. */
async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, "exit");
  server.kill("SIGQUIT");
  await exit;
}
