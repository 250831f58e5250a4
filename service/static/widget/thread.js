// The thread in its element: reading, orders, permalinks, what is new, and what became of the reader's own.

import { callerOf, h, memoryOf } from "./base.js";
import { ago, draw, partsOf } from "./comment.js";
import { compose, discard, flush } from "./form.js";
import { listen } from "./live.js";
import sheet from "./style.css" with { type: "css" };

const DEFAULTS = { guests_allowed: true, body_max_characters: 5000, max_depth: 8, edit_window_seconds: 900, reaction: "like" };
const SORTS = ["newest", "oldest", "replies", "likes"];
const MOST_NEWS = 20;

export default async function mount(host, { api, thread, tag, t, sort, first, embed }) {
  const site = host.getAttribute("site");
  const memory = memoryOf(site);
  const call = callerOf(host, api, memory);
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const nodes = new Map(); // comment id -> its parts on the page
  const mine = new Map(); // comment id -> what only its author sees of it
  const news = new Set(); // ids that were published and are not shown yet
  let next = null;
  let oldest = "";
  let count = 0;
  let asking;
  let stopListening;
  let ticking;

  // What the server rendered is taken over; it stands inside the element, or in its shadow already.
  const section = root.querySelector(".colloquy") ?? host.querySelector(".colloquy") ?? h("section.colloquy");
  const part = (kind, name, props) => {
    const el = section.querySelector(`:scope>.${name}`) ?? h(`${kind}.${name}`);
    return Object.assign(el, { part: name, ...props });
  };
  const title = part("h2", "title", { tabIndex: -1 });
  const write = h("div.write");
  const order = h("select", { onchange: () => { sort = order.value; load(); } },
    SORTS.map((one) => h("option", { value: one, selected: one === sort }, t(`sort.${one}`))));
  const pill = h("button.news", { type: "button", part: "news", hidden: true, onclick: showNews });
  const list = part("div", "list");
  const more = part("nav", "more");
  const moreButton = h("button", { type: "button", onclick: moreComments }, t("moreComments"));
  const mail = h("button.mail", { type: "button", hidden: true, onclick: () => import("./more.js").then((late) => late.mail(app)) }, t("mail"));
  const said = h("p.said", { role: "status" });

  const app = {
    h, host, root, list, t, tag, thread, nodes, mine, memory, call, hidden: memory.get("hidden") ?? [], liked: new Set(),
    config: DEFAULTS, page: host.getAttribute("page") ?? location.origin + location.pathname, state: "open", key: memory.get("key"),
    say, errorText, fail: (error) => say(errorText(error)), takeAway, moreReplies, fold, like, hide, outcome, identify, stop,
    linkTo: (id) => `${location.href.split("#")[0]}#c-${id}`,
    flush: () => flush(app), discard: (key) => discard(app, key), keep, setCount, redraw, count: () => count,
  };

  // Saying ------------------------------------------------------------------------------------------------------------

  function say(text) {
    said.textContent = text;
    clearTimeout(said.timer);
    said.timer = setTimeout(() => { said.textContent = ""; }, 8000);
  }

  function errorText({ status, code, message }) {
    if (!status) return t("offline");
    if (status === 429) return t("slow");
    return code === "thread.closed" ? t("closed") : `${t("failed")} ${message}`;
  }

  const tell = (name, detail) => host.dispatchEvent(new CustomEvent(`colloquy:${name}`, { bubbles: true, composed: true, detail }));

  // The list ----------------------------------------------------------------------------------------------------------

  /** Show a comment, where it is already or where it belongs, and the replies that came with it. */
  function place(c, atTop) {
    let node = nodes.get(c.id);
    news.delete(c.id);
    if (!node) {
      node = partsOf(app, c);
      node.parent = nodes.get(c.parent_id);
      node.depth = node.parent ? node.parent.depth + 1 : 0;
      nodes.set(c.id, node);
      // Ids are times, so replies stand in the order of their ids.
      if (node.el.isConnected) node.el.classList.add("c");
      else if (node.parent) node.parent.replies.insertBefore(node.el, [...node.parent.replies.children].find((one) => one.dataset.id > c.id) ?? null);
      else list[atTop ? "prepend" : "append"](node.el);
    }
    node.c = c;
    if (c.replies_next) Object.assign(node, { next: c.replies_next, more: true });
    draw(app, node);
    for (const reply of c.replies) place(reply);
    return node;
  }

  /** Take a comment off the page; where replies hang under it an empty place stays. */
  function takeAway(id) {
    const node = nodes.get(id);
    if (!node) return;
    if (node.replies.childElementCount) return void place({ ...node.c, body: null, author: {}, status: "deleted", replies: [] });
    node.el.remove();
    nodes.delete(id);
    if (node.parent?.c.body === null) takeAway(node.parent.c.id);
  }

  function setThread({ state, count: n, prompt }) {
    const changed = app.state !== state;
    app.state = state ?? app.state;
    app.prompt = host.getAttribute("prompt") ?? prompt ?? app.prompt;
    section.dataset.state = app.state;
    setCount(n);
    if (changed) {
      identify();
      redraw();
    }
  }

  function setCount(n) {
    count = n;
    title.textContent = n || app.state !== "open" ? t("comments", { n }) : t("first");
    tell("count", { site, page: app.page, count: n });
  }

  function redraw() {
    nodes.forEach((node) => draw(app, node));
  }

  const read = (after, order_ = sort) => call("GET", `${thread}?${new URLSearchParams({ sort: order_, limit: 20, replies: 3, ...(after && { after }) })}`, { as: false });

  function continueAt(cursor) {
    next = cursor;
    moreButton.hidden = !cursor;
  }

  async function load(answer) {
    section.ariaBusy = true;
    try {
      const found = answer ? await answer.json() : await read();
      if (!answer) {
        nodes.clear();
        news.clear();
        list.replaceChildren();
      }
      for (const c of [...(found.pinned ?? []), ...found.comments]) place(c);
      oldest = found.comments.at(-1)?.id ?? "";
      setThread(found.thread);
      continueAt(found.next);
      for (const c of mine.values()) keep(c);
      showPill();
    } catch (error) {
      list.replaceChildren(h("p.problem", {}, t("unread"), " ", h("button", { type: "button", onclick: () => load() }, t("again"))));
    }
    section.ariaBusy = false;
  }

  async function moreComments() {
    const found = await read(next).catch(app.fail);
    if (!found) return;
    const added = found.comments.filter(({ id }) => !nodes.has(id)).map((c) => place(c));
    if (sort === "newest") oldest = found.comments.at(-1)?.id ?? oldest;
    continueAt(found.next);
    added[0]?.el.focus();
  }

  async function moreReplies(node) {
    const query = node.next ? `?after=${encodeURIComponent(node.next)}` : "";
    const found = await call("GET", `/comments/${node.c.id}/replies${query}`, { as: false }).catch(app.fail);
    if (!found) return;
    const added = found.comments.map((c) => place(c));
    node.next = found.next;
    node.more = !!found.next;
    draw(app, node);
    added[0]?.el.focus();
  }

  function fold(node) {
    if (!node.replies.childElementCount) return moreReplies(node);
    node.replies.hidden = !node.replies.hidden;
    draw(app, node);
  }

  function focus(node) {
    for (let up = node.parent; up; up = up.parent) if (up.replies.hidden) fold(up);
    node.el.scrollIntoView({ block: "center" });
    node.el.focus({ preventScroll: true });
  }

  /** Show one comment with what it answers, at the top where its thread is not on the page yet. */
  async function fetchOne(id) {
    const { comment, ancestors } = await call("GET", `/comments/${id}`);
    const chain = [...ancestors, comment];
    const isNew = !nodes.has(chain[0].id);
    for (const c of chain) {
      const known = nodes.get(c.id);
      if (!known || c === comment) place(c, true);
    }
    const top = nodes.get(chain[0].id);
    if (isNew && top.c.reply_count) {
      top.more = true;
      draw(app, top);
    }
    return nodes.get(id);
  }

  async function jump() {
    const id = /^#c-([\da-f-]{36})$/.exec(location.hash)?.[1];
    if (!id) return;
    const node = nodes.get(id) ?? await fetchOne(id).catch(() => say(t("gone")));
    if (node) focus(node);
  }

  // What is new ---------------------------------------------------------------------------------------------------------

  function showPill() {
    pill.hidden = !news.size;
    pill.textContent = t("new", { n: news.size });
  }

  async function showNews() {
    const ids = [...news].sort();
    news.clear();
    showPill();
    if (ids.length > MOST_NEWS) return load();
    const found = (await Promise.all(ids.map((id) => fetchOne(id).catch(() => null)))).filter(Boolean);
    for (const node of found) node.el.classList.add("fresh");
    if (found.length) focus(found.at(-1));
  }

  /** Change what is above without moving what one reads; where the browser does so by itself, let it. */
  function steadily(act) {
    const seen = !CSS.supports("overflow-anchor", "auto") && [...list.querySelectorAll(".c")].find((el) => el.getBoundingClientRect().bottom > 0);
    const before = seen && seen.getBoundingClientRect().top;
    act();
    if (seen) scrollBy(0, seen.getBoundingClientRect().top - before);
  }

  async function ask(id) {
    const { comment } = await call("GET", `/comments/${id}`, { as: isMine(id) }).catch(() => ({}));
    if (comment && nodes.has(id)) steadily(() => (isMine(id) ? settle(comment) : place({ ...comment, replies: [] })));
    else steadily(() => takeAway(id));
  }

  const isMine = (id) => mine.has(id) || (app.key && nodes.get(id)?.c.author.key === app.key);
  const heard = {
    comment({ id, status }) {
      if (nodes.has(id)) ask(id);
      else if (status === "published") news.add(id);
      else news.delete(id);
      showPill();
    },
    thread: setThread,
    reset: refresh,
  };

  async function refresh() {
    const found = await read(null, "newest").catch(() => null);
    if (!found) return;
    const look = (c) => {
      if (nodes.has(c.id)) steadily(() => place({ ...c, replies: [] }));
      else if (c.parent_id || c.id > oldest || !count) news.add(c.id);
      c.replies.forEach(look);
    };
    found.comments.forEach(look);
    setThread(found.thread);
    showPill();
  }

  // The reader's own ----------------------------------------------------------------------------------------------------

  async function identify() {
    const token = host.identity && await call.bearer().catch(() => null);
    app.me = token && token !== memory.get("token") ? nameIn(token) || "…" : null;
    const closed = app.state !== "open";
    const shut = !app.me && !app.config.guests_allowed;
    write.replaceChildren(closed ? h("p.closed", {}, t("closed"))
      : shut ? h("p.closed", {}, h("span.prompt", {}, app.prompt), h("button.main", { type: "button", onclick: () => tell("signin") }, t("signin")))
      : compose(app, {}));
    mail.hidden = !app.config.mail || !(app.me || memory.get("token"));
  }

  /** An account is kept as a commenter from its first request on, so nothing is asked before the reader did something here. */
  async function readOwn() {
    if (!memory.get("token") && !(app.me && memory.get("acted"))) return;
    const own = await call("GET", `${thread}/own`).catch(() => ({}));
    setKey(own.author_key);
    for (const id of own.liked ?? []) app.liked.add(id);
    for (const c of own.comments ?? []) mine.set(c.id, c);
  }

  function setKey(key) {
    app.key = key ?? app.key;
    memory.set("key", app.key);
    memory.set("acted", 1);
  }

  function keep(c) {
    if (c.status === "published" && !c.pending_edit) mine.delete(c.id);
    else mine.set(c.id, c);
    return place({ ...c, replies: [] }, true);
  }

  function settle(c) {
    const before = mine.get(c.id)?.status;
    if (before && before !== c.status) {
      if (c.status === "published") setCount(count + 1);
      say(t(c.status));
    }
    return keep(c);
  }

  function outcome(c) {
    if (c.status !== "unsent") setKey(c.author.key);
    if (c.status === "published" && !nodes.has(c.id)) setCount(count + 1);
    const node = keep(c);
    focus(node);
    say([t((c.pending_edit ?? c).status), ...((c.pending_edit ?? c).reasons ?? []).map(({ text }) => text)].join(" "));
    identifyMail();
    watch(4000);
    tell("submitted", { comment: c });
  }

  const identifyMail = () => { mail.hidden = !app.config.mail; };

  /** While something of the reader's own waits, ask what became of it, less and less often. */
  function watch(delay) {
    clearTimeout(asking);
    const waiting = [...mine.values()].filter((c) => /pending|held/.test((c.pending_edit ?? c).status));
    if (waiting.length) asking = setTimeout(async () => {
      if (!document.hidden) for (const { id } of waiting) await ask(id);
      watch(Math.min(delay * 1.5, 60000));
    }, delay);
  }

  async function like(node) {
    const { id } = node.c;
    const on = !app.liked.has(id);
    const turn = (to) => {
      app.liked[to ? "add" : "delete"](id);
      node.c.likes += to ? 1 : -1;
      draw(app, node);
    };
    turn(on);
    try {
      const { likes } = await call(on ? "PUT" : "DELETE", `/comments/${id}/reaction`);
      if (likes != null) node.c.likes = likes;
      memory.set("acted", 1);
      draw(app, node);
      tell("liked", { id, on });
    } catch (error) {
      turn(!on);
      app.fail(error);
    }
  }

  function hide(key, on) {
    app.hidden = app.hidden.filter((one) => one !== key);
    if (on) app.hidden.push(key);
    memory.set("hidden", app.hidden);
    redraw();
    say(t(on ? "hidden" : "show"));
  }

  function stop() {
    stopListening?.();
    clearTimeout(asking);
    clearTimeout(app.retrying);
    clearInterval(ticking);
    removeEventListener("hashchange", jump);
    removeEventListener("online", app.flush);
  }

  // Beginning -----------------------------------------------------------------------------------------------------------

  section.lang = tag;
  section.dir = /^(ar|he|fa|ur)\b/.test(tag) ? "rtl" : "ltr";
  section.part = "thread";
  const bar = h("div.bar", {}, h("label", {}, h("span", {}, t("sort")), order));
  section.querySelectorAll("form,noscript").forEach((el) => el.remove());
  section.prepend(title, write, bar, pill, list, more, mail, said);
  more.replaceChildren(moreButton);
  moreButton.hidden = true;
  root.adoptedStyleSheets = [sheet];
  root.replaceChildren(section);
  root.onclick = ({ target }) => {
    for (const menu of root.querySelectorAll("details[open]")) if (!menu.contains(target) || target.closest("button")) menu.open = false;
  };
  root.onkeydown = ({ key }) => {
    const menu = key === "Escape" && root.activeElement?.closest("details[open]");
    if (menu) {
      menu.open = false;
      menu.firstChild.focus();
    }
  };
  const answer = await first;
  app.config = { ...DEFAULTS, ...await embed };
  const { reaction } = app.config;
  app.likeWord = reaction && t(reaction);
  await load(answer?.ok ? answer : null);
  await identify();
  stopListening = listen(thread, heard, refresh);
  ticking = setInterval(() => root.querySelectorAll("time").forEach((el) => { el.textContent = ago(tag, el.dateTime); }), 60000);
  addEventListener("hashchange", jump);
  addEventListener("online", app.flush);
  await readOwn();
  redraw();
  for (const c of mine.values()) keep(c);
  watch(4000);
  flush(app);
  await jump();
  host.toggleAttribute("data-ready", true);
  tell("ready", { count });
  return app;
}

function nameIn(token) {
  try {
    const bytes = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (one) => one.charCodeAt()))).name;
  } catch {
    return "";
  }
}
