import * as fs from "node:fs";
import { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { lockDirectory } from "../../src/server/disk/lock.js";

afterEach(() => vi.restoreAllMocks());

test("a lock that is held is answered once, whatever becomes of its socket later", async () => {
  const directory = fs.mkdtempSync(join(tmpdir(), "holdfast-lock-"));
  const listen = vi.spyOn(Server.prototype, "listen");
  const answers: (string | null)[] = [];
  const again = (): Promise<string | null> =>
    new Promise(resolve => lockDirectory(directory, error => resolve(error?.code ?? null)));
  try {
    const release = await new Promise<(() => Promise<void>) | null>(resolve => {
      lockDirectory(directory, (error, lock) => {
        answers.push(error?.code ?? null);
        resolve(lock && (() => new Promise<void>(end => lock.release(end))));
      });
    });
    const [socket] = listen.mock.contexts as Server[];
    for (let i = 0; i < 2; i++) socket?.emit("error", new Error("accept: too many open files"));
    expect(answers).toEqual([null]);
    expect(await again()).toBe("LOCKED");
    await release?.();
    expect(await again()).toBeNull();
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
});
