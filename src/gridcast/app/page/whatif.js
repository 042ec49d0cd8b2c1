// What the forecast would be if every temperature ahead were some degrees higher or lower.

import { post } from "./api.js";
import { byId } from "./dom.js";
import { megawatts, signed } from "./numbers.js";

const PAUSE_MS = 250;

export class WhatIfPanel {
  #seriesId = null;
  #onPoints;
  #timer = 0;
  #asked = 0;
  #issueTime = null;
  #points = null;

  // `onPoints(points)`: the forecast with other temperatures; null for none.
  constructor({ onPoints }) {
    this.#onPoints = onPoints;
    byId("shift").addEventListener("input", () => this.#moved());
    byId("shift-reset").addEventListener("click", () => { byId("shift").value = "0"; this.#moved(); byId("shift").focus(); });
    this.reset(null);
  }

  reset(seriesId) {
    this.#seriesId = seriesId;
    byId("shift").value = "0";
    this.#moved();
  }

  // The forecast was drawn anew: the same one gets the same answer, another one is asked about again.
  renew(issueTime) {
    const isSame = issueTime === this.#issueTime;
    this.#issueTime = issueTime;
    if (byId("shift").valueAsNumber === 0) return;
    if (!isSame) this.#moved();
    else if (this.#points) this.#onPoints(this.#points);
  }

  #moved() {
    const shift = byId("shift").valueAsNumber;
    const text = shift === 0 ? "0 °C" : `${shift < 0 ? "−" : "+"}${Math.abs(shift)} °C`;
    byId("shift-value").textContent = text;
    byId("shift").setAttribute("aria-valuetext", text);
    byId("shift-reset").disabled = shift === 0;
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.#points = null;
    if (shift !== 0) this.#timer = setTimeout(() => this.#ask(shift, this.#asked), PAUSE_MS);
    else {
      this.#onPoints(null);
      byId("shift-result").textContent = "Nothing is kept or issued: this is a look only.";
    }
  }

  async #ask(shift, question) {
    byId("shift-result").textContent = "Asking the model …";
    try {
      const answer = await post("what-if", { series_id: this.#seriesId, temperature_shift_c: shift });
      if (question !== this.#asked) return;
      this.#points = answer.points;
      this.#onPoints(answer.points);
      byId("shift-result").textContent = told(answer.points);
    } catch (error) {
      if (question !== this.#asked) return;
      this.#onPoints(null);
      byId("shift-result").textContent = error.message;
    }
  }
}

function told(points) {
  const changes = points.map((each) => each.change_mw);
  const mean = changes.reduce((sum, each) => sum + each, 0) / changes.length;
  const highest = points.reduce((best, each) => (each.p50 > best.p50 ? each : best));
  const issued = Math.max(...points.map((each) => each.issued_p50));
  return `On average ${signed(mean)} MW; the highest load ahead would be ${megawatts(highest.p50)} MW (${signed(highest.p50 - issued)} MW).`;
}
