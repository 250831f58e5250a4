// The thread in its element: reading, orders, permalinks, and who reads.

import { button, callerOf, h, memoryOf } from "./base.js";
import { ago, draw, partsOf } from "./comment.js";
import { compose, discard, flush } from "./form.js";
import { listen } from "./live.js";
import { mailing } from "./more.js";
import { withNews } from "./news.js";
import { withOwn } from "./own.js";
import sheet from "./style.css" with { type: "css" };

const SORTS = ["newest", "oldest", "replies", "likes"];

export default async function mount(host, { api, thread, page, tag, t, sort, first, embed }) {
  const site = host.getAttribute("site");
  const memory = memoryOf(site);
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  // What the server rendered is seen until all is there.
  if (!root.firstChild) root.append(h("slot"));
  // What the server rendered is taken over; it stands inside the element, or in its shadow already.
  const section = root.querySelector(".colloquy:not(:has(.write))") ?? host.querySelector(".colloquy") ?? h("section.colloquy");
  const part = (kind, name) => Object.assign(section.querySelector(`:scope>.${name}`) ?? h(`${kind}.${name}`), { part: name });
  const title = part("h2", "title");
  const list = part("div", "list");
  const more = part("nav", "more");
  const write = h("div.write");
  const mail = button(t("mail"), () => mailing(app), { className: "mail" });
  const order = h("select", { onchange: () => { app.sort = order.value; load(); } }, SORTS.map((value) => h("option", { value, selected: value === sort }, t(value === "replies" ? "mostReplies" : value))));
  const said = h("p.said", { role: "status" });
  const moreButton = button(t("moreComments"), moreComments);
  const nodes = new Map(); // comment id -> its parts on the page
  let loads = 0;

  const app = {
    host, root, list, nodes, memory, t, tag, page, thread, sort, state: "open", config: {}, liked: new Set(),
    relative: new Intl.RelativeTimeFormat(tag, { numeric: "auto" }), exact: new Intl.DateTimeFormat(tag, { dateStyle: "long", timeStyle: "short" }),
    hidden: memory.get("hidden") ?? [], call: callerOf(host, api, memory), say, errorText, place, takeAway, setThread, load, read, moreReplies, fold, focus, fetchOne, identify,
    fail: (error) => say(errorText(error)),
    ending: new AbortController(),
    linkTo: (id) => `${location.href.split("#")[0]}#c-${id}`,
    nameOf: (c) => c.author.name || t("guest"),
    redraw: () => nodes.forEach((node) => draw(app, node)),
    tell: (name, detail) => host.dispatchEvent(new CustomEvent(`colloquy:${name}`, { bubbles: true, composed: true, detail })),
    flush: (key) => flush(app, key),
    discard: (key) => discard(app, key),
  };
  const { call } = app;
  const news = withNews(app);
  withOwn(app);

  function say(text) {
    said.textContent = text;
    clearTimeout(said.timer);
    said.timer = setTimeout(say, 9000, "");
  }

  function errorText({ status, message }) {
    return status === 0 ? t("offline") : status === 429 ? t("slow") : `${t("failed")} ${message}`;
  }

  /** Show a comment, where it is already or where it belongs, and the replies that came with it. */
  function place(c, atTop) {
    let node = nodes.get(c.id);
    if (!node) {
      node = partsOf(list, c);
      node.parent = nodes.get(c.parent_id);
      node.depth = node.parent ? node.parent.depth + 1 : 0;
      nodes.set(c.id, node);
      app.news.delete(c.id);
      // Ids are times, so replies stand in the order of their ids.
      if (!node.el.isConnected) {
        if (node.parent) node.parent.replies.insertBefore(node.el, [...node.parent.replies.children].find((one) => one.dataset.id > c.id) ?? null);
        else list[atTop ? "prepend" : "append"](node.el);
      }
    }
    node.c = c;
    if (c.replies_next) Object.assign(node, { next: c.replies_next, more: true });
    draw(app, node);
    c.replies.forEach((reply) => place(reply));
    return node;
  }

  /** Take a comment off the page; where replies hang under it an empty place stays. */
  function takeAway(id) {
    const node = nodes.get(id);
    app.mine.delete(id);
    if (!node) return;
    if (node.c.reply_count || node.form?.isConnected) return place({ ...node.c, body: null, author: {}, replies: [] });
    node.el.remove();
    nodes.delete(id);
    const { parent, c } = node;
    if (parent && c.status === "published") {
      parent.c.reply_count = Math.max(parent.c.reply_count - 1, parent.replies.children.length);
      draw(app, parent);
      if (parent.c.body === null) takeAway(parent.c.id);
    }
  }

  function setThread({ state, count, prompt }) {
    const was = app.state;
    app.state = section.dataset.state = state;
    app.prompt = host.getAttribute("prompt") ?? prompt ?? app.prompt;
    title.textContent = t(count ? "comments" : "first", { n: count });
    if (was !== state) {
      identify();
      app.redraw();
    }
    offerMail();
    app.tell("count", { site, page, count });
  }

  function offerMail() {
    mail.hidden = !app.config.mail || !memory.get("acted");
  }

  function read(after, order = app.sort, limit = 20) {
    return call("GET", `${thread}?${new URLSearchParams({ sort: order, limit, replies: 3, ...(after && { after }) })}`, { as: false });
  }

  function show(found) {
    const added = found.comments.filter(({ id }) => !nodes.has(id)).map((c) => place(c));
    moreButton.hidden = !found.next;
    moreButton.value = found.next;
    return added[0];
  }

  async function load(early) {
    const mine = ++loads;
    try {
      const found = early?.comments ? early : await read();
      // Of two orders that are chosen at once the later one stays, whichever answer comes last.
      if (mine !== loads) return;
      if (!early) list.replaceChildren();
      nodes.clear();
      found.pinned?.forEach((c) => place(c));
      show(found);
      // What the server rendered may be old: it is put in order, and what is gone by now goes.
      list.replaceChildren(...new Set([...found.pinned ?? [], ...found.comments].map(({ id }) => nodes.get(id).el)));
      list.querySelectorAll("article").forEach((el) => nodes.has(el.dataset.id) || el.remove());
      setThread(found.thread);
      app.since(found);
      app.keepAll();
    } catch (error) {
      if (!app.stop) throw error;
      if (mine === loads) list.replaceChildren(h("p.problem", {}, t("unread"), " ", button(t("again"), () => load())));
    }
  }

  async function moreComments() {
    const mine = loads;
    const found = await read(moreButton.value).catch(app.fail);
    if (found && mine === loads) show(found)?.el.focus();
  }

  async function moreReplies(node) {
    const found = await call("GET", `/comments/${node.c.id}/replies${node.next ? `?after=${encodeURIComponent(node.next)}` : ""}`, { as: false }).catch(app.fail);
    if (!found) return;
    const added = found.comments.map((c) => place(c));
    node.more = node.next = found.next;
    draw(app, node);
    added[0]?.el.focus();
  }

  function fold(node) {
    if (!node.replies.firstChild) return moreReplies(node);
    node.replies.hidden = !node.replies.hidden;
    draw(app, node);
  }

  function focus(node) {
    for (let up = node.parent; up; up = up.parent) if (up.replies.hidden) fold(up);
    node.el.scrollIntoView({ block: "center" });
    node.el.focus({ preventScroll: true });
    node.el.classList.add("fresh");
  }

  /** Show one comment with what it answers, at the top where its root is not on the page yet. */
  async function fetchOne(id) {
    const { comment, ancestors } = await call("GET", `/comments/${id}`, { as: memory.get("acted") });
    const chain = [...ancestors, comment];
    const top = nodes.get(chain[0].id);
    for (const c of chain) if (c === comment || !nodes.has(c.id)) place(c, true);
    if (!top) {
      const node = nodes.get(chain[0].id);
      node.more = chain[0].reply_count;
      draw(app, node);
    }
    return nodes.get(id);
  }

  async function jump() {
    const id = /^#c-([\da-f-]{36})$/.exec(location.hash)?.[1];
    if (!id) return;
    const node = nodes.get(id) ?? await fetchOne(id).catch(() => {
      host.scrollIntoView();
      say(t("gone"));
    });
    if (node) focus(node);
  }

  async function identify() {
    const who = await app.whoAmI();
    app.me = who?.name;
    app.sub = who?.sub;
    memory.who = who ? `${who.sub}:` : "";
    offerMail();
    write.replaceChildren(app.state !== "open" ? h("p.closed", {}, t("closed"))
      : app.me || app.config.guests_allowed ? compose(app, {})
      : h("div.first.tools", {}, h("bdi.prompt", {}, app.prompt), button(t("signin"), () => app.tell("signin"), { className: "main" })));
  }

  // Nothing is drawn before all is there, so that nothing moves while it comes.
  const early = await first;
  app.config = { guests_allowed: true, body_max_characters: 5000, max_depth: 8, edit_window_seconds: 900, reaction: "like", ...await embed };
  const { reaction } = app.config;
  app.likeWord = reaction && t(reaction);
  section.lang = /^(de|fr|es|ar)\b/i.test(tag) ? tag : "en";
  section.dir = /^ar\b/i.test(tag) ? "rtl" : "ltr";
  section.part = "thread";
  title.tabIndex = -1;
  moreButton.hidden = mail.hidden = true;
  await load(early || {});
  section.querySelectorAll("noscript").forEach((el) => el.remove());
  more.replaceChildren(moreButton);
  section.prepend(title, write, h("label.bar", {}, t("sort"), " ", order), app.pill, list, more, mail, said);
  root.adoptedStyleSheets = [sheet];
  root.replaceChildren(section);
  await identify();
  await app.readOwn();
  app.redraw();
  const { ending } = app;
  // Also a click elsewhere on the page, of which the parts in here are not told.
  addEventListener("click", (event) => root.querySelectorAll("details[open]").forEach((menu) => {
    const [target] = event.composedPath();
    if (!menu.contains(target) || target.closest("button")) menu.open = false;
  }), ending);
  section.onkeydown = ({ key }) => {
    const menu = key === "Escape" && root.activeElement?.closest("details[open]");
    if (menu) {
      menu.open = false;
      menu.firstChild.focus();
    }
  };
  const stopListening = listen(thread, news, news.reset, ending);
  const ticking = setInterval(() => root.querySelectorAll("time").forEach((el) => { el.textContent = ago(app, el.dateTime); }), 60000);
  addEventListener("hashchange", jump, ending);
  addEventListener("online", app.flush, ending);
  app.stop = () => {
    ending.abort();
    stopListening();
    section.inert = true; // Who writes here while the next one comes would write into what goes.
    [ticking, app.asking, app.retrying].forEach(clearTimeout);
  };
  app.flush();
  await jump();
  host.toggleAttribute("data-ready", true);
  app.tell("ready", { page });
  return app;
}
