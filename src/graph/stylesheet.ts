/** How an SVG chart looks. Every rule is below `.callboard-chart`, so that a chart within a page styles nothing else. */
export const STYLESHEET = `
.callboard-chart {
  --paper: #ffffff; --box: #f6f8fa; --ink: #1f2328; --soft: #59636e;
  --line: #7d8590; --rule: #d1d9e0; --accent: #0969da; --glow: #ddf4ff;
  font-family: system-ui, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  .callboard-chart {
    --paper: #0d1117; --box: #161b22; --ink: #e6edf3; --soft: #9198a1;
    --line: #848d97; --rule: #3d444d; --accent: #4493f8; --glow: #10233f;
  }
}
.callboard-chart text { fill: var(--ink); white-space: pre; }
.callboard-chart .paper { fill: var(--paper); }
.callboard-chart .shape { fill: var(--box); stroke: var(--line); stroke-width: 1.2; }
.callboard-chart .compound > .shape, .callboard-chart .parallel > .shape { fill: var(--paper); }
.callboard-chart .region > .shape { stroke-dasharray: 6 4; }
.callboard-chart .inner { fill: none; stroke: var(--line); }
.callboard-chart .core, .callboard-chart .dot { fill: var(--ink); }
.callboard-chart .rule { stroke: var(--rule); fill: none; }
.callboard-chart .title { font-size: 13px; font-weight: 600; }
.callboard-chart .mark { font-size: 11px; font-weight: 600; }
.callboard-chart .detail { font-size: 11px; fill: var(--soft); }
.callboard-chart .label { font-size: 11px; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }
.callboard-chart .label { paint-order: stroke; }
.callboard-chart .line { fill: none; stroke: var(--line); stroke-width: 1.3; }
.callboard-chart .head { fill: var(--line); }
.callboard-chart .default .line { stroke-dasharray: 3 3; }
.callboard-chart .active > .shape { stroke: var(--accent); stroke-width: 2.4; }
.callboard-chart .active:not(.compound, .parallel) > .shape { fill: var(--glow); }
.callboard-chart .active > .title { fill: var(--accent); }
`
