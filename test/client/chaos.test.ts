/** Random breaks against a cluster that keeps its promises: what the client makes of them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type FakeRequest, World, watchFate } from "./world.js";

/** What a node does with what comes: in time, late, refused, or the connection breaks around it. */
const fate = fc.constantFrom("ok", "ok", "late", "refuse", "unsure", "cut before", "cut after");
type Outcome = "ok" | "late" | "refuse" | "unsure" | "cut before" | "cut after";

function obey(world: World, what: Outcome, request: FakeRequest, apply: () => void): void {
  if (what === "refuse") request.fail("NO_QUORUM");
  else if (what === "late") world.loop.after(300, apply);
  else {
    if (what !== "cut before") apply();
    if (what.startsWith("cut")) request.connection.cut();
  }
}

test("every write takes effect once, in the order of the calls, and gets its own answer", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 12 }),
      async (outcomes, writes) => {
        const world = new World(3);
        const applied = new Map<number, { key: unknown; revision: number }>();
        let at = 0;
        world.scripts["kv.put"] = request => {
          const what = outcomes[at++] ?? "ok";
          const { id, params } = request;
          obey(world, what, request, () => {
            const known = applied.get(id) ?? { key: params.key, revision: applied.size + 1 };
            applied.set(id, known);
            expect(known.key).toBe(params.key);
            if (what === "unsure") request.fail("OUTCOME_UNKNOWN");
            else request.ok({ key: params.key, revision: known.revision, created: true });
          });
        };
        const client = world.connect({ timeoutMs: 600_000 });
        const fates = Array.from({ length: writes }, (_, n) =>
          watchFate(client.kv.put(`k${n}`, "", {})),
        );
        await world.advance(120_000);
        const revisionOf = new Map([...applied.values()].map(one => [one.key, one.revision]));
        expect(applied.size).toBe(writes);
        fates.forEach(({ value, error }, n) => {
          expect(error).toBeUndefined();
          expect(value?.revision).toBe(revisionOf.get(`k${n}`));
        });
        await world.close();
      },
    ),
    { numRuns: 60 },
  );
});

test("every grant ends up with its caller or is released, whatever breaks and whoever gives up", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { minLength: 1, maxLength: 40 }),
      fc.array(fc.option(fc.integer({ min: 0, max: 2000 })), { minLength: 1, maxLength: 6 }),
      async (outcomes, aborts) => {
        const world = new World(2);
        const granted = new Map<number, string>();
        const released = new Set<unknown>();
        const withdrawn = new Set<number>();
        let at = 0;
        world.scripts["lock.acquire"] = request => {
          const { id, params } = request;
          obey(world, outcomes[at++] ?? "ok", request, () => {
            if (world.nodes.some(({ cancels }) => cancels.includes(id)) && !granted.has(id))
              withdrawn.add(id);
            if (withdrawn.has(id)) {
              request.fail("CANCELLED");
              return;
            }
            const key = granted.get(id) ?? `x/${id}`;
            granted.set(id, key);
            request.ok({
              name: "x",
              key,
              token: id,
              lease: params.lease,
              revision: id,
              ttlMs: 15_000,
            });
          });
        };
        world.scripts["lock.release"] = request => {
          released.add(request.params.key);
          request.ok({ released: true });
        };
        const lock = world.connect().lock("x");
        const fates = aborts.map(afterMs => {
          const controller = new AbortController();
          if (afterMs !== null) world.loop.after(afterMs, () => controller.abort("enough"));
          return watchFate(lock.acquire({ signal: controller.signal }));
        });
        await world.advance(60_000);
        const kept = new Set(
          fates.flatMap(({ value }) => (value === undefined ? [] : [value.key])),
        );
        for (const { value, error } of fates)
          expect(value !== undefined || error === "enough").toBe(true);
        for (const key of granted.values()) expect(kept.has(key)).toBe(!released.has(key));
        await world.close();
      },
    ),
    { numRuns: 60 },
  );
});

test("a watch tells every change once, in order, whatever breaks", async () => {
  const breaks = fc.constantFrom("tell", "tell", "tell", "cut", "end", "again");
  await fc.assert(
    fc.asyncProperty(fc.array(breaks, { minLength: 1, maxLength: 60 }), async script => {
      const world = new World(2);
      const streams: FakeRequest[] = [];
      let next = 0;
      let last = 0;
      world.scripts["watch.start"] = request => {
        streams.push(request);
        next = request.params.from as number;
        request.ok({ revision: last });
      };
      const tell = (revision: number): void =>
        streams.at(-1)?.event("watch", {
          revision,
          changes: [{ kind: "put", key: "a", value: "", createRevision: 1, modRevision: revision }],
        });
      const seen: number[] = [];
      const client = world.connect();
      void (async () => {
        for await (const { revision } of client.kv.watch({ key: "a", from: 1 }))
          seen.push(revision);
      })().catch(() => {});
      for (const what of script) {
        await world.advance(10);
        if (what === "tell") last += 1;
        for (; next <= last; next += 1) tell(next);
        if (what === "cut") for (const node of world.nodes) node.connections.at(-1)?.cut();
        if (what === "end")
          streams.at(-1)?.event("end", { error: { code: "OVERLOADED", message: "" } });
        if (what === "again" && next > 1) tell(next - 1);
      }
      await world.advance(3000);
      for (; next <= last; next += 1) tell(next);
      await world.settle();
      expect(seen).toEqual(Array.from({ length: last }, (_, n) => n + 1));
      await world.close();
    }),
    { numRuns: 60 },
  );
});
