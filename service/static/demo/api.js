// The public API as the demo uses it (docs/api.md): what this browser remembers, calls, and their refusals.

const { site, page } = document.getElementById("discussion").dataset;
export const BASE = `/v1/sites/${site}`;
export const THREAD = `${BASE}/threads/${encodeURIComponent(page)}`;
export const MINE = `${BASE}/mine?limit=100&page=${encodeURIComponent(page)}`;

/** Local storage under the site's name; a browser that forbids it just forgets. */
export const memory = {
  get(name) {
    try { return localStorage.getItem(`colloquy:${site}:${name}`); } catch { return null; }
  },
  set(name, value) {
    try {
      if (value) localStorage.setItem(`colloquy:${site}:${name}`, value);
      else localStorage.removeItem(`colloquy:${site}:${name}`);
    } catch { /* Private windows may refuse; the comment is sent all the same. */ }
  },
};

/** A problem document (RFC 9457), or a failure on the way that looks like one. */
export class Refused extends Error {
  constructor({ code, detail, fields = [] }) {
    super(detail);
    this.code = code;
    this.fields = fields.map((one) => one.field);
  }
}

export async function call(method, path, { body, headers = {}, asAuthor = false } = {}) {
  const token = asAuthor ? memory.get("token") : null;
  const sent = { ...headers };
  if (body) sent["Content-Type"] = "application/json";
  if (token) sent.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, { method, headers: sent, body: body && JSON.stringify(body) }).catch(() => {
    throw new Refused({ code: "network", detail: "The service cannot be reached. Your text is kept; try again." });
  });
  if (answer.status === 204) return null;
  const data = await answer.json().catch(() => null);
  if (answer.ok && data) return data;
  if (token && data?.code === "auth.invalid") {
    memory.set("token", null); // Expired, revoked, or of a demo that was wiped: go on as a new guest.
    return call(method, path, { body, headers, asAuthor });
  }
  throw new Refused(data ?? { code: "internal", detail: `The service answered ${answer.status}. Try again in a moment.` });
}

/** A UUID; outside of https and loopback browsers hide randomUUID, but every blob is named by one. */
export const newUuid = () => crypto.randomUUID?.() ?? URL.createObjectURL(new Blob()).slice(-36);
