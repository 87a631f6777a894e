/** Silence and cuts of the simulated network stand beside each other, and end each by itself. */
import { expect, test } from "vitest";
import { TurnedLoop } from "../../src/testing/turned-loop.js";
import { SimNetwork } from "./network.js";

test("what a story silences is silent until all is healed, whatever cuts are taken back", () => {
  const network = new SimNetwork(new TurnedLoop());
  network.silence("a", "b");
  const undo = network.cutOff([["a", "c"]]);
  expect([network.isSilent("a", "b"), network.isSilent("a", "c")]).toEqual([true, true]);
  undo();
  expect([network.isSilent("a", "b"), network.isSilent("a", "c")]).toEqual([true, false]);
  network.heal();
  expect(network.isSilent("a", "b")).toBe(false);
});

test("a cut stands when what stories silenced is healed", () => {
  const network = new SimNetwork(new TurnedLoop());
  const undo = network.cutOff([["a", "b"]]);
  network.heal();
  expect(network.isSilent("a", "b")).toBe(true);
  undo();
  expect(network.isSilent("a", "b")).toBe(false);
});
