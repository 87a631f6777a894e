/**
 * What docs/guides/fencing.md shows is run, as files and programs of their own: it lets the newest
 * holder in, and refuses those that it says it refuses.
 */
import { type ExecFileException, execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import { type Client, connect } from "holdfast-client";
import type { Sql, TransactionSql } from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ROOT } from "../tidy/repository.js";
import { Cluster } from "./harness/cluster.js";
import { blocksOf, PageFiles } from "./harness/page-files.js";
import { freePorts } from "./harness/ports.js";
import { noPostgres, type PostgresUnderTest, startPostgres } from "./harness/postgres.js";

const PAGE = "docs/guides/fencing.md";

let cluster: Cluster;
let client: Client;
let files: PageFiles;
let env: Record<string, string>;

beforeAll(async () => {
  files = await PageFiles.of(PAGE);
  cluster = await Cluster.start(1);
  client = connect(cluster.endpoints);
  env = { HOLDFAST_ENDPOINTS: cluster.endpoints.join() };
});
afterAll(async () => {
  await client?.close();
  await cluster?.close();
  files?.remove();
});

test("every file that the page shows is run here", () => {
  const programs = ["deposit.ts", "transfer.ts", "client.ts", "state.ts", "permits.ts"];
  const modules = ["account.ts", "fenced.ts", "server.ts", "fenced-write.sh"];
  expect([...files.names].sort()).toEqual([...programs, ...modules].sort());
  expect(blocksOf(PAGE, "ts")).toHaveLength(programs.length + modules.length - 1);
});

describe("in PostgreSQL", () => {
  interface Account {
    enter(sql: Sql, id: string, token: number): Promise<number>;
    write(sql: Sql, id: string, token: number, balance: number): Promise<void>;
  }
  interface Fenced {
    fenced(
      sql: Sql,
      locks: readonly string[],
      token: number,
      work: (tx: TransactionSql) => Promise<void>,
    ): Promise<void>;
  }
  let database: PostgresUnderTest;
  let sql: Sql;
  let account: Account;
  let fenced: Fenced["fenced"];

  beforeAll(async () => {
    if (noPostgres !== null) return;
    database = await startPostgres();
    sql = database.sql;
    for (const statement of blocksOf(PAGE, "sql")) await sql.unsafe(statement);
    account = (await import(files.url("account.ts"))) as Account;
    ({ fenced } = (await import(files.url("fenced.ts"))) as Fenced);
  });
  afterAll(() => database?.stop());
  beforeEach(async ({ skip }) => {
    if (noPostgres !== null) skip(noPostgres);
    await sql`truncate account, fence`;
    await sql`insert into account (id, balance) values ('a', 50), ('b', 0)`;
  });

  const balances = async () => {
    const rows = await sql`select balance from account order by id`;
    return rows.map(({ balance }) => Number(balance));
  };

  test("the programs of the page do what they say, again and again", async () => {
    for (const expected of [150, 250]) {
      await files.run("deposit.ts", { ...env, ...database.env });
      expect(await balances()).toEqual([expected, 0]);
    }
    await files.run("transfer.ts", { ...env, ...database.env });
    await files.run("transfer.ts", { ...env, ...database.env });
    expect(await balances()).toEqual([230, 20]);
  });

  test("a row: whoever read before a later one came writes no more, though that one only read", async () => {
    const { enter, write } = account;
    expect(await enter(sql, "a", 33)).toBe(50);
    expect(await enter(sql, "a", 34)).toBe(50);
    await expect(write(sql, "a", 33, 1)).rejects.toThrow("a later holder than 33");
    await expect(enter(sql, "a", 33)).rejects.toThrow("a later holder than 33");
    await write(sql, "a", 34, 60);
    await write(sql, "a", 34, 70);
    expect(await balances()).toEqual([70, 0]);
  });

  const give = (id: string, amount: number) => async (tx: TransactionSql) => {
    await tx`update account set balance = balance + ${amount} where id = ${id}`;
  };

  test("many rows: an older transaction changes nothing, in none of the locks' rows", async () => {
    await fenced(sql, ["accounts/b"], 34, give("b", 1));
    const older = fenced(sql, ["accounts/a", "accounts/b"], 33, give("a", 1));
    await expect(older).rejects.toThrow("a later holder than 33");
    expect(await balances()).toEqual([50, 1]);
    // It raised nothing either.
    await fenced(sql, ["accounts/a"], 20, give("a", 2));
    expect(await balances()).toEqual([52, 1]);
  });

  test("many rows: one that waited for a later one at the fence is refused when that is over", async () => {
    let leave = (): void => {};
    const left = new Promise<void>(resolve => {
      leave = resolve;
    });
    let entered = (): void => {};
    const inside = new Promise<void>(resolve => {
      entered = resolve;
    });
    const later = fenced(sql, ["accounts/a"], 34, async tx => {
      await give("a", 1)(tx);
      entered();
      await left;
    });
    await inside;
    const older = fenced(sql, ["accounts/a"], 33, give("a", 100)).catch(String);
    await cluster.until("the older one to wait", async () => {
      const rows = await sql`select 1 from pg_stat_activity where wait_event_type = 'Lock'`;
      return rows.length > 0;
    });
    leave();
    await later;
    expect(await older).toContain("a later holder than 33");
    expect(await balances()).toEqual([51, 0]);
  });
});

describe("over HTTP", () => {
  let server: Server;
  let url: string;

  beforeAll(async () => {
    ({ server } = (await import(files.url("server.ts"))) as { server: Server });
    const [port = 0] = await freePorts(1);
    await new Promise<void>(resolve => server.listen(port, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${port}`;
  });
  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function ask(method: string, name: string, token?: number, body?: string) {
    const response = await fetch(url + name, {
      method,
      ...(token === undefined ? {} : { headers: { "x-fencing-token": String(token) } }),
      ...(body === undefined ? {} : { body }),
    });
    return [response.status, await response.text()];
  }

  test("the client of the page adds its lines", async () => {
    const told = { ...env, DOCUMENT_URL: `${url}/report` };
    for (let i = 0; i < 2; i += 1) await files.run("client.ts", told);
    expect(await ask("GET", "/report")).toEqual([200, "one more line\none more line\n"]);
  });

  test("an older one is refused once a later one has read, and one without a token anyway", async () => {
    expect(await ask("PUT", "/x", 33, "first")).toEqual([200, "written"]);
    expect(await ask("GET", "/x", 34)).toEqual([200, "first"]);
    expect(await ask("PUT", "/x", 33, "late")).toEqual([409, "a later holder was here: 34"]);
    expect(await ask("GET", "/x", 33)).toEqual([409, "a later holder was here: 34"]);
    expect(await ask("PUT", "/x", undefined, "none")).toEqual([428, "x-fencing-token?"]);
    expect(await ask("PUT", "/x", 34, "second")).toEqual([200, "written"]);
    expect(await ask("GET", "/x")).toEqual([200, "second"]);
  });
});

describe("a file", () => {
  const at = (name: string): string => join(files.folder, name);

  function write(file: string, token: number | string, content: string): Promise<number> {
    const told = { ...process.env, HOLDFAST_FENCING_TOKEN: String(token) };
    return new Promise(resolve => {
      const ended = (error: ExecFileException | null) => resolve(Number(error?.code ?? 0));
      const child = execFile(at("fenced-write.sh"), [at(file)], { env: told }, ended);
      child.stdin?.on("error", () => {}).end(content);
    });
  }

  test("is written by the newest holder, and by no older one", async () => {
    expect(await write("f", 33, "33\n")).toBe(0);
    expect(await write("f", 34, "34\n")).toBe(0);
    expect(await write("f", 33, "late\n")).toBe(3);
    expect(await write("f", 34, "34 again\n")).toBe(0);
    expect(readFileSync(at("f"), "utf8")).toBe("34 again\n");
    expect(readFileSync(at("f.fence"), "utf8")).toBe("34\n");
    expect(existsSync(at("f.33.new"))).toBe(false);
    expect(await write("f", "", "none\n")).not.toBe(0);
    expect(readFileSync(at("f"), "utf8")).toBe("34 again\n");
  });

  test("of many at once has the content of the one with the greatest token", async () => {
    const tokens = Array.from({ length: 12 }, (_, i) => 100 + i);
    const codes = await Promise.all(tokens.map(token => write("many", token, `${token}\n`)));
    expect(readFileSync(at("many"), "utf8")).toBe("111\n");
    expect(codes.at(-1)).toBe(0);
    expect(codes.every(code => code === 0 || code === 3)).toBe(true);
  });

  test("is written under the command of the page", async () => {
    const [, command = ""] = blocksOf(PAGE, "sh");
    const holdfast = `node ${join(ROOT, "dist/cli/main.js")}`;
    const here = command.replace("npx holdfast", holdfast);
    expect(here).not.toBe(command);
    const options = { cwd: files.folder, env: { ...process.env, ...env } };
    await new Promise<void>((resolve, reject) => {
      execFile("bash", ["-c", here], options, error => (error ? reject(error) : resolve()));
    });
    expect(readFileSync(at("report.txt"), "utf8")).toMatch(/\d/);
    expect(Number(readFileSync(at("report.txt.fence"), "utf8"))).toBeGreaterThan(0);
  });
});

describe("in Holdfast", () => {
  test("the guarded writes are written", async () => {
    await files.run("state.ts", env);
    await files.run("permits.ts", env);
    expect((await client.kv.get("state/42"))?.value).toBe("done");
    expect((await client.kv.get("licences/report"))?.value).toBe("rendered");
  });

  test("a semaphore's lower token may be the rightful one, and heldBy knows", async () => {
    const permits = client.semaphore("gates", { permits: 2 });
    const first = await permits.acquire();
    const second = await permits.acquire();
    expect(second.token).toBeGreaterThan(first.token);
    await client.kv.put("gate", "by the first", { heldBy: first });
    await second.release();
    const late = client.kv.put("gate", "by the second", { heldBy: second });
    await expect(late).rejects.toMatchObject({ code: "NOT_HELD" });
    await first.release();
  });
});
