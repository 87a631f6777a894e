/** Locks and elections, told by hand: what is allowed and what is not. */
import { describe, expect, test } from "vitest";
import { check, election, lock, type Operation } from "./index.js";
import { acquire, did, expire, lead, leader, release, resign } from "./trials/lines.js";

const ofLock = (...operations: Operation[]): string => check({ operations }, lock).verdict;
const ofElection = (...operations: Operation[]): string => check({ operations }, election).verdict;

const granted = (who: string, from: number, to: number, token: number, heldUntil?: number) =>
  did(who, [from, to], acquire(who, heldUntil), { token });

describe("a lock allows", () => {
  test("a grant while the release before it is not yet answered", () => {
    const first = granted("w1", 1, 2, 5);
    const given = did("w1", [3, 9], release(5), { released: true });
    expect(ofLock(first, given, granted("w2", 1, 6, 7))).toBe("linearizable");
  });

  test("a grant after a tenure that may have run out, from its holder's proof on", () => {
    const first = granted("w1", 1, 2, 5, 100);
    expect(ofLock(first, granted("w2", 3, 100, 7))).toBe("linearizable");
    expect(ofLock(first, granted("w2", 3, 99, 7))).toBe("violation");
  });

  test("a tenure to last longer than its holder can prove", () => {
    const first = granted("w1", 1, 2, 5, 100);
    const given = did("w1", [500, 501], release(5), { released: true });
    expect(ofLock(first, given, granted("w2", 3, 600, 7))).toBe("linearizable");
    expect(ofLock(first, did("w2", [300, 301], acquire("w2"), { refused: true }), given)).toBe(
      "linearizable",
    );
  });

  test("a grant after an expiry that was noted, and not before", () => {
    const first = granted("w1", 1, 2, 5);
    const ran = did("recorder", [50, null], expire(5));
    expect(ofLock(first, ran, granted("w2", 3, 60, 7))).toBe("linearizable");
    expect(ofLock(first, ran, granted("w2", 3, 40, 7))).toBe("violation");
  });

  test("an attempt of unknown outcome to hold, and so to be what another was refused for", () => {
    const lost = did("w1", [1, 2], { ...acquire("w1"), mayExpire: true }, "unknown");
    const refused = did("w2", [5, 6], acquire("w2"), { refused: true });
    expect(ofLock(lost, refused)).toBe("linearizable");
    expect(ofLock(lost, refused, granted("w2", 7, 8, 3))).toBe("linearizable");
  });

  test("one of two attempts of unknown outcome to have ended unseen, in whatever order", () => {
    const stays = did("w1", [0, null], acquire("w1"), "unknown");
    const goes = did("w2", [0.5, null], { ...acquire("w2"), mayExpire: true }, "unknown");
    const refused = did("w3", [1, 2], acquire("w3"), { refused: true });
    const later = granted("w3", 10, 20, 5);
    expect(ofLock(stays, goes, refused, later)).toBe("linearizable");
    expect(ofLock(goes, stays, refused, later)).toBe("linearizable");
    expect(ofLock(stays, refused, later)).toBe("violation");
  });

  test("a release of unknown outcome to take effect late", () => {
    const first = granted("w1", 1, 2, 5);
    const given = did("w1", [3, null], release(5));
    const refused = did("w2", [10, 11], acquire("w2"), { refused: true });
    expect(ofLock(first, given, refused, granted("w2", 20, 21, 6))).toBe("linearizable");
  });

  test("a second release to be told that the first one did it", () => {
    const first = granted("w1", 1, 2, 5);
    const tried = did("w1", [3, null], release(5));
    const again = did("w1", [5, 6], release(5), { released: false });
    expect(ofLock(first, tried, again)).toBe("linearizable");
    expect(ofLock(first, again)).toBe("violation");
  });
});

describe("a lock does not allow", () => {
  test("a double grant", () => {
    expect(ofLock(granted("w1", 1, 2, 5), granted("w2", 3, 4, 6))).toBe("violation");
  });

  test("a double grant while the first holder's release was asked for only later", () => {
    const given = did("w1", [10, 11], release(5), { released: true });
    expect(ofLock(granted("w1", 1, 2, 5), given, granted("w2", 3, 9, 6))).toBe("violation");
    expect(ofLock(granted("w1", 1, 2, 5), given, granted("w2", 3, 10, 6))).toBe("linearizable");
  });

  test("a token to fall, or to be granted twice", () => {
    const given = did("w1", [3, 4], release(5), { released: true });
    const lines = [granted("w1", 1, 2, 5), given];
    expect(ofLock(...lines, granted("w2", 5, 6, 6))).toBe("linearizable");
    expect(ofLock(...lines, granted("w2", 5, 6, 5))).toBe("violation");
    expect(ofLock(...lines, granted("w2", 5, 6, 4))).toBe("violation");
  });

  test("to be refused while it is free", () => {
    expect(ofLock(did("w1", [1, 2], acquire("w1"), { refused: true }))).toBe("violation");
    const given = did("w1", [3, 4], release(5), { released: true });
    const refused = did("w2", [5, 6], acquire("w2"), { refused: true });
    expect(ofLock(granted("w1", 1, 2, 5), given, refused)).toBe("violation");
  });

  test("a release of a tenure that ended and gave way to another", () => {
    const lines = [granted("w1", 1, 2, 5, 3), granted("w2", 4, 5, 6)];
    const late = (released: boolean) => did("w1", [7, 8], release(5), { released });
    expect(ofLock(...lines, late(false))).toBe("linearizable");
    expect(ofLock(...lines, late(true))).toBe("violation");
  });

  test("more grants of unknown outcome than there are tokens for", () => {
    const given = (token: number, at: number) =>
      did("w1", [at, at + 1], release(token), { released: true });
    const lost = did("w3", [5, null], acquire("w3"));
    const lines = [granted("w1", 1, 2, 5), given(5, 3), lost];
    const refused = did("w2", [6, 7], acquire("w2"), { refused: true });
    expect(ofLock(...lines, refused, given(6, 8), granted("w1", 10, 11, 7))).toBe("linearizable");
    expect(ofLock(...lines, refused, given(6, 8), granted("w1", 10, 11, 6))).toBe("violation");
  });
});

describe("an election", () => {
  const led = (who: string, from: number, to: number, token: number) =>
    did(who, [from, to], lead(who, `at ${who}`), { token });
  const seen = (at: number, candidate: string | null, more = {}) =>
    did("r", [at, at + 1], leader, { candidate, ...more });

  test("shows its leader, his token and his value, and nobody else", () => {
    const first = led("a", 1, 2, 4);
    expect(ofElection(first, seen(3, "a", { token: 4, value: "at a" }))).toBe("linearizable");
    expect(ofElection(first, seen(3, "b"))).toBe("violation");
    expect(ofElection(first, seen(3, null))).toBe("violation");
    expect(ofElection(first, seen(3, "a", { token: 3 }))).toBe("violation");
    expect(ofElection(first, seen(3, "a", { value: "at b" }))).toBe("violation");
  });

  test("does not show a leader again that was followed by another", () => {
    const lines = [
      led("a", 1, 2, 4),
      did("a", [3, 4], resign(4), { resigned: true }),
      led("b", 3, 9, 5),
    ];
    expect(ofElection(...lines, seen(5, "a"))).toBe("violation");
    expect(ofElection(...lines, seen(5, "b"), seen(7, "b"))).toBe("linearizable");
    expect(ofElection(...lines, seen(5, null), seen(7, "b"))).toBe("linearizable");
    expect(ofElection(...lines, seen(5, "b"), seen(7, null))).toBe("violation");
  });

  test("shows by whom a campaign of unknown outcome was won, and with which token from then on", () => {
    const lost = did("a", [1, null], { ...lead("a"), mayExpire: true });
    const won = [lost, seen(3, "a", { token: 9 })];
    expect(ofElection(...won, led("b", 5, 6, 10))).toBe("linearizable");
    expect(ofElection(...won, led("b", 5, 6, 9))).toBe("violation");
    expect(ofElection(...won, seen(7, "a", { token: 8 }))).toBe("violation");
  });
});
