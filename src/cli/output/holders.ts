/** Who holds, who waits, who asks: in the words that all commands have for it. */
import type { Holder, Waiting, YieldAsked } from "holdfast-client";
import { formatDuration } from "./duration.js";
import { printable } from "./table.js";

/** A grant whose lease has run out has no lease any more. */
export const holderName = (holder: { readonly owner?: string; readonly lease?: string }): string =>
  holder.owner ? printable(holder.owner) : holder.lease ? `lease ${holder.lease}` : "somebody";

/** One whose lease has run out holds nothing, and keeps the others out for a while. */
export const isShut = (holder: Pick<Holder, "shutForMs">): boolean =>
  holder.shutForMs !== undefined;

export function ordinal(n: number): string {
  const tens = n % 100;
  const suffix = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${suffix}`;
}

/** What is said of one who holds, to those who wait. */
type Shown = Pick<Holder, "sinceMs" | "shutForMs"> & Partial<Pick<Holder, "owner" | "lease">>;

/** Who has it: of an election it is said that they lead. */
export type Having = "held" | "led";

/** "held by cron@web2 and 1 more since 12 s", or for how long nobody is let in. */
function describeHolders(holders: readonly Shown[], holderCount: number, having: Having): string {
  const [first] = holders;
  if (first === undefined) return "";
  const holding = holders.filter(one => !isShut(one));
  const [one] = holding;
  if (one === undefined)
    return `shut for ${formatDuration(first.shutForMs ?? 0)} after ${holderName(first)}'s lease ran out`;
  const others = holderCount - (holders.length - holding.length) - 1;
  const more = others > 0 ? ` and ${others} more` : "";
  return `${having} by ${holderName(one)}${more} since ${formatDuration(one.sinceMs)}`;
}

/** Whether it still stands in line, does not any more, or did not want to. */
export type Place = "are" | "were" | "would have been";

export interface WaitShown {
  readonly having?: Having;
  readonly place?: Place;
  /** All who hold, where that is more than are shown. */
  readonly holderCount?: number;
}

/** "held by cron@web2 since 12 s; you are 3rd" */
export function describeWait(
  { position, holders }: Pick<Waiting, "position"> & { readonly holders: readonly Shown[] },
  shown: WaitShown = {},
): string {
  const { having = "held", place = "are", holderCount = holders.length } = shown;
  const by = describeHolders(holders, holderCount, having);
  const inLine = place === "would have been" ? " in line" : "";
  const you = position > 0 ? `you ${place} ${ordinal(position)}${inLine}` : "";
  return [by, you].filter(part => part !== "").join("; ");
}

/** "ops asks to hand over (deploy); 5 s" */
export function describeAsk({ by, why, graceMs }: Pick<YieldAsked, "by" | "why" | "graceMs">) {
  const who = by === undefined ? "somebody" : printable(by);
  const reason = why === undefined ? "" : ` (${printable(why)})`;
  const time = graceMs > 0 ? `; ${formatDuration(graceMs)}` : "";
  return `${who} asks to hand over${reason}${time}`;
}
