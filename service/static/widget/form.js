// Writing: the form of a comment, a reply or an edit; what could not be sent is kept and sent again, never twice.

import { button, h, lost, newId, sanitised } from "./base.js";
import { solve } from "./more.js";

const KEPT_MS = 6 * 86_400_000; // The service knows an Idempotency-Key for seven days.
const isAway = ({ status }) => status === 0 || status >= 500;
const sending = new Set(); // keys of what is on its way, of all elements of the page

export function compose(app, { to, edit, close }) {
  const { t, config, memory, call } = app;
  const draft = `draft:${app.page}:${edit ? "edit" : ""}${(to ?? edit)?.id ?? ""}`;
  const verb = t(edit ? "save" : to ? "reply" : "send");
  const text = h("textarea", {
    name: "body", rows: 2, dir: "auto", required: true, placeholder: " ", value: memory.get(draft) ?? edit?.pending_edit?.body ?? edit?.body ?? "", oninput: typed,
  });
  const name = h("input", { name: "name", dir: "auto", autocomplete: "nickname", maxLength: 80, value: memory.get("name") ?? "" });
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
    // What one saw is not what stands there now.
    seen.hidden = true;
    look.ariaPressed = false;
    grow();
  }

  function grow() {
    const rest = config.body_max_characters - [...text.value].length;
    left.textContent = rest < 500 ? t("left", { n: rest }) : "";
    text.setCustomValidity(rest < 0 ? left.textContent : "");
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
        : await submit(app, body, !app.me && name.value.trim(), to?.id, draft);
      // What was not accepted stays, to be written anew, and so does what was written meanwhile.
      if (c.status !== "rejected" && text.value === body) text.value = "";
      typed();
      if (close && !text.value) form.remove();
      app.outcome(c);
    } catch (error) {
      typed();
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

async function submit(app, body, name, parent_id, draft) {
  const { page } = app;
  const url = document.querySelector("link[rel=canonical]")?.href ?? (/^http/.test(page) ? page : location.origin + location.pathname);
  const input = { body, parent_id, title: document.title.slice(0, 300).replace(/[\ud800-\udbff]$/, "") };
  if (/^http/.test(url)) input.url = url.slice(0, 2000);
  if (name) input.author = { name };
  const job = { key: newId(), input, at: Date.now() };
  // From here on it is the queue that keeps it, whatever becomes of the page.
  put(app, job.key, job);
  app.memory.set(draft, "");
  try {
    return await deliver(app, job);
  } catch (error) {
    if (!isAway(error)) {
      put(app, job.key);
      throw error;
    }
    retry(app);
    return shown(app, job);
  }
}

async function deliver(app, { key, input }) {
  sending.add(key);
  try {
    const { comment } = await solved(app, (challenge) => app.call("POST", `${app.thread}/comments`, {
      body: { ...input, challenge }, headers: { "Idempotency-Key": key, Prefer: "wait=5" },
    }));
    put(app, comment ? key : lost());
    return comment;
  } finally {
    sending.delete(key);
  }
}

/** What waits to be sent from this page. */
const unsentOf = (app) => app.memory.get(`unsent:${app.page}`) ?? [];

/** Keep it as it is now, or let go of it. */
const put = (app, key, job) => app.memory.set(`unsent:${app.page}`, [...unsentOf(app).filter((one) => one.key !== key), ...(job ? [job] : [])]);

const shown = (app, { key, input, at, why }) => ({
  id: key, parent_id: input.parent_id, author: { name: input.author?.name ?? app.me }, body: input.body, created_at: new Date(at).toISOString(),
  status: why ? "failed" : "unsent", reasons: why ? [{ text: why }] : [], replies: [],
});

export function discard(app, key) {
  put(app, key);
  app.takeAway(key);
}

/** Send what waits, one after the other, and with it what was refused where the reader wants it (`key`). */
export async function flush(app, key) {
  if (app.flushing) return;
  app.flushing = true;
  clearTimeout(app.retrying);
  // Who signed out or in meanwhile sends nothing of another's.
  const jobs = (await app.whoAmI())?.sub === app.sub ? unsentOf(app) : [];
  for (const job of jobs) {
    if (app.ending.signal.aborted) break;
    if (sending.has(job.key)) {
      retry(app);
      continue;
    }
    if (job.key === key) Object.assign(job, { why: "", at: Date.now() });
    else if (Date.now() - job.at > KEPT_MS) job.why ||= "…";
    const { el } = app.keep(shown(app, job));
    if (job.why) continue;
    try {
      const c = await deliver(app, job);
      const isHere = el.contains(app.root.activeElement);
      app.takeAway(job.key);
      app.tries = 0;
      app.outcome(c, !isHere);
    } catch (error) {
      if (isAway(error) || /undefined|401|429/.test(error.status)) {
        retry(app);
        break;
      }
      job.why = error.message || "…";
      put(app, job.key, job);
      app.keep(shown(app, job));
      app.fail(error);
    }
  }
  app.flushing = false;
}

function retry(app) {
  if (app.ending.signal.aborted) return;
  clearTimeout(app.retrying);
  app.tries = Math.min((app.tries ?? 0) + 1, 5);
  app.retrying = setTimeout(app.flush, 2 ** app.tries * 2000 * (0.5 + Math.random()));
}
