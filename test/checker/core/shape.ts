/**
 * Holds what claims to be an operation against the format, field by field: everything that a
 * history takes in, from a file or from a recorder, went through here. An unknown field is refused
 * too, since it is a misspelt one more often than not.
 */
import type { Kind, Operation } from "./operation.js";

interface Field {
  readonly is: string;
  readonly optional: boolean;
  fits(value: unknown): boolean;
}

type Fields = Readonly<Record<string, Field>>;

const field = (is: string, fits: (value: unknown) => boolean): Field => ({
  is,
  optional: false,
  fits,
});
const maybe = (inner: Field): Field => ({ ...inner, optional: true });

const isTime = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);
const TEXT = field("a string", value => typeof value === "string");
const TEXT_OR_NULL = field(
  "a string or null",
  value => value === null || typeof value === "string",
);
const FLAG = field("true or false", value => typeof value === "boolean");
const TRUE = field("true", value => value === true);
const COUNT = field(
  "a whole number from 1",
  value => Number.isSafeInteger(value) && Number(value) >= 1,
);
const TIME = field("a time in ms", isTime);

interface Shape {
  readonly asks: Fields;
  /** The forms of an answer; the first field of one tells it apart. */
  readonly answers: readonly Fields[];
}

const TENURE: Fields = { mayExpire: maybe(TRUE), heldUntil: maybe(TIME) };
const TAKEN: readonly Fields[] = [{ token: COUNT }, { refused: TRUE }];

const SHAPES: Readonly<Record<Kind, Shape>> = {
  put: { asks: { value: TEXT }, answers: [{ revision: maybe(COUNT) }] },
  get: { asks: {}, answers: [{ value: TEXT_OR_NULL, revision: maybe(COUNT) }] },
  cas: {
    asks: { expect: TEXT_OR_NULL, value: TEXT },
    answers: [{ swapped: FLAG, revision: maybe(COUNT) }],
  },
  delete: { asks: {}, answers: [{ deleted: FLAG, revision: maybe(COUNT) }] },
  acquire: { asks: { holder: TEXT, ...TENURE }, answers: TAKEN },
  release: { asks: { token: COUNT }, answers: [{ released: FLAG }] },
  lead: { asks: { candidate: TEXT, value: TEXT, ...TENURE }, answers: TAKEN },
  leader: {
    asks: {},
    answers: [{ candidate: TEXT_OR_NULL, token: maybe(COUNT), value: maybe(TEXT) }],
  },
  resign: { asks: { token: COUNT }, answers: [{ resigned: FLAG }] },
  expire: { asks: { token: COUNT }, answers: [] },
};

const WHOLE: Fields = {
  process: TEXT,
  call: TIME,
  return: field("a time in ms or null", value => value === null || isTime(value)),
  op: field("an object", value => isRecord(value)),
  result: field(
    `an answer, "unknown" or "failed"`,
    value => value === "unknown" || value === "failed" || isRecord(value),
  ),
};

type Unchecked = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Unchecked =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** What is wrong with an object's fields, or null. */
function misfit(where: string, value: Unchecked, fields: Fields): string | null {
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(fields, name)) return `${where} has a field "${name}" that is not known`;
  }
  for (const [name, { is, optional, fits }] of Object.entries(fields)) {
    if (!Object.hasOwn(value, name)) {
      if (optional) continue;
      return `${where} lacks "${name}", which is ${is}`;
    }
    if (!fits(value[name])) return `${where}: "${name}" is ${is}, not ${show(value[name])}`;
  }
  return null;
}

const isKind = (kind: unknown): kind is Kind =>
  typeof kind === "string" && Object.hasOwn(SHAPES, kind);

function judgeOp(op: Unchecked, call: number): string | null {
  const { kind } = op;
  if (!isKind(kind)) {
    return `"kind" of the op is one of ${Object.keys(SHAPES).join(", ")}, not ${show(kind)}`;
  }
  const wrong = misfit(`the ${kind}`, op, { kind: TEXT, key: TEXT, ...SHAPES[kind].asks });
  if (wrong !== null) return wrong;
  if (op.heldUntil === undefined) return null;
  if (op.mayExpire !== true) return `the ${kind}: "heldUntil" goes with "mayExpire": true`;
  return Number(op.heldUntil) < call ? `the ${kind}: "heldUntil" is before its call` : null;
}

/** A revision belongs to a write or to what was read, a token to a leader: never to nothing. */
function judgeNothing(kind: Kind, answer: Unchecked): string | null {
  if (answer.candidate === null && (answer.token ?? answer.value) !== undefined) {
    return `the ${kind}'s answer tells more of no leader`;
  }
  if (answer.revision === undefined) return null;
  if (answer.value === null) return `the ${kind}'s answer has a revision of no value`;
  if (answer.swapped === false || answer.deleted === false) {
    return `the ${kind}'s answer has a revision, and changed nothing`;
  }
  return null;
}

function judgeAnswer(kind: Kind, answer: Unchecked): string | null {
  const where = `the ${kind}'s answer`;
  const { answers } = SHAPES[kind];
  const form =
    answers.find(fields => Object.hasOwn(answer, Object.keys(fields)[0] ?? "")) ?? answers[0];
  if (form === undefined) return `${where}: an ${kind} is never answered`;
  return misfit(where, answer, form) ?? judgeNothing(kind, answer);
}

/** What keeps a value from being an operation, in words; null where nothing does. */
export function judge(value: unknown): string | null {
  if (!isRecord(value)) return `not an object: ${show(value)}`;
  const wrong = misfit("the operation", value, WHOLE);
  if (wrong !== null) return wrong;
  const { call, return: returned, op, result } = value;
  if (returned !== null && Number(returned) < Number(call)) return "it returned before its call";
  if (!isRecord(op)) return `"op" is an object, not ${show(op)}`;
  const wrongOp = judgeOp(op, Number(call));
  if (wrongOp !== null || !isRecord(result)) return wrongOp;
  if (!isKind(op.kind)) return `"kind" is not known: ${show(op.kind)}`;
  const wrongAnswer = judgeAnswer(op.kind, result);
  if (wrongAnswer !== null) return wrongAnswer;
  return returned === null ? "it has an answer, and no time of return" : null;
}

export const isOperation = (value: unknown): value is Operation => judge(value) === null;
