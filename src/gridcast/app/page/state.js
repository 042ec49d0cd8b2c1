// The tiles: how fresh data and forecast are, which model is in charge, how good the data is.

import { ageText, datedText } from "./clock.js";
import { byId, element, empty, icon, svg, table } from "./dom.js";
import { finePercent } from "./numbers.js";

const LIGHTS = {
  green: { kind: "good", name: "Good" },
  amber: { kind: "warn", name: "Watch" },
  red: { kind: "bad", name: "Poor" },
};
const SHARES = [["good", "measured"], ["estimated", "estimated"], ["bad", "bad"], ["missing", "missing"]];
const MOST_LATE = 20;

// `since`: milliseconds gone by since the status was asked for.
export function showFreshness(status, { timeZone, since }) {
  const late = status.late_series ?? [];
  byId("readings-age").replaceChildren(
    ...aged(status.newest_reading, { seconds: status.reading_age_s, since, timeZone, none: "No readings yet" }),
    lateSeries(late, timeZone));
  byId("issue-age").replaceChildren(
    ...aged(status.newest_issue_time, { seconds: status.issue_age_s, since, timeZone, none: "No forecast yet" }),
    element("p", { class: "note" }, status.degraded_share > 0 ? `${finePercent(status.degraded_share)} of it without all inputs` : "All of it at full strength."));
}

export function showModel({ model_version: version, model_since: since }, timeZone) {
  byId("model").replaceChildren(...(version === null
    ? [element("p", { class: "value" }, "None"), element("p", { class: "note" }, "Train and promote one.")]
    : [element("p", { class: "value" }, `Version ${version}`),
      element("p", { class: "note" }, since ? `since ${datedText(Date.parse(since), timeZone)}` : "promotion not recorded")]));
}

export function showQuality(quality) {
  const place = byId("quality");
  if (!quality?.light) return place.replaceChildren(element("p", { class: "value" }, "No readings yet"));
  const { kind, name } = LIGHTS[quality.light];
  let x = 0;
  const parts = SHARES.map(([key]) => {
    const width = (quality[`${key}_share`] ?? 0) * 100;
    x += width;
    return svg("rect", { class: `share-${key}`, x: x - width, width, height: 10 });
  });
  const words = SHARES.map(([key, word]) => [quality[`${key}_share`] ?? 0, word]).filter(([share, word]) => share > 0 || word === "measured");
  return place.replaceChildren(
    element("p", { class: `value is-${kind}`, "data-light": quality.light }, icon(kind), name),
    element("div", { class: "shares" }, svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, ...parts)),
    element("p", { class: "note" }, `${words.map(([share, word]) => `${finePercent(share)} ${word}`).join(", ")}; last ${quality.hours ?? 24} h`));
}

export function showAccuracy(items) {
  const place = byId("accuracy");
  const rows = items.filter((each) => each.n > 0).sort((a, b) => Number.parseInt(a.lead_bucket, 10) - Number.parseInt(b.lead_bucket, 10));
  if (!rows.length) return place.replaceChildren(empty("Nothing to judge yet: forecasts are scored as their actuals come in."));
  const hasLayers = new Set(rows.map((row) => row.layer)).size > 1;
  return place.replaceChildren(element("div", { class: "scroll" }, table(rows, {
    caption: "By lead time; a good 80 % band holds 80 % of the actuals",
    columns: [
      { heading: "Lead", cell: (row) => row.lead_bucket },
      ...(hasLayers ? [{ heading: "Layer", cell: (row) => row.layer, isText: true }] : []),
      { heading: "MAE (MW)", cell: (row) => decimals(row.mae_mw) },
      { heading: "MAE of last week (MW)", cell: (row) => decimals(row.naive_mae_mw) },
      { heading: "Better by", cell: (row) => (row.skill_mae_vs_naive === null ? "–" : signedPercent(row.skill_mae_vs_naive)) },
      { heading: "Bias (MW)", cell: (row) => `${row.bias_mw < 0 ? "−" : "+"}${decimals(Math.abs(row.bias_mw))}` },
      { heading: "In 80 % band", cell: (row) => shareText(row.coverage_80) },
      { heading: "In 90 % band", cell: (row) => shareText(row.coverage_90) },
      { heading: "n", cell: (row) => row.n.toLocaleString("en-US") },
    ],
  })));
}

function aged(moment, { seconds, since, timeZone, none }) {
  if (!moment) return [element("p", { class: "value" }, none)];
  const age = ageText(seconds * 1000 + since);
  return [element("p", { class: "value" }, `${age} ago`),
    element("p", { class: "note" }, datedText(Date.parse(moment), timeZone))];
}

function lateSeries(late, timeZone) {
  if (!late.length) return element("p", { class: "note" }, "No series is late.");
  const lines = late.slice(0, MOST_LATE).map((each) => element("li", {}, each.newest_reading
    ? `${each.series_id}: ${datedText(Date.parse(each.newest_reading), timeZone)}` : `${each.series_id}: never`));
  const more = late.length > MOST_LATE ? [element("li", {}, `and ${late.length - MOST_LATE} more`)] : [];
  return element("details", {}, element("summary", {}, `${late.length} series late`), element("ul", { class: "help" }, ...lines, ...more));
}

const shareText = (share) => (share === null ? "–" : finePercent(share));
const signedPercent = (share) => `${share < 0 ? "−" : "+"}${finePercent(Math.abs(share))}`;
const decimals = (value) => (value === null ? "–" : value >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toFixed(value >= 100 ? 1 : 2));
