// The values of one interval: as a strip above the chart, as a sentence for screen readers, as rows of a table.

import { datedText, momentText } from "./clock.js";
import { element, svg, table } from "./dom.js";
import { megawatts } from "./numbers.js";
import { hasForecast } from "./picture.js";

const WIDE = new Set(["Interval from", "Degraded"]);

const withUnit = (value) => (value === null ? "–" : `${megawatts(value)} MW`);
const bandText = (row, low, high) => (hasForecast(row) ? `${megawatts(row[low])} – ${megawatts(row[high])} MW` : "–");

export function valueText(row, { timeZone }) {
  const parts = [
    row.measured === null ? null : `measured ${megawatts(row.measured)} MW${row.isDoubtful ? ", estimated" : ""}`,
    hasForecast(row) ? `forecast ${megawatts(row.p50)} MW${row.isOperators ? ", set by an operator" : ""}` : null,
    hasForecast(row) ? `80 % between ${megawatts(row.p10)} and ${megawatts(row.p90)}` : null,
    row.whatIf === null ? null : `what if: ${megawatts(row.whatIf)}`,
  ];
  return `${momentText(row.time, timeZone)}: ${parts.filter(Boolean).join(", ") || "nothing known"}`;
}

export function showReadout(place, row, picture) {
  if (row === null) return place.replaceChildren();
  const items = [
    ["Interval from", momentText(row.time, picture.timeZone)],
    ["Measured", `${withUnit(row.measured)}${row.isDoubtful ? " estimated" : ""}`],
    [row.isOperators ? "Operator's value" : "Forecast (median)", withUnit(row.p50)],
    ["80 % band", bandText(row, "p10", "p90")],
    ["90 % band", bandText(row, "p05", "p95")],
    ...(row.modelP50 === null ? [] : [["Model alone", withUnit(row.modelP50)]]),
    ...(row.whatIf === null ? [] : [["What if", withUnit(row.whatIf)]]),
    ...(row.degradedBecause ? [["Degraded", row.degradedBecause]] : []),
  ];
  return place.replaceChildren(...items.map(([name, value]) => element("div", { class: WIDE.has(name) ? "wide" : "" }, element("dt", {}, name), element("dd", {}, value))));
}

export function chartTable({ rows, timeZone, until, isIssued }, name) {
  const quantile = (key) => (row) => (hasForecast(row) ? megawatts(row[key]) : "–");
  return table(rows, {
    caption: `${name}: loads in MW${isIssued ? `, forecast issued ${datedText(until, timeZone)}` : ""}`,
    columns: [
      { heading: "Interval from", cell: (row) => datedText(row.time, timeZone) },
      { heading: "Measured", cell: (row) => `${megawatts(row.measured)}${row.isDoubtful ? " (estimated)" : ""}` },
      { heading: "5 %", cell: quantile("p05") },
      { heading: "10 %", cell: quantile("p10") },
      { heading: "Median", cell: (row) => `${megawatts(row.p50)}${row.isOperators ? " (operator)" : ""}` },
      { heading: "90 %", cell: quantile("p90") },
      { heading: "95 %", cell: quantile("p95") },
    ],
  });
}

const KEYS = [
  { name: "measured", kind: "line measured", isShown: (row) => row.measured !== null },
  { name: "forecast (median)", kind: "line median", isShown: hasForecast },
  { name: "80 % band", kind: "band-80", isShown: hasForecast },
  { name: "90 % band", kind: "band-90", isShown: hasForecast },
  { name: "measured later", kind: "later", isShown: (row) => row.measured !== null && hasForecast(row) },
  { name: "estimated or edited", kind: "estimated", isShown: (row) => row.isDoubtful },
  { name: "operator's value", kind: "operator", isShown: (row) => row.isOperators },
  { name: "model alone", kind: "line model-only", isShown: (row) => row.modelP50 !== null },
  { name: "what if", kind: "line what-if", isShown: (row) => row.whatIf !== null },
];

// Only what the chart shows is in its legend.
export function showLegend(place, { rows }) {
  place.replaceChildren(...KEYS.filter((key) => rows.some(key.isShown)).map(({ name, kind }) =>
    element("li", {}, svg("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, sample(kind)), name)));
}

function sample(kind) {
  if (kind.startsWith("line")) return svg("path", { class: kind, d: "M0 6L24 6" });
  if (kind.startsWith("band")) return svg("rect", { class: kind, x: 0, y: 0, width: 24, height: 12, rx: 2 });
  if (kind === "operator") return svg("rect", { class: kind, x: 8.5, y: 2.5, width: 7, height: 7 });
  return svg("circle", { class: kind, cx: 12, cy: 6, r: kind === "later" ? 2 : 3 });
}
