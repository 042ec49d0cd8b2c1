// The series to look at: grouped by level, found by typing, chosen by pointer or keyboard.

import { byId, element } from "./dom.js";

const LEVELS = ["system", "zone", "substation", "feeder", "meter"];
const MOST_SHOWN = 300;
const IS_NARROW = matchMedia("(max-width: 860px)");

export class SeriesPicker {
  #search = byId("series-search");
  #list = byId("series-list");
  #count = byId("series-count");
  #side = byId("series-list").parentElement;
  #series = [];
  #late = new Set();
  #isWhole = true;
  #chosen = null;
  #active = -1;
  #options = [];
  #onChoose;

  constructor({ onChoose }) {
    this.#onChoose = onChoose;
    this.#search.addEventListener("input", () => { this.#open(); this.#fill(); this.#activate(this.#search.value && this.#options.length ? 0 : -1); });
    this.#search.addEventListener("focus", () => { this.#search.select(); });
    this.#search.addEventListener("click", () => this.#open());
    this.#search.addEventListener("keydown", (event) => this.#onKey(event));
    this.#search.addEventListener("blur", () => this.#close());
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => this.#choose(event.target.closest("[role=option]")));
    IS_NARROW.addEventListener("change", () => this.#close());
    this.#close();
  }

  show(series, { isWhole }) {
    this.#series = series;
    this.#isWhole = isWhole;
    this.#fill();
  }

  markLate(ids) {
    if (ids.length === this.#late.size && ids.every((each) => this.#late.has(each))) return;
    this.#late = new Set(ids);
    this.#fill();
  }

  select(seriesId) {
    this.#chosen = seriesId;
    if (IS_NARROW.matches) this.#search.value = seriesId ?? "";
    this.#fill();
    this.#options.find((each) => each.dataset.id === seriesId)?.scrollIntoView({ block: "nearest" });
  }

  // The option that is about to be chosen stays so, wherever it comes to stand.
  #fill() {
    const active = this.#options[this.#active]?.dataset.id;
    const typed = this.#search.value.trim().toLowerCase();
    const wanted = typed === (this.#chosen ?? "").toLowerCase() ? "" : typed;
    const fitting = this.#series.filter((each) => each.series_id.toLowerCase().includes(wanted));
    const levels = LEVELS.filter((level) => fitting.some((each) => each.level === level));
    let left = MOST_SHOWN;
    this.#list.replaceChildren(...levels.flatMap((level, at) => {
      const some = fitting.filter((each) => each.level === level).slice(0, Math.max(0, left));
      left -= some.length;
      return some.length === 0 ? [] : [element("div", { role: "group", "aria-labelledby": `level-${at}` },
        element("div", { class: "group-name", id: `level-${at}`, role: "presentation" }, level), ...some.map((each) => this.#option(each)))];
    }));
    this.#options = [...this.#list.querySelectorAll("[role=option]")];
    this.#options.forEach((each, at) => { each.id = `series-${at}`; });
    this.#active = -1;
    this.#activate(this.#options.findIndex((each) => each.dataset.id === active));
    this.#tellCount(fitting.length);
  }

  #option({ series_id: id }) {
    const isChosen = id === this.#chosen;
    return element("div", { role: "option", class: "option", "aria-selected": String(isChosen), "data-id": id },
      id, this.#late.has(id) ? element("span", { class: "late" }, "late") : null);
  }

  #tellCount(fitting) {
    const all = this.#series.length;
    const more = fitting > MOST_SHOWN ? `, the first ${MOST_SHOWN} shown` : "";
    const cut = this.#isWhole ? "" : " and more";
    this.#count.textContent = fitting === all ? `${all} series${cut}${more}` : `${fitting} of ${all} series${cut}${more}`;
  }

  #onKey(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      this.#open();
      const chosen = this.#options.findIndex((each) => each.dataset.id === this.#chosen);
      const from = this.#active >= 0 ? this.#active : chosen;
      this.#activate(Math.max(0, Math.min(this.#options.length - 1, from + steps[event.key])));
    } else if (event.key === "Enter") this.#choose(this.#options[this.#active]);
    else if (event.key === "Escape") { this.#search.value = ""; this.#fill(); this.#close(); }
    else return;
    event.preventDefault();
  }

  #activate(at) {
    this.#options[this.#active]?.classList.remove("is-active");
    this.#active = at;
    const option = this.#options[at];
    if (!option) return this.#search.removeAttribute("aria-activedescendant");
    option.classList.add("is-active");
    option.scrollIntoView({ block: "nearest" });
    return this.#search.setAttribute("aria-activedescendant", option.id);
  }

  #choose(option) {
    if (!option) return;
    this.#search.value = "";
    this.#close();
    this.#onChoose(option.dataset.id);
  }

  #open() {
    this.#side.classList.add("is-open");
    this.#search.setAttribute("aria-expanded", "true");
  }

  #close() {
    this.#side.classList.remove("is-open");
    this.#search.setAttribute("aria-expanded", String(!IS_NARROW.matches));
    const { value } = this.#search;
    if (IS_NARROW.matches ? !value : value === this.#chosen) this.#search.value = IS_NARROW.matches ? (this.#chosen ?? "") : "";
  }
}
