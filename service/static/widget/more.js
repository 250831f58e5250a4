// What few readers need, fetched when one does: report, appeal, delete, share, e-mail, puzzles.

const REASONS = ["insult", "hate", "threat", "spam", "off_topic", "privacy", "illegal_content", "other"];

/** Ask in a dialog; `send` gets the fields and answers what to say, what it throws is shown. */
function ask(app, title, verb, fields, send) {
  const { t, h } = app;
  const problem = h("p.problem", { role: "alert", hidden: true });
  const close = () => dialog.close();
  const form = h("form", { noValidate: true }, h("h2", {}, title), fields, problem, h("div.tools", {},
    h("button", { type: "button", onclick: close }, t("cancel")), verb && h("button.main", {}, verb)));
  const dialog = h("dialog", { ariaLabel: title, part: "dialog", onclose: () => dialog.remove() }, form);
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    const missing = [...form.elements].find((one) => !one.checkValidity() && one.offsetParent);
    problem.hidden = !missing;
    if (missing) {
      problem.textContent = missing.validationMessage;
      return missing.focus();
    }
    form.ariaBusy = true;
    try {
      app.say(t(await send(Object.fromEntries(new FormData(form)))));
      close();
    } catch (error) {
      problem.textContent = app.errorText(error);
      problem.hidden = false;
    }
    form.ariaBusy = false;
  };
  app.root.firstElementChild.append(dialog);
  dialog.showModal();
}

const field = ({ h, t }, label, name, props, kind = "input") => h("label", {}, h("span", {}, t(label)), h(kind, { name, ...props }));
const tick = ({ h, t }, label, name, props) => h("label.tick", {}, h("input", { type: "checkbox", name, ...props }), h("span", {}, t(label)));

export function report(app, { c }) {
  const { t, h } = app;
  const who = h("div", {}, field(app, "fullName", "name", { autocomplete: "name", required: true }),
    field(app, "email", "email", { type: "email", autocomplete: "email", required: true }));
  const law = h("div", { hidden: true }, field(app, "law", "law", { required: true, maxLength: 300 }),
    field(app, "why", "explanation", { required: true, rows: 3 }, "textarea"),
    tick(app, "abuse", "child_abuse", { onchange: ({ target }) => { who.hidden = target.checked; } }), who,
    tick(app, "faith", "good_faith", { required: true }));
  const detail = field(app, "detail", "detail", { rows: 2, maxLength: 2000 }, "textarea");
  const choose = ({ target }) => {
    law.hidden = target.value !== "illegal_content";
    detail.hidden = !law.hidden;
  };
  const reasons = REASONS.map((value) => h("label.tick", {},
    h("input", { type: "radio", name: "reason", value, required: true, onchange: choose }), h("span", {}, t(`r.${value}`))));
  ask(app, t("report"), t("send"), [h("fieldset", {}, h("legend", {}, t("reason")), reasons), detail, law], async (given) => {
    const body = { reason: given.reason };
    if (!law.hidden) {
      body.illegal = { law: given.law, explanation: given.explanation, good_faith: true, child_abuse: who.hidden };
      if (!who.hidden) Object.assign(body.illegal, { name: given.name, email: given.email });
    } else if (given.detail) body.detail = given.detail;
    await app.call("POST", `/comments/${c.id}/reports`, { body });
    return "reported";
  });
}

export async function appeal(app, { c }) {
  const { t, h, call } = app;
  const { text, appeal: way } = await call("GET", `/comments/${c.id}/statement`).catch(() => ({}));
  const can = way?.possible !== false;
  ask(app, t("appeal"), can && t("send"), [
    text && h("p.plain.statement", { dir: "auto" }, text), can && field(app, "appealWhy", "text", { required: true, rows: 4, maxLength: 4000 }, "textarea"),
  ], async (body) => {
    await call("POST", `/comments/${c.id}/appeals`, { body });
    return "appealed";
  });
}

export function remove(app, { c }) {
  ask(app, app.t("sure"), app.t("delete"), [], async () => {
    await app.call("DELETE", `/comments/${c.id}`);
    app.mine.delete(c.id);
    if (c.status === "published") app.setCount(app.count() - 1);
    app.takeAway(c.id);
    app.root.querySelector("h2").focus();
    return "gone";
  });
}

export async function share(app, { c }) {
  const url = app.linkTo(c.id);
  if (navigator.share) return navigator.share({ url }).catch(() => {});
  await navigator.clipboard?.writeText(url).catch(() => {});
  return app.say(navigator.clipboard ? app.t("copied") : url);
}

export async function mail(app) {
  const { t, h, call } = app;
  const now = await call("GET", "/me/mail").catch(() => ({ state: "none" }));
  const stop = () => call("DELETE", "/me/mail").then(() => app.root.querySelector("dialog").close(), app.fail);
  ask(app, t("mail"), t("save"), [
    now.state !== "none" && h("p", {}, t(`mail.${now.state}`), " ", h("button", { type: "button", onclick: stop }, t("mail.stop"))),
    field(app, "email", "email", { type: "email", autocomplete: "email", required: true }),
    tick(app, "mail.replies", "replies", { checked: now.replies !== false }), tick(app, "mail.decisions", "decisions", { checked: now.decisions !== false }),
  ], async ({ email, replies, decisions }) => {
    await call("PUT", "/me/mail", { body: { email, replies: !!replies, decisions: !!decisions, locale: app.tag.slice(0, 2) } });
    return "mail.waiting";
  });
}

/** Solve a puzzle of the ALTCHA protocol, version 1: the number whose hash with the salt is the challenge. */
export async function solve({ algorithm, challenge, maxnumber = 1e6, salt, signature }) {
  for (let number = 0; number <= maxnumber; number++) {
    const hash = new Uint8Array(await crypto.subtle.digest(algorithm, new TextEncoder().encode(salt + number)));
    if (hash[0] === parseInt(challenge.slice(0, 2), 16) && challenge === Array.from(hash, (one) => one.toString(16).padStart(2, "0")).join(""))
      return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
  }
  throw new Error();
}
