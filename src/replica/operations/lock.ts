/** The locks' operations but `acquire`, which waits (lines/acquire.ts). */
import type { Holder, ParamsOf, ResultOf } from "holdfast-protocol";
import type {
  Command,
  EntryView,
  GrantRef,
  GrantStanding,
  PastEntry,
  ReleasedResult,
} from "../../state/index.js";
import type { Failure } from "../coordinator/index.js";
import type { Core } from "../core.js";
import { askedOf, endReason, holderOf, saidBy } from "../views.js";
import { type Handler, linearizable, type PendingCall, reading, writing } from "./call.js";
import { withRemaining } from "./lease.js";

export const release = writing<"lock.release">(releaseCommand, result =>
  result.kind === "released" ? releasedResult(result) : null,
);

/** With an entry that is to be next, or without. */
export function releaseCommand({ toKey, ...grant }: ParamsOf<"lock.release">): Command {
  if (toKey === undefined) return { kind: "lock.release", grant };
  return { kind: "lock.handOver", grant, to: toKey };
}

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
    call.fail(notHeld(grant, standing));
    return;
  }
  const { key, token, lease, asked } = standing.entry;
  const told = asked === undefined ? {} : { asked: askedOf(asked, call.core.clusterNowMs()) };
  withRemaining(call, [lease], ([remainingMs = 0]) =>
    call.succeed({ held: true, key, token, lease, remainingMs, ...told }),
  );
}

type Unheld = Exclude<GrantStanding, { readonly held: true }>;

function notHeld(grant: GrantRef, { reason: unheld, currentToken, blame }: Unheld): Failure {
  if (unheld === "never") {
    const message = `there never was a grant ${grantText(grant)}; give key, or name and token, as granted`;
    return { code: "NO_SUCH_GRANT", message, details: { ...grant } };
  }
  if (unheld === "ambiguous") {
    const message = `${grantText(grant)} may be one of several: shared grants have one token together`;
    return { code: "AMBIGUOUS_GRANT", message: `${message}; give the key`, details: { ...grant } };
  }
  const reason = unheld === "waiting" ? unheld : endReason(unheld);
  const why = reason === "waiting" ? "it still waits in line" : `it has ended (${reason})`;
  const token = currentToken === undefined ? {} : { currentToken };
  const details = { reason, ...token, ...saidBy(blame) };
  return { code: "NOT_HELD", message: `${grantText(grant)} does not hold: ${why}`, details };
}

export const annotate = writing<"lock.annotate">(
  ({ progress, ...grant }) => ({ kind: "lock.annotate", grant, progress }),
  result => (result.kind === "annotated" ? {} : null),
);

export const askToYield = writing<"lock.yield">(
  ({ graceMs = 0, toKey, by, why, ...whom }) => ({
    kind: "lock.yield",
    grant: whomOf(whom),
    graceMs,
    ...(toKey === undefined ? {} : { to: toKey }),
    ...said(by, why),
  }),
  result => (result.kind === "yieldAsked" ? { keys: [...result.keys] } : null),
);

type Whom = { readonly key: string } | { readonly name: string; readonly token?: number };

/** That grant, or all who hold there. */
function whomOf(whom: Whom): GrantRef | { readonly name: string } {
  if ("key" in whom) return whom;
  const { name, token } = whom;
  return token === undefined ? { name } : { name, token };
}

const said = (by: string | undefined, why: string | undefined) => ({
  ...(by === undefined ? {} : { by }),
  ...(why === undefined ? {} : { why }),
});

export const configure = writing<"lock.configure">(
  params => ({ kind: "lock.configure", ...params }),
  result => (result.kind === "lockConfigured" ? { rule: { ...result.rule } } : null),
);

const DEFAULT_SHOWN = 1000;

export const inspect = reading<"lock.inspect">(({ core }, { name, limit = DEFAULT_SHOWN }) => {
  const line = core.machine.inspect(name, limit);
  const now = core.clusterNowMs();
  return {
    name,
    rule: { ...line.rule },
    holders: holdersOf(core, line.holders),
    holderCount: line.holderCount,
    waiters: holdersOf(core, line.waiters),
    waiterCount: line.waiterCount,
    recent: line.recent.map(past => transitionOf(past, now)),
    ignored: line.ignored,
    revision: core.machine.revision,
  };
});

export const list = reading<"lock.list">(
  ({ core }, { prefix = "", after = "", limit = DEFAULT_SHOWN, owner = null }) => {
    const { lines, more, next } = core.machine.lines(prefix, after, limit, owner);
    const locks = lines.map(({ name, rule, holders, holderCount, waiterCount }) => ({
      name,
      rule: { ...rule },
      holders: holdersOf(core, holders),
      holderCount,
      waiterCount,
    }));
    const place = next === undefined ? {} : { next };
    return { locks, more, ...place, revision: core.machine.revision };
  },
);

function holdersOf(core: Core, entries: readonly EntryView[]): Holder[] {
  const now = core.clusterNowMs();
  return entries.map(entry => holderOf(entry, now));
}

function transitionOf(past: PastEntry, nowMs: number) {
  const { key, token, lease, owner, reason, held, sinceMs, endedMs, blame } = past;
  return {
    key,
    token,
    lease,
    owner,
    reason: endReason(reason),
    ...saidBy(blame),
    heldMs: held ? Math.max(0, endedMs - sinceMs) : 0,
    sinceMs: Math.max(0, nowMs - endedMs),
  };
}
