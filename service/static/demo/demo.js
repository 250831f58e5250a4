// The demo's comment form and thread, without a dependency. It is not the widget: it shows what the API can do.

import { BASE, MINE, THREAD, call, memory } from "./api.js";
import { composer } from "./composer.js";

const WATCH_MILLISECONDS = 4000;
const DEPTH_SHOWN = 3;
const PAGE_TITLE = document.title;
const STATES = {
  pending: ["Being checked", "Your comment is saved. Only you can see it until it is checked."],
  held: ["Waiting for review", "Only you can see it until a moderator has read it."],
  rejected: ["Not accepted", "Nobody else can see it."],
  removed: ["Taken down", "A moderator took it down; only you can still see it."],
};

const byId = (id) => document.getElementById(id);
const list = byId("thread");
const nodes = new Map(); // comment id -> its parts on the page
const own = new Map(); // comment id -> the author's view of it, with status and reasons
const fresh = new Set(); // ids that were published before the reader's eyes
const state = { thread: { state: "open" }, next: null, sort: "newest" };

// Building blocks ---------------------------------------------------------------------------------------------------

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter(Boolean));
  return element;
}

function button(text, name, act) {
  const made = make("button", { type: "button", class: "link", "aria-label": name }, text);
  made.addEventListener("click", () => act(made));
  return made;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

function ago(moment) {
  const seconds = (new Date(moment) - Date.now()) / 1000;
  const unit = UNITS.find(([, length]) => -seconds >= length);
  return unit ? relative.format(Math.ceil(seconds / unit[1]), unit[0]) : "just now";
}

const time = (moment) =>
  make("time", { datetime: moment, title: new Date(moment).toLocaleString("en-GB") }, ago(moment));

function announce(text) {
  byId("announcer").textContent = text;
}

// A comment on the page ---------------------------------------------------------------------------------------------

const nameOf = (comment) => comment.author.name ?? "Guest";
const undecided = (comment) => ["pending", "held"].includes(comment.pending_edit?.status ?? comment.status);

function head(comment) {
  const name = nameOf(comment);
  const hue = [...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % 6;
  const mine = own.has(comment.id);
  const badge = mine && STATES[comment.status] ? STATES[comment.status][0] : fresh.has(comment.id) && "Published";
  return make("header", { class: "comment-head" },
    make("span", { class: `initial hue-${hue}`, "aria-hidden": "true" }, [...name][0].toUpperCase()),
    make("h4", { id: `name-${comment.id}` }, name),
    mine && make("span", { class: "you" }, "you"),
    time(comment.created_at),
    comment.edited_at && make("span", {}, "edited ", time(comment.edited_at)),
    badge && make("span", { class: `badge ${comment.status}` }, badge));
}

function written(html) {
  const text = make("div", { class: "text" });
  text.innerHTML = html; // The only HTML ever put in: the server rendered and sanitised it.
  return text;
}

function note(status, reasons, sentence, ...more) {
  const items = reasons.map((reason) => make("li", { title: reason.code }, reason.text));
  return make("div", { class: `note ${status}` },
    make("p", {}, sentence), items.length && make("ul", {}, ...items), ...more);
}

function notes(comment) {
  const edit = comment.pending_edit;
  return [
    STATES[comment.status] && note(comment.status, comment.reasons ?? [], STATES[comment.status][1]),
    edit && note(edit.status, edit.reasons, `Your edit: ${STATES[edit.status][0].toLowerCase()}. The text above stays.`,
      make("blockquote", {}, edit.body)),
  ];
}

function actions(comment) {
  const open = state.thread.state === "open";
  const mine = own.has(comment.id);
  const published = comment.status === "published";
  return make("footer", { class: "comment-actions" },
    open && published && button("Reply", `Reply to ${nameOf(comment)}`, (opener) => reply(comment, opener)),
    mine && open && (published || undecided(comment)) &&
      button("Edit", "Edit your comment", (opener) => edit(comment, opener)),
    mine && button("Delete", "Delete your comment", () => remove(comment)));
}

function fill(node, comment) {
  node.comment = comment;
  const parent = nodes.get(comment.parent_id);
  const parts = comment.body === null
    ? [make("p", { class: "tombstone", id: `name-${comment.id}` }, "This comment is not here any more.")]
    : [
      head(comment),
      node.depth > DEPTH_SHOWN && parent && make("p", { class: "answers" }, `answers ${nameOf(parent.comment)}`),
      written(comment.html),
      ...(own.has(comment.id) ? notes(comment) : []),
      actions(comment),
    ];
  node.card.className = `card ${own.has(comment.id) ? comment.status : ""}`;
  node.card.replaceChildren(...parts.filter(Boolean));
}

/** Show a comment: where it is already, else in a list. Replies that came with it follow. */
function place(comment, container, depth, first = false) {
  let node = nodes.get(comment.id);
  if (!node) {
    node = { depth, cursor: null };
    node.card = make("article", { tabindex: "-1", "aria-labelledby": `name-${comment.id}` });
    node.replies = make("ol", { class: "replies", "aria-label": "Replies" });
    node.more = make("button", { type: "button", class: "more", hidden: "" }, "Show more replies");
    node.more.addEventListener("click", () => moreReplies(comment.id, node));
    node.item = make("li", { class: "comment" }, node.card, node.replies, node.more);
    nodes.set(comment.id, node);
    container[first ? "prepend" : "append"](node.item);
  }
  fill(node, own.get(comment.id) ?? comment);
  for (const answer of comment.replies) placeReply(answer);
  if (comment.replies_next) continueAt(node, comment.replies_next);
  return node;
}

function placeReply(comment) {
  const parent = nodes.get(comment.parent_id);
  return parent ? place(comment, parent.replies, parent.depth + 1) : place(comment, list, 0, true);
}

function continueAt(node, cursor) {
  node.cursor = cursor;
  node.more.hidden = !cursor;
}

/** Take a deleted comment off the page; where replies hang under it an empty place stays. */
function takeAway(node) {
  if (node.replies.childElementCount || node.cursor) {
    fill(node, { ...node.comment, body: null, author: { name: null }, status: "deleted" });
    return;
  }
  node.item.remove();
  nodes.delete(node.comment.id);
  const parent = nodes.get(node.comment.parent_id);
  if (parent?.comment.body === null) takeAway(parent);
}

// The thread --------------------------------------------------------------------------------------------------------

function showHead(thread) {
  state.thread = thread;
  const open = thread.state === "open";
  byId("prompt").textContent = thread.prompt;
  byId("count").textContent = thread.count === 1 ? "1 comment" : `${thread.count} comments`;
  document.title = thread.count ? `(${thread.count}) ${PAGE_TITLE}` : PAGE_TITLE;
  byId("compose").hidden = !open;
  byId("discussion").classList.toggle("closed", !open);
  byId("empty").hidden = list.childElementCount > 0;
  byId("empty").textContent = open ? "Nobody has written yet. Yours would be the first opinion." : "Nobody wrote here.";
}

async function refreshHead() {
  const found = await call("GET", `${THREAD}?limit=1&replies=0`).catch(() => null);
  if (found) showHead(found.thread);
}

async function readPage(after) {
  const query = new URLSearchParams({ sort: state.sort, limit: 20, replies: 3, ...(after && { after }) });
  const found = await call("GET", `${THREAD}?${query}`);
  state.thread = found.thread;
  state.next = found.next;
  byId("more").hidden = !found.next;
  return found;
}

async function readMine() {
  if (!memory.get("token")) return;
  const mine = await call("GET", MINE, { asAuthor: true }).catch((error) => {
    if (error.code === "auth.required") return { comments: [] };
    throw error;
  });
  own.clear();
  for (const comment of mine.comments) if (comment.status !== "deleted") own.set(comment.id, comment);
}

async function load() {
  byId("failure").hidden = true;
  list.setAttribute("aria-busy", "true");
  try {
    const [found] = await Promise.all([readPage(), readMine()]);
    nodes.clear();
    list.replaceChildren();
    for (const comment of found.comments) place(comment, list, 0);
    for (const comment of [...own.values()].reverse()) if (STATES[comment.status]) present(comment);
    showHead(found.thread);
  } catch (error) {
    byId("failure").textContent = `The comments could not be loaded. ${error.message}`;
    byId("failure").hidden = false;
  } finally {
    list.removeAttribute("aria-busy");
  }
}

async function moreComments() {
  const found = await readPage(state.next).catch((error) => announce(error.message));
  const added = (found?.comments ?? []).map((comment) => place(comment, list, 0));
  added[0]?.card.focus();
}

async function moreReplies(id, node) {
  const query = new URLSearchParams({ after: node.cursor, limit: 20 });
  const found = await call("GET", `${BASE}/comments/${id}/replies?${query}`).catch((error) => announce(error.message));
  if (!found) return;
  const added = found.comments.map(placeReply);
  continueAt(node, found.next);
  added[0]?.card.focus();
}

// Writing -----------------------------------------------------------------------------------------------------------

async function submit({ body, name, key }, parentId = null) {
  const input = { body, ...(name && { author: { name } }), ...(parentId && { parent_id: parentId }) };
  const headers = { "Idempotency-Key": key, Prefer: "wait=5" };
  const answer = await call("POST", `${THREAD}/comments`, { body: input, headers, asAuthor: true });
  if (answer.author_token) memory.set("token", answer.author_token);
  keep(answer.comment);
  return answer.comment;
}

function keep(comment) {
  own.set(comment.id, comment);
  if (comment.status === "published") fresh.add(comment.id);
}

function present(comment) {
  return comment.parent_id ? placeReply(comment) : place(comment, list, 0, true);
}

/** Show what became of the reader's comment, and lead there. */
async function showOutcome(comment) {
  const { card } = present(comment);
  await refreshHead();
  card.focus();
  const { status, reasons } = comment.pending_edit ?? comment;
  const [badge, sentence] = STATES[status] ?? ["Published", "Everybody can read it."];
  announce([`${badge}.`, sentence, ...reasons.map((reason) => reason.text)].join(" "));
}

function openUnder(node, opener, { send, ...options }) {
  node.card.querySelector("form")?.remove();
  const form = composer({
    ...options,
    send: (text) => send(text, form),
    cancel() {
      form.remove();
      opener.focus();
    },
  });
  node.card.append(form);
  form.elements.body.focus();
}

function reply(comment, opener) {
  openUnder(nodes.get(comment.id), opener, {
    label: `Your reply to ${nameOf(comment)}`,
    verb: "Send reply",
    async send(text, form) {
      const sent = await submit(text, comment.id);
      if (sent.status !== "rejected") form.remove();
      await showOutcome(sent);
      return sent;
    },
  });
}

function edit(comment, opener) {
  openUnder(nodes.get(comment.id), opener, {
    label: "Your comment",
    verb: "Save",
    named: false,
    body: comment.pending_edit?.body ?? comment.body,
    async send({ body }) {
      const headers = { Prefer: "wait=5" };
      const changed = await call("PATCH", `${BASE}/comments/${comment.id}`, { body: { body }, headers, asAuthor: true });
      own.set(changed.id, changed);
      await showOutcome(changed);
      return changed;
    },
  });
}

function confirmed() {
  const dialog = byId("confirm");
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}

async function remove(comment) {
  if (!(await confirmed())) return;
  const node = nodes.get(comment.id);
  try {
    await call("DELETE", `${BASE}/comments/${comment.id}`, { asAuthor: true });
  } catch (error) {
    node.card.append(make("p", { class: "problem", role: "alert" }, error.message));
    return;
  }
  own.delete(comment.id);
  takeAway(node);
  await refreshHead();
  byId("count").focus();
  announce("Your comment is deleted.");
}

// While something of the reader's own waits, ask now and then what became of it --------------------------------------

async function watch() {
  const waiting = [...own.values()].filter(undecided);
  if (!waiting.length || document.hidden) return;
  await readMine().catch(() => null);
  for (const { id } of waiting) {
    const now = own.get(id);
    if (!now || undecided(now) || !nodes.has(id) || nodes.get(id).card.querySelector("form")) continue;
    keep(now);
    present(now);
    await refreshHead();
    announce(`Your comment: ${(STATES[now.status]?.[0] ?? "Published").toLowerCase()}.`);
  }
}

byId("compose").append(composer({
  label: "Your comment",
  verb: "Send comment",
  draft: "draft",
  async send(text) {
    const sent = await submit(text);
    await showOutcome(sent);
    return sent;
  },
}));
byId("confirm").addEventListener("click", ({ target, currentTarget }) => target.value && currentTarget.close(target.value));
byId("sort").addEventListener("change", ({ target }) => {
  state.sort = target.value;
  load();
});
byId("more").addEventListener("click", moreComments);
setInterval(() => document.querySelectorAll("time").forEach((one) => { one.textContent = ago(one.dateTime); }), 30000);
setInterval(watch, WATCH_MILLISECONDS);
load();
