/**
 * The dumb twin of the checker, for a handful of operations: tries every order, and tells of each
 * whether it explains all answers. It shares no rule with the models: numbers are judged after the
 * fact, and a tenure that may run out does so by an operation of its own.
 */
import type { Op, Operation, OpOf } from "../core/index.js";

type Order = readonly Operation[];

/** Is there an order that explains everything? Exponential: for up to nine operations. */
export function isPossible(operations: readonly Operation[]): boolean {
  const real = operations.filter(({ result }) => result !== "failed");
  return extend([], [...real, ...real.flatMap(endsOf)]);
}

const isHeard = ({ result }: Operation): boolean => result !== "unknown" && result !== "failed";

/** A tenure that may run out unseen: an operation that may be placed from then on. */
function endsOf(operation: Operation): Operation[] {
  const { op, process } = operation;
  if ((op.kind !== "acquire" && op.kind !== "lead") || op.mayExpire !== true) return [];
  const end: End = { kind: "expire", key: op.key, token: 0, of: operation };
  const call = op.heldUntil ?? operation.call;
  return [{ process, call, return: null, op: end, result: "unknown" }];
}

/** Names the grant itself, since its token may never have been told. */
type End = OpOf<"expire"> & { readonly of: Operation };

const isEnd = (op: Op): op is End => op.kind === "expire" && "of" in op;

function tokenOf({ result }: Operation): number | null {
  return typeof result === "object" && "token" in result && result.token !== undefined
    ? result.token
    : null;
}

function extend(order: Order, rest: Order): boolean {
  if (!rest.some(isHeard)) return explains(order);
  const due = Math.min(...rest.filter(isHeard).map(one => one.return ?? 0));
  return rest.some((one, at) => one.call <= due && extend([...order, one], rest.toSpliced(at, 1)));
}

const explains = (order: Order): boolean =>
  order.every(({ op }) => ["put", "get", "cas", "delete"].includes(op.kind))
    ? explainsRegister(order)
    : explainsTenures(order);

/** Increasing whole numbers from 1 that are as told, for those that were. */
function canNumber(told: readonly (number | undefined)[]): boolean {
  let least = 0;
  for (const number of told) {
    least += 1;
    if (number === undefined) continue;
    if (number < least) return false;
    least = number;
  }
  return true;
}

function explainsRegister(order: Order): boolean {
  const writes: { value: string | null; revision: number | undefined; counts: boolean }[] = [
    { value: null, revision: undefined, counts: false },
  ];
  for (const { op, result } of order) {
    const last = writes.at(-1);
    if (last === undefined) return false;
    const answer = typeof result === "object" ? result : null;
    const revision = answer !== null && "revision" in answer ? answer.revision : undefined;
    if (op.kind === "put") writes.push({ value: op.value, revision, counts: true });
    if (op.kind === "get" && answer !== null && "value" in answer) {
      if (answer.value !== last.value) return false;
      if (revision !== undefined && (last.revision ?? revision) !== revision) return false;
      if (revision !== undefined) last.revision = revision;
    }
    if (op.kind === "cas") {
      const matches = op.expect === last.value;
      if (answer !== null && "swapped" in answer && answer.swapped !== matches) return false;
      if (matches) writes.push({ value: op.value, revision, counts: true });
    }
    if (op.kind === "delete") {
      const there = last.value !== null;
      if (answer !== null && "deleted" in answer && answer.deleted !== there) return false;
      if (there) writes.push({ value: null, revision, counts: revision !== undefined });
    }
  }
  return canNumber(writes.filter(({ counts }) => counts).map(({ revision }) => revision));
}

interface Reign {
  readonly grant: Operation;
  token: number | undefined;
}

/** Is it this one that the operation ends? */
const isOf = (reign: Reign, op: Op & { readonly token: number }): boolean =>
  isEnd(op) ? op.of === reign.grant : (reign.token ?? op.token) === op.token;

function explainsTenures(order: Order): boolean {
  const reigns: Reign[] = [];
  let present: Reign | null = null;
  for (const operation of order) {
    const { op, result } = operation;
    const answer = typeof result === "object" ? result : null;
    if (op.kind === "acquire" || op.kind === "lead") {
      if (answer !== null && "refused" in answer) {
        if (present === null) return false;
        continue;
      }
      if (present !== null) return false;
      present = { grant: operation, token: tokenOf(operation) ?? undefined };
      reigns.push(present);
    } else if (op.kind === "leader") {
      if (!sees(present, operation)) return false;
    } else if (op.kind === "release" || op.kind === "resign" || op.kind === "expire") {
      const ended: boolean | null =
        answer === null
          ? null
          : "released" in answer
            ? answer.released
            : "resigned" in answer && answer.resigned;
      const reign: Reign | null = present;
      const mine = reign !== null && isOf(reign, op);
      if (ended === true && !mine) return false;
      // A token that was not told may be any other as well.
      if (ended === false && mine && reign.token !== undefined) return false;
      if (ended === false || !mine) continue;
      if (!isEnd(op)) reign.token = op.token;
      present = null;
    }
  }
  return canNumber(reigns.map(({ token }) => token));
}

function sees(present: Reign | null, { result }: Operation): boolean {
  if (typeof result !== "object" || !("candidate" in result)) return true;
  const op = present?.grant.op;
  if (present === null || op?.kind !== "lead") return result.candidate === null;
  if (op.candidate !== result.candidate) return false;
  if (result.value !== undefined && result.value !== op.value) return false;
  if (result.token === undefined) return true;
  if ((present.token ?? result.token) !== result.token) return false;
  present.token = result.token;
  return true;
}
