// What operators have set in place of the forecast: the list, the form, and taking one back.

import { list, post, remove } from "./api.js";
import { datedText, HOUR, iso, momentText, typedOf, typedTime } from "./clock.js";
import { byId, element, empty, table } from "./dom.js";
import { megawatts, signed } from "./numbers.js";

const DONE = {
  set: (value) => `set to ${megawatts(value)} MW`,
  add: (value) => `${signed(value)} MW`,
  scale: (value) => `× ${value}`,
};
const UNITS = { set: "(MW)", add: "(MW, may be negative)", scale: "(1.1 is 10 % more)" };

export class OverridePanel {
  #series = null;
  #mayChange = false;
  #shown = "";
  #onChange;

  constructor({ onChange }) {
    this.#onChange = onChange;
    byId("override-operation").addEventListener("change", () => this.#showUnit());
    byId("override-form").addEventListener("submit", (event) => { event.preventDefault(); this.#submit(event.submitter); });
  }

  async show({ seriesId, timeZone, from, mayChange }) {
    this.#mayChange = mayChange;
    if (this.#series?.seriesId !== seriesId) {
      byId("override-form").reset();
      byId("override-problem").textContent = "";
      byId("override-start").value = typedOf(from, timeZone);
      byId("override-end").value = typedOf(from + 3 * HOUR, timeZone);
    }
    this.#series = { seriesId, timeZone };
    byId("override-zone").textContent = `For ${seriesId}; times by the clock of ${timeZone}.`;
    this.#showUnit();
    await this.#fill();
  }

  clear() {
    this.#shown = "";
    byId("overrides").replaceChildren();
  }

  async #fill() {
    const { seriesId, timeZone } = this.#series;
    const { items } = await list("overrides", { series_id: seriesId, active: true });
    const state = JSON.stringify([seriesId, this.#mayChange, items]);
    if (seriesId !== this.#series.seriesId || state === this.#shown) return;
    this.#shown = state;
    const time = (text) => momentText(Date.parse(text), timeZone);
    byId("overrides").replaceChildren(items.length === 0 ? empty("None: the forecast is the model's own.")
      : element("div", { class: "scroll" }, table(items, {
        caption: `Overrides of ${seriesId}`,
        isStacked: true,
        columns: [
          { heading: "From", cell: (each) => time(each.start) },
          { heading: "Until", cell: (each) => time(each.end), isText: true },
          { heading: "What", cell: (each) => DONE[each.operation](each.value), isText: true },
          { heading: "Reason", cell: (each) => each.reason, isText: true },
          { heading: "By", cell: (each) => each.author, isText: true },
          { heading: "Expires", cell: (each) => (each.expires_at ? datedText(Date.parse(each.expires_at), timeZone) : "–"), isText: true },
          ...(this.#mayChange ? [{ heading: "Take back", cell: (each) => this.#withdrawal(each) }] : []),
        ],
      })));
  }

  #showUnit() {
    byId("override-unit").textContent = UNITS[byId("override-operation").value];
  }

  #withdrawal(override) {
    const place = element("span", { class: "confirm" });
    const ask = () => {
      const yes = element("button", { type: "button", class: "quiet", onclick: () => this.#withdraw(override, yes) }, "Really withdraw");
      place.replaceChildren(yes, element("button", { type: "button", class: "quiet", onclick: () => { offer(); place.firstChild.focus(); } }, "Keep"));
      yes.focus();
    };
    const offer = () => place.replaceChildren(element("button",
      { type: "button", class: "quiet", onclick: ask, "aria-label": `Withdraw: ${override.reason}` }, "Withdraw"));
    offer();
    return place;
  }

  async #withdraw({ override_id: id }, button) {
    button.disabled = true;
    await this.#tried(async () => {
      await remove(`overrides/${encodeURIComponent(id)}`);
      await this.#onChange("The override was withdrawn.");
    });
    button.disabled = false;
  }

  async #submit(button) {
    const found = this.#read();
    if (found === null) return;
    button.disabled = true;
    await this.#tried(async () => {
      await post("overrides", found);
      byId("override-value").value = "";
      byId("override-reason").value = "";
      await this.#onChange("The override is in force.");
    });
    button.disabled = false;
  }

  async #tried(change) {
    byId("override-problem").textContent = "";
    try {
      await change();
    } catch (error) {
      byId("override-problem").textContent = error.message;
      byId("override-details").open = true;
    }
  }

  // The override as typed; null, with a message, where something is missing or impossible.
  #read() {
    const { seriesId, timeZone } = this.#series;
    const wrong = (field, text) => {
      byId("override-problem").textContent = text;
      field.setAttribute("aria-invalid", "true");
      field.focus();
      return null;
    };
    const fields = Object.fromEntries(["start", "end", "value", "reason", "expiry", "operation"].map((name) => [name, byId(`override-${name}`)]));
    Object.values(fields).forEach((field) => field.removeAttribute("aria-invalid"));
    const times = {};
    for (const name of ["start", "end", "expiry"]) {
      const text = fields[name].value;
      if (name === "expiry" && !text) continue;
      times[name] = typedTime(text, timeZone);
      if (times[name] === null) return wrong(fields[name], text ? "The clock skips this time; choose another." : "Choose a date and a time.");
    }
    if (times.end <= times.start) return wrong(fields.end, "It ends before it begins; choose a later end.");
    const value = fields.value.valueAsNumber;
    if (Number.isNaN(value)) return wrong(fields.value, "Type a number.");
    const reason = fields.reason.value.trim();
    if (!reason) return wrong(fields.reason, "Give a reason: it is what others will read.");
    return {
      series_id: seriesId, start: iso(times.start), end: iso(times.end), operation: fields.operation.value, value, reason,
      ...(times.expiry === undefined ? {} : { expires_at: iso(times.expiry) }),
    };
  }
}
