/** The drawing of one key: a line for each process, a bar for each operation, the order found. */
import { type KeyReport, spanText, statesAlong, timeText, wordsOf } from "../core/index.js";
import { type Bar, LANE_PX, type Layout, LETTER_PX } from "./layout.js";
import { escapeHtml, shorten } from "./markup.js";

const TOP_PX = 30;
const NAMES_PX = 110;
const BAR_PX = 24;

const middleOf = (lane: number): number => TOP_PX + lane * LANE_PX + LANE_PX / 2;

export function drawTimeline(report: KeyReport, layout: Layout): string {
  const { lanes, ticks, widthPx, bars } = layout;
  const heightPx = TOP_PX + lanes.length * LANE_PX + 10;
  const states = statesAlong(report.order, report.model);
  const rulers = lanes.map((_, at) => {
    const y = TOP_PX + at * LANE_PX;
    return `<line class="lane" x1="0" x2="${widthPx}" y1="${y}" y2="${y}"/>`;
  });
  const times = ticks.map(
    ({
      atMs,
      atPx,
    }) => `<line class="tick" x1="${atPx}" x2="${atPx}" y1="${TOP_PX - 6}" y2="${heightPx}"/>
<text class="time" x="${atPx + 3}" y="${TOP_PX - 10}">${timeText(atMs)} ms</text>`,
  );
  return `${drawNames(layout, heightPx)}
<svg width="${widthPx}" height="${heightPx}" role="img">
${[...rulers, ...times].join("\n")}
${bars.map(bar => drawOpenEnd(bar, widthPx)).join("")}
${bars.map(bar => drawBar(bar, report, states)).join("\n")}
${drawOrder(bars)}
</svg>`;
}

/** A drawing of its own, since it stays where it is while time is scrolled. */
function drawNames({ lanes }: Layout, heightPx: number): string {
  const names = lanes.map(({ process, isFirst }, at) => {
    const name = isFirst ? shorten(process, 14) : "";
    return `<text class="process" x="8" y="${middleOf(at) + 4}">${name}</text>`;
  });
  return `<svg class="names" width="${NAMES_PX}" height="${heightPx}">
${names.join("\n")}
</svg>`;
}

/** How a bar is shown; the legend says the same. */
export function classOf({ operation, place }: Bar, { conflict }: KeyReport): string {
  const classes = [place === null ? "unplaced" : "placed"];
  if (conflict?.operations.includes(operation)) classes.push("conflict");
  if (conflict?.breaking === operation) classes.push("breaking");
  if (operation.result === "unknown") classes.push("unknown");
  return classes.join(" ");
}

function drawBar(bar: Bar, report: KeyReport, states: readonly string[]): string {
  const { operation, fromPx, toPx, lane, place } = bar;
  const width = Math.max(6, toPx - fromPx);
  const y = middleOf(lane) - BAR_PX / 2;
  const words = wordsOf(operation);
  const number = place === null ? "" : `<tspan class="place">${place}</tspan> `;
  const digits = place === null ? 0 : `${place} `.length;
  const text = shorten(words, Math.max(1, Math.floor((width - 12) / LETTER_PX) - digits));
  return `<g class="bar ${classOf(bar, report)}" tabindex="0" data-about="${escapeHtml(
    aboutOf(bar, report, states),
  )}">
<rect x="${fromPx}" y="${y}" width="${width}" height="${BAR_PX}" rx="4"/>
<text x="${fromPx + 7}" y="${middleOf(lane) + 4}">${number}${text}</text>
</g>`;
}

/** What nobody heard of may still happen, to the end of the picture and beyond. */
function drawOpenEnd({ operation, toPx, lane }: Bar, widthPx: number): string {
  if (operation.result !== "unknown") return "";
  const y = middleOf(lane);
  return `<line class="open" x1="${toPx}" x2="${widthPx}" y1="${y}" y2="${y}"/>`;
}

/** All that is known of an operation, for who points at it. */
function aboutOf(
  { operation, place }: Bar,
  { conflict, order }: KeyReport,
  states: readonly string[],
): string {
  const lines = [`${operation.process}: ${wordsOf(operation)}`, spanText(operation)];
  if (operation.result === "unknown") lines.push("Nobody knows whether or when it took effect.");
  if (place !== null) {
    lines.push(`${place} of ${order.length} in the order found; after it: ${states[place - 1]}`);
  } else if (operation.result === "unknown") lines.push("Not needed in the order found.");
  else if (conflict?.breaking !== operation)
    lines.push("Answered later than what no order explains.");
  if (conflict?.breaking === operation) lines.push("No order explains this answer.");
  else if (conflict?.operations.includes(operation)) lines.push("One of those that contradict.");
  lines.push(
    "",
    `op ${JSON.stringify(operation.op)}`,
    `result ${JSON.stringify(operation.result)}`,
  );
  return lines.join("\n");
}

function drawOrder(bars: readonly Bar[]): string {
  const placed = bars.filter(({ place }) => place !== null);
  placed.sort((a, b) => (a.place ?? 0) - (b.place ?? 0));
  const points = placed.map(({ pointPx, lane }) => `${pointPx},${middleOf(lane) + BAR_PX / 2}`);
  const dots = points.map(point => {
    const [x, y] = point.split(",");
    return `<circle cx="${x}" cy="${y}" r="3"/>`;
  });
  return `<g class="order"><polyline points="${points.join(" ")}"/>${dots.join("")}</g>`;
}
