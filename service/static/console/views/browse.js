// Places to look around: search, threads, one comment, reports, appeals.

import { drop, get, post, put, review } from "../api.js";
import { decisionsOf } from "../decide.js";
import { announce, h, replace } from "../dom.js";
import { ago, has, num, stamp, t, word } from "../i18n.js";
import { go, href } from "../router.js";
import { byline, decisionList, parents, quote, STATUSES, textOf, threadLink, told } from "../ui/card.js";
import { reasonPicker } from "../ui/choose.js";
import { button, field, input, openDialog, pages, problemBox, select } from "../ui/form.js";
import { notice } from "../ui/shell.js";

// Comments in lists: text, status, where they stand, and what a moderator can do about them there.
export const statusTag = (status) => h("span", { class: "tag status" }, h("span", { class: `dot ${status}` }), word("status", status));

/** A comment as a row; `head` stands over it, `more` beside what can be done with it. */
export function commentRow(comment, { head = null, more = null, onDone = null, withThread = true } = {}) {
  const row = h("li", { data: { comment: comment.id } });
  const draw = (now) => replace(row, head,
    h("p", { class: "byline" }, h("b", {}, now.author?.name || t("nameless")), statusTag(now.status),
      h("time", { datetime: now.created_at, title: stamp(now.created_at) }, ago(now.created_at)),
      withThread && comment.thread && h("span", { class: "soft" }, comment.thread.title || comment.thread.page)),
    textOf(now.body ?? t("no.text"), { spans: null }),
    h("div", { class: "row" }, h("a", { href: href("comment", [comment.id]) }, t("comment.open")),
      comment.commenter_id && h("a", { href: href("author", [comment.commenter_id]) }, t("author.page")), actionsFor(now, onDone ?? draw), more));
  draw(comment);
  return row;
}

/** Take a published comment down, bring a removed or rejected one back. */
export function actionsFor(comment, onDone) {
  if (comment.status === "published") return button(t("take_down"), () => takeDown(comment, onDone), "small");
  if (["removed", "rejected"].includes(comment.status)) return button(t("restore"), () => act(comment, { action: "restore", reasons: [] }, onDone).catch((problem) => notice(problem.message, "problem")), "small");
  return null;
}

/** Feature a published comment, pin a root above its thread, or no more. */
const picksFor = (comment, onDone) => comment.status === "published" && ["featured", ...(comment.parent_id ? [] : ["pinned"])].map((what) =>
  button(t(comment[what] ? `un${what}` : what), async () => {
    try {
      await (comment[what] ? drop : put)(review("comments", comment.id, what));
      onDone();
    } catch (problem) {
      notice(problem.message, "problem");
    }
  }, "small"));

function takeDown(comment, onDone) {
  return openDialog(t("take_down"), (close) => {
    const picker = reasonPicker({ verb: t("take_down"), draft: `remove-${comment.id}`, onCancel: () => close(),
      onSend: (wanted) => act(comment, { action: "remove", ...wanted }, onDone).then(() => close()) });
    setTimeout(picker.focus);
    return picker.form;
  }, { wide: true });
}

async function act(comment, wanted, onDone) {
  try {
    const answer = await post(review("comments", comment.id, "decision"), { revision: comment.revision ?? 1, ...wanted });
    announce(t(`acted.${wanted.action}`));
    onDone({ ...comment, ...answer.comment });
    offerUndo(answer, wanted, () => onDone({ ...comment }));
  } catch (problem) {
    if (problem.code === "revision.changed" && problem.extra.revision && problem.extra.revision !== comment.revision) {
      return act({ ...comment, revision: problem.extra.revision }, wanted, onDone);
    }
    throw problem;
  }
  return null;
}

function offerUndo(answer, wanted, onUndone) {
  const id = answer.decision?.act_id;
  if (!id || !answer.undo_until) return notice(t(`acted.${wanted.action}`));
  return notice(t(`acted.${wanted.action}`), "info", h("div", { class: "row" }, button(t("undo"), async (event) => {
    event.target.disabled = true;
    try {
      await post(review("acts", id, "undo"));
      onUndone();
      notice(t("undone", { n: 1 }));
    } catch (problem) {
      notice(problem.message, "problem");
    }
  }, "small")));
}

// Search over the comments of the site; what was searched is in the address.
export async function searching(root, at) {
  const query = at.query;
  const fields = {
    q: input({ type: "search", value: query.q ?? "", autocomplete: "off" }), author: input({ value: query.author ?? "" }),
    status: select([["", t("any")], ...STATUSES.map((one) => [one, word("status", one)])], query.status ?? ""),
    rule: input({ value: query.rule ?? "", placeholder: "doubtful-toxicity" }), page: input({ value: query.page ?? "", placeholder: "https://…" }),
    from: input({ type: "date", value: query.from ?? "" }), to: input({ type: "date", value: query.to ?? "" }),
  };
  const submit = (event) => {
    event.preventDefault();
    go("search", [], Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.value.trim()])));
  };
  replace(root, h("div", { class: "view" }, h("h1", {}, t("nav.search")),
    h("form", { class: "toolbar", role: "search", onsubmit: submit }, Object.entries(fields).map(([name, one]) => field(t(`search.${name}`), one)),
      h("button", { class: "button primary", type: "submit" }, t("nav.search")), Object.keys(query).length > 0 && h("a", { class: "button", href: href("search") }, t("filter.clear"))),
    Object.keys(query).length ? pages(readSearch(query), (comment) => commentRow(comment), { empty: t("search.none") }) : h("p", { class: "soft" }, t("search.what"))));
  fields.q.focus();
}

const readSearch = (query) => async (after) => {
  const wanted = { ...query, after, limit: 30 };
  if (query.from) wanted.from = new Date(`${query.from}T00:00`).toISOString();
  if (query.to) wanted.to = new Date(`${query.to}T23:59:59`).toISOString();
  const { comments, next } = await get(review("search"), wanted);
  return { items: comments, next };
};

// What is published: threads with their counts, and every comment of one, to be looked at after publication.

export async function browsing(root, at) {
  if (at.parts[0]) oneThread(root, at);
  else threadList(root, at);
}

function threadList(root, at) {
  const q = input({ type: "search", value: at.query.q ?? "", "aria-label": t("threads.find"), placeholder: t("threads.find") });
  replace(root, h("div", { class: "view" }, h("h1", {}, t("nav.threads")),
    h("form", { class: "toolbar", role: "search", onsubmit: (event) => { event.preventDefault(); go("threads", [], { q: q.value.trim() }); } },
      h("div", { class: "field" }, q), h("button", { class: "button", type: "submit" }, t("nav.search"))),
    pages(async (after) => {
      const { threads, next } = await get(review("threads"), { q: at.query.q, after });
      return { items: threads, next };
    }, threadRow)));
}

function threadRow(view) {
  return h("li", {}, h("h2", {}, h("a", { href: href("threads", [view.page]) }, view.title || view.page), view.state === "closed" && h("span", { class: "tag" }, t("closed"))),
    h("p", { class: "row soft" }, STATUSES.filter((status) => view.counts[status]).map((status) => h("span", {}, h("span", { class: `dot ${status}` }), `${num(view.counts[status])} ${word("status", status)}`))));
}

function oneThread(root, at) {
  const [page] = at.parts;
  const choice = select([["", t("any")], ...STATUSES.map((one) => [one, word("status", one)])], at.query.status ?? "", { "aria-label": t("search.status"),
    onchange: () => go("threads", [page], { status: choice.value }) });
  const title = h("h1", {}, page);
  const link = h("p", { class: "soft" });
  replace(root, h("div", { class: "view" }, h("p", {}, h("a", { href: href("threads") }, t("threads.all"))), title, link,
    h("div", { class: "toolbar" }, h("label", { class: "field" }, t("search.status"), choice)),
    pages(async (after) => {
      const answer = await get(review("threads", page, "comments"), { status: at.query.status, after });
      if (answer.thread) {
        title.textContent = answer.thread.title || page;
        replace(link, answer.thread.url ? threadLink({ ...answer.thread, title: answer.thread.url }) : page);
      }
      return { items: answer.comments, next: answer.next };
    }, (comment) => commentRow(comment, { withThread: false }))));
}

// One comment: its text, what it answers, every decision, and what can be done.
export async function oneComment(root, at) {
  const [id] = at.parts;
  const view = h("div", { class: "view" }, h("h1", {}, t("comment")));
  replace(root, view);
  const draw = async () => {
    try {
      const [comment, { decisions }] = await Promise.all([get(review("comments", id)), decisionsOf(id)]);
      replace(view, h("h1", {}, t("comment.by", { name: comment.author?.name || t("nameless") })), h("div", { class: "columns" },
        h("div", {}, h("div", { class: "panel" }, h("p", { class: "byline" }, threadLink(comment.thread)), told({ ...comment, appeal: null }), parents(comment.ancestors),
          h("p", { class: "byline" }, byline(comment), statusTag(comment.status), appealTag(comment.appeal)), textOf(comment.body ?? t("no.text")),
          comment.pending_edit && [h("h2", {}, t("comment.edit")), textOf(comment.pending_edit.body)], h("div", { class: "row" }, comment.items.map(waitingFor),
            actionsFor(comment, draw), comment.reports.some((one) => !one.review_item_id) && keepButton(comment, draw), picksFor(comment, draw),
            h("a", { href: href("threads", [comment.thread.page]) }, t("thread")), h("a", { href: href("author", [comment.commenter_id]) }, t("author.page")))),
          h("p", { class: "soft tiny" }, h("code", {}, comment.id))),
        h("section", {}, h("h2", {}, t("decisions")), decisionList(decisions))));
    } catch (problem) {
      replace(view, h("h1", {}, t("comment")), problemBox(problem));
    }
  };
  await draw();
}

/** How the newest appeal on a comment stands; what its author says is on the card and among the appeals. */
const appealTag = (state) => state && h("a", { class: "tag", href: href("appeals", [], state === "open" ? {} : { state: "closed" }) },
  `${t("kind.appealed")}: ${t(state === "open" ? "state.open" : `appeal.${state}`)}`);

/** The way to the card that asks about a comment; somebody may have it at hand. */
const waitingFor = (item) => (item.claimed ? h("span", { class: "tag" }, t("item.claimed"))
  : h("a", { class: "button small primary", href: href("queue", [], { item_id: item.item_id }) }, t("item.decide")));

/** Answer reports that no card asks about: the comment stays. */
const keepButton = (comment, onDone) => comment.status === "published" && button(t("keep"), () =>
  act(comment, { action: "approve", reasons: [] }, onDone).catch((problem) => notice(problem.message, "problem")), "small");

// What readers reported, and what became of it.
const stateTabs = (view, chosen) => h("nav", { class: "tabs subnav", "aria-label": t("state") }, ["open", "closed"].map((state) =>
  h("a", { class: "tab", href: href(view, [], { state }), "aria-current": state === chosen ? "true" : null }, t(`state.${state}`))));

export async function reported(root, at) {
  const state = at.query.state ?? "open";
  replace(root, h("div", { class: "view" }, h("h1", {}, t("nav.reports")), stateTabs("reports", state),
    state === "open" && h("p", { class: "soft" }, t("reports.open"), " ", h("a", { href: href("queue", [], { kind: "reported" }) }, t("reports.review"))),
    pages(async (after) => {
      const { reports, next } = await get(review("reports"), { state, after, limit: 30 });
      return { items: reports, next };
    }, reportRow, { empty: t("reports.none") })));
}

/** A report and the comment that it is about; one that no card asks about is answered here. */
function reportRow(report) {
  const isOpen = !report.outcome;
  const decided = () => row.remove();
  const head = h("div", { class: "told" }, h("p", { class: "byline" }, h("b", {}, word("report", report.reason)), report.law && h("span", { class: "tag late" }, report.law),
    report.outcome && h("span", { class: "tag" }, t(`report.${report.outcome}`)), h("time", { datetime: report.created_at, title: stamp(report.created_at) }, ago(report.created_at))),
  report.detail && h("p", {}, h("q", {}, report.detail)),
  report.not_counted && h("p", {}, h("b", {}, t("report.uncounted")), " ", has(`uncounted.${report.not_counted.code}`) ? t(`uncounted.${report.not_counted.code}`) : report.not_counted.text));
  const row = commentRow(report.comment, { head, onDone: isOpen && !report.review_item_id ? decided : null, more: isOpen && [
    report.review_item_id ? h("a", { class: "button small primary", href: href("queue", [], { item_id: report.review_item_id }) }, t("item.decide")) : keepButton(report.comment, decided)] });
  return row;
}

// Authors who ask to look again: what was decided, what they say, and how it ended.
export async function appealed(root, at) {
  const state = at.query.state ?? "open";
  replace(root, h("div", { class: "view" }, h("h1", {}, t("nav.appeals")), stateTabs("appeals", state),
    state === "open" && h("p", { class: "soft" }, t("appeals.open"), " ", h("a", { href: href("queue", [], { kind: "appealed" }) }, t("reports.review"))),
    pages(async (after) => {
      const { appeals, next } = await get(review("appeals"), { state, after, limit: 30 });
      return { items: appeals, next };
    }, appealRow, { empty: t("appeals.none") })));
}

const appealRow = (appeal) => commentRow(appeal.comment, {
  head: h("div", { class: "told" }, h("p", { class: "byline" }, h("b", {}, t("appeal")), appeal.outcome && h("span", { class: "tag" }, t(`appeal.${appeal.outcome}`)),
    appeal.answered_by_name && h("span", {}, t("by", { name: appeal.answered_by_name })), h("time", { datetime: appeal.created_at, title: stamp(appeal.created_at) }, ago(appeal.created_at))),
  textOf(appeal.text ?? t("no.text")), appeal.answer && h("p", {}, h("q", {}, appeal.answer))),
  more: appeal.review_item_id && !appeal.outcome && h("a", { class: "button small primary", href: href("queue", [], { item_id: appeal.review_item_id }) }, t("item.decide")),
});
