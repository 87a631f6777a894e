/** `lock.configure`: the rule of a line, changed while it is in use. */
import type { LockConfigureCommand } from "../command/command.js";
import { type CommandResult, type Refusal, refuse } from "../command/result.js";
import { checkName, checkRoom, invalid } from "../kv/check.js";
import type { World } from "../world.js";
import { headOf, type LineRule, permitsOf, ruleBytes, ruleOf, ruleView } from "./rule.js";

/**
 * What is absent stays, 0 takes away. More permits admit at once; of fewer, those
 * who hold keep theirs. A bound on holding is for grants made from then on.
 */
export function applyLockConfigure(world: World, command: LockConfigureCommand): CommandResult {
  const { name } = command;
  const before = world.ruleOf(name);
  const refused = checkName(world, name) ?? checkConfigure(world, command);
  if (refused !== null) return refused;
  const rule = nextRule(world, command, before);
  const isEmpty = rule.permits === 0 && rule.lockDelayMs === 0 && rule.maxHoldMs === 0;
  const growth = before === undefined && !isEmpty ? ruleBytes(rule) : 0;
  const full = checkRoom(world, growth);
  if (full !== null) return full;
  world.bytes += growth;
  if (!isEmpty) {
    world.rules.set(name, rule);
  } else if (before !== undefined) {
    world.rules.delete(name);
    world.bytes -= ruleBytes(before);
  }
  const line = world.lines.get(name);
  if (line !== undefined) world.touch(line);
  return { kind: "lockConfigured", name, rule: ruleOf(world, name) };
}

function checkConfigure(world: World, command: LockConfigureCommand): Refusal | null {
  const { permits, lockDelayMs, maxHoldMs, name } = command;
  const { maxPermits, maxLockDelayMs, maxHoldLimitMs } = world.limits;
  if (permits !== undefined && permits > maxPermits) return invalid("permits");
  if (lockDelayMs !== undefined && lockDelayMs > maxLockDelayMs) return invalid("lockDelayMs");
  if (maxHoldMs !== undefined && maxHoldMs > maxHoldLimitMs) return invalid("maxHoldMs");
  if (permits === undefined || permits === 0) return null;
  const line = world.lines.get(name);
  const isLock = line !== undefined && line.size > 0 && permitsOf(world, line) === 0;
  if (!isLock) return null;
  return refuse("RULE_MISMATCH", { name, rule: ruleView(0, world.ruleOf(name)) });
}

function nextRule(
  world: World,
  command: LockConfigureCommand,
  before: LineRule | undefined,
): LineRule {
  const { name } = command;
  const permits = command.permits ?? before?.permits ?? 0;
  const line = world.lines.get(name);
  const standing = line === undefined ? 0 : (headOf(world, line)?.extra.permits ?? 0);
  const declared = before !== undefined && before.declared > 0 ? before.declared : standing;
  return {
    name,
    permits,
    declared: permits === 0 ? 0 : declared > 0 ? declared : permits,
    lockDelayMs: command.lockDelayMs ?? before?.lockDelayMs ?? 0,
    maxHoldMs: command.maxHoldMs ?? before?.maxHoldMs ?? 0,
  };
}
