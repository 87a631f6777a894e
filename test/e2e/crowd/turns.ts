/**
 * Turns that clients were given, held against the order in which they stood in line. Two clocks
 * tell on a breach. The cluster's: each turn made a write that only its grant allowed, so at that
 * revision it held; and the watch of the lines says at which revisions everyone entered and left.
 * The machine's: a turn certainly held from its answer to the call of its release.
 */
import type { Entry } from "../harness/entries.js";
import type { Call, Op } from "../harness/history.js";

/** One turn, as the one who had it tells it. Times are the machine's. */
export interface Turn {
  readonly who: string;
  readonly kind: "exclusive" | "shared" | "permit" | "leader";
  readonly names: readonly string[];
  readonly permits?: number;
  /** Of the first of its names. */
  readonly key: string;
  readonly token: number;
  readonly askedMs: number;
  readonly grantedMs: number;
  /** Of a write that was made under the grant. */
  readonly workRevision: number;
  /** Up to when its holder could prove it, at least. */
  readonly heldUntilMs: number;
  readonly releaseMs: number;
  readonly releasedMs: number;
  readonly heldToTheEnd: boolean;
  /** Who led when it was asked just before. */
  readonly saw?: {
    readonly callMs: number;
    readonly returnMs: number;
    readonly candidate: string | null;
    readonly token?: number;
  };
}

/** A turn at its place in a line. */
interface Placed {
  readonly entry: Entry;
  readonly turn: Turn;
  readonly untilMs: number;
}

type Lines = ReadonlyMap<string, readonly Entry[]>;

/** Whatever cannot be where nobody overtakes and only those hold together who may, in words. */
export function breaches(lines: Lines, turns: readonly Turn[]): string[] {
  const turnsOf = new Map<string, Turn>();
  for (const turn of turns) for (const key of keysOf(turn)) turnsOf.set(key, turn);
  const found: string[] = [];
  for (const [name, entries] of lines) {
    const placed: Placed[] = [];
    for (const entry of entries) {
      const turn = turnsOf.get(entry.key);
      turnsOf.delete(entry.key);
      if (turn === undefined) found.push(`${entry.key} entered, and nobody was granted it`);
      else placed.push({ entry, turn, untilMs: Math.min(turn.releaseMs, turn.heldUntilMs) });
    }
    for (const [at, one] of placed.entries())
      for (const breach of breachesOf(one, placed.slice(0, at), placed))
        found.push(`${name}: ${told(one)} ${breach}`);
  }
  for (const key of turnsOf.keys()) found.push(`${key} was granted, and never entered`);
  return found;
}

/** The number of its place is the same in all its lines: it entered them in one write. */
function keysOf({ key, names }: Turn): string[] {
  const digits = key.slice(key.lastIndexOf("/"));
  return names.map(name => name + digits);
}

function* breachesOf(one: Placed, ahead: readonly Placed[], all: readonly Placed[]) {
  const { entry, turn } = one;
  const { workRevision, grantedMs } = turn;
  const room = turn.permits ?? 1;
  if (workRevision <= entry.number || workRevision >= entry.endRevision)
    yield `worked at ${workRevision}, where it did not stand in line`;
  const others = ahead.filter(other => excludes(other, one));
  const standing = others.filter(({ entry: other }) => other.endRevision > workRevision);
  if (standing.length >= room)
    yield `worked at ${workRevision}, before ${list(standing)} ahead of it had gone`;
  const later = others.filter(({ untilMs }) => untilMs > grantedMs);
  if (later.length >= room) yield `was granted before ${list(later)} ahead of it had gone`;
  const beside = all.filter(
    other => other !== one && excludes(other, one) && holdsAt(other, grantedMs),
  );
  if (beside.length >= room) yield `was granted while ${list(beside)} held`;
  yield* badToken(one, ahead);
}

const holdsAt = ({ turn, untilMs }: Placed, atMs: number): boolean =>
  turn.grantedMs < atMs && atMs < untilMs;

const excludes = ({ turn: a }: Placed, { turn: b }: Placed): boolean =>
  a.kind !== "shared" || b.kind !== "shared";

/** Its own place; a reader's that of the reader who opened the run. */
function* badToken({ entry, turn }: Placed, ahead: readonly Placed[]) {
  const { token, kind, grantedMs } = turn;
  if (kind !== "shared") {
    if (token !== entry.number) yield `has the token ${token}`;
    return;
  }
  const opened = token === entry.number || ahead.some(isReaderAt(token));
  if (!opened) yield `has the token ${token}, which is no reader's place`;
  for (const other of ahead) {
    const { kind: otherKind, token: otherToken } = other.turn;
    if (otherKind !== "shared" && otherToken >= token)
      yield `has the token ${token}, and ${told(other)} before it a higher one`;
    if (otherKind === "shared" && holdsAt(other, grantedMs) && otherToken !== token)
      yield `has the token ${token}, and ${told(other)}, who reads beside it, ${otherToken}`;
  }
}

const isReaderAt = (number: number) => (other: Placed) =>
  other.turn.kind === "shared" && other.entry.number === number;

const told = ({ entry, turn }: Placed): string => `${turn.kind} ${entry.number} (${turn.who})`;
const list = (some: readonly Placed[]): string => some.map(told).join(", ");

/** The turns at locks that one alone may hold, and at elections, as calls that were answered. */
export function callsOf(turns: readonly Turn[], isShared: (name: string) => boolean): Call[] {
  const calls = turns.flatMap(turn =>
    turn.kind === "shared" || turn.kind === "permit"
      ? []
      : turn.names.filter(name => !isShared(name)).flatMap((name, i) => callsAt(turn, name, i)),
  );
  return calls.sort((a, b) => a.call - b.call);
}

/** Who asks for several names asks at each of them at once: as another process at each. */
function callsAt(turn: Turn, key: string, at: number): Call[] {
  const { who, token, askedMs, grantedMs, releaseMs, releasedMs, heldToTheEnd } = turn;
  const process = `${who}/${at}`;
  const call = (begunMs: number, endMs: number, op: Op, result: Call["result"]): Call => ({
    process,
    call: begunMs,
    return: endMs,
    op,
    result,
  });
  const leased = { mayExpire: true, heldUntil: turn.heldUntilMs } as const;
  if (turn.kind !== "leader")
    return [
      call(askedMs, grantedMs, { kind: "acquire", key, holder: who, ...leased }, { token }),
      call(releaseMs, releasedMs, { kind: "release", key, token }, { released: heldToTheEnd }),
    ];
  const { saw } = turn;
  const asked = { kind: "lead", key, candidate: who, value: who, ...leased } as const;
  return [
    ...(saw === undefined
      ? []
      : [call(saw.callMs, saw.returnMs, { kind: "leader", key }, seen(saw))]),
    call(askedMs, grantedMs, asked, { token }),
    call(releaseMs, releasedMs, { kind: "resign", key, token }, { resigned: heldToTheEnd }),
  ];
}

function seen({ candidate, token }: NonNullable<Turn["saw"]>): Call["result"] {
  if (candidate === null || token === undefined) return { candidate: null };
  return { candidate, value: candidate, token };
}
