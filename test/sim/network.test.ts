/** Who may cut whom off, at once and one after the other. The network itself: test/testing. */
import { expect, test } from "vitest";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { SimNetwork, waysBetween } from "./network.js";

const three = (): SimNetwork => new SimNetwork(new TurnedLoop());

test("an adversary's silence holds until it is healed, whatever else is cut and taken back", () => {
  const network = three();
  network.isolate("n1", ["n2", "n3"]);
  const takeBack = network.cutOff(waysBetween("n2", ["n1", "n3"]));
  expect(network.isSilent("n2", "n3")).toBe(true);
  takeBack();
  expect(network.isSilent("n2", "n3")).toBe(false);
  expect(network.isSilent("n1", "n2")).toBe(true);
  expect(network.isSilent("n3", "n1")).toBe(true);
  network.heal();
  expect(network.isSilent("n1", "n2")).toBe(false);
});

test("of two cuts on one way each is taken back by itself, and healing ends neither", () => {
  const network = three();
  const first = network.cutOff([["n1", "n2"]]);
  const second = network.cutOff([["n1", "n2"]]);
  network.heal();
  first();
  expect(network.isSilent("n1", "n2")).toBe(true);
  second();
  expect(network.isSilent("n1", "n2")).toBe(false);
});
