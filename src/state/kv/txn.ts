/**
 * `kv.txn`: comparisons on the state as it was before, then one branch, all at one revision. A
 * refused step refuses the whole. A superset of etcd's transactions.
 */
import type { Compare, CompareOperator, Txn, TxnCommand, TxnStep } from "../command/command.js";
import {
  type CommandResult,
  type Refusal,
  refuse,
  type TxnResult,
  type TxnStepResult,
} from "../command/result.js";
import { standing } from "../lock/standing.js";
import { answerBytes } from "../request/answer-bytes.js";
import type { World } from "../world.js";
import { checkGuard, invalid } from "./check.js";
import { Plan } from "./plan.js";
import { MAX_LOOKED_AT, unboundedWork } from "./range.js";
import type { KvRecord } from "./record.js";
import { boundsOf, scan } from "./scan.js";

export function applyTxn(world: World, command: TxnCommand): CommandResult {
  const refused = checkShape(world, command) ?? checkGuard(world, command.heldBy);
  if (refused !== null) return refused;
  const run = new Run(world);
  const result = run.txn(command);
  const failed = run.refusal ?? run.plan.check();
  if (failed !== null) return failed;
  if (answerBytes(result) > 2 * world.limits.maxRangeBytes) {
    return refuse("RESULT_TOO_LARGE", { limitBytes: 2 * world.limits.maxRangeBytes });
  }
  if (!run.plan.writes) return withRevision(result, world.revision);
  run.plan.commit();
  return result;
}

/** The result of a transaction that changed nothing: it was read at the present revision. */
function withRevision(result: TxnResult, revision: number): TxnResult {
  const results = result.results.map(
    (step): TxnStepResult =>
      step.kind === "txn" ? withRevision(step, revision) : { ...step, revision },
  );
  return { ...result, revision, results };
}

function checkShape(world: World, txn: Txn): Refusal | null {
  const { maxTxnCompares, maxTxnOperations, maxTxnDepth } = world.limits;
  const size = { compares: 0, steps: 0, depth: 0 };
  measure(txn, 1, size);
  if (size.compares > maxTxnCompares) return invalid("compare");
  if (size.steps > maxTxnOperations || size.depth > maxTxnDepth) return invalid("success");
  return null;
}

function measure(
  txn: Txn,
  depth: number,
  size: { compares: number; steps: number; depth: number },
): void {
  size.depth = Math.max(size.depth, depth);
  size.compares += txn.compare.length;
  for (const branch of [txn.success, txn.failure]) {
    size.steps += branch.length;
    for (const step of branch) if (step.op === "txn") measure(step.txn, depth + 1, size);
  }
}

class Run {
  readonly plan: Plan;
  refusal: Refusal | null = null;
  readonly #world: World;
  #lookedAt = 0;

  constructor(world: World) {
    this.#world = world;
    this.plan = new Plan(world);
  }

  /** Once `refusal` is set, what is returned means nothing. */
  txn(txn: Txn): TxnResult {
    const succeeded = this.#decide(txn);
    const results: TxnStepResult[] = [];
    for (const step of succeeded ? txn.success : txn.failure) {
      if (this.refusal !== null) break;
      const result = this.#step(step);
      if (result.kind === "refused") this.refusal = result;
      else results.push(result);
    }
    return { kind: "txn", succeeded, revision: this.#world.revision + 1, results };
  }

  #step(step: TxnStep): TxnStepResult | Refusal {
    switch (step.op) {
      case "put":
        return this.plan.put(step.key, step.value, step.lease ?? "", step.prev === true);
      case "append":
        return this.plan.append(step.prefix, step.value, step.lease ?? "");
      case "delete":
        return (
          this.#look(this.plan.plannedWithin(step.span)) ??
          this.plan.delete(step.span, step.prev === true)
        );
      case "range": {
        const { revision: _past, ...query } = step.query;
        const planned = this.plan.plannedWithin(query.span);
        const tooMany = this.#look(planned + unboundedWork(this.#world.kv, query));
        if (tooMany !== null) return tooMany;
        const result = this.plan.range(query);
        return this.#look(result.records.length) ?? result;
      }
      case "txn":
        return this.txn(step.txn);
    }
  }

  /** The state before the transaction is still the live one: nothing is committed yet. */
  #decide(txn: Txn): boolean {
    return txn.compare.every(compare => this.#holds(compare));
  }

  #holds(compare: Compare): boolean {
    const world = this.#world;
    if (compare.target === "heldBy") {
      return (standing(world, compare.grant).held !== null) === (compare.op === "=");
    }
    if ("key" in compare.span) {
      const record = world.kv.get(compare.span.key);
      return record === undefined ? absentHolds(compare) : recordHolds(compare, record);
    }
    let all = true;
    let seen = 0;
    scan(world.kv, null, boundsOf(compare.span), false, record => {
      seen++;
      all = recordHolds(compare, record);
      return all && seen + this.#lookedAt <= MAX_LOOKED_AT;
    });
    this.refusal = this.#look(seen) ?? this.refusal;
    return seen === 0 ? absentHolds(compare) : all;
  }

  #look(records: number): Refusal | null {
    this.#lookedAt += records;
    return this.#lookedAt > MAX_LOOKED_AT
      ? refuse("TOO_MANY_KEYS", { limit: MAX_LOOKED_AT })
      : null;
  }
}

type RecordCompare = Exclude<Compare, { readonly target: "heldBy" }>;

function absentHolds(compare: RecordCompare): boolean {
  const { target, op, to } = compare;
  if (target === "value") return false;
  return orderHolds(op, typeof to === "string" ? compareLeases("", to) : 0 - to);
}

function recordHolds(compare: RecordCompare, record: KvRecord): boolean {
  const { target, op, to } = compare;
  if (typeof to === "number") return orderHolds(op, numberOf(record, target) - to);
  if (target === "lease") return orderHolds(op, compareLeases(record.lease, to));
  const { value } = record;
  return orderHolds(op, value === to ? 0 : value < to ? -1 : 1);
}

function numberOf(record: KvRecord, target: RecordCompare["target"]): number {
  if (target === "version") return record.version;
  return target === "createRevision" ? record.createRevision : record.modRevision;
}

/** Hex without leading zeros: the longer one is the greater number. "" (or "0") is none. */
function compareLeases(a: string, b: string): number {
  const left = a === "0" ? "" : a;
  const right = b === "0" ? "" : b;
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

function orderHolds(op: CompareOperator, order: number): boolean {
  switch (op) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case ">":
      return order > 0;
  }
}
