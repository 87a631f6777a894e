import { describe, expect, test } from "vitest";
import { TestCluster } from "./cluster.js";

describe("a single node", () => {
  test("serves at once, and hands over what it appends", () => {
    const cluster = new TestCluster(["a"]);
    cluster.startAll();
    cluster.until(() => cluster.serving() !== null, "serving", 200);
    cluster.append("one");
    cluster.append("two");
    cluster.untilAllHave("two");
    expect(cluster.node("a").host.texts).toEqual(["one", "two"]);
  });
});

describe("three nodes", () => {
  test("agree on a log", () => {
    const cluster = new TestCluster(["a", "b", "c"]);
    cluster.startAll();
    for (let at = 0; at < 50; at++) cluster.append(`entry ${at}`);
    cluster.untilAllHave("entry 49");
    expect(cluster.node("c").host.texts).toHaveLength(50);
    cluster.assertAgreement();
  });
});
