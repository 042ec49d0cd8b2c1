// How high the days ahead peak, when, and how likely above the limit.

import { dayText } from "./clock.js";
import { bar, byId, element, empty, icon, table } from "./dom.js";
import { megawatts, percent } from "./numbers.js";

export function showPeaks(days) {
  const place = byId("peaks");
  if (!days.length) return place.replaceChildren(empty("No whole day ahead in this forecast."));
  return place.replaceChildren(element("div", { class: "scroll" }, table(days, {
    caption: `Loads in MW${hasLimit(days) ? `; limit ${limits(days)} MW` : "; no limit is set"}`,
    columns: [
      { heading: "Day", cell: (day) => dayText(day.date) },
      { heading: "Peak", cell: (day) => megawatts(day.peak_p50) },
      { heading: "Hour", cell: (day) => `${String(day.peak_hour).padStart(2, "0")}:00` },
      { heading: "Above limit", cell: chance },
      { heading: "80 % band", cell: (day) => `${megawatts(day.peak_p10)} – ${megawatts(day.peak_p90)}` },
    ],
  })));
}

function chance(day) {
  const probability = day.probability_above_limit;
  if (probability === null || probability === undefined) return "–";
  return element("span", { class: "chance" },
    day.is_alarm ? element("span", { class: "alarm" }, icon("bad"), "alarm") : null,
    bar(probability, { className: day.is_alarm ? "is-alarm" : "" }), percent(probability));
}

const hasLimit = (days) => days.some((day) => day.limit_mw !== null);
const limits = (days) => [...new Set(days.map((day) => megawatts(day.limit_mw)))].join(", ");
