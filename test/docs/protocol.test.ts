/**
 * docs/PROTOCOL.md says what the schemas say: the table of operations is made from the registry
 * (`REWRITE=1` writes it), and every request, answer, error and event on the page is one that could
 * travel.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  ERRORS,
  type ErrorCode,
  isErrorCode,
  isOperationName,
  OPERATION_KINDS,
  OPERATION_NAMES,
  type OperationName,
} from "holdfast-protocol";
import { COMMON_ERRORS, OPERATIONS, WRITE_ERRORS } from "holdfast-protocol/schemas";
import { Compile } from "typebox/schema";
import { describe, expect, test } from "vitest";
import { openApi } from "../../src/api/http/openapi.js";
import { ROOT, read } from "../tidy/repository.js";

const PAGE = "docs/PROTOCOL.md";
const BEGIN =
  "<!-- operations: REWRITE=1 npx vitest run --config test/vitest.config.ts test/docs/protocol -->\n";
const END = "<!-- end of the operations -->";

interface Form {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Form[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Form>>;
}

function fieldsOf(schema: Form): string {
  const { properties, required = [], anyOf, $ref, $defs } = schema;
  if ($ref !== undefined) return fieldsOf($defs?.[$ref.replace("#/$defs/", "")] ?? {});
  if (anyOf !== undefined) return anyOf.map(fieldsOf).join(" *or* ");
  const names = Object.keys(properties ?? {});
  if (names.length === 0) return "–";
  return names.map(name => `\`${name}${required.includes(name) ? "" : "?"}\``).join(" ");
}

function operationTable(): string {
  const rows = OPERATION_NAMES.map(name => {
    const { params, result, errors } = OPERATIONS[name];
    const own = errors.length === 0 ? "–" : errors.map(code => `\`${code}\``).join(" ");
    return `| \`${name}\` | ${fieldsOf(params as Form)} | ${fieldsOf(result as Form)} | ${own} |`;
  });
  return ["| operation | parameters | answer | errors |", "|---|---|---|---|", ...rows, ""].join(
    "\n",
  );
}

const { components } = openApi("0.0.0") as { components: object };
const checks = new Map<string, (value: unknown) => boolean>();

/** Whether `value`, as JSON carries it, is the operation's parameters or result. */
function fits(name: OperationName, what: "params" | "result", value: unknown): boolean {
  const ref = `${name}.${what}`;
  let check = checks.get(ref);
  if (check === undefined) {
    const compiled = Compile({ $ref: `#/components/schemas/${ref}`, components });
    check = one => compiled.Check(one);
    checks.set(ref, check);
  }
  return check(value);
}

interface Told {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly retryable?: unknown;
  readonly outcome?: unknown;
  readonly requestId?: unknown;
  readonly details?: object;
}

/** What is wrong with an error that `name` is answered with; null if nothing is. */
function misfit(name: OperationName, error: Told, status: number | null): string | null {
  const { code, message, retryable, outcome, requestId, details = {} } = error;
  if (typeof code !== "string" || !isErrorCode(code)) return `there is no ${String(code)}`;
  const declared: readonly ErrorCode[] = [
    ...COMMON_ERRORS,
    ...(OPERATION_KINDS[name] === "write" ? WRITE_ERRORS : []),
    ...OPERATIONS[name].errors,
  ];
  if (!declared.includes(code)) return `${name} does not answer with ${code}`;
  const { httpStatus, ...declaration } = ERRORS[code];
  if (status !== null && status !== httpStatus) return `${code} has the status ${httpStatus}`;
  if (retryable !== declaration.retryable || outcome !== declaration.outcome)
    return `${code} is otherwise in the table`;
  if (typeof message !== "string" || typeof requestId !== "string") return "it lacks a field";
  const told = Object.keys(details).filter(
    field => !new RegExp(`\\b${field}\\b`).test(declaration.details),
  );
  return told.length === 0 ? null : `${code} has no ${told.join(", ")} in its details`;
}

const REQUEST = /^POST \/v1\/([a-z]+)\/([a-z]+) (\{.*\})$/;
const ANSWER = /^(\d{3}) (\{.*\})$/;

/** What is wrong in a block of requests, each followed by what it may be answered with. */
function problemsOfHttp(block: string): string[] {
  const problems: string[] = [];
  let asked: OperationName | null = null;
  for (const line of block.trimEnd().split("\n")) {
    const [, group, verb, params] = REQUEST.exec(line) ?? [];
    const [, status, body] = ANSWER.exec(line) ?? [];
    if (params !== undefined) {
      const name = `${group}.${verb}`;
      asked = isOperationName(name) ? name : null;
      if (asked === null || !fits(asked, "params", JSON.parse(params))) problems.push(line);
    } else if (body === undefined || asked === null) {
      problems.push(line);
    } else {
      const answer = JSON.parse(body) as { error?: Told };
      const wrong =
        answer.error !== undefined
          ? misfit(asked, answer.error, Number(status))
          : fits(asked, "result", answer) && Number(status) === ("waiting" in answer ? 202 : 200)
            ? null
            : "no answer of this operation";
      if (wrong !== null) problems.push(`${wrong}: ${line}`);
    }
  }
  return problems;
}

interface Message {
  readonly id?: number;
  readonly op?: string;
  readonly params?: object;
  readonly ok?: object;
  readonly error?: Told;
  readonly event?: string;
}

/** Fields of each event, as src/protocol/frames.ts declares them, `?` behind what may be absent. */
const EVENTS = new Map(
  [
    ...read("src/protocol/frames.ts").matchAll(
      /^export interface \w+ \{\n {2}readonly event: "(\w+)";\n([\s\S]*?)^\}/gm,
    ),
  ].map(([, event = "", body = ""]) => [
    event,
    [...body.matchAll(/^ {2}readonly (\w+\??):/gm)].map(([, field = ""]) => field),
  ]),
);

/** What is wrong in a conversation over a WebSocket: `→` and `←` before arrays of messages. */
function problemsOfTalk(block: string): string[] {
  const problems: string[] = [];
  const asked = new Map<number, OperationName>();
  // What is left out is nothing in particular.
  const whole = block.replaceAll("{…}", "{}").replaceAll("[…]", "[]");
  for (const frame of whole.split(/^[→←] /m).slice(1)) {
    for (const message of JSON.parse(frame) as Message[]) {
      const { id = 0, op, params = {}, ok, error, event } = message;
      const name = asked.get(id);
      const says = JSON.stringify(message);
      if (op !== undefined) {
        if (isOperationName(op)) asked.set(id, op);
        if (!isOperationName(op) || !fits(op, "params", params)) problems.push(says);
      } else if (ok !== undefined) {
        if (name === undefined || !fits(name, "result", ok)) problems.push(says);
      } else if (error !== undefined) {
        const wrong = name === undefined ? "nobody asked" : misfit(name, error, null);
        if (wrong !== null) problems.push(`${wrong}: ${says}`);
      } else if (event !== undefined) {
        const fields = EVENTS.get(event) ?? [];
        const has = Object.keys(message).filter(field => field !== "event");
        const unknown = has.filter(one => !fields.includes(one) && !fields.includes(`${one}?`));
        const lacking = fields.filter(one => !one.endsWith("?") && !has.includes(one));
        if (fields.length === 0 || unknown.length + lacking.length > 0) problems.push(says);
      } else if (!("hello" in message || "welcome" in message)) {
        problems.push(says);
      }
    }
  }
  return problems;
}

const blocks = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    match => match[1] ?? "",
  );

describe("the page on the protocol", () => {
  const page = read(PAGE);

  test("has every operation with its parameters, its answer and its errors", () => {
    const begin = page.indexOf(BEGIN) + BEGIN.length;
    const end = page.indexOf(END);
    expect(begin).toBeGreaterThan(BEGIN.length);
    if (process.env.REWRITE === "1")
      writeFileSync(join(ROOT, PAGE), page.slice(0, begin) + operationTable() + page.slice(end));
    else expect(page.slice(begin, end)).toBe(operationTable());
    const above = page.slice(page.indexOf("## Operations"), begin);
    const common = [...above.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code);
    expect(common).toEqual([...COMMON_ERRORS, ...WRITE_ERRORS]);
  });

  test("has every event with its fields", () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| ((?:`\w+\??` ?)+)\| [^|]+ \|$/gm)];
    const told = new Map(
      rows.map(([, event = "", fields = ""]) => [
        event,
        [...fields.matchAll(/`(\w+\??)`/g)].map(([, field = ""]) => field).sort(),
      ]),
    );
    const known = [...EVENTS].map(([event, fields]) => [event, [...fields].sort()] as const);
    expect(known.length).toBe(7);
    for (const [event, fields] of known) expect([event, told.get(event)]).toEqual([event, fields]);
  });

  test("shows requests and answers over HTTP that could be", () => {
    const all = blocks(page, "http");
    expect(all.length).toBeGreaterThanOrEqual(8);
    expect(all.flatMap(problemsOfHttp)).toEqual([]);
    const [txn = ""] = blocks(page, "json");
    expect(fits("kv.txn", "params", JSON.parse(txn))).toBe(true);
  });

  test("shows a conversation over a WebSocket that could be", () => {
    const [talk = ""] = blocks(page, "text").filter(block => block.startsWith("→"));
    expect(talk).toContain('"event":"yield"');
    expect(problemsOfTalk(talk)).toEqual([]);
  });

  test("speaks of errors that there are", () => {
    const named = [...page.matchAll(/`([A-Z][A-Z]+(?:_[A-Z]+)+)`/g)].map(([, code = ""]) => code);
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter(code => !isErrorCode(code))).toEqual([]);
  });

  test("would be caught showing what cannot be", () => {
    const release = 'POST /v1/lock/release {"name":"a","token":1}\n';
    expect(problemsOfHttp(release)).toEqual([]);
    for (const wrong of [
      'POST /v1/lock/release {"name":"a"}\n',
      'POST /v1/lock/nothing {"name":"a"}\n',
      `${release}200 {"held":true}\n`,
      `${release}202 {"released":true}\n`,
      `${release}410 {"error":{"code":"LEASE_ENDED","message":"","retryable":false,"outcome":"not-applied","requestId":""}}\n`,
      `${release}400 {"error":{"code":"NO_SUCH_GRANT","message":"","retryable":false,"outcome":"not-applied","requestId":""}}\n`,
      `${release}404 {"error":{"code":"NO_SUCH_GRANT","message":"","retryable":false,"outcome":"not-applied","requestId":"","details":{"lock":"a"}}}\n`,
    ])
      expect([wrong, problemsOfHttp(wrong).length]).toEqual([wrong, 1]);
    for (const wrong of [
      '→ [{"id":1,"op":"kv.get","params":{"name":"a"}}]\n',
      '← [{"id":9,"ok":{}}]\n',
      '← [{"event":"lost","key":"a"}]\n',
      '← [{"event":"yield","lease":"a","key":"a/1","name":"a","graceMs":1,"reason":"x"}]\n',
    ])
      expect([wrong, problemsOfTalk(wrong).length]).toEqual([wrong, 1]);
  });
});
