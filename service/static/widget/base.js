// What every part of the widget stands on: elements, words, what this browser remembers, and calls of the API.

/** An element: `h("p.note", {onclick}, "text", [node], null)`. What a reader wrote becomes a text node, never markup. */
export function h(kind, props, ...children) {
  const [tag, ...classes] = kind.split(".");
  const el = document.createElement(tag);
  el.className = classes.join(" ");
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value == null) continue;
    if (name in el) el[name] = value;
    else el.setAttribute(name, value);
  }
  el.append(...children.flat().filter((one) => one || one === 0));
  return el;
}

const TAGS = /^(P|BR|EM|STRONG|A|BLOCKQUOTE|CODE|PRE|UL|OL|LI|DEL)$/;
const policy = window.trustedTypes?.createPolicy("colloquy", { createHTML: (html) => html });

/** The one place that takes HTML: what the server's sanitiser made, held once more against the same list of tags. */
export function sanitised(html) {
  const { body } = new DOMParser().parseFromString(policy?.createHTML(html) ?? html, "text/html");
  for (const el of body.querySelectorAll("*")) {
    if (!TAGS.test(el.tagName)) el.replaceWith(el.textContent);
    const href = /^(https?|mailto):/i.test(el.getAttribute("href")) && el.href;
    for (const { name } of [...el.attributes]) el.removeAttribute(name);
    if (href) Object.assign(el, { href, rel: "nofollow ugc noopener noreferrer" });
  }
  return [...body.childNodes];
}

/** Local storage under the site's name; a browser that forbids it just forgets. */
export const memoryOf = (site) => ({
  get(name) {
    try { return JSON.parse(localStorage.getItem(`colloquy:${site}:${name}`)); } catch { return null; }
  },
  set(name, value) {
    try {
      if (value?.length ?? value) localStorage.setItem(`colloquy:${site}:${name}`, JSON.stringify(value));
      else localStorage.removeItem(`colloquy:${site}:${name}`);
    } catch { /* Private windows may refuse; everything goes on without. */ }
  },
});

/** A UUID; outside of https and loopback browsers hide randomUUID, but every blob is named by one. */
export const newId = () => crypto.randomUUID?.() ?? URL.createObjectURL(new Blob()).slice(-36);

/** Answer the function that calls the API, as the author where `as` says so; what it throws has `code` and `status`. */
export function callerOf(host, api, memory) {
  let token = null;
  /** The publisher's token where somebody is signed in there, else the guest's. */
  async function bearer(isFresh) {
    const given = host.identity;
    if (typeof given === "function") token = (!isFresh && token) || (await given());
    else token = given;
    return token || memory.get("token");
  }
  return Object.assign(async function call(method, path, { body, headers = {}, as = true, again = false } = {}) {
    const known = as && (await bearer(again));
    const answer = await fetch(path.startsWith("/") ? api + path : path, {
      method,
      headers: { ...headers, ...(body && { "Content-Type": "application/json" }), ...(known && { Authorization: `Bearer ${known}` }) },
      body: body && JSON.stringify(body),
    }).catch(() => {
      throw Object.assign(new Error(), { status: 0 });
    });
    if (answer.status === 204) return {};
    const data = await answer.json().catch(() => ({}));
    if (answer.ok) {
      if (data.author_token) memory.set("token", data.author_token);
      return data;
    }
    if (answer.status === 401 && known && !again) {
      // An identity that ran out is fetched anew; a guest's that is no good any more is let go.
      if (!token) memory.set("token", null);
      return call(method, path, { body, headers, as, again: true });
    }
    throw Object.assign(new Error(data.detail), { status: answer.status, code: data.code, extra: data.extra });
  }, { bearer });
}
