// What every part of the widget stands on: elements, what this browser remembers, and calls of the API.

/** An element: `h("p.note", {onclick}, "text", [node], null)`. What a reader wrote becomes a text node, never markup. */
export function h(kind, props, ...children) {
  const [tag, ...classes] = kind.split(".");
  const el = document.createElement(tag);
  el.className = classes.join(" ");
  for (const name in props) {
    if (name in el) el[name] = props[name];
    else el.setAttribute(name, props[name]);
  }
  el.append(...children.flat().filter(Boolean));
  return el;
}

export const button = (text, onclick, props) => h("button", { type: "button", onclick, ...props }, text);

const policy = window.trustedTypes?.createPolicy("colloquy", { createHTML: (html) => html });

/** The one place that takes HTML: what the server's sanitiser made, held once more against the same list of tags. */
export function sanitised(html) {
  const { body } = new DOMParser().parseFromString(policy?.createHTML(html) ?? html, "text/html");
  for (const el of body.querySelectorAll("*")) {
    for (const { name, value } of [...el.attributes]) {
      if (name !== "rel" && !(name === "href" && /^(https?|mailto):/i.test(value))) el.removeAttribute(name);
    }
    if (!/^(P|BR|EM|STRONG|A|BLOCKQUOTE|CODE|PRE|UL|OL|LI|DEL)$/.test(el.tagName)) el.replaceWith(el.textContent);
  }
  return [...body.childNodes];
}

/** Local storage under the site's name, and under `who` where somebody is signed in, but for what is the browser's;
 *  where a browser forbids it things are kept as long as the page is. */
export function memoryOf(site) {
  const kept = {};
  const at = (name) => `colloquy:${site}:${/^(token|name|hidden)$/.test(name) ? "" : memory.who}${name}`;
  const memory = {
    who: "",
    get(name) {
      try { return JSON.parse(localStorage[at(name)] ?? null); } catch { return kept[at(name)]; }
    },
    set(name, value) {
      kept[at(name)] = value;
      try {
        if (value?.length === 0) delete localStorage[at(name)];
        else localStorage[at(name)] = JSON.stringify(value);
      } catch { /* Private windows may refuse. */ }
    },
  };
  return memory;
}

/** A UUID; outside of https and loopback browsers hide randomUUID, but every blob is named by one. */
export const newId = () => crypto.randomUUID?.() ?? URL.createObjectURL(new Blob()).slice(-36);

/** What a call throws that got no answer. */
export function lost() {
  throw Object.assign(Error(), { status: 0 });
}

/** Answer the function that calls the API, as the author unless `as` is false; what it throws has the `status`. */
export function callerOf(host, api, memory) {
  let token;
  let last;

  async function call(method, path, options) {
    if (method === "GET" || await call.bearer()) return send(method, path, options);
    // The first act of a guest brings the token; the next one waits for it.
    const act = () => send(method, path, options);
    return last = Promise.resolve(last).then(act, act);
  }

  async function send(method, path, { body, headers, as = true, again } = {}) {
    const known = as && await call.bearer(again);
    const answer = await fetch(path.startsWith("/") ? api + path : path, {
      method,
      headers: { ...headers, ...(body && { "Content-Type": "application/json" }), ...(known && { Authorization: `Bearer ${known}` }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(20000),
    }).catch(lost);
    const data = await answer.json().catch(() => ({}));
    if (answer.ok) {
      if (data?.author_token) memory.set("token", data.author_token);
      return data;
    }
    if (answer.status === 401 && known && !again) {
      // An identity that ran out is fetched anew; a guest's that is no good any more is let go.
      if (!token) memory.set("token", "");
      return send(method, path, { body, headers, again: true });
    }
    throw Object.assign(Error(data.detail), { status: answer.status, extra: data.extra });
  }

  /** The publisher's token where somebody is signed in there, else the guest's. */
  call.bearer = async (isFresh) => {
    const given = host.identity;
    token = typeof given === "function" ? (!isFresh && token) || await given() : given;
    return token || memory.get("token");
  };
  return call;
}
