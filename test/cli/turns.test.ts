import type { Client, Holder, LockInfo, Transition } from "holdfast-client";
import { describe, expect, test } from "vitest";
import { askedOnes, askToYield, describeAsked } from "../../src/cli/commands/hand-over.js";
import { signalName } from "../../src/cli/commands/held.js";
import { locksTable } from "../../src/cli/commands/locks.js";
import { describeLock, headline } from "../../src/cli/commands/who.js";
import type { Context } from "../../src/cli/context.js";
import { describeAsk, describeWait, ordinal } from "../../src/cli/output/holders.js";

const holder = (more: Partial<Holder> = {}): Holder => ({
  key: "jobs/42/00000000000000000118",
  token: 118,
  lease: "6a1f09c2d4",
  owner: "cron@web1",
  sinceMs: 12_000,
  ...more,
});

const info = (more: Partial<LockInfo> = {}): LockInfo => ({
  name: "jobs/42",
  rule: { kind: "lock" },
  holders: [holder()],
  holderCount: 1,
  waiters: [],
  waiterCount: 0,
  recent: [],
  ignored: [],
  revision: 1,
  ...more,
});

describe("a signal's name", () => {
  test.each(["SIGUSR1", "USR1", "usr1", "sigusr1"])("%s is understood", text =>
    expect(signalName(text)).toBe("SIGUSR1"),
  );
  test.each(["KILL", "SIGSTOP", "USR9", "", "10", "toString"])("%o is refused", text =>
    expect(() => signalName(text)).toThrow("a signal that CMD can handle"),
  );
});

describe("who waits is told", () => {
  test("who holds it, since when, and the place in line", () => {
    const text = describeWait({ position: 3, holders: [holder()] });
    expect(text).toBe("held by cron@web1 since 12 s; you are 3rd");
  });

  test("that there are more than one, or that its holder has no name", () => {
    const { owner: _, ...unnamed } = holder();
    expect(describeWait({ position: 0, holders: [unnamed, holder()] })).toBe(
      "held by lease 6a1f09c2d4 and 1 more since 12 s",
    );
  });

  test("how many more there are, where only the first is shown", () => {
    const wait = { position: 1, holders: [holder({ mode: "permit" })] };
    expect(describeWait(wait, { holderCount: 3 })).toBe(
      "held by cron@web1 and 2 more since 12 s; you are 1st",
    );
  });

  test("that nobody holds it, where a lease that ran out keeps it shut", () => {
    const { lease: _, ...leaseless } = holder({ owner: "backup@db1", shutForMs: 16_400 });
    const { owner: __, ...nameless } = leaseless;
    const told = [holder({ owner: "b", lease: "", shutForMs: 1_000 }), leaseless, nameless].map(
      one => describeWait({ position: 2, holders: [one] }),
    );
    expect(told).toEqual([
      "shut for 1 s after b's lease ran out; you are 2nd",
      "shut for 16 s after backup@db1's lease ran out; you are 2nd",
      "shut for 16 s after somebody's lease ran out; you are 2nd",
    ]);
    const shutAndHeld = [holder({ shutForMs: 9_000 }), holder({ owner: "p2" }), holder()];
    expect(describeWait({ position: 0, holders: shutAndHeld })).toBe(
      "held by p2 and 1 more since 12 s",
    );
  });

  test("in words for one who waits, waited, or would not", () => {
    const wait = { position: 2, holders: [] };
    expect(describeWait(wait, { place: "were" })).toBe("you were 2nd");
    expect(describeWait(wait, { place: "would have been" })).toBe(
      "you would have been 2nd in line",
    );
    expect(describeWait({ position: 0, holders: [holder()] }, { having: "led" })).toBe(
      "led by cron@web1 since 12 s",
    );
  });

  test("in ordinals, of which three endings are exceptions", () => {
    expect([1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111].map(ordinal).join(" ")).toBe(
      "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 103rd 111th",
    );
  });
});

test("who is asked is told by whom, why and for how long, as far as it was said", () => {
  expect(describeAsk({ by: "ops", why: "deploy", graceMs: 5_000 })).toBe(
    "ops asks to hand over (deploy); 5 s",
  );
  expect(describeAsk({ by: undefined, why: undefined, graceMs: 0 })).toBe(
    "somebody asks to hand over",
  );
  expect(describeAsk({ by: "\u001b[2J", why: "a\nb", graceMs: 0 })).toBe(
    "?[2J asks to hand over (a?b)",
  );
});

describe("whoever was asked to hand over is named", () => {
  const past = (more: Partial<Transition>): Transition => ({
    ...{ key: "x/1", token: 1, lease: "a", owner: "cron@web1", heldMs: 5, sinceMs: 1 },
    reason: "released",
    ...more,
  });
  const told = (keys: readonly string[], more: Partial<LockInfo>): string[] =>
    askedOnes(keys, info(more)).map(describeAsked);

  test("and so is nobody whom others had asked before", () => {
    const asked = { by: "other", graceMs: 0 };
    const holders = [holder({ key: "x/1", token: 1, asked }), holder({ key: "x/2", token: 2 })];
    expect(told(["x/2"], { holders })).toEqual(["asked cron@web1 (token 2, holds since 12 s)"]);
  });

  test("and it is 0, when it has handed over before anybody could look", async () => {
    const printed: unknown[] = [];
    const client = {
      call: async () => ({ keys: ["x/1"] }),
      lock: () => ({ inspect: async () => info({ holders: [], recent: [past({})] }) }),
    } as unknown as Client;
    const context = (json: boolean): Context => {
      const print = (what: unknown) => void printed.push(what);
      return { client, json, print, printJson: print, say: print };
    };
    expect(await askToYield(context(false), "x", {})).toBe(0);
    expect(await askToYield(context(true), "x", {})).toBe(0);
    expect(printed).toEqual([
      "asked cron@web1 (token 1); it has handed over already",
      { name: "x", asked: [{ ...past({}), handedOver: true }] },
    ]);
  });

  test("though it has handed over, or ended otherwise, before anybody could look", () => {
    expect(told(["x/1"], { holders: [], recent: [past({})] })).toEqual([
      "asked cron@web1 (token 1); it has handed over already",
    ]);
    const broken = past({ reason: "broken", by: "ops" });
    expect(told(["x/1"], { holders: [], recent: [broken] })).toEqual([
      "asked cron@web1 (token 1); it holds no more: broken by ops",
    ]);
    expect(told(["x/1"], { holders: [], recent: [] })).toEqual(["asked x/1; it holds no more"]);
  });
});

describe("a lock's head line", () => {
  const semaphore = { kind: "semaphore", permits: 3 } as const;
  test.each<[string, Partial<LockInfo>]>([
    ["jobs/42 is free", { holders: [], holderCount: 0 }],
    ["jobs/42 is held, 2 in line", { waiterCount: 2 }],
    ["jobs/42 is held by 1 reader", { holders: [holder({ mode: "shared" })] }],
    ["jobs/42 is held by 2 of at most 3", { rule: semaphore, holderCount: 2 }],
    [
      "jobs/42 is shut for 8 s: nobody holds it, 1 in line",
      { holders: [holder({ shutForMs: 8_000 })], waiterCount: 1 },
    ],
    [
      "jobs/42 is held by 2 of at most 3",
      { rule: semaphore, holders: [holder({ shutForMs: 8_000 }), holder()], holderCount: 2 },
    ],
  ])("%s", (text, more) => expect(headline(info(more))).toBe(text));
});

describe("a lock for people", () => {
  test("tells what else there is to say of its holder", () => {
    const asked = { by: "ops", why: "deploy", graceMs: 3_000, breaks: true };
    const text = describeLock(info({ holders: [holder({ progress: "3 of 7", asked })] }), null);
    expect(text.split("\n").slice(3)).toEqual([
      "holds  118    6a1f09c2d4  12 s   cron@web1",
      "       progress: 3 of 7",
      "       asked to hand over by ops (deploy); 3 s left, then it is broken",
    ]);
  });

  test("tells who was chosen to be next, by name as long as that one waits", () => {
    const to = (toKey: string, waiters: readonly Holder[]) =>
      describeLock(info({ holders: [holder({ asked: { toKey, graceMs: 0 } })], waiters }), null);
    const chosen = holder({ key: "jobs/42/120", token: 120, owner: "cron@web3" });
    expect(to("jobs/42/120", [holder({ token: 119 }), chosen])).toContain(
      "\n       asked to hand over to cron@web3 (token 120)\n",
    );
    expect(to("jobs/42/120", [])).toMatch(/\n {7}asked to hand over to jobs\/42\/120$/);
  });

  test("tells why somebody waits though it is free: it is not all that is waited for", () => {
    const waiters = [holder(), holder({ token: 119 })];
    const free = info({ holders: [], holderCount: 0, waiters, waiterCount: 2 });
    const lines = describeLock(free, null).split("\n");
    expect(lines[0]).toBe("jobs/42 is free, 2 in line");
    expect(lines.slice(4)).toEqual([
      "       waits for other names of its request as well",
      expect.stringMatching(/^2nd {4}119 /),
    ]);
    expect(describeLock({ ...free, holders: [holder()], holderCount: 1 }, null)).not.toContain(
      "waits for",
    );
  });

  test("shows ten of a line of a thousand, and how many more there are", () => {
    const waiters = Array.from({ length: 1_000 }, (_, at) => holder({ token: 200 + at }));
    const lines = describeLock(info({ waiters, waiterCount: 1_500 }), null).split("\n");
    expect(lines.length).toBeLessThan(20);
    expect(lines.at(-2)).toMatch(/^10th {3}209 /);
    expect(lines.at(-1)).toBe("… and 1490 more in line");
  });

  test("cannot write to the terminal, whoever says what of it", () => {
    const evil = "\u001b]0;\u0007\n";
    const asked = { by: evil, why: evil, graceMs: 0 };
    const past = {
      ...holder({ owner: evil }),
      lease: "1",
      reason: "broken",
      by: evil,
      why: evil,
      heldMs: 0,
    };
    const leader = { ...holder(), lease: "1", name: "x", value: evil, bytes: new Uint8Array() };
    const shown = describeLock(
      info({
        name: evil,
        holders: [holder({ owner: evil, progress: evil, labels: { [evil]: evil }, asked })],
        recent: [past],
        ignored: [evil],
      }),
      leader,
    );
    expect(shown).toContain("proclaims: ?]0;??");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(shown.split("\n")).toHaveLength(13);
  });
});

describe("the list of locks", () => {
  test("marks one that is shut, since its owner does not hold it", () => {
    const [head, first] = locksTable([info({ holders: [holder({ shutForMs: 16_000 })] })]).split(
      "\n",
    );
    expect(head).toBe("NAME     TOKEN  SINCE  HELD BY                WAITING  OWNER");
    expect(first).toBe("jobs/42  118    12 s   nobody, shut for 16 s  0        cron@web1");
  });

  test("has a job's tick beside the name of its run", () => {
    const run = info({ name: "report/00000001772366700000" });
    expect(locksTable([run]).split("\n")[1]).toMatch(
      /^report\/00000001772366700000 \(2026-03-01T12:05:00Z\) {2}118 /,
    );
    const other = info({ name: "orders/00000000000000000118" });
    expect(locksTable([other]).split("\n")[1]).toMatch(/^orders\/00000000000000000118 {2}118 /);
  });

  test("has a column for shares only where somebody shares", () => {
    const alone = locksTable([info()]);
    expect(alone.split("\n")[0]).toBe("NAME     TOKEN  SINCE  WAITING  OWNER");
    const readers = info({ holders: [holder({ mode: "shared" })], holderCount: 4 });
    const [head, first, second] = locksTable([info(), readers]).split("\n");
    expect(head).toBe("NAME     TOKEN  SINCE  HELD BY   WAITING  OWNER");
    expect(first).toBe("jobs/42  118    12 s             0        cron@web1");
    expect(second).toBe("jobs/42  118    12 s   4 shared  0        cron@web1");
  });
});
