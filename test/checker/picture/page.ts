/**
 * The picture of a report: one HTML file that needs nothing else, for a person who never saw one.
 * Draws the keys with a violation, or else the first few. Pure: text in, text out.
 */
import { type KeyReport, type Report, spanText, timeText, wordsOf } from "../core/index.js";
import { layOut } from "./layout.js";
import { escapeHtml } from "./markup.js";
import { operationsToShow } from "./selection.js";
import { SCRIPT, STYLE } from "./style.js";
import { drawTimeline } from "./timeline.js";

const MOST_KEYS = 10;

/** `title` tells which history it is, say its file's name. */
export function drawPage(report: Report, title: string): string {
  const bad = report.keys.filter(({ verdict }) => verdict === "violation");
  const all = bad.length > 0 ? bad : report.keys;
  const drawn = all.slice(0, MOST_KEYS);
  const left = report.keys.length - drawn.length;
  const more = left === 0 ? "" : `<p>Not drawn: ${left} of ${report.keys.length} keys.</p>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${report.verdict}: ${escapeHtml(title)}</title>
<style>${STYLE}</style>
<h1>${escapeHtml(title)}: <span class="verdict ${report.verdict}">${report.verdict}</span></h1>
${INTRODUCTION}
${drawn.map(drawKey).join("\n")}
${more}
<div id="about"></div>
<script>${SCRIPT}</script>
</html>
`;
}

const INTRODUCTION = `<p>Each bar is one operation, from its call to its answer; each line one
process. Time runs to the right, stretched where much happens. The question is whether every
operation can have happened at one moment within its bar, one after the other, so that all answers
are right. The numbers are the order found, the dots on the thin line the moments at which it would
have happened. Point at a bar to see all of it.</p>
<p class="legend"><span><i class="placed"></i>has its place in the order</span>
<span><i class="breaking"></i>no order explains its answer</span>
<span><i class="conflict"></i>contradicts it</span>
<span><i class="unplaced"></i>without a place: not needed, or later</span>
<span><i class="unknown"></i>outcome unknown: at any time from its call, or never</span></p>`;

function drawKey(report: KeyReport): string {
  const { key, model, verdict, operations } = report;
  const shown = operationsToShow(report);
  const count = operations.length.toLocaleString("en");
  const some =
    shown.length === operations.length
      ? `${count} operations`
      : `${count} operations, of which ${shown.length} are drawn`;
  return `<section>
<h2>${model.name} <code>${escapeHtml(JSON.stringify(key))}</code>: <span
class="verdict ${verdict}">${verdict}</span></h2>
<p>${some}. ${explanationOf(report)}</p>
${conflictTable(report)}
<div class="scroll">
${drawTimeline(report, layOut(report, shown))}
</div>
</section>`;
}

function explanationOf({ verdict, conflict, limit, order }: KeyReport): string {
  if (verdict === "linearizable") return "The order explains every answer.";
  if (conflict === null) {
    return `The limit of ${limit} was reached before an answer was found; the order is as far as
it went.`;
  }
  const when = timeText(conflict.breaking.return ?? conflict.breaking.call);
  const sure = conflict.smallest
    ? "no one of them can be left out"
    : "there was no time to look whether fewer of them do";
  return `Everything that was answered before ${when} ms is explained by the order of
${order.length} operations that is drawn. Nothing explains what was answered then. These contradict
each other, whatever became of all others (${sure}):`;
}

function conflictTable({ conflict }: KeyReport): string {
  if (conflict === null) return "";
  const rows = conflict.operations.map(one => {
    const mark = one === conflict.breaking ? ` class="breaking"` : "";
    const cells = [one.process, wordsOf(one), spanText(one)].map(escapeHtml);
    return `<tr${mark}>${cells.map(cell => `<td>${cell}</td>`).join("")}</tr>`;
  });
  return `<table class="conflicts">${rows.join("\n")}</table>`;
}
