// What moderators choose: a reason to reject, a queue, a filter.

import { h, newId } from "../dom.js";
import { has, span, t, word } from "../i18n.js";
import { useKeys } from "../keys.js";
import { go, here, href } from "../router.js";
import { session } from "../session.js";
import { tab } from "../store.js";
import { field, input, select, showProblem } from "./form.js";

// The reason picker: a digit rejects with that reason at once; ticking several waits for Enter.
const LAST = ["needs_review", "language"]; // A machine's reasons to hold, hardly a person's to reject.

export function reasons() {
  const known = session.desk.reasons;
  return [...known.filter((one) => !LAST.includes(one.code)), ...known.filter((one) => LAST.includes(one.code))];
}

/** The short name of a reason; one that a site made itself is called by its code. */
export const reasonName = (code) => word("reason", code);

/**
 * A form that answers `{reasons, note?, ground?, sanction?}` to `onSend`. What was written is kept under `draft` until
 * it was given up or has arrived, which who sends it says; where `onSend` answers a promise, the form waits for it.
 */
export function reasonPicker({ verb, draft, onSend, onCancel, required = true, noteLabel = t("note"), sanction = true }) {
  const kept = tab.get(`draft.${draft}`, {});
  const list = reasons();
  const boxes = list.map((one) => h("input", { type: "checkbox", name: "reason", value: one.code, checked: kept.reasons?.includes(one.code) }));
  const note = h("textarea", { class: "input", rows: "1", maxlength: "2000", value: kept.note ?? "" });
  const kind = h("select", { class: "input" }, [["", t("ground.none")], ["guideline", t("ground.guideline")], ["law", t("ground.law")]].map(([value, text]) => h("option", { value, selected: kept.ground === value }, text)));
  const clause = h("input", { class: "input", maxlength: "200", "aria-label": t("ground.clause"), placeholder: t("ground.clause"), value: kept.clause ?? "" });
  const restrict = h("select", { class: "input", "aria-label": t("sanction.also") }, [["", t("sanction.none")], ["suspension-1", t("sanction.suspension", { n: 1 })], ["suspension-7", t("sanction.suspension", { n: 7 })], ["pre_moderation", word("sanction", "pre_moderation")], ["ban", word("sanction", "ban")]].map(([value, text]) => h("option", { value, selected: kept.restrict === value }, text)));
  const problem = h("p", { class: "problem", role: "alert", hidden: true, id: newId("problem") });
  const more = h("details", { open: Boolean(kept.ground || kept.restrict) }, h("summary", {}, t(sanction ? "more.options" : "ground")),
    h("div", { class: "row" }, h("label", { class: "field" }, t("ground"), kind), clause), sanction && h("label", { class: "field" }, t("sanction.also"), restrict));
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const keep = (open = true) => tab.set(`draft.${draft}`, { open, reasons: chosen(), note: note.value, ground: kind.value, clause: clause.value, restrict: restrict.value });
  const form = h("form", { class: "picker", novalidate: true, oninput: () => keep(), onsubmit: (event) => { event.preventDefault(); send(chosen()); } },
    h("fieldset", { "aria-describedby": problem.id }, h("legend", {}, verb, " ", h("span", { class: "soft" }, t("picker.why"))),
      h("div", { class: "choices" }, list.map((one, number) => h("label", { class: "choice", title: one.text }, boxes[number],
        number < 10 && h("kbd", {}, String((number + 1) % 10)), h("span", {}, h("b", {}, reasonName(one.code)), !has(`reason.${one.code}`) && h("small", {}, one.text)))))),
    h("div", { class: "fields" }, h("label", { class: "field" }, noteLabel, note),
      more),
    problem,
    h("div", { class: "row" }, h("button", { class: "button reject", type: "submit" }, verb, h("kbd", {}, "↵")),
      h("button", { class: "button", type: "button", onclick: () => close() }, t("cancel"), h("kbd", {}, "Esc")),
      h("p", { class: "soft tiny hint" }, t("picker.hint"))));
  note.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(chosen()); });
  const digits = Object.fromEntries(list.slice(0, 10).map((one, number) => [String((number + 1) % 10), () => press(number)]));
  const off = useKeys({ ...digits, Escape: () => close() }, { modal: true });
  let isOver = false;

  function press(number) {
    if (!chosen().length) return send([list[number].code]);
    boxes[number].checked = !boxes[number].checked;
    return keep();
  }

  function send(codes) {
    if (isOver) return;
    if (required && !codes.length) return refuse(t("picker.needed"), boxes[0]);
    if (kind.value === "law" && !clause.value.trim()) return refuse(t("ground.needed"), clause);
    const wanted = { reasons: codes };
    if (note.value.trim()) wanted.note = note.value.trim();
    if (kind.value) wanted.ground = { kind: kind.value, ...(clause.value.trim() ? { clause: clause.value.trim() } : {}) };
    if (restrict.value) wanted.sanction = sanctionOf(restrict.value, codes[0] ?? "other");
    keep(false);
    const sent = onSend(wanted);
    if (sent) sent.then(forget, (error) => showProblem(problem, error));
    else leave();
  }

  function refuse(text, where) {
    problem.textContent = text;
    problem.hidden = false;
    more.open ||= more.contains(where);
    where?.focus();
  }

  function leave() {
    isOver = true;
    off();
    form.remove();
  }

  function forget() {
    tab.set(`draft.${draft}`, null);
    leave();
  }

  function close() {
    if (isOver) return;
    forget();
    onCancel?.();
  }

  keep();
  return { form, focus: () => (boxes[0] ?? note).focus({ preventScroll: true }), leave };
}

function sanctionOf(value, reason) {
  const [kind, days] = value.split("-");
  return days ? { kind, reason, until: new Date(Date.now() + Number(days) * 86_400_000).toISOString() } : { kind, reason };
}

// Which queue, and what of it: the filter lives in the address, so that it can be linked to.
const KINDS = ["held", "post_moderation", "reported", "appealed", "sampled", "second_opinion", "disagreement"];

export function queueTabs({ parts: [chosen], query = {} } = { parts: [] }) {
  const isWhole = !chosen && !Object.keys(query).length;
  const view = session.queue ?? {};
  const queues = view.queues ?? [{ name: "default", title: null, depth: view.depth, overdue: 0, oldest_age_seconds: view.oldest_age_seconds }];
  const title = (queue) => (queue.name === "default" ? t(queues.length > 1 ? "queue.default" : "queue.all") : queue.name === "escalated" ? t("queue.escalated") : queue.title || queue.name);
  const all = h("a", { class: "tab", href: href("queue"), "aria-current": isWhole ? "true" : null }, t("queue.all"), h("span", { class: "count" }, view.depth ?? ""));
  return h("nav", { class: "tabs", "aria-label": t("queues") },
    queues.length > 1 || !isWhole ? all : null,
    queues.map((queue) => h("a", { class: "tab", href: href("queue", [queue.name]), "aria-current": chosen === queue.name || (queues.length === 1 && isWhole) ? "true" : null,
      title: queue.oldest_age_seconds ? t("queue.oldest", { time: span(queue.oldest_age_seconds) }) : null },
    title(queue), h("span", { class: queue.overdue ? "count late" : "count" }, queue.depth ?? ""))),
    (view.degraded ?? []).map((part) => h("span", { class: "tag late" }, t("degraded", { part: word("part", part) }))));
}

export function filterForm(view, at) {
  const query = at.query ?? {};
  const count = Object.keys(query).length;
  const fields = {
    kind: select([["", t("any")], ...KINDS.map((kind) => [kind, word("kind", kind)])], query.kind ?? ""),
    page: input({ value: query.page ?? "", placeholder: "https://…" }), rule: input({ value: query.rule ?? "" }),
    attribute: select([["", t("any")], ...["toxicity", "insult", "identity_attack", "threat", "obscene", "sexual_explicit"].map((one) => [one, word("attribute", one)])], query.attribute ?? ""),
    language: input({ value: query.language ?? "", maxlength: "3", placeholder: "en" }),
    trust: select([["", t("any")], ...["guest", "signed", "trusted"].map((one) => [one, word("trust", one)])], query.trust ?? ""),
    older_than_seconds: select([["", t("any")], ...[900, 3600, 14_400, 86_400].map((one) => [String(one), span(one)])], query.older_than_seconds ?? ""),
  };
  const apply = (event) => {
    event.preventDefault();
    const wanted = Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.value.trim()]));
    go(view, here().parts, wanted);
  };
  return h("details", { class: "filter" }, h("summary", {}, t("filter"), count > 0 && h("span", { class: "count" }, String(count))),
    h("form", { class: "filter-form", onsubmit: apply }, Object.entries(fields).map(([name, one]) => field(t(`filter.${name}`), one)),
      h("div", { class: "row" }, h("button", { class: "button primary", type: "submit" }, t("apply")),
        count > 0 && h("a", { class: "button", href: href(view, here().parts) }, t("filter.clear")))));
}

/** The filter of a claim as the API wants it. */
export function filterOf(query) {
  const wanted = { ...query };
  if (wanted.older_than_seconds) wanted.older_than_seconds = Number(wanted.older_than_seconds);
  return wanted;
}
