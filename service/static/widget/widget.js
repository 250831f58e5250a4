// The line that a publisher embeds: two elements. The thread's parts are fetched when the reader comes near.

const HERE = new URL(".", import.meta.url).href;
const CODE = `${HERE}widget/BUILD/`;
const LANGUAGES = /^(en|de|fr|es|ar)\b/i;

const tagOf = (el) => el.closest("[lang]")?.lang || navigator.language;

const PLURALS = ["zero", "one", "two", "few", "many", "other"];

/** Answer the function that says a message, `{name}` replaced; of forms divided by | `n` chooses one. */
async function translator(tag) {
  const { default: words } = await import(`${CODE}${LANGUAGES.exec(tag)?.[1].toLowerCase() ?? "en"}.js`);
  const rules = new Intl.PluralRules(tag);
  const number = new Intl.NumberFormat(tag);
  return (key, { n = 0, name } = {}) => {
    const forms = (words[key] ?? key).split("|");
    const which = PLURALS.indexOf(rules.select(n));
    return (forms[forms.length > 2 ? which : +(which !== 1)] ?? forms[0]).replace("{n}", number.format(n)).replace("{name}", () => name);
  };
}

class Thread extends HTMLElement {
  static observedAttributes = ["site", "page", "lang", "sort"];
  #near;
  #app;
  #identity;

  connectedCallback() {
    // Set before the element was defined, it would hide the accessor.
    if (Object.hasOwn(this, "identity")) {
      const { identity } = this;
      delete this.identity;
      this.identity = identity;
    }
    this.#near = new IntersectionObserver(([seen]) => seen.isIntersecting && this.#start(), { rootMargin: "600px" });
    if (/^#c-/.test(location.hash)) this.#start();
    else this.#near.observe(this);
  }

  disconnectedCallback() {
    this.#near.disconnect();
    this.#stop();
  }

  attributeChangedCallback(name, before, now) {
    if (this.#app && before !== now) this.refresh();
  }

  /** A publisher's token, or a function that fetches one; null: nobody is signed in. */
  get identity() {
    return this.#identity;
  }

  set identity(given) {
    this.#identity = given;
    this.#app?.then((app) => app?.identify());
  }

  /** Read everything again. */
  refresh() {
    this.#stop();
    return this.#start();
  }

  #stop() {
    this.#app?.then((app) => app?.stop());
    this.#app = null;
  }

  #start() {
    this.#near.disconnect();
    return this.#app ??= this.#load().catch((error) => console.error("colloquy:", error));
  }

  async #load() {
    const api = `${HERE}v1/sites/${this.getAttribute("site")}`;
    const thread = `${api}/threads/${encodeURIComponent(this.getAttribute("page") ?? location.origin + location.pathname)}`;
    const tag = tagOf(this);
    const sort = this.getAttribute("sort") ?? "newest";
    const first = fetch(`${thread}?sort=${sort}&limit=20&replies=3`).catch(() => null);
    const embed = fetch(`${api}/embed`).then((answer) => (answer.ok ? answer.json() : {})).catch(() => ({}));
    const [{ default: mount }, t] = await Promise.all([import(`${CODE}thread.js`), translator(tag)]);
    return mount(this, { api, thread, tag, t, sort, first, embed });
  }
}

const waiting = new Set();

class Count extends HTMLElement {
  connectedCallback() {
    // One request for all that the page has, when it has been read.
    if (!waiting.size) setTimeout(countAll);
    waiting.add(this);
  }

  async show(n) {
    const tag = tagOf(this);
    this.textContent = this.hasAttribute("words") ? (await translator(tag))("comments", { n }) : new Intl.NumberFormat(tag).format(n);
  }
}

async function countAll() {
  const bySite = Map.groupBy([...waiting], (el) => el.getAttribute("site"));
  waiting.clear();
  for (const [site, all] of bySite) {
    const pages = [...new Set(all.map((el) => el.getAttribute("page")))].slice(0, 500);
    const query = String(new URLSearchParams(pages.map((page) => ["page", page])));
    const path = `${HERE}v1/sites/${site}/counts`;
    const answer = await (query.length < 6000 ? fetch(`${path}?${query}`) : fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ pages }),
    })).catch(() => null);
    const { counts } = answer?.ok ? await answer.json() : {};
    for (const el of all) if (counts) el.show(counts[el.getAttribute("page")]);
  }
}

addEventListener("colloquy:count", ({ detail: { page, count } }) => {
  for (const el of document.querySelectorAll("colloquy-count")) if (el.getAttribute("page") === page) el.show(count);
});

customElements.get("colloquy-thread") ?? customElements.define("colloquy-thread", Thread);
customElements.get("colloquy-count") ?? customElements.define("colloquy-count", Count);
