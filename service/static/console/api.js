// The API as the console calls it: who asks, problems as errors, and whether the service can be reached.

import { emit } from "./store.js";

export const auth = { token: null, csrf: null, site: null };
const PATIENCE_MS = 20_000;
let reachable = true;

/** A problem document (RFC 9457), or a failure on the way that looks like one. */
export class Problem extends Error {
  constructor({ code, detail, status = 0, fields = [], extra = {}, retryAfter = 0 }) {
    super(detail);
    Object.assign(this, { code, status, fields, extra, retryAfter });
  }

  /** The service did not answer, or not for good: the same may be asked again. */
  get isPassing() {
    return this.code === "network" || this.status >= 500 || this.status === 429 || this.status === 408;
  }

  /** This service has no such route (yet). */
  get isMissing() {
    return this.code === "route.unknown" || this.status === 405;
  }
}

export function headers(method) {
  const sent = {};
  if (auth.token) sent.Authorization = `Bearer ${auth.token}`;
  else if (method !== "GET" && auth.csrf) sent["X-Colloquy-CSRF"] = auth.csrf;
  return sent;
}

/** Call a path; `body` is sent as JSON, `query` without what is empty. */
export async function call(method, path, { body, query, keepalive = false } = {}) {
  const wanted = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const url = wanted.length ? `${path}?${new URLSearchParams(wanted)}` : path;
  const sent = headers(method);
  if (body) sent["Content-Type"] = "application/json";
  const options = { method, headers: sent, body: body && JSON.stringify(body), keepalive };
  const answer = await fetch(url, keepalive ? options : { ...options, signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => {
    tell(false);
    throw new Problem({ code: "network", detail: "The service cannot be reached." });
  });
  if (answer.status === 204) return tell(true);
  const data = await answer.json().catch(() => null);
  tell(answer.status < 502);
  if (answer.ok && data) return data;
  const problem = new Problem({
    code: "internal", detail: `The service answered ${answer.status}.`, ...data, status: answer.status,
    retryAfter: Number(answer.headers.get("Retry-After")) || 0,
  });
  if (answer.status === 401 && problem.code.startsWith("auth.")) emit("signed-out", problem);
  throw problem;
}

function tell(is) {
  if (is !== reachable) emit("reachable", (reachable = is));
  return null;
}

export const isReachable = () => reachable;

const segment = (parts) => parts.map((part) => encodeURIComponent(part)).join("/");
/** The path of a review route of the site, each part encoded. */
export const review = (...parts) => `/v1/review/${auth.site}/${segment(parts)}`;
export const admin = (...parts) => `/v1/admin/sites/${auth.site}${parts.length ? "/" : ""}${segment(parts)}`;

export const get = (path, query) => call("GET", path, { query });
export const post = (path, body = {}) => call("POST", path, { body });
export const put = (path, body) => call("PUT", path, { body });
export const patch = (path, body) => call("PATCH", path, { body });
export const drop = (path, body) => call("DELETE", path, { body });

/** Answer something else where this service has no such route, or the role may not ask. */
export async function ifThere(promise, otherwise = null) {
  try {
    return await promise;
  } catch (problem) {
    if (problem.isMissing || problem.status === 403) return otherwise;
    throw problem;
  }
}

// What happens on the site, as server-sent events; where they cannot be had, the queue is asked every few seconds.
// Read by fetch and not by EventSource, which could send no token.
const POLL_MS = 5_000;
const QUIET_MS = 40_000; // The service pings every 15 seconds.
let following = null;
let lastId = null;

/** Follow the site that is worked on; following another one ends this. */
export function follow() {
  following?.abort();
  const control = (following = new AbortController());
  lastId = null;
  loop(auth.site, control.signal);
}

export const unfollow = () => following?.abort();

async function loop(site, signal) {
  let failures = 0;
  while (!signal.aborted) {
    const began = Date.now();
    const isServed = await stream(site, signal).catch(() => true);
    if (signal.aborted) return;
    failures = Date.now() - began > 30_000 ? 0 : failures + 1;
    await poll(signal);
    await pause(isServed ? Math.min(POLL_MS, 500 * 2 ** failures) : POLL_MS, signal);
  }
}

/** Read events until the stream ends; false where this service has none. */
async function stream(site, signal) {
  const control = new AbortController();
  const end = () => control.abort();
  signal.addEventListener("abort", end);
  let timer = setTimeout(end, QUIET_MS);
  try {
    const sent = { ...headers("GET"), Accept: "text/event-stream", ...(lastId ? { "Last-Event-ID": lastId } : {}) };
    const answer = await fetch(`/v1/review/${site}/live`, { headers: sent, signal: control.signal });
    if (!answer.ok) return answer.status !== 404;
    emit("live", true);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return true;
      clearTimeout(timer);
      timer = setTimeout(end, QUIET_MS);
      const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop();
      blocks.forEach(handle);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    emit("live", false);
  }
}

function handle(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
    else if (field === "id") lastId = value;
  }
  if (!data.length) return;
  try {
    emit(name === "decided" ? "decided-elsewhere" : name, JSON.parse(data.join("\n")));
  } catch { /* A block that cannot be read is one that a later version sends. */ }
}

async function poll(signal) {
  if (document.hidden) return;
  const view = await ifThere(get(review("queue"))).catch(() => null);
  if (view && !signal.aborted) emit("queue", view);
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
