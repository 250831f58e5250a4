// Signing in, and one's own account.

import { drop, get, ifThere, post, put, review } from "../api.js";
import { h, replace } from "../dom.js";
import { LANGUAGES, stamp, t } from "../i18n.js";
import { areOn } from "../keys.js";
import { here } from "../router.js";
import { own, session, signIn, useToken } from "../session.js";
import { prefs } from "../store.js";
import { isBlurring } from "../ui/card.js";
import { button, field, form, input, openDialog, select, showSecret } from "../ui/form.js";

// Signing in: address and password, then the second factor; an API token; an invitation.
export function showSignIn(app, onDone) {
  const at = here();
  document.title = `${t("sign_in")} – Colloquy`;
  const box = h("main", { class: "gate", id: "main", tabindex: "-1" });
  replace(app, box);
  if (at.name === "invitation") invitation(box, at.parts[0] ?? "", onDone);
  else passwordForm(box, onDone);
}

const brand = () => h("p", { class: "gate-brand" }, "Colloquy");

function passwordForm(box, onDone, { said = null, known = "" } = {}) {
  const email = input({ type: "email", name: "email", autocomplete: "username", required: true, value: known });
  const secret = input({ type: "password", name: "password", autocomplete: "current-password", required: true });
  const code = input({ name: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: "20" });
  const codeField = field(t("code"), code, t("code.hint"));
  codeField.hidden = true;
  const signing = form([field(t("email"), email), field(t("password"), secret), codeField], t("sign_in"), async () => {
    try {
      await signIn(email.value.trim(), secret.value, code.value.trim() || undefined);
    } catch (problem) {
      if (problem.code !== "session.code_required") throw problem;
      codeField.hidden = false;
      code.focus();
      return t("code.needed");
    }
    return onDone();
  });
  const provider = h("p", { class: "or" });
  get("/v1/session/ways").then((ways) => { if (ways.oidc) provider.append(h("a", { href: "/v1/session/oidc" }, t("sign_in.oidc"))); }, () => null);
  replace(box, brand(), h("h1", {}, t("sign_in")), said && h("p", { class: "done", role: "status" }, said), signing, provider, tokenForm(onDone));
  email.focus();
}

function tokenForm(onDone) {
  const token = input({ type: "password", name: "token", autocomplete: "off", required: true });
  const site = input({ name: "site", autocomplete: "off", value: prefs.get("site", "") });
  return h("details", { class: "token" }, h("summary", {}, t("sign_in.token")), h("p", { class: "soft" }, t("sign_in.token.what")),
    form([field(t("token"), token), field(t("site"), site, t("site.hint"))], t("sign_in"), async () => {
      await useToken(token.value.trim(), site.value.trim());
      onDone();
    }, { kind: "" }));
}

function invitation(box, token, onDone) {
  const email = input({ type: "email", autocomplete: "username", required: true });
  const secret = input({ type: "password", autocomplete: "new-password", required: true });
  replace(box, brand(), h("h1", {}, t("invitation")), h("p", {}, t("invitation.what")),
    form([field(t("email"), email, t("invitation.email")), field(t("password"), secret, t("password.rules"))], t("invitation.take"), async () => {
      const known = email.value.trim();
      await post("/v1/invitations", { token, password: secret.value, email: known });
      history.replaceState(null, "", "#/queue");
      try {
        await signIn(known, secret.value);
      } catch {
        return passwordForm(box, onDone, { said: t("invitation.taken"), known });
      }
      return onDone();
    }));
  email.focus();
}

// How somebody works, and their own account: keys, colours, language, password, second factor, sessions.
export async function showMe(root) {
  const account = session.kind === "session" ? session.account : null;
  replace(root, h("div", { class: "view" }, h("h1", {}, session.name || t("me")), h("p", { class: "soft" }, account ? account.email : t("me.token"), " · ", t(`role.${session.role}`)),
    working(), asCommenter(), account && [passwordPanel(), secondFactor(account), await sessions()]));
}

function working() {
  const check = (name, is, label, kept = prefs) => h("label", { class: "check" }, h("input", { type: "checkbox", checked: is, onchange: (event) => kept.set(name, event.target.checked) }), label);
  const language = select([["", t("language.browser")], ...Object.entries(LANGUAGES)], prefs.get("language", ""), { onchange: () => { prefs.set("language", language.value || null); location.reload(); } });
  const theme = select([["", t("theme.system")], ["light", t("theme.light")], ["dark", t("theme.dark")]], prefs.get("theme", ""), { onchange: () => {
    prefs.set("theme", theme.value || null);
    if (theme.value) document.documentElement.dataset.theme = theme.value;
    else delete document.documentElement.dataset.theme;
  } });
  const lease = select([60, 120, 300, 600].map((one) => [String(one), t("minutes", { n: one / 60 })]), String(prefs.get("lease_seconds", 120)), { onchange: () => prefs.set("lease_seconds", Number(lease.value)) });
  return h("section", { class: "panel" }, h("h2", {}, t("me.work")), check("keys", areOn(), t("keys.on")), check("blur", isBlurring(), t("me.blur"), own),
    h("div", { class: "split" }, field(t("language"), language), field(t("theme"), theme), field(t("lease"), lease, t("lease.what"))));
}

function asCommenter() {
  const id = input({ value: session.commenterId ?? "", autocomplete: "off" });
  return h("section", { class: "panel" }, h("h2", {}, t("me.commenter")), form([field(t("me.commenter.id"), id, t("me.commenter.what"))], t("save"), async () => {
    const me = await put(review("me"), { commenter_id: id.value.trim() || null });
    session.commenterId = me.commenter_id;
    return t("saved");
  }, { kind: "" }));
}

function passwordPanel() {
  const now = input({ type: "password", autocomplete: "current-password" });
  const next = input({ type: "password", autocomplete: "new-password" });
  return h("section", { class: "panel" }, h("h2", {}, t("password")), form([h("input", { type: "text", autocomplete: "username", value: session.account.email, hidden: true }), field(t("password.now"), now), field(t("password.new"), next, t("password.rules"))], t("password.change"), async (one) => {
    await post("/v1/session/password", { password: now.value, new_password: next.value });
    one.reset();
    return t("saved");
  }, { kind: "" }));
}

function secondFactor(account) {
  const secret = input({ type: "password", autocomplete: "current-password" });
  const code = input({ inputmode: "numeric", autocomplete: "one-time-code" });
  const place = h("section", { class: "panel" });
  const draw = () => replace(place, h("h2", {}, t("code")), h("p", { class: "soft" }, t(account.second_factor ? "factor.on" : "factor.off")),
    account.second_factor
      ? form([field(t("password"), secret), field(t("code"), code)], t("factor.drop"), async () => {
        await drop("/v1/session/second-factor", { password: secret.value, code: code.value.trim() });
        account.second_factor = false;
        draw();
      }, { kind: "" })
      : form([field(t("password"), secret)], t("factor.begin"), async () => {
        const made = await post("/v1/session/second-factor", { password: secret.value });
        await enrol(made);
        draw();
      }, { kind: "" }));
  const enrol = (made) => openDialog(t("code"), (close) => {
    const first = input({ inputmode: "numeric", autocomplete: "one-time-code" });
    return [h("p", {}, t("factor.secret")), h("p", {}, h("code", {}, made.secret.replace(/(.{4})/g, "$1 "))), h("p", {}, h("a", { href: made.uri }, t("factor.app"))),
      form([field(t("factor.first"), first)], t("factor.confirm"), async () => {
        const { recovery_codes: codes } = await post("/v1/session/second-factor/confirm", { code: first.value.trim() });
        account.second_factor = true;
        close();
        await showSecret(t("factor.codes"), t("factor.codes.what"), codes.join("  "));
      })];
  });
  draw();
  return place;
}

async function sessions() {
  const found = await ifThere(get("/v1/session/all"), { sessions: [] });
  return h("section", { class: "panel" }, h("h2", {}, t("sessions")), h("ul", {}, found.sessions.map((one) => h("li", {}, stamp(one.last_used_at), one.current && h("span", { class: "tag" }, t("sessions.this"))))),
    button(t("sessions.end"), async () => { await drop("/v1/session/all"); location.reload(); }, "small"));
}
