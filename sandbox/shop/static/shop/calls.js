// Calls of the API and of what plays Supabase, and the list of them beside the shop.
import { byId, element } from "./page.js";

let caller = null;

// Whom the next calls are made for: an answer of `sign-in`, or null.
export function setCaller(signedIn) {
  caller = signedIn;
}

// `code` is the API's own, where it has one: the page finds the words for it.
export class Refused extends Error {
  constructor(message, code = "") {
    super(message);
    this.code = code;
  }
}

// Every failed answer of the API carries `error`, a text.
export async function call(method, path, body, headers = {}) {
  const authorization = caller ? { Authorization: `Bearer ${caller.access_token}` } : {};
  const answer = await fetch(path, {
    method,
    headers: { ...authorization, ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Refused(`${answer.status}: ${problem.error || answer.statusText}`, problem.code);
  }
  return answer;
}

export async function json(...request) {
  return (await call(...request)).json();
}

// Shows a step of a payment with what was called and how long it took.
export async function step(text, method, path, body, headers) {
  const started = performance.now();
  const note = (result) => `${method} ${new URL(path, window.location).pathname} → ${result}, ${Math.round(performance.now() - started)}\u00a0мс`;
  try {
    const answer = await call(method, path, body, headers);
    log(text, note(answer.status));
    return await answer.json();
  } catch (error) {
    log(text, note(error.message), "bad");
    throw error;
  }
}

export function log(text, note = "", kind = "") {
  byId("log-hint").hidden = true;
  byId("log").append(element("li", { className: kind }, text, ...(note ? [element("code", {}, note)] : [])));
}
