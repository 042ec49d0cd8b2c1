// What the chart, its table and its read-out show: one row per interval, measured and forecast side by side.

import { HOUR } from "./clock.js";

export const SPAN = 48 * HOUR;
export const QUANTILES = ["p05", "p10", "p25", "p50", "p75", "p90", "p95"];
const DOUBTFUL = new Set(["estimated", "edited"]);

// `until`: when the forecast was issued; where none was, of the newest reading.
export function pictureOf({ until, isIssued, points, modelPoints, readings, limit, timeZone, now }) {
  const rows = new Map();
  const rowAt = (text) => {
    const time = Date.parse(text);
    if (!rows.has(time)) rows.set(time, { time, measured: null, isDoubtful: false, p50: null, modelP50: null, whatIf: null });
    return rows.get(time);
  };
  for (const each of readings) {
    const row = rowAt(each.valid_time);
    row.measured = each.load_mw;
    row.isDoubtful = DOUBTFUL.has(each.quality);
  }
  for (const each of points) {
    if (Date.parse(each.valid_time) >= until + SPAN) continue;
    const row = rowAt(each.valid_time);
    for (const quantile of QUANTILES) row[quantile] = each[quantile];
    row.isOperators = each.layer === "operator";
    row.degradedBecause = each.degraded_because;
  }
  for (const each of modelPoints) {
    const row = rows.get(Date.parse(each.valid_time));
    if (row?.isOperators) row.modelP50 = each.p50;
  }
  const sorted = [...rows.values()].sort((a, b) => a.time - b.time);
  return { until, isIssued, timeZone, now, limit, rows: sorted, interval: intervalOf(sorted) };
}

// The same picture with the median that other temperatures would give; null takes it away.
export function withWhatIf(picture, points) {
  const medians = new Map((points ?? []).map((each) => [Date.parse(each.valid_time), each.p50]));
  return { ...picture, rows: picture.rows.map((row) => ({ ...row, whatIf: medians.get(row.time) ?? null })) };
}

export const hasForecast = (row) => row.p50 !== null;

function intervalOf(rows) {
  const steps = rows.slice(1).map((row, at) => row.time - rows[at].time);
  return steps.length ? Math.min(...steps) : HOUR;
}
