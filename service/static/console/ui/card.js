// The review card, and the parts of which it and the lists are made.

import { auth, get } from "../api.js";
import { h, newId } from "../dom.js";
import { ago, clock, has, num, score, share, span, stamp, t, word } from "../i18n.js";
import { secondsLeft } from "../leases.js";
import { href } from "../router.js";
import { own, session } from "../session.js";

// The parts of which cards and lists are made.
// A comment's text as text nodes: the words that the model reacted to are marked, hard words blurred until wanted.
const HARD = 0.6;
// Words that the model weighs for the company they keep; they are marked, and nobody needs to be spared them.
const HARMLESS = /^(?:[^\p{L}]|\b(?:a|all|and|are|back|be|by|do|from|get|go|he|her|here|his|i|in|is|it|me|my|no|not|of|off|on|or|out|she|so|that|the|they|this|to|up|was|we|were|what|where|who|will|with|you|your|aber|alle|als|am|an|auf|aus|bin|bist|da|das|dem|den|der|des|die|dich|dir|du|ein|eine|er|es|euch|geh|hier|ich|ihr|im|ist|man|mit|nicht|sein|sich|sie|sind|so|und|uns|von|was|weg|wie|wir|wo|zu)\b)+$/iu;

/** The model takes a comment for a bad one, so that its strongest words may be hard to read. */
export const isHard = (item) => Math.max(0, ...(item.scores ?? []).map((one) => one.value)) >= 0.5;
export const isBlurring = () => own.get("blur", session.desk?.blur ?? true);

/** Paragraphs of a text; `spans` count Unicode code points, as the API does. */
export function textOf(body, { spans = null, isHard = false } = {}) {
  const text = body ?? "";
  const marks = [...spansOf(text, spans, isHard), ...wordsOf(text)];
  const edges = [...new Set([0, text.length, ...marks.flatMap((mark) => [mark.start, mark.end])])].sort((a, b) => a - b);
  const parts = [];
  for (let at = 0; at < edges.length - 1; at += 1) {
    const [start, end] = [edges[at], edges[at + 1]];
    const over = marks.filter((mark) => mark.start <= start && mark.end >= end);
    const piece = text.slice(start, end);
    parts.push(over.length ? marked(piece, over) : piece);
  }
  return h("div", { class: isBlurring() ? "text blurring" : "text", dir: "auto" }, parts);
}

function marked(piece, over) {
  const weight = Math.max(0, ...over.map((mark) => mark.weight));
  const isBlurred = over.some((mark) => mark.isBlurred) && piece.trim();
  const classes = [weight > 0 && "hit", isBlurred && "hard"].filter(Boolean).join(" ");
  if (!classes) return piece;
  return h("mark", { class: classes, vars: { "--weight": String(Math.round(15 + weight * 45)) },
    onclick: isBlurred ? (event) => event.currentTarget.classList.toggle("wanted") : null }, piece);
}

function spansOf(text, spans, isHard) {
  if (!spans?.length) return [];
  const places = [0];
  for (const character of text) places.push(places.at(-1) + character.length);
  return spans.filter((span) => span.end < places.length).map((span) => {
    const [start, end] = [places[span.start], places[span.end]];
    return { start, end, weight: span.weight, isBlurred: isHard && span.weight >= HARD && !HARMLESS.test(text.slice(start, end)) };
  });
}

let compiled = { words: null, pattern: null };

function wordsOf(text) {
  const words = session.desk?.words ?? [];
  if (compiled.words !== words) compiled = { words, pattern: patternOf(words) };
  if (!compiled.pattern) return [];
  return [...text.matchAll(compiled.pattern)].map((found) => ({ start: found.index, end: found.index + found[0].length, weight: 0, isBlurred: true }));
}

function patternOf(words) {
  if (!words.length) return null;
  const escaped = words.map((one) => one.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+"));
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${escaped.join("|")})(?![\\p{L}\\p{N}])`, "giu");
}

// Why something is where it is, in words: "insult 0.81, holds from 0.60".
export function sentence(cause) {
  const outcome = word("outcome", cause.outcome);
  if (cause.kind === "attribute") {
    const values = { name: word("attribute", cause.name), value: score(cause.value), outcome, from: score(cause.threshold) };
    return t(cause.value === null ? "cause.unknown" : "cause.attribute", values);
  }
  if (cause.kind === "signal") {
    const name = word("signal", cause.name);
    if (cause.value === null || cause.value === undefined) return t("cause.fact", { name, outcome });
    const isShare = cause.value > 0 && cause.value < 1;
    const value = isShare ? share(cause.value) : num(cause.value, Number.isInteger(cause.value) ? 0 : 1);
    return t("cause.signal", { name, value, outcome });
  }
  const key = `cause.${cause.kind}`;
  return has(key) ? t(key, { name: cause.name ?? "", outcome }) : `${word("cause", cause.kind)} ${cause.detail ?? ""}`;
}

export function causeList(causes) {
  if (!causes?.length) return h("p", { class: "soft" }, t("cause.none"));
  return h("ul", { class: "causes" }, causes.map((cause) => h("li", {},
    h("span", { class: `dot ${cause.outcome}` }), sentence(cause), cause.detail && h("q", {}, cause.detail),
    cause.rule && h("small", {}, t("cause.rule", { rule: cause.rule })))));
}

/** Every score with a bar; only what was calibrated may be read as a share of a hundred. */
export function scoreList(scores) {
  return [
    h("ul", { class: "meters" }, scores.slice(0, 7).map((one) => meter(word("attribute", one.attribute), one.value, score(one.value)))),
    scores.length && h("p", { class: "soft tiny" }, t(scores.every((one) => one.calibrated) ? "scores.calibrated" : "scores.raw"), ` ${scores[0].model_id}`),
  ];
}

export function meter(name, value, shown, kind = "") {
  return h("li", {}, h("span", {}, name), h("b", {}, shown),
    h("span", { class: `meter ${kind}`, vars: { "--share": String(Math.max(0, Math.min(1, value))) }, "aria-hidden": "true" }));
}

export function priorityList(priority) {
  const parts = Object.entries(priority.parts ?? {}).filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a);
  return h("ul", { class: "meters" }, parts.map(([name, value]) => meter(word("priority", name), value, score(value), "quiet")));
}

// What was decided, by whom, when and why.
const who = (decision) => {
  if (decision.actor_kind === "machine" || decision.actor_kind === "policy" || decision.actor_kind === "scorer") return t("by.machine");
  if (session.actor && decision.actor === session.actor) return t("by.you");
  return decision.actor_name ? t("by", { name: decision.actor_name }) : word("actor", decision.actor_kind);
};

export function decisionList(decisions) {
  if (!decisions.length) return h("p", { class: "soft" }, t("decisions.none"));
  return h("ol", { class: "decisions" }, [...decisions].reverse().map((one) => h("li", {},
    h("span", { class: `dot ${one.to_status}` }), h("b", {}, word("did", one.undoes ? "undo" : one.action)), " ", who(one), " ",
    h("time", { class: "soft", datetime: one.created_at, title: stamp(one.created_at) }, ago(one.created_at)),
    one.reasons?.length > 0 && h("span", { class: "reasons" }, one.reasons.map((reason) => word("reason", reason.code)).join(", ")),
    one.note && h("q", {}, one.note),
    one.opinions?.length > 0 && opinionsOf(one.opinions, () => t("kind.second_opinion")),
    one.actor_kind !== "moderator" && one.causes?.length > 0 && h("small", {}, one.causes.map(sentence).join("; ")))));
}

/** What two people answered who knew nothing of each other, side by side. */
const opinionsOf = (opinions, title) => h("div", { class: "beside" }, opinions.map((one, at) => h("section", {}, h("h3", {}, one.name ?? title(at)),
  h("b", {}, word("did", one.action)), " ", one.reasons.map((reason) => word("reason", reason.code)).join(", "), one.note && h("q", {}, one.note))));

// A text that was edited while somebody decided on it: the one that was read beside the new one.
export function changedText(item, problem) {
  const place = h("div", { class: "beside" }, side(t("changed.read"), item.comment.body));
  const fresh = problem.extra?.comment;
  if (fresh) place.append(side(t("changed.now"), fresh.body));
  else readNow(item).then((body) => { if (body !== null) place.append(side(t("changed.now"), body)); });
  return place;
}

const side = (title, body) => h("section", {}, h("h3", {}, title), textOf(body));

export async function readNow(item) {
  const found = await get(`/v1/sites/${auth.site}/comments/${item.comment.id}`).catch(() => null);
  return found ? found.comment.pending_edit?.body ?? found.comment.body : null;
}

// The review card: the comment first, then why it is here, then what is known around it.
export const byline = (comment) => [
  h("b", {}, comment.author?.name || t("nameless")), comment.author?.kind === "guest" && h("span", { class: "tag" }, t("guest")),
  (comment.author?.badges ?? []).map((badge) => h("span", { class: "tag" }, badge)),
  h("time", { datetime: comment.created_at, title: stamp(comment.created_at) }, ago(comment.created_at)),
  comment.edited_at && h("span", { class: "soft" }, t("edited")),
];

/** A comment as text with who wrote it and when. */
export const quote = (comment) => h("blockquote", { class: "quote" }, h("p", { class: "byline" }, byline(comment)), textOf(comment.body));

export const threadLink = (thread) => {
  const title = thread.title || thread.page;
  return thread.url ? h("a", { class: "article", href: thread.url, target: "_blank", rel: "noopener noreferrer" }, title) : h("span", { class: "article" }, title);
};

/** A card with `update()` for what changes while it is read. */
export function reviewCard(item) {
  const id = newId("card");
  const lease = h("span", { class: "lease" });
  const waits = h("span", { class: "soft" });
  const update = () => {
    waits.textContent = t("waits", { time: span((Date.now() - new Date(item.opened_at)) / 1000) });
    const left = secondsLeft(item);
    lease.textContent = left > 0 ? t("lease.left", { time: clock(left) }) : t("lease.over");
    lease.classList.toggle("low", left < 30);
  };
  update();
  const card = h("article", { class: "card", tabindex: "-1", "aria-labelledby": id, data: { item: item.item_id, comment: item.comment.id } },
    h("header", { class: "card-head" }, kinds(item), waits, lease),
    h("div", { class: "where" }, h("h2", { id }, threadLink(item.thread)), h("p", { class: "soft" }, item.thread.prompt)),
    told(item),
    parents(item.parents),
    h("p", { class: "byline" }, byline(item.comment), item.revision > 1 && h("span", { class: "tag" }, t("revision", { n: item.revision }))),
    textOf(item.comment.body, { spans: item.spans, isHard: isHard(item) }),
    item.blind ? h("p", { class: "note" }, t("blind")) : h("section", { class: "why" }, h("h3", {}, t("why")), causeList(item.causes)));
  return { card, aside: around(item), update };
}

function kinds(item) {
  const kind = item.kind ?? "held";
  return [
    h("span", { class: `tag kind ${kind}` }, item.blind ? t("kind.blind") : word("kind", kind)),
    item.queue && item.queue !== "default" && h("span", { class: "tag" }, item.queue),
    item.language && h("span", { class: "tag" }, item.language),
    item.priority?.at_once ? h("span", { class: "tag late" }, t("at_once"))
      : item.priority?.due_at && new Date(item.priority.due_at) < Date.now() && h("span", { class: "tag late" }, t("overdue")),
  ];
}

export function parents(chain) {
  if (!chain?.length) return null;
  const last = chain.at(-1);
  return h("div", { class: "parents" },
    chain.length > 1 && h("details", {}, h("summary", {}, t("parents", { n: chain.length - 1 })), chain.slice(0, -1).map(quote)),
    h("p", { class: "soft tiny" }, t("answers")), quote(last));
}

/** What people said about it: reports, the author's appeal, a colleague who wants an admin to look. */
export function told(item) {
  return [
    item.opinions?.length > 0 && h("section", { class: "told" }, h("h3", {}, t("opinions")), opinionsOf(item.opinions, (at) => t("opinion", { n: at + 1 }))),
    item.escalation && h("section", { class: "told" }, h("h3", {}, t("escalated.by", { name: item.escalation.by_name ?? t("somebody") })),
      h("p", {}, item.escalation.note || t("escalated.silent"))),
    item.appeal && h("section", { class: "told" }, h("h3", {}, t("appeal")), textOf(item.appeal.text), item.appeal.decision && decisionList([item.appeal.decision])),
    item.reports?.length > 0 && h("section", { class: "told" }, h("h3", {}, t("reports.n", { n: item.reports.length })),
      h("ul", {}, item.reports.map((report) => h("li", {}, h("b", {}, word("report", report.reason)), report.detail && [" – ", h("bdi", {}, report.detail)],
        report.law && h("bdi", { class: "tag late" }, report.law), report.not_counted && h("span", { class: "tag" }, t("report.uncounted")), h("small", {}, ago(report.created_at)))))),
  ];
}

function around(item) {
  const record = item.author_record;
  // The machine's hold that brought it here is told already.
  const earlier = (item.decisions ?? []).filter((one) => !(one.actor_kind === "machine" && one.action === "hold" && one.revision === item.revision));
  return h("aside", { class: "around", "aria-label": t("around") },
    record && authorBox(record, item.comment.author),
    !item.blind && item.scores?.length > 0 && h("section", {}, h("h3", {}, t("scores")), scoreList(item.scores)),
    !item.blind && item.priority && whyNow(item.priority),
    earlier.length > 0 && h("section", {}, h("h3", {}, t("decisions")), decisionList(earlier)));
}

/** What brought a card forward; what had no part in that is left out. */
function whyNow(priority) {
  const due = h("p", { class: priority.at_once ? "" : "soft tiny" }, priority.at_once ? t("priority.at_once") : priority.due_at && t("due", { time: ago(priority.due_at) }));
  return h("section", {}, h("h3", {}, t("priority")), !priority.at_once && priorityList(priority), due);
}

export const STATUSES = ["published", "held", "pending", "rejected", "removed", "deleted"];

export function authorBox(record, author) {
  return h("section", {}, h("h3", {}, t("author")),
    h("p", {}, h("a", { href: href("author", [record.commenter_id]) }, author?.name || t("nameless")), " ",
      h("span", { class: "soft" }, t("since", { time: ago(record.first_seen_at) }))),
    countBar(record.counts));
}

/** How many of each status, as a bar and in words. */
export function countBar(counts) {
  const shown = STATUSES.filter((status) => counts[status]);
  const total = shown.reduce((sum, status) => sum + counts[status], 0);
  return [
    total > 0 && h("div", { class: "stack", "aria-hidden": "true" }, shown.map((status) => h("span", { class: status, vars: { "flex-grow": String(counts[status]) } }))),
    h("ul", { class: "legend" }, shown.map((status) => h("li", {}, h("span", { class: `dot ${status}` }), `${counts[status]} ${word("status", status)}`))),
  ];
}
