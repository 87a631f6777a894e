/**
 * What a line's rule is: who may hold in it at once, how long, and how long it stays shut after a
 * holder's lease ran out. A lock's or semaphore's kind comes from those who stand in the line; what
 * was configured stands apart from them, and outlives them.
 */
import { type Refusal, type RuleView, refuse } from "../command/result.js";
import type { EntryDetail, EntryMode } from "../kv/record.js";
import type { World } from "../world.js";
import type { Line } from "./line.js";

/** What was configured for a line. Immutable; part of the state. */
export interface LineRule {
  readonly name: string;
  /** How many may hold at once; 0: not configured. */
  readonly permits: number;
  /** What requests may name in place of `permits`: how many it were before it was configured. */
  readonly declared: number;
  /** For so long nobody is granted in the place of a holder whose lease ran out. */
  readonly lockDelayMs: number;
  /** After so long a grant ends, whatever its lease; 0: never. */
  readonly maxHoldMs: number;
}

const RULE_BYTES = 160;

/** What a rule counts for in the state's byte limit. */
export function ruleBytes(rule: LineRule): number {
  return RULE_BYTES + rule.name.length;
}

/** How many may hold at once in a semaphore; 0: it is a lock, or nobody has said yet. */
export function permitsOf(world: World, line: Line): number {
  const configured = world.ruleOf(line.name)?.permits ?? 0;
  if (configured > 0) return configured;
  return line.isExclusive ? 0 : (headOf(world, line)?.extra.permits ?? 0);
}

/** The first entry of a line. */
export function headOf(world: World, line: Line): EntryDetail | undefined {
  const key = line.keyAt(0);
  return key === undefined ? undefined : (world.kv.get(key)?.entry ?? undefined);
}

const mismatch = (name: string, inForce: number, rule: LineRule | undefined): Refusal =>
  refuse("RULE_MISMATCH", { name, rule: ruleView(inForce, rule) });

/** `RULE_MISMATCH` when an entry of this mode cannot stand in the line of that name. */
export function checkRule(
  world: World,
  name: string,
  mode: EntryMode,
  permits: number,
): Refusal | null {
  const rule = world.ruleOf(name);
  const line = world.lines.get(name);
  const standing = line === undefined ? 0 : permitsOf(world, line);
  const inForce = standing > 0 ? standing : (rule?.permits ?? 0);
  if (mode === "permit") {
    const isLock = inForce === 0 && line !== undefined && line.size > 0;
    const isOther = inForce > 0 && permits !== inForce && permits !== (rule?.declared ?? 0);
    return isLock || isOther ? mismatch(name, inForce, rule) : null;
  }
  return inForce > 0 ? mismatch(name, inForce, rule) : null;
}

export function ruleView(permits: number, rule: LineRule | undefined): RuleView {
  return {
    kind: permits > 0 ? "semaphore" : "lock",
    ...(permits > 0 ? { permits } : {}),
    ...(rule === undefined || rule.lockDelayMs === 0 ? {} : { lockDelayMs: rule.lockDelayMs }),
    ...(rule === undefined || rule.maxHoldMs === 0 ? {} : { maxHoldMs: rule.maxHoldMs }),
  };
}

/** The rule of a line, as it is shown. */
export function ruleOf(world: World, name: string): RuleView {
  const rule = world.ruleOf(name);
  const line = world.lines.get(name);
  return ruleView(line === undefined ? (rule?.permits ?? 0) : permitsOf(world, line), rule);
}
