/** A history by objects: all operations on one key of one model. Each object is judged alone. */
import { election } from "./election.js";
import { HistoryError } from "./jsonl.js";
import { lock } from "./lock.js";
import type { Model } from "./model.js";
import type { Operation } from "./operation.js";
import { register } from "./register.js";

export interface Part {
  readonly key: string;
  readonly model: Model;
  readonly operations: readonly Operation[];
}

const MODELS: readonly Model[] = [register, lock, election];

/** All of one model, by key. An operation that is not of this model is refused. */
export function partsOf(operations: readonly Operation[], model: Model): Part[] {
  const byKey = new Map<string, Operation[]>();
  for (const operation of operations) {
    const { kind, key } = operation.op;
    if (!model.kinds.includes(kind)) {
      throw new HistoryError(`a ${kind} of "${key}" is nothing that a ${model.name} does`);
    }
    const list = byKey.get(key);
    if (list === undefined) byKey.set(key, [operation]);
    else list.push(operation);
  }
  return [...byKey].map(([key, list]) => ({ key, model, operations: list }));
}

/** Of all models, each operation to the one it is of. */
export function partsOfAll(operations: readonly Operation[]): Part[] {
  const elections = keysOf(operations, election);
  const locks = keysOf(operations, lock);
  for (const key of elections) {
    if (locks.has(key)) throw new HistoryError(`"${key}" is used as a lock and as an election`);
  }
  const modelOf = ({ op }: Operation): Model | undefined => {
    if (op.kind === "expire") return elections.has(op.key) ? election : lock;
    return MODELS.find(model => model.kinds.includes(op.kind));
  };
  return MODELS.flatMap(model =>
    partsOf(
      operations.filter(operation => modelOf(operation) === model),
      model,
    ),
  );
}

function keysOf(operations: readonly Operation[], model: Model): Set<string> {
  const own = operations.filter(({ op }) => op.kind !== "expire" && model.kinds.includes(op.kind));
  return new Set(own.map(({ op }) => op.key));
}
