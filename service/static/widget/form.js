// Writing: the form of a comment, a reply or an edit; what could not be sent is kept and sent again, never twice.

import { button, h, newId, sanitised } from "./base.js";
import { solve } from "./more.js";

const KEPT_MS = 6 * 86_400_000; // The service knows an Idempotency-Key for seven days.
const isAway = ({ status }) => status === 0 || status >= 500;

export function compose(app, { to, edit, close }) {
  const { t, config, memory, call } = app;
  const draft = `draft:${app.page}:${edit ? "edit" : ""}${(to ?? edit)?.id ?? ""}`;
  const verb = t(edit ? "save" : to ? "reply" : "send");
  const text = h("textarea", {
    name: "body", rows: 2, required: true, placeholder: " ", value: memory.get(draft) ?? edit?.pending_edit?.body ?? edit?.body ?? "", oninput: typed,
  });
  const name = h("input", { name: "name", autocomplete: "nickname", maxLength: 80, value: memory.get("name") ?? "" });
  const problem = h("p.problem", { role: "alert", hidden: true });
  const left = h("span.left");
  const seen = h("div.preview.body", { hidden: true, dir: "auto" });
  const send = h("button.main", { part: "send" }, verb);
  const look = button(t("preview"), preview, { ariaPressed: false });
  const form = h("form", { part: "form", className: close ? "" : "first", onsubmit },
    h("label", {}, h("bdi.prompt", { part: "prompt" }, edit ? t("body") : to ? t("replyTo", { name: app.nameOf(to) }) : app.prompt), text),
    seen, problem,
    h("div.tools", {},
      !edit && (app.me ? h("span.left", {}, t("as", { name: app.me })) : h("label.left", {}, t("name"), " ", name)),
      h("span.hint", {}, t("hint")), left, look, close && button(t("cancel"), close), send));
  let asked;

  function complain(...message) {
    problem.replaceChildren(...message);
    problem.hidden = !message[0];
    text.ariaInvalid = !!message[0];
    if (message[0]) text.focus();
  }

  function typed() {
    memory.set(draft, text.value);
    send.textContent = verb;
    grow();
  }

  function grow() {
    const rest = config.body_max_characters - [...text.value].length;
    left.textContent = rest < 500 ? t("left", { n: rest }) : "";
    if (!CSS.supports("field-sizing", "content")) text.style.height = `${text.scrollHeight}px`;
  }

  async function preview() {
    const on = seen.hidden && text.value.trim();
    const found = on && await call("POST", "/preview", { body: { body: text.value } }).catch(app.fail);
    if (found) seen.replaceChildren(...sanitised(found.html));
    seen.hidden = !on;
    look.ariaPressed = !!on;
  }

  /** Ask once, gently, where the site wants it; a service that cannot say says nothing. */
  async function secondThoughts(body) {
    if (!config.second_chance || asked) return;
    const { concern, words = [] } = await call("POST", "/second-thoughts", { body: { body, page: app.page } }).catch(() => ({}));
    if (!concern) return;
    asked = true;
    complain(t("concern"), ...words.flatMap(([begin, end]) => [" ", h("mark", {}, [...body].slice(begin, end).join(""))]));
    send.textContent = t("anyway");
    return true;
  }

  async function onsubmit(event) {
    event.preventDefault();
    const body = text.value;
    if (send.disabled) return;
    complain();
    send.disabled = true;
    try {
      if (await secondThoughts(body)) return;
      if (!edit) memory.set("name", name.value.trim());
      const c = edit ? await solved(app, (challenge) => call("PATCH", `/comments/${edit.id}`, { body: { body, challenge }, headers: { Prefer: "wait=5" } }))
        : await submit(app, body, !app.me && name.value.trim(), to?.id);
      if (c.status !== "rejected") text.value = ""; // What was not accepted stays, to be written anew.
      typed();
      seen.hidden = true;
      if (close && !text.value) form.remove();
      app.outcome(c);
    } catch (error) {
      complain(app.errorText(error));
    } finally {
      send.disabled = false;
    }
  }

  form.onkeydown = ({ key, ctrlKey, metaKey }) => {
    if (key === "Escape") close?.();
    if (key === "Enter" && (ctrlKey || metaKey)) form.requestSubmit();
  };
  requestAnimationFrame(grow);
  return form;
}

async function solved(app, send) {
  try {
    return await send();
  } catch (error) {
    if (!error.extra?.challenge) throw error;
    return send(await solve(error.extra.challenge));
  }
}

async function submit(app, body, name, parent_id) {
  const url = document.querySelector("link[rel=canonical]")?.href ?? location.href;
  const input = { body, parent_id, title: document.title.slice(0, 300) };
  if (/^http/.test(url)) input.url = url.slice(0, 2000);
  if (name) input.author = { name };
  const job = { key: newId(), input, at: Date.now() };
  try {
    return await deliver(app, job);
  } catch (error) {
    if (!isAway(error)) throw error;
    app.memory.set(`unsent:${app.page}`, [...unsentOf(app), job]);
    retry(app);
    return shown(job);
  }
}

const deliver = async (app, { key, input }) => (await solved(app, (challenge) => app.call("POST", `${app.thread}/comments`, {
  body: { ...input, challenge }, headers: { "Idempotency-Key": key, Prefer: "wait=5" },
}))).comment;

/** What waits to be sent from this page. */
const unsentOf = (app) => app.memory.get(`unsent:${app.page}`) ?? [];

const shown = ({ key, input, at }) => ({
  id: key, parent_id: input.parent_id, author: { name: input.author?.name }, body: input.body, created_at: new Date(at).toISOString(), status: "unsent", replies: [],
});

export function discard(app, key) {
  app.memory.set(`unsent:${app.page}`, unsentOf(app).filter((job) => job.key !== key));
  app.takeAway(key);
}

/** Send what waits, one after the other; `app.tries` says how often in a row that failed. */
export async function flush(app) {
  if (app.flushing) return;
  app.flushing = true;
  clearTimeout(app.retrying);
  for (const job of unsentOf(app)) {
    app.keep(shown(job));
    try {
      const c = Date.now() - job.at < KEPT_MS && await deliver(app, job);
      discard(app, job.key);
      app.tries = 0;
      if (c) app.outcome(c);
    } catch (error) {
      if (isAway(error)) {
        retry(app);
        break;
      }
      // Refused for good: back into the form, with the reason.
      app.memory.set(`draft:${app.page}:${job.input.parent_id ?? ""}`, job.input.body);
      discard(app, job.key);
      app.fail(error);
      app.identify();
    }
  }
  app.flushing = false;
}

function retry(app) {
  app.tries = Math.min((app.tries ?? 0) + 1, 5);
  app.retrying = setTimeout(app.flush, 2 ** app.tries * 2000 * (0.5 + Math.random()));
}
