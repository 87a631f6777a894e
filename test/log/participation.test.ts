/** The rules of bootstrap by themselves: who is let in, what is on disk when, and who may vote. */
import { beforeEach, describe, expect, test } from "vitest";
import { logIndex, nodeId } from "../../src/base/ids.js";
import { Participation } from "../../src/log/participation.js";
import type { Configuration, Member } from "../../src/raft/message/index.js";
import type { Storage, StorageDone } from "../../src/storage/contract.js";

const [SELF, B, C] = [nodeId(1), nodeId(2), nodeId(3)];
const OWN = "1".repeat(16);
const INCARNATION_B = "b".repeat(16);
const INCARNATION_C = "c".repeat(16);

function member(id: typeof SELF, incarnation = ""): Member {
  const name = `n${id}`;
  const peerUrls = [`http://${name}:2380`];
  return { id, name, role: "voter", peerUrls, clientUrls: [], incarnation, since: logIndex(0) };
}

const configurationOf = (...members: Member[]): Configuration => ({
  members,
  outgoingVoters: [],
  removed: [],
});
const NEW = configurationOf(member(SELF), member(B), member(C));
const KNOWN = configurationOf(
  member(SELF, OWN),
  member(B, INCARNATION_B),
  member(C, INCARNATION_C),
);

let writes: { peer: number; incarnation: string; done: StorageDone }[];
let admissions: number;

function participation(
  configuration: Configuration,
  recorded: readonly (readonly [typeof SELF, string])[] = [],
): Participation {
  const recordPeer: Storage["recordPeer"] = (peer, incarnation, done) => {
    writes.push({ peer, incarnation, done });
  };
  return new Participation({
    self: SELF,
    incarnation: OWN,
    storage: { recordPeer } as Storage,
    recorded: new Map(recorded),
    configuration,
    isCommitted: () => true,
    recordedPeer: admitted => {
      if (admitted) admissions += 1;
    },
  });
}

beforeEach(() => {
  writes = [];
  admissions = 0;
});

describe("a new node", () => {
  test("that let a peer in has proof of nothing: only a peer that let it in counts", () => {
    const node = participation(NEW);
    expect(node.hello(B, INCARNATION_B)).toBeNull();
    expect(node.hello(C, INCARNATION_C)).toBeNull();
    expect(writes).toEqual([]);
    expect(node.isRecorded(B)).toBe(false);
    expect(node.takesPart).toBe(false);
  });

  test("takes part once everybody let it in and that is on disk", () => {
    const node = participation(NEW);
    for (const [peer, incarnation] of [
      [B, INCARNATION_B],
      [C, INCARNATION_C],
    ] as const) {
      node.hello(peer, incarnation);
      node.accepted(peer);
    }
    expect(node.takesPart).toBe(false);
    expect(node.waitingFor()).toContain("n2 (http://n2:2380) and n3 (http://n3:2380)");
    writes[0]?.done(null);
    expect(node.isRecorded(B)).toBe(true);
    expect(node.takesPart).toBe(false);
    expect(node.waitingFor()).not.toContain("n2");
    writes[1]?.done(null);
    expect(node.takesPart).toBe(true);
    expect(node.waitingFor()).toBeNull();
    expect(admissions).toBe(1);
  });

  test("does not take part when the disk failed", () => {
    const node = participation(configurationOf(member(SELF), member(B)));
    node.hello(B, INCARNATION_B);
    node.accepted(B);
    writes[0]?.done({ code: "DISK_ERROR", file: "f", offset: null, message: "", remedy: "" });
    expect(node.takesPart).toBe(false);
    expect(node.isRecorded(B)).toBe(false);
  });

  test("alone takes part at once", () => {
    expect(participation(configurationOf(member(SELF))).takesPart).toBe(true);
  });
});

describe("a peer's incarnation", () => {
  test("once let in, no other is, already before it is on disk", () => {
    const node = participation(NEW);
    expect(node.hello(B, INCARNATION_B)).toBeNull();
    expect(node.hello(B, "e".repeat(16))).toBe("replaced");
    expect(node.hello(B, INCARNATION_B)).toBeNull();
  });

  test("is remembered by a restarted node, from its records and from its log", () => {
    const fromRecords = participation(NEW, [[B, INCARNATION_B]]);
    const fromLog = participation(KNOWN);
    for (const node of [fromRecords, fromLog]) {
      expect(node.isRecorded(B)).toBe(true);
      expect(node.hello(B, "e".repeat(16))).toBe("replaced");
    }
    expect(fromRecords.takesPart).toBe(false);
    expect(fromLog.takesPart).toBe(true);
  });

  test("of a node that is no member is not let in", () => {
    expect(participation(KNOWN).hello(nodeId(9), "9".repeat(16))).toBe("stranger");
  });
});

test("who joins is the one that is to be, not one of that name on its way out", () => {
  const named = (id: typeof B, incarnation: string): Member => ({
    ...member(id, incarnation),
    name: "x",
    since: logIndex(5),
  });
  const [gone, next] = [named(B, INCARNATION_B), named(C, "")];
  const node = participation(configurationOf(member(SELF, OWN), gone, next));
  expect(node.joins("x", INCARNATION_C)).toBe(C);
  expect(node.joins("x", INCARNATION_B)).toBe(B);
  const taken = participation(configurationOf(member(SELF, OWN), gone));
  expect(taken.joins("x", INCARNATION_C)).toBe("replaced");
});

describe("a restarted node", () => {
  test("with a record of everybody takes part at once; with fewer it asks again", () => {
    const all = [
      [B, INCARNATION_B],
      [C, INCARNATION_C],
    ] as const;
    expect(participation(NEW, all).takesPart).toBe(true);
    expect(participation(NEW, all.slice(0, 1)).takesPart).toBe(false);
  });
});

describe("the configuration", () => {
  test("that names another incarnation of this node is told", () => {
    const node = participation(NEW);
    expect(node.configured(KNOWN)).toBe(true);
    expect(node.configured(configurationOf(member(SELF, "e".repeat(16))))).toBe(false);
  });

  test("is completed with what is on disk and with client URLs, and never changes an incarnation", () => {
    const node = participation(NEW);
    node.hello(B, INCARNATION_B);
    node.reachedAt(B, ["http://n2:2379"]);
    expect(node.completed(NEW, [])?.members[1]?.incarnation).toBe("");
    node.accepted(B);
    writes[0]?.done(null);
    const completed = node.completed(NEW, ["http://n1:2379"]);
    expect(completed?.members).toEqual([
      { ...member(SELF, OWN), clientUrls: ["http://n1:2379"] },
      { ...member(B, INCARNATION_B), clientUrls: ["http://n2:2379"] },
      member(C),
    ]);
    expect(participation(KNOWN).completed(KNOWN, [])).toBeNull();
  });
});
