// What few readers need: report, appeal, delete, share, e-mail, puzzles.

import { button, h } from "./base.js";

/** Ask in a dialog; `send` gets the fields and answers the message to say, what it throws is shown. */
function ask({ root, t, say, errorText }, title, verb, fields, send) {
  const problem = h("p.problem", { role: "alert", hidden: true });
  const main = h("button.main", {}, t(verb));
  const dialog = h("dialog", { ariaLabel: t(title), part: "dialog", onclose: () => dialog.remove() },
    h("form", { onsubmit }, h("h2", {}, t(title)), fields, problem, h("div.tools", {}, button(t("cancel"), () => dialog.close()), send && main)));
  async function onsubmit(event) {
    event.preventDefault();
    main.disabled = true;
    try {
      say(t(await send(Object.fromEntries(new FormData(event.target)))));
      dialog.close();
      // What opened it may be gone.
      if (!root.activeElement) root.querySelector("h2").focus();
    } catch (error) {
      problem.textContent = errorText(error);
      problem.hidden = main.disabled = false;
    }
  }
  root.firstChild.append(dialog);
  dialog.showModal();
  return dialog;
}

const field = ({ t }, label, name, props, kind = "input") => h("label", {}, t(label), h(kind, { name, required: true, maxLength: 2000, ...props }));
const mailField = (app, required = true) => field(app, "email", "email", { type: "email", autocomplete: "email", required });
const tick = ({ t }, label, props) => h("label.tick", {}, h("input", { type: "checkbox", ...props }), t(label));

export function report(app, { id }) {
  const { t, call } = app;
  const part = (...fields) => h("fieldset", { hidden: true, disabled: true }, fields);
  const turn = (el, on) => { el.hidden = el.disabled = !on; };
  const who = part(field(app, "fullName", "name", { autocomplete: "name", maxLength: 200 }), mailField(app));
  const law = part(field(app, "law", "law", { maxLength: 300 }), field(app, "why", "explanation", {}, "textarea"),
    tick(app, "abuse", { name: "child_abuse", onchange: ({ target }) => turn(who, !target.checked) }), who, tick(app, "faith", { name: "good_faith", required: true }));
  const detail = part(field(app, "detail", "detail", { required: false }, "textarea"));
  const choose = ({ target }) => {
    turn(law, target.value === "illegal_content");
    turn(who, true);
    turn(detail, law.hidden);
  };
  ask(app, "report", "send", [
    h("fieldset", {}, h("legend", {}, t("reason")), (app.config.report_reasons ?? ["other"]).map((value) => tick(app, value, { type: "radio", name: "reason", value, required: true, onchange: choose }))), detail, law,
  ], async ({ reason, detail, child_abuse, good_faith, ...illegal }) => {
    await call("POST", `/comments/${id}/reports`, {
      body: { reason, ...(detail && { detail }), ...(good_faith && { illegal: { ...illegal, good_faith: true, child_abuse: !!child_abuse } }) },
    });
    return "reported";
  });
}

export async function appeal(app, { id }) {
  const { text, appeal: way } = await app.call("GET", `/comments/${id}/statement`).catch(() => ({}));
  const can = way?.possible !== false;
  ask(app, "appeal", "send", [text && h("p.plain", { dir: "auto" }, text), can && field(app, "appealWhy", "text", {}, "textarea")], can && (async (body) => {
    await app.call("POST", `/comments/${id}/appeals`, { body });
    app.ask(id);
    return "appealed";
  }));
}

export const remove = (app, { id }) => ask(app, "sure", "delete", [], async () => {
  await app.call("DELETE", `/comments/${id}`);
  app.takeAway(id);
  app.refresh();
  return "gone";
});

export async function share(app, { id }) {
  const url = app.linkTo(id);
  if (navigator.share) return navigator.share({ url }).catch(() => {});
  await navigator.clipboard?.writeText(url).catch(() => {});
  return app.say(`${app.t("copied")} ${url}`);
}

export async function mailing(app) {
  const { t, call } = app;
  const now = await call("GET", "/me/mail").catch(() => ({ state: "none" }));
  const isNew = now.state === "none";
  const dialog = ask(app, "mail", "save", [
    !isNew && h("p", {}, t(now.state), " ", button(t("stop"), () => call("DELETE", "/me/mail").then(() => dialog.close(), app.fail))),
    mailField(app, isNew), tick(app, "mailReplies", { name: "replies", checked: isNew || now.replies }), tick(app, "mailDecisions", { name: "decisions", checked: isNew || now.decisions }),
  ], async ({ email, replies, decisions }) => {
    await call("PUT", "/me/mail", { body: { ...(email && { email }), replies: !!replies, decisions: !!decisions, locale: app.tag.slice(0, 2) } });
    return email ? "waiting" : now.state;
  });
}

/** Solve a puzzle of the ALTCHA protocol, version 1: the number whose hash with the salt is the challenge. */
export async function solve({ algorithm, challenge, salt, signature, maxnumber }) {
  for (let number = 0; number <= maxnumber; number++) {
    const hash = await crypto.subtle.digest(algorithm, new TextEncoder().encode(salt + number));
    if (challenge === Array.from(new Uint8Array(hash), (one) => one.toString(16).padStart(2, "0")).join("")) return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
  }
}
