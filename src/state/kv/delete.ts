/**
 * `kv.delete`: one key or a range. Deleting an entry of a line is a release with cause `deleted`.
 */
import type { DeleteCommand } from "../command/command.js";
import type { CommandResult } from "../command/result.js";
import type { World } from "../world.js";
import { checkConditions, invalid } from "./check.js";
import { Plan } from "./plan.js";
import { type KvRecord, viewOf } from "./record.js";
import { boundsOf } from "./scan.js";
import { removeRecord } from "./write.js";

export function applyDelete(world: World, command: DeleteCommand): CommandResult {
  if ("key" in command.span) return deleteOne(world, command, command.span.key);
  const { prevExist, prevRevision, prevValue, span } = command;
  if (prevRevision !== undefined) return invalid("prevRevision");
  if (prevValue !== undefined) return invalid("prevValue");
  const { from, to } = boundsOf(span);
  const refused = checkConditions(
    world,
    command,
    prevExist === undefined ? undefined : firstIn(world, from, to),
  );
  if (refused !== null) return refused;
  const plan = new Plan(world);
  const result = plan.delete(span, command.prev === true);
  if (result.kind === "refused") return result;
  const failed = plan.check();
  if (failed !== null) return failed;
  if (!plan.writes) return { ...result, revision: world.revision };
  plan.commit();
  return result;
}

function deleteOne(world: World, command: DeleteCommand, key: string): CommandResult {
  const record = world.kv.get(key);
  const refused = checkConditions(world, command, record);
  if (refused !== null) return refused;
  if (record === undefined) {
    const none = { kind: "delete", deleted: 0, revision: world.revision } as const;
    return command.prev === true ? { ...none, prev: [] } : none;
  }
  const revision = world.beginWrite();
  removeRecord(world, record, "deleted");
  const result = { kind: "delete", deleted: 1, revision } as const;
  return command.prev === true ? { ...result, prev: [viewOf(record)] } : result;
}

function firstIn(world: World, from: string, to: string | null): KvRecord | undefined {
  let first: KvRecord | undefined;
  world.kv.scan(from, to, (_key, record) => {
    first = record;
    return false;
  });
  return first;
}
