// The frame around every view: where one is, what waits, who works, and the switches.

import { isReachable } from "../api.js";
import { dismiss, left, undo, undoable, waiting } from "../decide.js";
import { announce, h, replace } from "../dom.js";
import { clock, t, word } from "../i18n.js";
import { useKeys } from "../keys.js";
import { releaseAll } from "../leases.js";
import { go, href } from "../router.js";
import { chooseSite, isAdmin, session, signOut } from "../session.js";
import { on, prefs } from "../store.js";
import { textOf } from "./card.js";
import { showHelp } from "./form.js";

const PLACES = ["queue", "list", "threads", "reports", "appeals", "search", "dashboard", "audit", "settings"];
const FOR_ADMINS = ["audit", "settings"];
let offs = [];

/** Build the frame; the answer has the place for views and marks which one is shown. */
export function shell(root, { onSite }) {
  offs.forEach((off) => off());
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = {};
  const counts = {};
  const list = PLACES.filter((name) => isAdmin() || !FOR_ADMINS.includes(name)).map((name) => {
    counts[name] = h("span", { class: "count" });
    links[name] = h("a", { href: href(name) }, t(`nav.${name}`), counts[name]);
    return h("li", {}, links[name]);
  });
  const nav = h("nav", { id: "nav", class: "nav", "aria-label": t("nav") }, h("ul", {}, list, h("li", {}, h("button", { class: "button quiet sign-off", onclick: signOff }, t("sign_out")))));
  const menu = h("button", { class: "button quiet menu", "aria-expanded": "false", "aria-controls": "nav" }, t("menu"));
  const open = (is) => { root.classList.toggle("nav-open", is); menu.setAttribute("aria-expanded", String(is)); };
  menu.addEventListener("click", () => open(!root.classList.contains("nav-open")));
  nav.addEventListener("click", (event) => { if (event.target.closest("a")) open(false); });
  const light = h("span", { class: "light", title: t("live.off") });
  replace(root,
    h("a", { class: "skip-link", href: "#main", onclick: (event) => { event.preventDefault(); main.focus(); } }, t("skip")),
    h("header", { class: "top" }, menu, h("a", { class: "brand", href: href("queue") }, "Colloquy"), siteName(onSite), light, undoPlace,
      h("div", { class: "tools" },
        h("button", { class: "button quiet small help", "aria-label": t("help"), onclick: showHelp }, "?"),
        themeSwitch(),
        h("a", { class: "button quiet small person", href: href("me") }, session.name || t("me")),
        h("button", { class: "button quiet small leave", onclick: signOff }, t("sign_out"))), place),
    h("div", { class: "frame" }, nav, main));
  const showCounts = (view) => {
    counts.queue.textContent = view.depth || "";
    counts.reports.textContent = view.reports?.open || "";
    counts.appeals.textContent = view.kinds?.appealed || "";
  };
  if (session.queue) showCounts(session.queue);
  offs = [
    on("queue", (view) => { session.queue = view; showCounts(view); }),
    on("live", (is) => { light.classList.toggle("on", is); light.title = t(is ? "live.on" : "live.off"); }),
    useKeys({ "?": () => { showHelp(); }, "/": () => { go("search"); }, Escape: () => {
      if (!root.classList.contains("nav-open")) return hideUndo();
      open(false);
      menu.focus();
      return true;
    } }),
  ];
  return { main, mark: (name) => mark(links, name) };
}

function mark(links, shown) {
  for (const [name, link] of Object.entries(links)) {
    if (name === shown) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function siteName(onSite) {
  const name = session.desk?.name || session.site;
  if (session.sites.length < 2) return h("span", { class: "site" }, name);
  const options = session.sites.map((one) =>
    h("option", { value: one.slug, selected: one.slug === session.site }, one.slug === session.site ? name : one.name || one.slug));
  return h("select", { class: "site", "aria-label": t("site"), onchange: async (event) => {
    await releaseAll();
    await chooseSite(event.target.value);
    if (location.hash !== "#/queue") history.replaceState(null, "", "#/queue");
    onSite();
  } }, options);
}

function themeSwitch() {
  const isDark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const button = h("button", { class: "button quiet small theme", onclick: () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    prefs.set("theme", theme);
    name();
  } });
  const name = () => { button.textContent = isDark() ? "☀" : "☾"; button.setAttribute("aria-label", t(isDark() ? "theme.light" : "theme.dark")); };
  name();
  return button;
}

async function signOff() {
  await releaseAll();
  await signOut();
  location.hash = "";
  location.reload();
}

// What is said at the edge of the page: the last decision and how to take it back, a lost connection, notices.
const notices = [];
const undoPlace = h("div", { class: "undo-place" });
const SEEN_MS = 1000;
let place = null;
let offered = null;

export function startBars() {
  if (place) return;
  place = document.getElementById("bars");
  on("acts", drawBars);
  on("reachable", drawBars);
  setInterval(tick, 1000);
}

/** Say something that stays until it is read. */
export function notice(text, kind = "info", more = null) {
  const one = { text, kind, more, at: Date.now() };
  notices.push(one);
  if (notices.length > 3) notices.shift();
  announce(text);
  drawBars();
  if (kind === "info") setTimeout(() => remove(one), 8000);
}

function remove(one) {
  const at = notices.indexOf(one);
  if (at >= 0) notices.splice(at, 1);
  drawBars();
}

/** Who goes on to another place has read what stood there. */
export function clearNotices() {
  for (const one of [...notices]) if (Date.now() - one.at > SEEN_MS) remove(one);
}

const APPEALED = { approve: "overturn", reject: "uphold" };

/** What an act did, in words. */
export function say(act) {
  const reasons = (act.wanted.reasons ?? []).map((code) => word("reason", code)).join(", ");
  const action = (act.kind === "appealed" && APPEALED[act.wanted.action]) || act.wanted.action;
  const key = act.count > 1 ? `done.${act.wanted.action}.many` : `done.${action}`;
  return t(key, { n: act.count }) + (reasons ? `: ${reasons}` : "");
}

function drawBars() {
  if (!session.site) return replace(place);
  const isWaiting = (one) => one.state === "queued" || one.state === "sending";
  const act = undoable();
  const isOut = !isReachable();
  const kept = waiting().length;
  replace(undoPlace, act && !act.isHidden && h("div", { class: "bar undo" },
    h("span", { class: "bar-text" }, h("b", {}, act.isUnwanted ? t("undo.soon") : say(act)), isWaiting(act) && isOut && h("small", {}, ` ${t("kept")}`),
      act.about && [" ", act.about.name || t("nameless"), " ", textOf(act.about.body, act.about)]),
    act.state === "final" ? h("span", {}, t("undo.never")) : [
      h("span", { class: "soft clock" }, clock(left(act))), h("button", { class: "button small", onclick: takeBack }, t("undo"), h("kbd", {}, "u"))],
    h("button", { class: "button quiet small", "aria-label": t("undo.hide"), onclick: hideUndo }, "✕")));
  if (act && act !== offered) announce(`${say(act)}. ${t(act.state === "final" ? "undo.never" : "undo.hint")}`);
  offered = act;
  replace(place,
    isOut && h("div", { class: "bar offline", role: "alert" }, h("strong", {}, t("offline")), " ", t("offline.kept", { n: kept })),
    notices.map((one) => h("div", { class: `bar ${one.kind}`, role: one.kind === "info" ? "status" : "alert" },
      h("div", { class: "bar-text" }, one.text, one.more),
      h("button", { class: "button quiet small", "aria-label": t("close"), onclick: () => remove(one) }, "✕"))));
}

function tick() {
  const act = undoable();
  if (act !== offered) return drawBars();
  const time = undoPlace.querySelector(".clock");
  if (act && time) time.textContent = clock(left(act));
  return null;
}

/** Put the bar away; what it offers can be had until its time is over. */
function hideUndo() {
  const act = undoable();
  if (!act || act.isHidden) return false;
  act.isHidden = true;
  drawBars();
  return true;
}

/** Take the last act back and say how that went. */
export async function takeBack() {
  const act = undoable();
  if (!act) return notice(t("undo.nothing"));
  if (act.state === "final") {
    dismiss(act);
    const before = undoable();
    return notice(`${say(act)}. ${t("undo.never")}${before ? ` ${t("undo.before", { what: say(before) })}` : ""}`);
  }
  try {
    const answer = await undo(act);
    announce(t("undone", { n: answer.undone }));
    if (answer.left?.length) notice(t("undo.left", { n: answer.left.length }), "warn");
  } catch (problem) {
    notice(problem.message, "problem");
  }
  return drawBars();
}
