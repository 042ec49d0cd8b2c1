// The board: signs in, shows a series, and keeps up with new forecasts.

import { get, list } from "./api.js";
import { FanChart } from "./chart.js";
import { datedText, iso } from "./clock.js";
import { byId, element, empty, icon } from "./dom.js";
import { LiveFeed } from "./live.js";
import { OverridePanel } from "./overrides.js";
import { showPeaks } from "./peaks.js";
import { SeriesPicker } from "./picker.js";
import { pictureOf, SPAN, withWhatIf } from "./picture.js";
import { chartTable, showLegend, showReadout } from "./readout.js";
import { forgetKey, keepKey, readKey } from "./session.js";
import { showAccuracy, showFreshness, showModel, showQuality } from "./state.js";
import { WhatIfPanel } from "./whatif.js";

const MAY_CHANGE = new Set(["operator", "engineer", "admin"]);
const REFRESH_MS = 60_000;
const TICK_MS = 20_000;
const GAP_MS = 2_000;

const board = { me: null, series: [], chosen: null, status: null, statusAt: 0, picture: null, feed: null, question: 0 };

const chart = new FanChart(byId("chart"), { onCursor: (row) => showReadout(byId("readout"), row, board.picture) });
const picker = new SeriesPicker({ onChoose: (id) => { location.hash = new URLSearchParams({ series: id }).toString(); } });
const whatIf = new WhatIfPanel({ onPoints: (points) => board.picture && draw(withWhatIf(board.picture, points)) });
const overrides = new OverridePanel({ onChange: async (text) => { await refresh(); announce(text); } });

byId("sign-in-form").addEventListener("submit", (event) => { event.preventDefault(); signIn(byId("key").value.trim()); });
byId("sign-out").addEventListener("click", () => signOut(""));
addEventListener("hashchange", () => board.me && choose(seriesInAddress()));
byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("main").focus(); });
setInterval(() => board.me && !document.hidden && attempt(refreshState), REFRESH_MS);
setInterval(() => board.status && showFreshness(board.status, { timeZone: clockInUse(), since: performance.now() - board.statusAt }), TICK_MS);
document.addEventListener("visibilitychange", () => board.me && !document.hidden && attempt(refresh));

if (readKey()) start();
else signOut("");

async function signIn(key) {
  if (!key) return tellSignIn("Paste a key first.");
  keepKey(key);
  byId("key").value = "";
  return start();
}

async function start() {
  try {
    board.me = await get("me");
  } catch (error) {
    return signOut(error.message);
  }
  byId("sign-in").hidden = true;
  for (const id of ["board", "sign-out", "who", "skip"]) byId(id).hidden = false;
  byId("who").textContent = `${board.me.name} · ${board.me.role}`;
  for (const each of document.querySelectorAll(".operator-only")) each.hidden = !mayChange();
  await attempt(loadSeries);
  board.feed = new LiveFeed({ onEvent: heard, onState: showLive, onRefused: (error) => signOut(error.message) });
  return byId("series-search").focus();
}

function signOut(text) {
  forgetKey();
  board.feed?.close();
  Object.assign(board, { me: null, feed: null, picture: null, chosen: null, question: board.question + 1 });
  for (const id of ["board", "sign-out", "who", "live", "skip"]) byId(id).hidden = true;
  byId("sign-in").hidden = false;
  document.title = "gridcast";
  tellSignIn(text);
  byId("key").focus();
}

function tellSignIn(text) {
  byId("sign-in-problem").textContent = text;
  byId("key").toggleAttribute("aria-invalid", Boolean(text));
}

async function loadSeries() {
  const { items, isWhole } = await list("series");
  board.series = items;
  picker.show(items, { isWhole });
  if (!items.length) return say("There are no series yet: ingest and prepare some readings.");
  await refreshState();
  return choose(seriesInAddress());
}

function seriesInAddress() {
  const asked = new URLSearchParams(location.hash.slice(1)).get("series");
  return board.series.find((each) => each.series_id === asked) ?? root();
}

const root = () => board.series.find((each) => each.parents.length === 0) ?? board.series[0];

async function choose(series) {
  if (!series) return;
  board.chosen = series;
  picker.select(series.series_id);
  byId("title").textContent = series.series_id;
  document.title = `${series.series_id} · gridcast`;
  byId("subtitle").textContent = `${series.level} · ${series.time_zone}`;
  board.picture = null;
  whatIf.reset(series.series_id);
  clearSeries();
  await attempt(refresh);
}

async function refresh() {
  await Promise.all([refreshState(), refreshSeries()]);
}

async function refreshState() {
  const status = await get("status");
  Object.assign(board, { status, statusAt: performance.now() });
  const timeZone = clockInUse();
  showQuality(status.quality);
  showModel(status, timeZone);
  showFreshness(status, { timeZone, since: 0 });
  picker.markLate((status.late_series ?? []).map((each) => each.series_id));
}

async function refreshSeries() {
  const { series_id: id, time_zone: timeZone } = board.chosen;
  const question = ++board.question;
  const path = encodeURIComponent(id);
  const forecast = await newestForecast(path);
  const until = Date.parse(forecast?.issue_time ?? board.chosen.newest_reading ?? "") || Date.now();
  const isOverridden = forecast?.points.some((each) => each.layer === "operator");
  const parts = forecast ? [
    part("peaks", get(`forecasts/${path}/peaks`), (answer) => { showPeaks(answer.days); return answer.days[0]?.limit_mw; }),
    part("accuracy", list("accuracy", { series_id: id }), (answer) => showAccuracy(answer.items)),
  ] : [showPeaks([]), showAccuracy([])];
  const [readings, model, limit] = await Promise.all([
    get(`readings/${path}`, { start: iso(until - SPAN), end: iso(until + SPAN) }),
    isOverridden ? get(`forecasts/${path}`, { layer: "model" }) : { points: [] },
    ...parts,
  ]);
  if (question !== board.question) return;
  const issued = forecast ? `issued ${datedText(until, timeZone)} by model ${forecast.model_version}` : "no forecast yet";
  byId("subtitle").textContent = `${board.chosen.level} · ${issued} · ${timeZone}`;
  draw(pictureOf({
    until, isIssued: forecast !== null, points: forecast?.points ?? [], modelPoints: model.points, readings: readings.points, timeZone,
    limit: limit ?? null, now: Date.parse(board.status?.now ?? "") || Date.now(),
  }));
  whatIf.renew(until);
  await overrides.show({ seriesId: id, timeZone, from: until, mayChange: mayChange() });

  // One panel; what cannot be had is said in its place and takes nothing else along.
  async function part(place, asked, show) {
    try {
      const answer = await asked;
      return question === board.question ? show(answer) : null;
    } catch (error) {
      if (error.status === 401) throw error;
      if (question === board.question) byId(place).replaceChildren(element("p", { class: "problem" }, error.message));
      return null;
    }
  }
}

// The forecast on display; null where none was issued yet.
async function newestForecast(path) {
  try {
    const found = await get(`forecasts/${path}`);
    return found.issue_time === null ? null : found;
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

function draw(picture) {
  board.picture = picture;
  showLegend(byId("legend"), picture);
  byId("chart-rows").replaceChildren(picture.rows.length ? chartTable(picture, board.chosen.series_id) : empty("No readings and no forecast yet."));
  chart.show(picture);
}

function clearSeries() {
  chart.clear();
  for (const id of ["legend", "readout", "chart-rows", "peaks", "accuracy"]) byId(id).replaceChildren();
  overrides.clear();
}

// However fast forecasts come, they are asked for one at a time and not more often than every GAP_MS.
async function heard(name, data) {
  if (name !== "forecast") return;
  board.heard = data;
  if (board.isCatchingUp) return;
  board.isCatchingUp = true;
  while (board.heard && board.chosen) {
    const issued = Date.parse(board.heard.issue_time ?? "");
    const isNew = board.picture?.isIssued && issued > board.picture.until;
    board.heard = null;
    await attempt(refresh);
    if (isNew && board.chosen) announce(`New forecast of ${board.chosen.series_id}, issued ${datedText(issued, board.chosen.time_zone)}.`);
    await new Promise((done) => { setTimeout(done, GAP_MS); });
  }
  board.isCatchingUp = false;
}

// Whatever goes wrong is said once, above the tiles, until the next success.
async function attempt(action) {
  try {
    await action();
    say("");
  } catch (error) {
    if (error.status === 401) signOut(error.message);
    else say(error.message);
  }
}

function say(text) {
  byId("problem").hidden = !text;
  byId("problem").replaceChildren(...(text ? [icon("bad"), element("p", {}, text)] : []));
}

function announce(text) {
  byId("news").textContent = text;
}

function showLive(state, seconds) {
  const isLive = state === "live";
  byId("live").hidden = false;
  byId("live").className = `live is-${isLive ? "good" : "warn"}`;
  byId("live").replaceChildren(icon(isLive ? "good" : "wait"), isLive ? "live" : `connection lost, again in ${seconds} s`);
  if (isLive && board.wasLost) attempt(refresh);
  board.wasLost = !isLive;
}

const clockInUse = () => board.chosen?.time_zone ?? root()?.time_zone ?? "UTC";
const mayChange = () => MAY_CHANGE.has(board.me?.role);
