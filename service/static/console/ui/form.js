// Forms, lists, tables and dialogs.

import { h, newId, replace } from "../dom.js";
import { t } from "../i18n.js";
import { areOn, useKeys } from "../keys.js";
import { prefs } from "../store.js";

// Forms that say what is wrong beside themselves, and lists that go on at a button.
/** A labelled field around an input. */
export function field(label, input, hint = null) {
  const id = newId("hint");
  if (hint) input.setAttribute("aria-describedby", id);
  return h("label", { class: "field" }, label, input, hint && h("small", { id }, hint));
}

export const input = (props = {}) => h("input", { class: "input", ...props });
export const area = (props = {}) => h("textarea", { class: "input", ...props });
export const select = (options, value, props = {}) => h("select", { class: "input", ...props },
  options.map(([one, text]) => h("option", { value: one, selected: one === value }, text)));
export const button = (text, onclick, kind = "") => h("button", { type: "button", class: `button ${kind}`, onclick }, text);

/** What a browser finds wrong with a field, in the words of the console. */
function faultOf(field) {
  if (field.validity.valueMissing) return t("form.needed");
  return field.type === "email" ? t("form.email") : field.validationMessage;
}

/** A form: `send` may throw a Problem, which is shown; what it answers as text is said as done. */
export function form(content, verb, send, { kind = "primary", extra = null } = {}) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const done = h("p", { class: "done", role: "status", hidden: true });
  const submit = h("button", { class: `button ${kind}`, type: "submit" }, verb);
  return h("form", { class: "form", novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    const wrong = event.currentTarget.querySelector(".input:invalid");
    problem.hidden = done.hidden = true;
    if (wrong) {
      showProblem(problem, { message: faultOf(wrong) });
      wrong.focus();
      return;
    }
    submit.disabled = true;
    try {
      const said = await send(event.currentTarget);
      if (typeof said === "string") { done.textContent = said; done.hidden = false; }
    } catch (error) {
      showProblem(problem, error);
    } finally {
      submit.disabled = false;
    }
  } }, content, problem, done, h("div", { class: "row" }, submit, extra));
}

export function showProblem(place, error) {
  const fields = (error.fields ?? []).filter((one) => !error.message.includes(one.message)).map((one) => h("li", {}, h("code", {}, one.field), " ", one.message));
  replace(place, error.message, fields.length > 0 && h("ul", {}, fields));
  place.hidden = false;
}

export const problemBox = (error) => {
  const place = h("div", { class: "problem", role: "alert" });
  showProblem(place, error);
  return place;
};

/**
 * A list that is read page by page: `read(after)` answers `{items, next}`, `row` makes an element of each.
 * What this service does not serve yet is said, and nothing breaks.
 */
export function pages(read, row, { empty = t("empty"), list = h("ol", { class: "list" }), shown = list } = {}) {
  const more = button(t("more"), () => load());
  const place = h("div", {}, shown, more);
  let after = null;
  more.hidden = true;
  async function load() {
    more.disabled = true;
    try {
      const page = await read(after);
      const rows = page.items.map(row);
      list.append(...rows);
      if (after) rows[0]?.querySelector("a, button")?.focus();
      after = page.next;
      more.hidden = !after;
      if (!list.children.length) place.prepend(h("p", { class: "empty" }, empty));
    } catch (error) {
      place.prepend(error.isMissing ? h("p", { class: "empty" }, t("missing")) : problemBox(error));
    } finally {
      more.disabled = false;
    }
  }
  load();
  return place;
}

/** A table with a caption that is read out and seen. */
export function table(caption, heads, rows, { hidden = false } = {}) {
  return h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": caption }, h("table", {},
    h("caption", { class: hidden ? "unseen" : null }, caption),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell)))))));
}

// Dialogs over the page: the browser keeps the focus inside, Escape closes, and the focus goes back where it was.
/** Open a dialog; `build(close)` answers its content, and the promise what `close(value)` was called with. */
export function openDialog(title, build, { wide = false } = {}) {
  return new Promise((resolve) => {
    const id = newId("dialog");
    let value = null;
    const close = (answer = null) => { value = answer; dialog.close(); };
    const off = useKeys({}, { modal: true });
    const dialog = h("dialog", { class: wide ? "dialog wide" : "dialog", "aria-labelledby": id });
    dialog.append(
      h("header", { class: "dialog-head" }, h("h2", { id }, title),
        h("button", { class: "button quiet small", "aria-label": t("close"), onclick: () => close() }, "✕")),
      h("div", { class: "dialog-body" }, build(close)),
    );
    dialog.addEventListener("close", () => { off(); dialog.remove(); resolve(value); });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  });
}

export const isDialogShown = () => document.querySelector("dialog[open]") !== null;

/** Ask before something that cannot be taken back; true only for a yes. */
export function sure(title, text, verb) {
  return openDialog(title, (close) => [
    h("p", {}, text),
    h("div", { class: "row" },
      h("button", { class: "button danger", onclick: () => close(true) }, verb),
      h("button", { class: "button", autofocus: true, onclick: () => close(false) }, t("cancel"))),
  ]);
}

/** Show a secret, this once, with a button that copies it. */
export function showSecret(title, text, secret) {
  const field = h("input", { class: "input mono", readonly: true, value: secret, "aria-label": title });
  const copy = h("button", { class: "button primary", autofocus: true, onclick: async () => {
    field.select();
    await navigator.clipboard?.writeText(secret).catch(() => null);
    copy.textContent = t("copied");
  } }, t("copy"));
  return openDialog(title, (close) => [
    h("p", {}, text), field, h("div", { class: "row" }, copy, h("button", { class: "button", onclick: () => close() }, t("close"))),
  ]);
}

// Every key in one place, and the switch that turns them off.
export const KEYS = [
  ["a", "approve"], ["r", "reject"], ["1 – 9, 0", "reason"], ["e", "escalate"], ["s", "skip"], ["u", "undo"], ["n", "next"],
  ["p", "previous"], ["o", "open"], ["b", "blur"], ["x", "choose"], ["/", "search"], ["?", "help"], ["Esc", "close"],
];

export function showHelp() {
  if (isDialogShown()) return;
  openDialog(t("help"), () => [
    h("table", { class: "keys" }, h("caption", { class: "unseen" }, t("help")), h("tbody", {}, KEYS.map(([key, name]) =>
      h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, t(`key.${name}`)))))),
    h("p", { class: "soft" }, t("help.safe")),
    h("label", { class: "check" }, h("input", { type: "checkbox", checked: areOn(), autofocus: true,
      onchange: (event) => prefs.set("keys", event.target.checked) }), t("keys.on")),
  ]);
}
