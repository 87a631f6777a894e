/** A walk over a syntax tree, and what in it would make a deterministic room differ between runs. */
import { parseSync } from "vite";

export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === "object" && value !== null && typeof (value as SyntaxNode).type === "string";

/** Calls back for every node of the tree, parents first. */
export function visit(root: unknown, callback: (node: SyntaxNode) => void): void {
  if (Array.isArray(root)) {
    for (const item of root) visit(item, callback);
  } else if (isNode(root)) {
    callback(root);
    for (const child of Object.values(root)) {
      if (typeof child === "object" && child !== null) visit(child, callback);
    }
  }
}

const BANNED_MEMBERS = /^(localeCompare|toLocale\w+|asyncIterator|asyncDispose)$/;
const BANNED_OBJECTS: Readonly<Record<string, RegExp>> = { Math: /^random$/ };
const BANNED_TYPES = /^(Promise|PromiseLike|Date|AsyncIterable|AsyncGenerator|AsyncIterator)$/;

const nameOf = (node: unknown): string =>
  isNode(node) && typeof node.name === "string" ? node.name : "";

function banned(node: SyntaxNode): string | null {
  switch (node.type) {
    case "AwaitExpression":
      return "await";
    case "ImportExpression":
      return "import()";
    case "ForInStatement":
      return "for … in";
    case "ForOfStatement":
      return node.await === true ? "for await" : null;
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return node.async === true ? "async" : null;
    case "TSTypeReference": {
      const name = nameOf(node.typeName);
      return BANNED_TYPES.test(name) ? name : null;
    }
    case "MemberExpression": {
      const object = nameOf(node.object);
      const property = nameOf(node.property);
      const whole = BANNED_MEMBERS.test(property) || BANNED_OBJECTS[object]?.test(property);
      return whole ? `${object}.${property}` : null;
    }
    default:
      return null;
  }
}

/**
 * What the linter's list of globals cannot say: members such as Math.random, locale-dependent
 * comparison, asynchronous syntax, iteration over an object's keys. Each as `line: what`.
 */
export function nondeterminism(path: string, code: string): string[] {
  const { program, errors } = parseSync(path, code, { lang: "ts" });
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const found: string[] = [];
  visit(program, node => {
    const what = banned(node);
    if (what !== null) found.push(`${code.slice(0, node.start).split("\n").length}: ${what}`);
  });
  return found;
}
