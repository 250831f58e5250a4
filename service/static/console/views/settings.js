// What admins set for their site: who may do what, and who is told; the rules have a module of their own.

import { admin, drop, get, patch, post } from "../api.js";
import { h, replace } from "../dom.js";
import { ago, day, stamp, t, word } from "../i18n.js";
import { href } from "../router.js";
import { isAdmin } from "../session.js";
import { button, sure, field, form, input, pages, problemBox, select, showSecret, table } from "../ui/form.js";
import { notice } from "../ui/shell.js";
import { showPolicy, showReasons, showReview, showSite, showWords } from "./settings_rules.js";

const PARTS = {
  policy: showPolicy, words: showWords, reasons: showReasons, review: showReview,
  members: showMembers, keys: showKeys, webhooks: showWebhooks, site: showSite,
};

export async function settings(root, at) {
  const chosen = at.parts[0] in PARTS ? at.parts[0] : "policy";
  const place = h("div", {});
  replace(root, h("div", { class: "view" }, h("h1", {}, t("nav.settings")), h("nav", { class: "subnav", "aria-label": t("nav.settings") },
    Object.keys(PARTS).map((name) => h("a", { class: "tab", href: href("settings", [name]), "aria-current": name === chosen ? "true" : null }, t(`settings.${name}`)))), place));
  if (!isAdmin()) return void replace(place, h("p", { class: "empty" }, t("admins.only")));
  try {
    await PARTS[chosen](place, at.parts.slice(1));
  } catch (problem) {
    if (!problem.code) throw problem;
    replace(place, problem.isMissing ? h("p", { class: "empty" }, t("missing")) : problemBox(problem));
  }
  return undefined;
}

// Who may do what, and who is told: members, API keys, webhooks.
// Moderators and admins: who they are, naming a new one, and the invitation that is shown once.
async function showMembers(place) {
  const { members } = await get(admin("members"));
  const name = input({ autocomplete: "off" });
  const email = input({ type: "email", autocomplete: "off" });
  const role = select([["moderator", t("role.moderator")], ["admin", t("role.admin")]], "moderator");
  const state = (one) => (one.disabled_at ? t("disabled") : one.pending ? t("invited") : t("active"));
  const end = async (one) => {
    if (!(await sure(t("members.end"), t("members.end.what", { name: one.name }), t("members.end")))) return;
    await drop(admin("members", one.id));
    await showMembers(place);
  };
  replace(place, table(t("settings.members"), [t("name"), t("role"), t("email"), t("state"), t("since.day"), ""], members.map((one) => [one.name, t(`role.${one.role}`), one.email ?? "", state(one), day(one.created_at),
    !one.disabled_at && button(t("members.end"), () => end(one), "quiet small")]), { hidden: true }),
  h("section", { class: "panel" }, h("h2", {}, t("members.new")), form([field(t("name"), name), field(t("email"), email, t("members.email")), field(t("role"), role)], t("members.invite"), async () => {
    const made = await post(admin("members"), { name: name.value.trim(), role: role.value, ...(email.value.trim() ? { email: email.value.trim() } : {}) });
    if (made.invitation) await showSecret(t("members.invitation"), t("members.invitation.what"), `${location.origin}/console#/invitation/${made.invitation}`);
    await showMembers(place);
  })));
}

// API tokens: for a person's programs or the publisher's systems; each secret is shown once.
const SCOPES = ["review", "threads", "events", "admin", "analyze"];

async function showKeys(place) {
  const [{ keys }, { members }] = await Promise.all([get(admin("keys")), get(admin("members"))]);
  const name = input({ autocomplete: "off" });
  const of = select([["", t("keys.system")], ...members.filter((one) => !one.disabled_at && !one.pending).map((one) => [one.id, one.name])], "");
  const scopes = SCOPES.map((one) => h("input", { type: "checkbox", value: one, checked: one === "review" }));
  const end = async (key) => {
    if (!(await sure(t("keys.revoke"), t("keys.revoke.what", { name: key.name }), t("keys.revoke")))) return;
    await drop(admin("keys", key.id));
    await showKeys(place);
  };
  replace(place, table(t("settings.keys"), [t("name"), t("keys.scopes"), t("keys.of"), t("since.day"), t("keys.used"), ""], keys.map((key) => [key.name, key.scopes.join(", "), members.find((one) => one.id === key.member_id)?.name ?? "–", day(key.created_at),
    key.last_used_at ? ago(key.last_used_at) : t("never"), key.revoked_at ? t("keys.revoked") : button(t("keys.revoke"), () => end(key), "quiet small")]), { hidden: true }),
  h("section", { class: "panel" }, h("h2", {}, t("keys.new")), form([field(t("name"), name), field(t("keys.of"), of), h("fieldset", { class: "row" }, h("legend", {}, t("keys.scopes")),
    scopes.map((box) => h("label", { class: "check" }, box, box.value)))], t("keys.make"), async () => {
    const wanted = { name: name.value.trim(), scopes: scopes.filter((box) => box.checked).map((box) => box.value), ...(of.value ? { member_id: of.value } : {}) };
    const made = await post(admin("keys"), wanted);
    await showSecret(t("keys.secret"), t("secret.once"), made.token);
    await showKeys(place);
  })));
}

// Receivers of events: how they fare, what was sent to each, and sending it again.
async function showWebhooks(place, [id]) {
  if (id) return log(place, id);
  const { webhooks } = await get(admin("webhooks"));
  const url = input({ type: "url", placeholder: "https://", required: true });
  const events = input({ value: "comment.*" });
  const about = input({ maxlength: "300" });
  replace(place, webhooks.length ? h("ul", {}, webhooks.map((one) => hookBox(one, place))) : h("p", { class: "empty" }, t("webhooks.none")),
    h("section", { class: "panel" }, h("h2", {}, t("webhooks.new")), form(hookFields(url, events, about), t("add"), async () => {
      const made = await post(admin("webhooks"), hookOf(url, events, about));
      await showSecret(t("webhooks.secret"), t("secret.once"), made.secret);
      await showWebhooks(place, []);
    })));
  return undefined;
}

function hookBox(hook, place) {
  const again = () => showWebhooks(place, []);
  const run = (what, said) => async () => {
    try {
      await what();
      notice(t(said));
      await again();
    } catch (problem) {
      notice(problem.message, "problem");
    }
  };
  const path = (...parts) => admin("webhooks", hook.id, ...parts);
  const isActive = hook.status === "active";
  const url = input({ type: "url", value: hook.url, required: true });
  const events = input({ value: hook.events.join(", "), required: true });
  const about = input({ maxlength: "300", value: hook.description });
  const change = h("details", {}, h("summary", {}, t("webhooks.change")), form(hookFields(url, events, about), t("save"), async () => {
    await patch(path(), hookOf(url, events, about));
    await again();
  }));
  return h("li", { class: "panel" }, h("h2", {}, hook.url), h("p", { class: "row" }, h("span", { class: isActive ? "tag kind" : "tag late" }, word("webhook", hook.status)), hook.reason && h("code", {}, hook.reason),
    h("span", { class: "soft" }, hook.events.join(", ")), h("span", { class: "soft" }, t("webhooks.owed", { pending: hook.pending, dead: hook.dead }))), hook.description && h("p", { class: "soft" }, hook.description),
  h("div", { class: "row" }, h("a", { class: "button small", href: href("settings", ["webhooks", hook.id]) }, t("webhooks.log")), button(t("webhooks.test"), run(() => post(path("test")), "webhooks.sent"), "small"),
    hook.dead > 0 && button(t("webhooks.replay"), run(() => post(path("replay"), { states: ["dead"] }), "webhooks.sent"), "small"),
    button(t(isActive ? "webhooks.pause" : "webhooks.resume"), run(() => patch(path(), { status: isActive ? "paused" : "active" }), "saved"), "small"),
    button(t("webhooks.rotate"), async () => { const made = await post(path("secrets")); await showSecret(t("webhooks.secret"), t("secret.once"), made.secret); }, "small"),
    button(t("remove"), async () => { if (await sure(t("remove"), t("webhooks.remove"), t("remove"))) await run(() => drop(path()), "saved")(); }, "quiet small")), change);
}

const hookFields = (url, events, about) => [field(t("webhooks.url"), url), field(t("webhooks.events"), events, t("webhooks.events.what")), field(t("webhooks.about"), about)];
const hookOf = (url, events, about) => ({ url: url.value.trim(), events: events.value.split(/[\s,]+/).filter(Boolean), description: about.value });

function log(place, id) {
  const choice = select([["", t("any")], ...["pending", "delivered", "dead", "cancelled"].map((one) => [one, word("delivery", one)])], "", { onchange: () => draw() });
  const list = h("div", {});
  const name = h("h2", {});
  const draw = () => replace(list, pages(async (after) => {
    const { deliveries, next } = await get(admin("webhooks", id, "deliveries"), { state: choice.value, after, limit: 30 });
    if (deliveries[0]) name.textContent = [deliveries[0].endpoint_url, deliveries[0].endpoint_description].filter(Boolean).join(" – ");
    return { items: deliveries, next };
  }, (one) => deliveryRow(one, id)));
  replace(place, h("p", {}, h("a", { href: href("settings", ["webhooks"]) }, t("webhooks.all"))), name, h("div", { class: "toolbar" }, field(t("state"), choice)), list);
  draw();
}

const LOOKS = 20;

/** A delivery as a row, which follows what becomes of it once it is sent again. */
function deliveryRow(one, id) {
  const row = h("li", {});
  const path = admin("webhooks", id, "deliveries", one.id);
  const follow = async (attempts, looks) => {
    const now = await get(path);
    if (now.attempts !== attempts || !looks) draw(now);
    else if (row.isConnected) setTimeout(() => follow(attempts, looks - 1).catch(() => null), 500);
  };
  const draw = (now) => replace(row, deliveryParts(now, path, async () => {
    await post(`${path}/replay`);
    notice(t("webhooks.sent"));
    await follow(now.attempts, LOOKS);
  }));
  draw(one);
  return row;
}

function deliveryParts(one, path, sendAgain) {
  const attempts = h("ul", {});
  const open = async (event) => {
    if (!event.target.open || attempts.children.length) return;
    const detail = await get(path);
    replace(attempts, detail.attempts_made.map((made) => h("li", {}, `${made.number}. ${stamp(made.started_at)}: ${made.status ?? made.error} (${made.milliseconds} ms)`)));
  };
  const again = button(t("webhooks.again"), () => {
    again.disabled = true;
    sendAgain().catch((problem) => notice(problem.message, "problem"));
  }, "small");
  return [h("p", { class: "byline" }, h("b", {}, one.event_type), h("span", { class: one.state === "dead" ? "tag late" : "tag" }, word("delivery", one.state)), h("time", { datetime: one.created_at }, ago(one.created_at)),
    h("span", { class: "soft" }, one.last_status ?? one.last_error ?? "")),
  one.comment && h("p", { class: "soft" }, h("a", { href: href("comment", [one.comment.id]) }, one.comment.author_name || t("nameless")), " ", one.comment.text ?? t("no.text")), h("details", { ontoggle: open }, h("summary", {}, t("webhooks.attempts", { n: one.attempts })), attempts), h("div", { class: "row" }, again)];
}
