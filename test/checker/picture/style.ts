/** The looks of the picture, and the few lines of script that show what is pointed at. */
export const STYLE = `
body { font: 14px/1.45 system-ui, "DejaVu Sans", sans-serif; margin: 24px; color: #1d2733; }
h1 { font-size: 20px; margin: 0 0 4px; }
h2 { font-size: 16px; margin: 28px 0 4px; }
p { max-width: 860px; margin: 4px 0 8px; }
code, .conflicts td { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
.conflicts { border-collapse: collapse; margin: 6px 0 10px; }
.conflicts td { padding: 1px 18px 1px 8px; border-left: 4px solid #e5a3a3; }
.conflicts tr.breaking td:first-child { border-left-color: #c22; font-weight: 700; }
.conflicts td + td { border-left: 0; }
.scroll { overflow-x: auto; display: flex; border: 1px solid #d5dce4; border-radius: 6px;
  background: #fff; }
.verdict { font-weight: 700; }
.verdict.violation { color: #b41e1e; }
.verdict.linearizable { color: #1c7a3d; }
.verdict.unknown { color: #8a6100; }
.legend span { display: inline-block; margin-right: 18px; white-space: nowrap; }
.legend i { display: inline-block; width: 22px; height: 12px; border-radius: 3px;
  margin-right: 6px; vertical-align: -1px; border: 1px solid; }
i.placed { background: #dbeafe; border-color: #6b95cf; }
i.conflict { background: #fde0e0; border-color: #c22; }
i.breaking { background: #c22; border-color: #8e1212; }
i.unplaced { background: #eceff2; border-color: #b4bdc7; }
i.unknown { background: #fff; border-style: dashed; border-color: #7a8794; }
svg { display: block; flex: none; font: 12px ui-monospace, "DejaVu Sans Mono", monospace; }
.names { position: sticky; left: 0; background: #fff; border-right: 1px solid #d5dce4; }
.lane { stroke: #edf0f3; }
.process { font-weight: 600; fill: #40505f; }
.open { stroke: #9aa5b1; stroke-dasharray: 5 3; }
.tick { stroke: #e3e8ed; stroke-dasharray: 2 4; }
.time { fill: #7a8794; font-size: 10.5px; }
.bar rect { stroke: #6b95cf; fill: #dbeafe; }
.bar text { fill: #1d2733; pointer-events: none; }
.bar .place { font-weight: 700; fill: #2456a6; }
.bar.unplaced rect { fill: #eceff2; stroke: #b4bdc7; }
.bar.unplaced text { fill: #5c6874; }
.bar.unknown rect { stroke-dasharray: 5 3; fill-opacity: .45; }
.bar.conflict rect { fill: #fde0e0; stroke: #c22; stroke-width: 2; fill-opacity: 1; }
.bar.breaking rect { fill: #c22; stroke: #8e1212; }
.bar.breaking text, .bar.breaking .place { fill: #fff; font-weight: 700; }
.bar:hover rect, .bar:focus rect { stroke-width: 2.5; }
.bar:focus { outline: none; }
.order polyline { fill: none; stroke: #2456a6; stroke-opacity: .28; stroke-width: 1.5; }
.order circle { fill: #2456a6; }
.order { pointer-events: none; }
#about { position: fixed; display: none; max-width: 520px; padding: 8px 12px; border-radius: 6px;
  background: #1d2733; color: #f3f6f9; white-space: pre-wrap; overflow-wrap: anywhere;
  font: 12px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; pointer-events: none; z-index: 1; }
`;

export const SCRIPT = `
const about = document.getElementById("about");
const show = (bar, x, y) => {
  about.textContent = bar.dataset.about;
  about.style.display = "block";
  const box = about.getBoundingClientRect();
  about.style.left = Math.max(8, Math.min(x + 14, innerWidth - box.width - 8)) + "px";
  about.style.top = (y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18) + "px";
};
const hide = () => { about.style.display = "none"; };
for (const bar of document.querySelectorAll(".bar")) {
  bar.addEventListener("mousemove", event => show(bar, event.clientX, event.clientY));
  bar.addEventListener("mouseleave", hide);
  bar.addEventListener("focus", () => {
    const box = bar.getBoundingClientRect();
    show(bar, box.left, box.bottom - 14);
  });
  bar.addEventListener("blur", hide);
}
for (const scroll of document.querySelectorAll(".scroll")) {
  const breaking = scroll.querySelector(".breaking rect");
  if (breaking) scroll.scrollLeft = breaking.x.baseVal.value - scroll.clientWidth * 0.6;
}
`;
