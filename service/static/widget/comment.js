// One comment: its parts, and what its reader or author can do with it.

import { h, sanitised } from "./base.js";
import { compose } from "./form.js";

const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const LONG = 1200;
const FLAT_FROM = 3;

export function ago(tag, moment) {
  const seconds = (new Date(moment) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, one]) => -seconds >= one) ?? ["second", Infinity];
  return new Intl.RelativeTimeFormat(tag, { numeric: "auto" }).format(Math.round(seconds / size) || 0, unit);
}

/** The parts of a comment: those that the server rendered, or new ones. */
export function partsOf(app, c) {
  const el = app.list.querySelector(`#c-${c.id}`) ?? h("article.c", { id: `c-${c.id}` });
  const node = { c, el, open: el.isConnected };
  for (const [kind, name] of [["header", "by"], ["div", "body"], ["footer", "acts"], ["div", "replies"]]) {
    node[name] = el.querySelector(`:scope>.${name}`) ?? el.appendChild(h(`${kind}.${name}`));
    node[name].part = name;
  }
  el.tabIndex = -1;
  el.part = "comment";
  el.dataset.id = c.id;
  return node;
}

export function draw(app, node) {
  const { t, mine, config } = app;
  const c = mine.get(node.c.id) ?? node.c;
  const { key, name, badges = [] } = c.author;
  const own = mine.has(c.id) || (key && key === app.key);
  const gone = c.body === null;
  const hidden = !own && key && app.hidden.includes(key);
  const shown = c.status === "published";
  const nameOf = (one) => one.c.author.name || t("guest");

  node.el.className = ["c", gone && "gone", c.featured && "featured", c.pinned && "pinned", !shown && own && "own"].filter(Boolean).join(" ");
  node.el.ariaLabel = gone ? t("gone") : nameOf(node);
  node.by.hidden = gone;

  const letter = [...nameOf(node)][0];
  const disc = h("span.disc", { ariaHidden: true }, letter.toUpperCase());
  disc.style.setProperty("--hue", [...(key ?? nameOf(node))].reduce((sum, one) => (sum * 31 + one.codePointAt()) % 360, 7));
  const time = (moment) => h("time", {
    dateTime: moment, title: new Date(moment).toLocaleString(app.tag, { dateStyle: "long", timeStyle: "short" }),
  }, ago(app.tag, moment));
  const flag = (kind, word) => h(`span.badge.${kind}`, { part: "badge" }, word);
  node.by.replaceChildren(...[
    disc, h("bdi.name", {}, nameOf(node)),
    own && flag("you", t("you")),
    ...badges.map((badge) => flag("", /staff|verified|expert/.test(badge) ? t(`badge.${badge}`) : badge)),
    node.depth > FLAT_FROM && h("span.to", {}, "→ ", h("bdi", {}, nameOf(node.parent))),
    h("a.when", { href: app.linkTo(c.id) }, time(c.created_at)),
    c.edited_at && h("span.edited", {}, t("edited"), " ", time(c.edited_at)),
    c.pinned && flag("mark", t("pinned")), c.featured && flag("mark", t("featured")),
  ].filter(Boolean));

  node.body.dir = "auto";
  if (gone) node.body.replaceChildren(t("gone"));
  else if (hidden) node.body.replaceChildren(t("hidden"), " ", act("show", () => app.hide(key, false)));
  else node.body.replaceChildren(...(c.html === null ? [h("p.plain", {}, c.body)] : sanitised(c.html)));
  const long = !gone && !hidden && !node.open && c.body.length > LONG;
  node.body.classList.toggle("long", long);

  function act(word, onclick, props, ...more) {
    return h("button", { type: "button", name: word, onclick, ...props }, t(word), more);
  }
  const late = async (what, ...given) => (await import("./more.js"))[what](app, node, ...given);
  const note = (status, reasons = [], ...more) => h(`div.note.${status}`, { part: "note" }, h("p", {}, t(status)),
    reasons.length && h("ul", {}, reasons.map((reason) => h("li", { title: reason.code }, reason.text))), more);
  const edit = c.pending_edit;
  const appeal = () => act("appeal", () => late("appeal"));
  const open = app.state === "open";
  const editable = own && open && (shown || /pending|held/.test(c.status)) &&
    Date.now() - new Date(c.created_at) < config.edit_window_seconds * 1000;
  const likes = app.likeWord;
  const isLiked = app.liked.has(c.id);
  const was = app.root.activeElement?.name;
  const refocus = node.acts.contains(app.root.activeElement);

  node.acts.replaceChildren(...(gone || hidden ? [] : [
    long && act("all", () => { node.open = true; draw(app, node); node.el.focus(); }),
    !shown && own && note(c.status, c.reasons, /rejected|removed/.test(c.status) && appeal()),
    edit && note(edit.status, edit.reasons, h("blockquote", {}, edit.body), edit.status === "rejected" && appeal()),
    h("div.row", {},
      shown && likes && (!own || c.likes > 0) && h("button.like", {
        type: "button", name: "like", ariaPressed: isLiked, disabled: own, ariaLabel: `${likes} ${c.likes || ""}`,
        title: likes, onclick: () => app.like(node),
      }, isLiked ? "♥\ufe0e " : "♡ ", c.likes > 0 && h("span", {}, c.likes)),
      shown && open && node.depth < config.max_depth && act("reply", () => openForm(app, node, { to: node }), { ariaLabel: t("replyTo", { name: nameOf(node) }) }),
      c.reply_count > 0 && h("button", { type: "button", name: "replies", onclick: () => app.fold(node), ariaExpanded: !node.replies.hidden && !!node.replies.childElementCount }, t("replies", { n: c.reply_count })),
      editable && act("edit", () => openForm(app, node, { edit: node })),
      own && c.status !== "unsent" && act("delete", () => late("remove")),
      c.status === "unsent" && [act("again", () => app.flush()), act("discard", () => app.discard(c.id))],
      shown && act("share", () => late("share")),
      shown && !own && h("details.menu", {}, h("summary", { ariaLabel: t("more"), title: t("more") }, "⋯"), h("div", {},
        act("report", () => late("report")), key && act("hide", () => app.hide(key, true)))),
    ),
  ]).filter(Boolean));
  if (refocus && was) node.acts.querySelector(`[name=${was}]`)?.focus();

  if (node.more && !node.rest) {
    node.rest = h("button.rest", { type: "button", onclick: () => app.moreReplies(node) }, t("moreReplies"));
    node.el.append(node.rest);
  }
  if (node.rest) node.rest.hidden = !node.more || node.replies.hidden;
}

function openForm(app, node, what) {
  node.form?.remove();
  node.form = compose(app, { ...what, close: () => { node.form.remove(); node.el.focus(); } });
  node.replies.before(node.form);
  node.form.elements.body.focus();
}
