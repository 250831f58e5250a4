// The audit trail: who did what, the newest first; each entry is chained to the one before it.

import { admin, get } from "../api.js";
import { h, replace } from "../dom.js";
import { has, stamp, t, word } from "../i18n.js";
import { go, href } from "../router.js";
import { field, pages, select } from "../ui/form.js";

const LONG = 60;
const ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/; // Of records that nobody reads here; the title of the cell has them.

export async function audited(root, at) {
  const { people, actions } = await get(admin("audit", "choices"));
  const called = (one) => one.name ?? word("actor", one.kind);
  const fields = {
    action: select([["", t("any")], ...actions.map((one) => [one, acted(one)])], at.query.action ?? ""),
    actor: select([["", t("any")], ...people.map((one) => [one.actor, called(one)])], at.query.actor ?? ""),
  };
  const rows = h("tbody", {});
  const list = h("table", {}, h("caption", { class: "unseen" }, t("nav.audit")),
    h("thead", {}, h("tr", {}, ["when", "audit.actor", "audit.action", "audit.object", "audit.details"].map((key) => h("th", { scope: "col" }, t(key))))), rows);
  const search = (event) => {
    event.preventDefault();
    go("audit", [], { action: fields.action.value, actor: fields.actor.value });
  };
  replace(root, h("div", { class: "view" }, h("h1", {}, t("nav.audit")), h("form", { class: "toolbar", onsubmit: search },
    field(t("audit.action"), fields.action), field(t("audit.actor"), fields.actor), h("button", { class: "button", type: "submit" }, t("apply")),
    Object.keys(at.query).length > 0 && h("a", { class: "button", href: href("audit") }, t("filter.clear"))),
  pages(async (after) => {
    const { events, next } = await get(admin("audit"), { action: at.query.action, actor: at.query.actor, after, limit: 50 });
    return { items: events, next };
  }, auditRow, { list: rows, shown: h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": t("nav.audit") }, list) })));
}

/** An act in words: of what, and what was done. */
const acted = (action) => {
  const [what, done] = action.split(".");
  return has(`act.${action}`) ? t(`act.${action}`) : `${word("act", what)}: ${word("act.done", done)}`;
};

const auditRow = (event) => h("tr", {}, h("td", { class: "time" }, stamp(event.created_at)), h("td", { title: event.actor }, event.actor_name ?? word("actor", event.actor_kind)),
  h("td", { title: event.action }, acted(event.action)), h("td", {}, subjectOf(event)), h("td", { title: JSON.stringify(event.data) }, detailsOf(event.data)));

const LINKED = { comment: "comment", commenter: "author" };

const subjectOf = ({ action, subject, subject_name: name }) => {
  const text = name ?? h("code", { title: subject }, (subject ?? "").slice(0, 13));
  const place = LINKED[action.split(".")[0]];
  return place && subject ? h("a", { href: href(place, [subject]) }, text) : text;
};

/** What an act changed, a line each; long ones are folded. */
const detailsOf = (data) => Object.entries(data ?? {}).filter(([, value]) => !ID.test(value)).map(([name, value]) => {
  const text = typeof value === "object" ? JSON.stringify(value) : name === "decided" ? word("did", value) : String(value);
  const title = `${word("detail", name)}: `;
  return text.length > LONG ? h("details", {}, h("summary", {}, title, text.slice(0, LONG), "…"), h("code", {}, text)) : h("div", {}, h("span", { class: "soft" }, title), text);
});
