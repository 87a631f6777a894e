import { readFileSync, writeFileSync } from "node:fs";
import {
  ERRORS,
  type ErrorCode,
  type ErrorDeclaration,
  isErrorCode,
  OPERATION_NAMES,
} from "holdfast-protocol";
import { COMMON_ERRORS, OPERATIONS, WRITE_ERRORS } from "holdfast-protocol/schemas";
import { describe, expect, test } from "vitest";

const DOCUMENT = new URL("../../docs/ERRORS.md", import.meta.url);
const CODES = Object.keys(ERRORS) as ErrorCode[];

/** What follows is written by hand. */
const BY_HAND = "\n## Locks, elections and runs: what to do\n";

/** docs/ERRORS.md up to there, as the table has it. `REWRITE=1` writes it. */
function document(): string {
  const lines = [
    "# Errors",
    "",
    "Every failure that a client can meet. The table is written from the one in",
    "`src/protocol/errors.ts` (`REWRITE=1 npx vitest run --config test/vitest.config.ts",
    "test/protocol/errors`); a test holds the two equal. [Below](#locks-elections-and-runs-what-to-do)",
    "it says of those of locks, elections and runs what to do.",
    "",
    'Over HTTP an error is `{"error": {…}}` with the status below, over WebSocket `{id, error}`:',
    "",
    "| field | meaning |",
    "|---|---|",
    "| `code` | one of the codes below; it never changes its meaning |",
    "| `message` | for people: what was wrong, where, what to do |",
    "| `retryable` | whether the same call may succeed later; see below on request ids |",
    "| `outcome` | `not-applied`: it certainly had no effect; `unknown`: nobody can tell |",
    "| `requestId` | finds the call in the node's log |",
    "| `details` | what a program may want to know; a `?` below marks what may be absent |",
    "",
    "A status of 503 comes with `Retry-After`. No answer ever has the status 408, which HTTP",
    "libraries repeat on their own.",
    "",
    "What the cluster's log has refused is an answer as well, and kept like one: the same request id or",
    "`Idempotency-Key` gets it again, even after room was made or the lock was freed. Ask anew under a",
    "new one. Failures of one node (`UNAVAILABLE`, `NO_QUORUM`, `OVERLOADED` and the like) are not kept.",
    "",
    "| code | status | retryable | outcome | meaning | details |",
    "|---|---|---|---|---|---|",
    ...CODES.map(code => row(code, ERRORS[code])),
    "",
  ];
  return lines.join("\n");
}

function row(code: ErrorCode, error: ErrorDeclaration): string {
  const details = error.details === "" ? "–" : error.details;
  const retryable = error.retryable ? "yes" : "no";
  const cells = [`\`${code}\``, error.httpStatus, retryable, error.outcome, error.message, details];
  return `| ${cells.join(" | ")} |`;
}

describe("the error table", () => {
  test("and docs/ERRORS.md say the same", () => {
    const page = readFileSync(DOCUMENT, "utf8");
    const at = page.indexOf(BY_HAND);
    expect(at).toBeGreaterThan(0);
    if (process.env["REWRITE"] === "1") writeFileSync(DOCUMENT, document() + page.slice(at));
    else expect(page.slice(0, at)).toBe(document());
  });

  test("and the page's remedies name every error of locks, elections and runs, and no other", () => {
    const [, remedies = ""] = readFileSync(DOCUMENT, "utf8").split(BY_HAND);
    const told = [...remedies.matchAll(/^\| `(\w+)` \| \S.* \| \S.* \|$/gm)].map(match => match[1]);
    const declared = OPERATION_NAMES.filter(name => /^(?:lock|election|slot)\./.test(name)).flatMap(
      name => [...OPERATIONS[name].errors] as ErrorCode[],
    );
    const known = CODES.filter(code => declared.includes(code));
    expect(told.sort()).toEqual(known.sort());
  });

  test("has a sentence, a fitting status and an outcome for every code", () => {
    for (const code of CODES) {
      const { httpStatus, message, retryable, outcome } = ERRORS[code] as ErrorDeclaration;
      expect([code, /^[A-Z].*\.$/.test(message)]).toEqual([code, true]);
      expect([400, 403, 404, 405, 409, 410, 412, 413, 422, 429, 431, 500, 503, 504]).toContain(
        httpStatus,
      );
      if (httpStatus === 503)
        expect([code, retryable, outcome]).toEqual([code, true, "not-applied"]);
      if (httpStatus === 504) expect(outcome).toBe("unknown");
    }
  });

  test("never calls a write retryable whose outcome is unknown, but for a cut connection or under one id", () => {
    const both = CODES.filter(code => ERRORS[code].retryable && ERRORS[code].outcome === "unknown");
    // Where a table is full, a slow copy of the same call may find room after the quick one did
    // not. Only a call with an id meets these, and sent again under it, it is done once.
    expect(both).toEqual(["IDEMPOTENCY_FULL", "REQUESTS_FULL", "SLOW_READER"]);
  });

  test("holds every code that an operation declares, and knows its own from strangers", () => {
    const declared = [...COMMON_ERRORS, ...WRITE_ERRORS].concat(
      ...Object.values(OPERATIONS).map(({ errors }) => errors as never),
    );
    for (const code of declared) expect([code, isErrorCode(code)]).toEqual([code, true]);
    expect(["toString", "__proto__", "NOT_OURS", ""].filter(isErrorCode)).toEqual([]);
  });
});
