// The console starts here: who works, in which language, on which site; then the view of the address.

import { follow, Problem, unfollow } from "./api.js";
import { startDecisions, waiting } from "./decide.js";
import { announce, h, replace } from "./dom.js";
import { loadLanguage, t } from "./i18n.js";
import { hand, startHand } from "./leases.js";
import { here, leaveView, route, show } from "./router.js";
import { resume, session } from "./session.js";
import { on } from "./store.js";
import { isDialogShown } from "./ui/form.js";
import { clearNotices, shell, startBars } from "./ui/shell.js";
import { showMe, showSignIn } from "./views/account.js";
import { audited } from "./views/audit.js";
import { oneAuthor } from "./views/author.js";
import { appealed, browsing, oneComment, reported, searching } from "./views/browse.js";
import { dashboard } from "./views/dashboard.js";
import { deciding } from "./views/list.js";
import { isReady, reviewing } from "./views/queue.js";
import { settings } from "./views/settings.js";

// What tests and benches ask of a running console.
export { hand, isReady, waiting };

route("queue", reviewing);
route("list", deciding);
route("threads", browsing);
route("comment", oneComment);
route("reports", reported);
route("appeals", appealed);
route("search", searching);
route("audit", audited);
route("author", oneAuthor);
route("dashboard", dashboard);
route("settings", settings);
route("me", showMe);

const app = document.getElementById("app");
let frame = null;

async function start() {
  await loadLanguage();
  startBars();
  addEventListener("hashchange", () => (here().name === "invitation" ? signInView() : showView()));
  if (here().name === "invitation") return signInView();
  try {
    if (!(await resume())) return signInView();
  } catch (problem) {
    return sayFailed(problem);
  }
  return work();
}

function signInView() {
  leaveView();
  unfollow();
  frame = null;
  showSignIn(app, work);
}

async function work() {
  if (session.site === null) return replace(app, h("main", { class: "gate" }, h("h1", {}, t("site.none")), h("p", {}, t("site.none.what"))));
  frame = shell(app, { onSite: work });
  startOnce();
  follow();
  await showView();
  return null;
}

let isStarted = false;
function startOnce() {
  if (isStarted) return;
  isStarted = true;
  startHand();
  startDecisions();
  on("signed-out", () => { if (frame) signInView(); });
}

async function showView() {
  const mine = frame;
  if (!mine) return;
  // Behind a dialog that stays over another page, that page's keys would count.
  document.querySelectorAll("dialog[open]").forEach((one) => one.close());
  clearNotices();
  const wasElsewhere = !isDialogShown() && document.activeElement !== document.body;
  try {
    await show(mine.main, "queue");
  } catch (problem) {
    replace(mine.main, h("div", { class: "problem", role: "alert" }, problem.message));
    if (!(problem instanceof Problem)) throw problem;
  }
  // Meanwhile somebody may have signed out, or opened an invitation.
  if (frame !== mine) return;
  const heading = mine.main.querySelector("h1");
  mine.mark(here().name || "queue");
  document.title = `${heading?.textContent ?? ""} – ${session.desk?.name || session.site} – Colloquy`;
  if (wasElsewhere && !mine.main.contains(document.activeElement)) mine.main.focus({ preventScroll: true });
  if (heading) announce(heading.textContent);
  scrollTo(0, 0);
}

function sayFailed(problem) {
  const again = h("button", { class: "button primary", onclick: () => location.reload() }, t("again"));
  replace(app, h("main", { class: "gate" }, h("h1", {}, "Colloquy"), h("p", { class: "problem", role: "alert" }, problem.message), again));
}

start();
