/**
 * Which of a key's operations a picture shows: all of them where they fit, else those that
 * contradict each other and the nearest around each.
 */
import type { KeyReport, Operation } from "../core/index.js";

export const MOST_OPERATIONS = 160;

export function operationsToShow({ operations, conflict }: KeyReport): readonly Operation[] {
  const told = operations.filter(({ result }) => result !== "failed");
  if (told.length <= MOST_OPERATIONS) return told;
  const centres = conflict === null ? told.slice(0, 1) : conflict.operations.slice(-20);
  const shown = new Set<Operation>(centres);
  const each = Math.floor((MOST_OPERATIONS - centres.length) / centres.length);
  for (const centre of centres) for (const near of nearest(told, centre, each)) shown.add(near);
  return told.filter(one => shown.has(one));
}

function nearest(all: readonly Operation[], centre: Operation, most: number): Operation[] {
  const from = centre.call;
  const to = centre.return ?? centre.call;
  const distance = (one: Operation): number =>
    Math.max(0, from - (one.return ?? one.call), one.call - to);
  return all.toSorted((a, b) => distance(a) - distance(b)).slice(0, most);
}
