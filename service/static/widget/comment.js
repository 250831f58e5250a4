// One comment: its parts, and what its reader or author can do with it.

import { button, h, sanitised } from "./base.js";
import { compose } from "./form.js";
import { appeal, remove, report, share } from "./more.js";

const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const LONG = 1200;
const FLAT_FROM = 3;

export function ago(app, moment) {
  const seconds = (new Date(moment) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, one]) => -seconds >= one) ?? ["second", Infinity];
  return app.relative.format(Math.round(seconds / size), unit);
}

/** The parts of a comment: those that the server rendered, or new ones. */
export function partsOf(list, c) {
  const el = list.querySelector(`#c-${c.id}`) ?? h("article", { id: `c-${c.id}` });
  const node = { c, el, open: el.isConnected };
  for (const [kind, name] of [["header", "by"], ["div", "body"], ["footer", "acts"], ["div", "replies"]]) {
    node[name] = el.querySelector(`:scope>.${name}`) ?? el.appendChild(h(`${kind}.${name}`));
    node[name].part = name;
  }
  el.part = "comment";
  el.tabIndex = -1;
  el.dataset.id = c.id;
  return node;
}

export function draw(app, node) {
  const { t, root } = app;
  const c = app.mine.get(node.c.id) ?? node.c;
  const { key, badges = [] } = c.author;
  const { status } = c;
  const own = app.isMine(c);
  const gone = c.body === null;
  const hidden = !own && app.hidden.includes(key);
  const shown = status === "published";
  const open = app.state === "open";
  const name = app.nameOf(c);
  const liked = app.liked.has(c.id);
  // A page may be some seconds older than one's own like.
  const likes = Math.max(c.likes, +liked) || "";
  const unfolded = !node.replies.hidden && !!node.replies.firstChild;
  const rest = node.more && !node.replies.hidden;
  // What is drawn already stays, and with it the focus and what the reader has opened.
  const drawn = JSON.stringify([
    c.html, status, c.author, c.edited_at, c.likes, c.reply_count, c.pinned, c.featured, c.pending_edit, c.appeal, own, hidden, open, app.me, liked, unfolded, rest, node.open,
  ]);
  if (node.drawn === drawn) return;
  node.drawn = drawn;
  const act = (word, onclick, props) => button(t(word), onclick, { name: word, ...props });
  const flag = (kind, word) => h(`span.badge.${kind}`, { part: "badge" }, word);
  const time = (moment) => h("time", {
    dateTime: moment, title: app.exact.format(new Date(moment)),
  }, ago(app, moment));
  const openForm = (what) => () => {
    node.form?.remove();
    node.form = compose(app, { ...what, close: () => { node.form.remove(); node.el.focus(); } });
    node.replies.before(node.form);
    node.form.body.focus();
  };
  const put = (part, ...children) => part.replaceChildren(...children.flat(2).filter(Boolean));
  const note = ({ status, reasons = [], body }, isEdit) => h(`div.note.${status}`, { part: "note" }, h("p", {}, t(status)),
    isEdit && h("blockquote", {}, body), h("ul", {}, reasons.map(({ text }) => h("li", {}, text))),
    /rejected|removed/.test(status) && (c.appeal === "open" ? h("p", {}, t("appealed")) : act("appeal", () => appeal(app, c))));

  node.el.className = `c${gone ? " gone" : ""}${c.featured ? " featured" : ""}${c.pinned ? " pinned" : ""}${shown ? "" : " own"}`;
  node.el.ariaLabel = gone ? t("gone") : name;
  const disc = h("span.disc", { ariaHidden: true }, [...name][0].toUpperCase());
  disc.style.setProperty("--hue", [...key ?? name].reduce((sum, one) => (sum * 31 + one.codePointAt()) % 360, 7));
  put(node.by, gone ? [] : [
    disc, h("bdi.name", {}, name), own && flag("you", t("you")),
    badges.map((badge) => flag("", /^(staff|verified|expert)$/.test(badge) ? t(badge) : badge)),
    node.depth > 1 && h(`span.to${node.depth > FLAT_FROM ? "" : ".near"}`, {}, "→ ", h("bdi", {}, app.nameOf(node.parent.c))),
    h("a.when", { href: app.linkTo(c.id) }, time(c.created_at)),
    c.edited_at && h("span.when", {}, t("edited"), " ", time(c.edited_at)),
    c.pinned && flag("mark", t("pinned")), c.featured && flag("mark", t("featured")),
  ]);
  node.body.dir = "auto";
  put(node.body, gone ? t("gone") : hidden ? [t("hidden"), " ", act("show", () => app.hide(key))]
    : c.html == null ? h("p.plain", {}, c.body) : sanitised(c.html));
  const long = c.body?.length > LONG && !hidden && !node.open;
  node.body.classList.toggle("long", long);

  const focused = node.acts.contains(root.activeElement) && root.activeElement;
  put(node.acts, gone || hidden ? [] : [
    long && act("all", () => { node.open = true; draw(app, node); node.el.focus(); }),
    !shown && note(c), c.pending_edit && note(c.pending_edit, true),
    h("div.row", {}, ...[
      shown && app.likeWord && h("button.like", {
        type: "button", name: "like", ariaPressed: liked, disabled: own, ariaLabel: `${app.likeWord} ${likes}`, onclick: () => app.like(node),
      }, liked ? "♥\ufe0e " : "♡ ", likes),
      shown && open && (app.me || app.config.guests_allowed) && node.depth < app.config.max_depth && act("reply", openForm({ to: c }), { ariaLabel: t("replyTo", { name }) }),
      c.reply_count > 0 && button(t("replies", { n: c.reply_count }), () => app.fold(node), { name: "fold", ariaExpanded: unfolded }),
      own && open && /pub|pend|held/.test(status) && Date.now() - new Date(c.created_at) < app.config.edit_window_seconds * 1000 && act("edit", openForm({ edit: c })),
      /unsent|failed/.test(status) ? [act("again", () => app.flush(c.id)), act("discard", () => app.discard(c.id))] : own && act("delete", () => remove(app, c)),
      shown && act("share", () => share(app, c)),
      // It may be open.
      shown && !own && (node.menu ??= h("details.menu", {}, h("summary", { ariaLabel: t("more") }, "⋯"), h("div", {},
        act("report", () => report(app, c)), key && act("hide", () => app.hide(key, true))))),
    ]),
  ]);
  if (focused) (focused.isConnected ? focused : node.acts.querySelector(`[name="${focused.name}"]`))?.focus();
  if (rest) node.el.append(node.rest ??= button(t("moreReplies"), () => app.moreReplies(node), { className: "rest" }));
  if (node.rest) node.rest.hidden = !rest;
}
