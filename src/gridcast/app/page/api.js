// Questions to the API. A refusal becomes an ApiError with the text that the service gave.

import { readKey } from "./session.js";

const TIMEOUT_MS = 30_000;
const MOST_PAGES = 20;

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export function addressOf(path, parameters = {}) {
  const address = new URL(`v1/${path}`, document.baseURI);
  address.hash = "";
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) address.searchParams.set(name, value);
  }
  return address;
}

export function headersWith(more = {}) {
  return { Authorization: `Bearer ${readKey()}`, ...more };
}

export const get = (path, parameters) => ask("GET", addressOf(path, parameters));
export const post = (path, body) => ask("POST", addressOf(path), body);
export const remove = (path) => ask("DELETE", addressOf(path));

// Every item of a list, page after page; `isWhole` is false where there were too many.
export async function list(path, parameters = {}) {
  const items = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await get(path, { limit: 1000, ...parameters, cursor });
    items.push(...answer.items);
    cursor = answer.next ?? null;
    if (cursor === null) return { items, isWhole: true };
  }
  return { items, isWhole: false };
}

export async function refusal(response) {
  let detail = "";
  try {
    const problem = await response.json();
    detail = problem.detail || problem.title || "";
  } catch {
    detail = "";
  }
  return new ApiError(detail || `The service answered ${response.status}.`, response.status);
}

async function ask(method, address, body) {
  const headers = headersWith(body === undefined ? {} : { "Content-Type": "application/json" });
  let response;
  try {
    response = await fetch(address, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError("The service cannot be reached. What is shown may be old; it is asked again by itself.", 0);
  }
  if (!response.ok) throw await refusal(response);
  return response.status === 204 ? null : response.json();
}
