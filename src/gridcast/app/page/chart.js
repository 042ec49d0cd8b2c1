// The fan chart: what was measured, what is forecast and how sure that is, with a cursor for pointer and keyboard.

import { ticksBetween } from "./clock.js";
import { empty, svg } from "./dom.js";
import { megawatts, roundSteps } from "./numbers.js";
import { hasForecast } from "./picture.js";
import { valueText } from "./readout.js";

const MARGIN = { top: 22, right: 14, bottom: 40, left: 52 };
const KEY_STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 6, PageDown: -6 };

export class FanChart {
  #place;
  #onCursor;
  #picture = null;
  #scale = null;
  #at = null;
  #cursor = svg("g");

  constructor(place, { onCursor }) {
    this.#place = place;
    this.#onCursor = onCursor;
    place.setAttribute("role", "slider");
    place.setAttribute("aria-label", "Load and forecast over time");
    place.setAttribute("aria-describedby", "chart-help");
    place.addEventListener("pointermove", (event) => this.#moveTo(this.#indexUnder(event)));
    place.addEventListener("pointerdown", (event) => this.#moveTo(this.#indexUnder(event)));
    place.addEventListener("pointerleave", () => this.#moveTo(null));
    place.addEventListener("blur", () => this.#moveTo(null));
    place.addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => this.#draw()).observe(place);
  }

  // The cursor stays where it is as long as the intervals stay the same.
  show(picture) {
    const before = this.#picture?.rows;
    if (before?.length !== picture.rows.length || before[0]?.time !== picture.rows[0]?.time) this.#at = null;
    this.#picture = picture;
    this.#draw();
    this.#tell();
  }

  clear() {
    this.#picture = null;
    this.#at = null;
    this.#draw();
  }

  #draw() {
    const width = this.#place.clientWidth;
    const height = this.#place.clientHeight;
    if (!this.#picture?.rows.length || !width || !height) {
      this.#place.replaceChildren(...(this.#picture && width ? [empty("No readings and no forecast yet.")] : []));
      this.#place.removeAttribute("tabindex");
      return;
    }
    this.#place.tabIndex = 0;
    this.#scale = scaleOf(this.#picture, { width, height });
    this.#cursor = svg("g");
    this.#place.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
      ...axes(this.#picture, this.#scale), ...marks(this.#picture, this.#scale), this.#cursor));
    this.#drawCursor();
  }

  #onKey(event) {
    const rows = this.#picture?.rows ?? [];
    if (!rows.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#at ?? this.#start();
    const next = { Home: 0, End: rows.length - 1, Escape: null }[event.key];
    if (next !== undefined) this.#moveTo(next);
    else if (event.key in KEY_STEPS) this.#moveTo(this.#at === null ? at : clamp(at + KEY_STEPS[event.key], 0, rows.length - 1));
    else return;
    event.preventDefault();
  }

  #start() {
    const first = this.#picture.rows.findIndex((row) => row.time >= this.#picture.until);
    return first < 0 ? this.#picture.rows.length - 1 : first;
  }

  #indexUnder(event) {
    if (!this.#scale || !this.#picture?.rows.length) return null;
    const time = this.#scale.timeAt(event.clientX - this.#place.getBoundingClientRect().left);
    const distances = this.#picture.rows.map((row) => Math.abs(row.time - time));
    return distances.indexOf(Math.min(...distances));
  }

  #moveTo(at) {
    if (at === this.#at || !this.#picture?.rows.length) return;
    this.#at = at;
    this.#drawCursor();
    this.#tell();
  }

  #tell() {
    const rows = this.#picture.rows;
    if (!rows.length) return this.#onCursor(null);
    const at = this.#at ?? this.#start();
    const state = { valuemin: 0, valuemax: rows.length - 1, valuenow: at, valuetext: valueText(rows[at], this.#picture) };
    for (const [name, value] of Object.entries(state)) this.#place.setAttribute(`aria-${name}`, value);
    return this.#onCursor(rows[at]);
  }

  #drawCursor() {
    const row = this.#at === null ? null : this.#picture.rows[this.#at];
    if (!row) return this.#cursor.replaceChildren();
    const { x, y, top, bottom } = this.#scale;
    const dots = [["measured", row.measured], ["median", row.p50]].filter(([, value]) => value !== null);
    return this.#cursor.replaceChildren(
      svg("line", { class: "cursor", x1: x(row.time), x2: x(row.time), y1: top, y2: bottom }),
      ...dots.map(([kind, value]) => svg("circle", { class: `cursor-dot ${kind}`, cx: x(row.time), cy: y(value), r: 4 })));
  }
}

function scaleOf({ rows, limit, interval }, { width, height }) {
  const values = rows.flatMap((row) => [row.measured, row.p05, row.p95, row.modelP50, row.whatIf]).filter(Number.isFinite);
  const highest = Math.max(...values);
  const lowest = Math.min(...values);
  const spread = highest - lowest || Math.abs(highest) || 1;
  const high = Math.max(highest, limit !== null && limit < highest + spread * 0.5 ? limit : highest) + spread * 0.08;
  const low = lowest - spread * 0.08;
  const start = rows[0].time;
  const end = rows.at(-1).time + interval;
  const [left, right] = [MARGIN.left, width - MARGIN.right];
  const [top, bottom] = [MARGIN.top, height - MARGIN.bottom];
  const round = (value) => Math.round(value * 10) / 10;
  return {
    start, end, low, high, left, right, top, bottom, width,
    x: (time) => round(left + ((time - start) / (end - start)) * (right - left)),
    y: (value) => round(bottom - ((value - low) / (high - low)) * (bottom - top)),
    timeAt: (x) => start + ((x - left) / (right - left)) * (end - start),
  };
}

function axes({ timeZone }, { x, y, start, end, low, high, left, right, top, bottom, width }) {
  const isNarrow = width < 620;
  const levels = roundSteps(low, high, bottom - top < 240 ? 4 : 6).filter((level) => level <= high).flatMap((level) => [
    svg("line", { class: "grid", x1: left, x2: right, y1: y(level), y2: y(level) }),
    svg("text", { x: left - 8, y: y(level) + 4, "text-anchor": "end" }, megawatts(level, { like: high })),
  ]);
  let lastName = -Infinity;
  const times = ticksBetween(start, end, timeZone).flatMap(({ time, label, day }) => {
    const at = x(time);
    const line = svg("line", { class: day ? "grid day" : "grid", x1: at, x2: at, y1: top, y2: bottom + (day ? 6 : 3) });
    const hour = isNarrow && label !== "12" ? [] : [svg("text", { x: at, y: bottom + 17, "text-anchor": "middle" }, label)];
    const middle = clamp(at, left + 4, right - (isNarrow ? 16 : 36));
    const isNamed = day !== null && middle - lastName > (isNarrow ? 46 : 76);
    if (isNamed) lastName = middle;
    const name = isNamed ? [svg("text", { class: "day-name", x: middle, y: bottom + 33, "text-anchor": "middle" },
      isNarrow ? day.split(" ").slice(1).join(" ") : day)] : [];
    return [line, ...hour, ...name];
  });
  return [...levels, ...times, svg("text", { class: "unit", x: left - 8, y: top - 8, "text-anchor": "end" }, "MW")];
}

function marks(picture, scale) {
  const { rows, until, isIssued, limit, now } = picture;
  const { x, y, left, right, top, bottom, high, start, end } = scale;
  const forecast = rows.filter(hasForecast);
  const known = rows.filter((row) => row.time < until);
  const later = rows.filter((row) => row.time >= until && row.measured !== null);
  const dot = (kind, row, value, r) => svg("circle", { class: kind, cx: x(row.time), cy: y(value), r });
  const line = (kind, some, value) => svg("path", { class: `line ${kind}`, d: linePath(some, value, picture, scale) });
  const isLimitShown = limit !== null && limit <= high;
  return [
    svg("path", { class: "band-90", d: bandPath(forecast, "p05", "p95", scale) }),
    svg("path", { class: "band-80", d: bandPath(forecast, "p10", "p90", scale) }),
    ...(isLimitShown ? [svg("line", { class: "line limit", x1: left, x2: right, y1: y(limit), y2: y(limit) }),
      svg("text", { class: "limit-name", x: left + 4, y: y(limit) - 5 }, `limit ${megawatts(limit)}`)] : []),
    ...(isIssued ? momentMarks({ time: until, name: "issued", kind: "moment", nameKind: "moment-name" }, scale) : []),
    ...(now > start && now < end && Math.abs(now - until) > (end - start) / 100
      ? momentMarks({ time: now, name: "now", kind: "moment now", nameKind: "now-name" }, scale) : []),
    line("model-only", rows, (row) => row.modelP50),
    line("measured", known, (row) => row.measured),
    line("median", forecast, (row) => row.p50),
    line("what-if", forecast, (row) => row.whatIf),
    ...later.map((row) => dot("later", row, row.measured, 2)),
    ...rows.filter((row) => row.isDoubtful && row.measured !== null).map((row) => dot("estimated", row, row.measured, 3)),
    ...forecast.filter((row) => row.isOperators).map((row) => svg("rect", {
      class: "operator", x: x(row.time) - 3.5, y: y(row.p50) - 3.5, width: 7, height: 7 })),
  ].filter((mark) => mark.getAttribute("d") !== "M0 0" && bottom > top);
}

function momentMarks({ time, name, kind, nameKind }, { x, top, bottom }) {
  return [
    svg("line", { class: kind, x1: x(time), x2: x(time), y1: top - 4, y2: bottom }),
    svg("text", { class: nameKind, x: x(time) - (name === "now" ? -4 : 4), y: top - 8, "text-anchor": name === "now" ? "start" : "end" }, name),
  ];
}

// A line with a break wherever a value or an interval is missing.
function linePath(rows, value, { interval }, { x, y }) {
  let before = null;
  const steps = [];
  for (const row of rows) {
    const level = value(row);
    if (level === null || level === undefined) continue;
    steps.push(`${before !== null && row.time - before <= interval ? "L" : "M"}${x(row.time)} ${y(level)}`);
    before = row.time;
  }
  return steps.join("") || "M0 0";
}

function bandPath(rows, low, high, { x, y }) {
  if (!rows.length) return "M0 0";
  const upper = rows.map((row) => `${x(row.time)} ${y(row[high])}`);
  const lower = rows.map((row) => `${x(row.time)} ${y(row[low])}`).reverse();
  return `M${[...upper, ...lower].join("L")}Z`;
}

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
