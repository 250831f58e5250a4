// One card after the other: read, decide, and the next one is there.

import { decide, dismiss, noteFinal } from "../decide.js";
import { announce, h, replace } from "../dom.js";
import { t } from "../i18n.js";
import { areOn, useKeys } from "../keys.js";
import { AHEAD, current, escalate, fill, goOn, hand, move, putBack, scopeTo, skip, take, watch } from "../leases.js";
import { href } from "../router.js";
import { own } from "../session.js";
import { on, tab } from "../store.js";
import { changedText, readNow, reviewCard } from "../ui/card.js";
import { filterForm, filterOf, queueTabs, reasonPicker } from "../ui/choose.js";
import { area, field, problemBox } from "../ui/form.js";
import { notice, takeBack } from "../ui/shell.js";

const LOCK_MS = 250;
const BYLINE = 44; // What stays free over a comment, for the line that says whose it is.
const BESIDE = 12;
let shown = null; // The item in view, its card, and since when it may be decided.
let picker = null;
let parts = null;
let isFiltered = false;

export async function reviewing(root, at) {
  const scope = { ...(at.parts[0] ? { queue: at.parts[0] } : {}), filter: filterOf(at.query) };
  const stage = h("div", { class: "stage" });
  const actions = h("div", { class: "actions", role: "toolbar", "aria-label": t("actions") });
  const tabs = h("div", {});
  parts = { stage, actions, tabs };
  isFiltered = Boolean(at.parts[0] || Object.keys(at.query).length);
  shown = null;
  replace(root, h("h1", { class: "unseen" }, t("nav.queue")), h("div", { class: "queue-head" }, tabs, filterForm("queue", at)),
    h("div", { class: "desk" }, stage, actions));
  drawTabs(at);
  const offs = [
    on("hand", render), on("queue", () => drawTabs(at)), on("lease-ended", onEnded), on("lease-again", onAgain),
    on("decision-failed", onFailed), on("decided-elsewhere", onElsewhere), useKeys(keys()),
  ];
  const ticking = setInterval(() => shown?.update?.(), 1000);
  watch(true);
  render();
  await scopeTo(scope, AHEAD);
  render();
  return () => {
    offs.forEach((off) => off());
    clearInterval(ticking);
    picker?.leave();
    picker = shown = null;
    watch(false);
  };
}

/** The card in view may be decided: it has been there long enough that no key was meant for the one before. */
export const isReady = () => Boolean(shown?.item) && performance.now() >= shown.readyAt;

const drawTabs = (at) => replace(parts.tabs, queueTabs(at));

function keys() {
  const whenReady = (act) => () => {
    if (!shown?.item) return false;
    if (isReady()) act();
    return true;
  };
  return {
    a: whenReady(approve), r: whenReady(openPicker), e: whenReady(openEscalation), s: whenReady(doSkip), u: () => { takeBack(); },
    n: () => { if (!move(1)) announce(t("hand.last")); }, p: () => { if (!move(-1)) announce(t("hand.first")); },
    o: () => { shown?.card?.querySelector("a.article")?.click(); }, b: toggleBlur,
  };
}

function toggleBlur() {
  const texts = document.querySelectorAll(".stage .text");
  const is = ![...texts].some((text) => text.classList.contains("blurring"));
  texts.forEach((text) => text.classList.toggle("blurring", is));
  own.set("blur", is);
  announce(t(is ? "blur.on" : "blur.off"));
}

function approve() {
  const { item } = shown;
  const send = (note) => decide([item], { action: "approve", reasons: [], ...(note ? { note } : {}) });
  if (item.kind === "appealed") openNote(t("note.answer"), t("overturn"), send);
  else send();
}

function openPicker() {
  const { item } = shown;
  picker?.leave();
  picker = reasonPicker({
    verb: t(item.kind === "appealed" ? "uphold" : "reject"), draft: item.item_id,
    noteLabel: t(item.kind === "appealed" ? "note.answer" : "note"),
    onSend: (wanted) => { decide([item], { action: "reject", ...wanted }); }, onCancel: openSheet(),
  });
  fillSheet(picker.form);
  picker.focus();
}

/** Ask for a note before an act that takes one. */
function openNote(label, verb, onSend) {
  const note = area({ rows: "1", maxlength: "2000", onkeydown: (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  } });
  const giveUp = openSheet();
  const off = useKeys({ Escape: () => close() }, { modal: true });
  const close = () => { off(); giveUp(); };
  const form = h("form", { class: "picker", onsubmit: (event) => {
    event.preventDefault();
    off();
    onSend(note.value.trim());
  } }, field(label, note), h("div", { class: "row" }, h("button", { class: "button primary", type: "submit" }, verb, h("kbd", {}, "↵")),
    h("button", { class: "button", type: "button", onclick: close }, t("cancel"), h("kbd", {}, "Esc"))));
  picker = { form, leave: () => { off(); form.remove(); } };
  fillSheet(form);
  note.focus({ preventScroll: true });
}

/** Remember where somebody reads; the answer closes the sheet and goes back there. */
function openSheet() {
  const top = scrollY;
  return () => {
    picker = null;
    drawActions();
    scrollTo(0, top);
    shown?.card?.focus({ preventScroll: true });
  };
}

/** Put a form in the sheet at the lower edge, and the comment into what that leaves free, from its first line on. */
function fillSheet(form) {
  replace(parts.actions, form);
  parts.actions.classList.add("open");
  const text = shown.card.querySelector(".card > .text").getBoundingClientRect();
  const free = document.querySelector(".top").getBoundingClientRect().bottom + BYLINE;
  const hidden = text.bottom + BESIDE - parts.actions.getBoundingClientRect().top;
  if (hidden > 0) scrollBy(0, Math.min(hidden, text.top - free));
}

function openEscalation() {
  const { item } = shown;
  openNote(t("escalate.note"), t("escalate"), (note) => {
    noteFinal(item, "escalate", escalate(item, note)).then(() => notice(t("escalated")), (problem) => { notice(problem.message, "problem"); if (shown?.item === item) drawActions(); });
  });
}

function doSkip() {
  const { item } = shown;
  noteFinal(item, "skip", skip(item)).catch((problem) => notice(problem.message, "problem"));
}

/** Put the current item in view; one that is there already stays as it is, with what is being written. */
function render() {
  const item = current();
  if (item && shown?.item?.item_id === item.item_id) {
    shown.item.lease = item.lease;
    drawPlace();
    return;
  }
  picker?.leave();
  picker = null;
  if (!item) return renderNone();
  const hadFocus = shown?.card?.contains(document.activeElement) || parts.actions.contains(document.activeElement) || document.activeElement === document.body || document.activeElement?.id === "main";
  const built = reviewCard(item);
  shown = { item, ...built, readyAt: performance.now() + LOCK_MS };
  replace(parts.stage, built.card, built.aside);
  drawActions();
  drawPlace();
  scrollTo(0, 0);
  if (hadFocus) built.card.focus({ preventScroll: true });
  if (tab.get(`draft.${item.item_id}`)?.open) openPicker();
  return null;
}

function drawPlace() {
  const place = parts.actions.querySelector(".place");
  if (place) place.textContent = t("hand.place", { at: hand.at + 1, n: hand.items.length });
}

function renderNone() {
  const key = hand.isPaused ? "paused" : hand.failed ? "failed" : hand.isFilling || !hand.isEmpty ? "filling" : "none";
  if (shown?.none === key) return;
  const wasDeciding = Boolean(shown?.item);
  shown = { none: key };
  parts.actions.replaceChildren();
  parts.actions.classList.remove("open");
  const box = h("div", { class: "nothing", tabindex: "-1" });
  if (key === "paused") replace(box, h("h2", {}, t("paused")), h("p", {}, t("paused.what")), h("button", { class: "button primary", onclick: () => goOn().then(render) }, t("go_on")));
  else if (key === "failed") replace(box, problemBox(hand.failed), h("button", { class: "button", onclick: () => fill() }, t("again")));
  else if (key === "filling") replace(box, h("p", { class: "soft" }, t("loading")));
  else replace(box, h("h2", {}, t(isFiltered ? "none.filtered" : "none")), h("p", { class: "soft" }, t("none.what")), isFiltered && h("a", { class: "button", href: href("queue") }, t("none.everything")));
  replace(parts.stage, box);
  if (wasDeciding && key === "none") box.focus({ preventScroll: true });
}

function drawActions() {
  const { item } = shown;
  const isAppeal = item.kind === "appealed";
  const act = (name, key, label, run) => h("button", { class: `button act ${name}`, onclick: () => { if (isReady()) run(); }, "aria-keyshortcuts": areOn() ? key : null }, label, h("kbd", {}, key));
  parts.actions.classList.remove("open");
  replace(parts.actions,
    act("approve", "a", t(isAppeal ? "overturn" : "approve"), approve), act("reject", "r", t(isAppeal ? "uphold" : "reject"), openPicker),
    act("escalate", "e", t("escalate"), openEscalation), act("skip", "s", t("skip.card"), doSkip),
    h("span", { class: "steps" }, h("button", { class: "button quiet", "aria-label": t("previous"), onclick: () => move(-1) }, "‹"), h("span", { class: "place soft" }),
      h("button", { class: "button quiet", "aria-label": t("next"), onclick: () => move(1) }, "›")));
}

function onEnded({ item }) {
  if (item) notice(t("lease.ended"), "warn");
}

function onAgain({ isBack }) {
  notice(t(isBack ? "lease.again" : "lease.gone"), isBack ? "info" : "warn");
}

function onElsewhere({ item_id: id }) {
  if (!hand.items.some((item) => item.item_id === id)) return;
  const item = shown?.item?.item_id === id ? shown.item : null;
  take([id]);
  if (item) {
    // Nobody asked for the card that came instead, so it may not be decided by a key that was on its way.
    if (shown?.item) shown.readyAt = performance.now() + LOCK_MS * 4;
    sayGone(item);
  }
  fill();
}

/** Say why a card went away: its author changed the text, or somebody decided it. */
async function sayGone(item) {
  const now = await readNow(item);
  if (now !== null && now !== item.comment.body) notice(t("changed"), "warn", changedText(item, { extra: { comment: { body: now } } }));
  else notice(t("decided.elsewhere"), "warn");
}

/** What was entered for a refused decision is there again when its card is. */
const openDraft = (act) => tab.set(`draft.${act.draft}`, { ...tab.get(`draft.${act.draft}`, {}), open: act.wanted.action === "reject" });

/** A decision that the service refused: what changed is shown, what can be decided anew comes back. */
function onFailed({ act, problem }) {
  dismiss(act);
  const [item] = act.items;
  if (problem.code === "revision.changed") return notice(t("changed"), "warn", changedText(item, problem));
  if (problem.code === "item.decided") return notice(t("decided.already"), "warn");
  if (problem.code === "lease.expired") {
    openDraft(act);
    return notice(t("lease.lost", { name: item.comment.author?.name || t("nameless") }), "problem");
  }
  if (problem.status === 400) {
    openDraft(act);
    putBack(act.items);
  }
  return notice(problem.message, "problem");
}

