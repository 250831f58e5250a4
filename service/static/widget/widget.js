// The line that a publisher embeds: two elements. The thread's parts are fetched when the reader comes near.

const HERE = new URL(".", import.meta.url).href;
const CODE = `${HERE}widget/BUILD/`;
const PLURALS = ["zero", "one", "two", "few", "many", "other"];

const get = (el, name) => el.getAttribute(name);
const siteOf = (el) => `${HERE}v1/sites/${get(el, "site")}`;
const read = (url, init) => fetch(url, init).then((answer) => answer.ok && answer.json()).catch(() => {});
/** The language of an element's page; what is no language, such as `en_US`, is read as one or is English. */
const tagOf = (el) => {
  try {
    return Intl.getCanonicalLocales((el.closest("[lang]")?.lang || navigator.language).replace(/_/g, "-"))[0];
  } catch {
    return "en";
  }
};

/** Answer the function that says a message, `{name}` replaced; of forms divided by | `n` chooses one. */
async function translator(tag) {
  const { default: words } = await import(`${CODE}${/^(de|fr|es|ar)\b/i.exec(tag)?.[1].toLowerCase() ?? "en"}.js`);
  const plurals = new Intl.PluralRules(tag); // Slow to make, and a thread says some hundred messages.
  return (key, { n = 0, name } = {}) => {
    const forms = (Object.hasOwn(words, key) ? words[key] : key).split("|");
    const which = PLURALS.indexOf(plurals.select(n));
    return (forms[forms[2] ? which : +(which !== 1)] ?? forms[0]).replace("{n}", () => n.toLocaleString(tag)).replace("{name}", () => name);
  };
}

class Thread extends HTMLElement {
  static observedAttributes = ["site", "page", "lang", "sort"];
  #app;

  connectedCallback() {
    this.near = new IntersectionObserver(([seen]) => seen.isIntersecting && this.#start(), { rootMargin: "600px" });
    if (location.hash.startsWith("#c-")) this.#start();
    else this.near.observe(this);
  }

  disconnectedCallback() {
    this.near.disconnect();
    this.#app?.then((app) => app?.stop());
    this.#app = null;
  }

  attributeChangedCallback() {
    if (this.#app) this.refresh();
  }

  /** Read everything again, as whoever is signed in now. */
  refresh() {
    this.disconnectedCallback();
    this.#start();
  }

  #start() {
    this.near.disconnect();
    const app = this.#app ??= this.#load().catch(() => {
      if (this.#app !== app) return;
      this.#app = null;
      // The words may be what did not come.
      const again = document.createElement("button");
      again.textContent = "The comments could not be loaded. Try again";
      again.onclick = () => {
        again.remove();
        this.#start();
      };
      (this.shadowRoot ?? this).append(again);
    });
  }

  async #load() {
    const page = get(this, "page") ?? location.origin + location.pathname;
    const api = siteOf(this);
    const thread = `${api}/threads/${encodeURIComponent(page)}`;
    const tag = tagOf(this);
    const [sort] = /^(oldest|replies|likes)$/.exec(get(this, "sort")) ?? ["newest"];
    // As many replies as the server renders, where it did.
    const replies = (this.shadowRoot ?? this).querySelector("article") ? 10 : 3;
    const first = read(`${thread}?sort=${sort}&limit=20&replies=${replies}`);
    const embed = read(`${api}/embed`);
    const [{ default: mount }, t] = await Promise.all([import(`${CODE}thread.js`), translator(tag)]);
    return mount(this, { api, thread, page, tag, t, sort, first, embed });
  }
}

let waiting;

class Count extends HTMLElement {
  connectedCallback() {
    // One request for all that the page has, when it has been read.
    if (!waiting) setTimeout(countAll);
    (waiting ??= new Set()).add(this);
  }

  async show(n) {
    const tag = tagOf(this);
    this.textContent = this.hasAttribute("words") ? (await translator(tag))("comments", { n }) : n.toLocaleString(tag);
  }
}

function countAll() {
  const bySite = Map.groupBy(waiting, siteOf);
  waiting = null;
  bySite.forEach(async (all, api) => {
    const pages = [...new Set(all.map((el) => get(el, "page")))];
    const path = `${api}/counts`;
    const query = new URLSearchParams(pages.map((page) => ["page", page])).toString();
    const found = await (query.length < 6000 ? read(`${path}?${query}`)
      : read(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ pages }) }));
    if (found) all.forEach((el) => el.show(found.counts[get(el, "page")]));
  });
}

addEventListener("colloquy:count", ({ detail: { site, page, count } }) => document.querySelectorAll("colloquy-count").forEach((el) => {
  if (get(el, "site") === site && get(el, "page") === page) el.show(count);
}));

if (!customElements.get("colloquy-thread")) {
  customElements.define("colloquy-thread", Thread);
  customElements.define("colloquy-count", Count);
}
