/** The locks' operations but `acquire`, which waits (lines/acquire.ts). */
import type { Holder, ResultOf } from "holdfast-protocol";
import type { EntryView, GrantRef, PastEntry, ReleasedResult } from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import type { Core } from "../core.js";
import { endReason, holderOf } from "../views.js";
import { type Handler, linearizable, type PendingCall, reading, writing } from "./call.js";
import { withRemaining } from "./lease.js";

export const release = writing<"lock.release">(
  grant => ({ kind: "lock.release", grant }),
  result => (result.kind === "released" ? releasedResult(result) : null),
);

export function releasedResult({ released, ended }: ReleasedResult): ResultOf<"lock.release"> {
  return ended === undefined
    ? { released }
    : { released, ended: { reason: endReason(ended.reason) } };
}

const grantText = (grant: GrantRef): string =>
  "key" in grant ? grant.key : `${grant.name} with token ${grant.token}`;

export const check: Handler<"lock.check"> = (call, grant) => {
  linearizable(call, () => checkNow(call, grant));
};

function checkNow(call: PendingCall<"lock.check">, grant: GrantRef): void {
  const standing = call.core.machine.check(grant);
  if (!standing.held) {
    call.fail(notHeld(grant, standing.reason, standing.currentToken));
    return;
  }
  const { key, token, lease } = standing.entry;
  withRemaining(call, [lease], ([remainingMs = 0]) =>
    call.succeed({ held: true, key, token, lease, remainingMs }),
  );
}

type Unheld = "waiting" | "never" | Parameters<typeof endReason>[0];

function notHeld(grant: GrantRef, unheld: Unheld, currentToken: number | undefined): Failure {
  if (unheld === "never") {
    const message = `there never was a grant ${grantText(grant)}; give key, or name and token, as granted`;
    return { code: "NO_SUCH_GRANT", message, details: { ...grant } };
  }
  const reason = unheld === "waiting" ? unheld : endReason(unheld);
  const why = reason === "waiting" ? "it still waits in line" : `it has ended (${reason})`;
  const details = currentToken === undefined ? { reason } : { reason, currentToken };
  return { code: "NOT_HELD", message: `${grantText(grant)} does not hold: ${why}`, details };
}

const DEFAULT_SHOWN = 1000;

export const inspect = reading<"lock.inspect">(({ core }, { name, limit = DEFAULT_SHOWN }) => {
  const line = core.machine.inspect(name, limit);
  const now = core.clusterNowMs();
  return {
    name,
    holders: holdersOf(core, line.holders),
    waiters: holdersOf(core, line.waiters),
    waiterCount: line.waiterCount,
    recent: line.recent.map(past => transitionOf(past, now)),
    ignored: line.ignored,
    revision: core.machine.revision,
  };
});

export const list = reading<"lock.list">(
  ({ core }, { prefix = "", after = "", limit = DEFAULT_SHOWN }) => {
    const { lines, more } = core.machine.lines(prefix, after, limit);
    const locks = lines.map(({ name, holders, waiterCount }) => ({
      name,
      holders: holdersOf(core, holders),
      waiterCount,
    }));
    return { locks, more, revision: core.machine.revision };
  },
);

function holdersOf(core: Core, entries: readonly EntryView[]): Holder[] {
  const now = core.clusterNowMs();
  return entries.map(entry => holderOf(entry, now));
}

function transitionOf(past: PastEntry, nowMs: number) {
  const { key, token, lease, owner, reason, held, sinceMs, endedMs } = past;
  return {
    key,
    token,
    lease,
    owner,
    reason: endReason(reason),
    heldMs: held ? Math.max(0, endedMs - sinceMs) : 0,
    sinceMs: Math.max(0, nowMs - endedMs),
  };
}
