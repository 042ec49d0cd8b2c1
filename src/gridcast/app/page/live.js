// Server-sent events over fetch, since EventSource cannot send a key; reconnects by itself, ever more slowly.

import { addressOf, headersWith, refusal } from "./api.js";

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const SILENCE_MS = 45_000;

export class LiveFeed {
  #on;
  #stop = new AbortController();

  // `onEvent(name, data)`, `onState("live" | "waiting", seconds)`, `onRefused(error)`.
  constructor(on) {
    this.#on = on;
    this.#run();
  }

  close() {
    this.#stop.abort();
  }

  async #run() {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#read(() => { failures = 0; });
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (error.status === 401 || error.status === 403) return this.#on.onRefused(error);
      }
      if (this.#stop.signal.aborted) return;
      const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
      const wait = longest * (0.5 + Math.random() / 2);
      failures += 1;
      this.#on.onState("waiting", Math.ceil(wait / 1000));
      await new Promise((done) => { setTimeout(done, wait); });
    }
  }

  async #read(onOpen) {
    const once = new AbortController();
    const stop = () => once.abort();
    this.#stop.signal.addEventListener("abort", stop);
    let silence = setTimeout(stop, SILENCE_MS);
    try {
      const response = await fetch(addressOf("stream"), {
        headers: headersWith({ Accept: "text/event-stream" }), cache: "no-store", credentials: "omit", redirect: "error", signal: once.signal,
      });
      if (!response.ok) throw await refusal(response);
      onOpen();
      this.#on.onState("live", 0);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(silence);
        silence = setTimeout(stop, SILENCE_MS);
        const blocks = (rest + piece.value).replaceAll("\r\n", "\n").split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) this.#deliver(block);
      }
    } finally {
      clearTimeout(silence);
      this.#stop.signal.removeEventListener("abort", stop);
    }
  }

  #deliver(block) {
    const fields = block.split("\n").map((line) => line.match(/^(event|data): ?(.*)$/)).filter(Boolean);
    const data = fields.filter(([, field]) => field === "data").map(([, , value]) => value).join("\n");
    const name = fields.find(([, field]) => field === "event")?.[2] ?? "message";
    if (data) this.#on.onEvent(name, JSON.parse(data));
  }
}
