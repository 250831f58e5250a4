// Writing: the form of a comment, a reply or an edit; what could not be sent is kept and sent again, never twice.

import { h, newId, sanitised } from "./base.js";

const KEPT_MS = 6 * 86_400_000; // The service knows an Idempotency-Key for seven days.
const isAway = ({ status }) => !status || status >= 500;

export function compose(app, { to, edit, close }) {
  const { t, config, memory, call } = app;
  const node = to ?? edit;
  const draft = `draft:${app.page}:${edit ? "edit:" : ""}${node?.c.id ?? ""}`;
  const old = edit && app.mine.get(edit.c.id);
  const text = h("textarea", {
    name: "body", rows: 2, placeholder: " ",
    value: memory.get(draft) ?? old?.pending_edit?.body ?? old?.body ?? edit?.c.body ?? "",
  });
  const name = h("input", { name: "name", autocomplete: "nickname", maxLength: 80, value: memory.get("name") ?? "" });
  const problem = h("p.problem", { role: "alert", hidden: true, id: newId() });
  const left = h("span.left");
  const seen = h("div.preview.body", { hidden: true, dir: "auto" });
  const verb = edit ? "save" : to ? "reply" : "send";
  const send = h("button.main", { part: "send" }, t(verb));
  const look = h("button", { type: "button", ariaPressed: false, onclick: preview }, t("preview"));
  const form = h(close ? "form" : "form.first", { part: "form", noValidate: true },
    h("label", {}, h("span.prompt", { part: "prompt" }, edit ? t("body") : to ? t("replyTo", { name: to.c.author.name || t("guest") }) : app.prompt), text),
    seen, problem,
    h("div.tools", {},
      !edit && (app.me ? h("span.as", {}, t("as", { name: app.me })) : h("label.who", {}, h("span", {}, t("name")), name)),
      h("span.hint", {}, t("hint")), left, look,
      close && h("button", { type: "button", onclick: close }, t("cancel")), send));
  let asked = false;
  let busy = false;

  function complain(message, ...more) {
    problem.replaceChildren(message, ...more);
    problem.hidden = !message;
    text.ariaInvalid = !!message;
    text.setAttribute("aria-describedby", problem.id);
    if (message) text.focus();
  }

  function grow() {
    const rest = config.body_max_characters - [...text.value].length;
    left.textContent = rest < config.body_max_characters / 5 ? t("left", { n: rest }) : "";
    left.classList.toggle("over", rest < 0);
    if (!CSS.supports("field-sizing", "content")) {
      text.style.height = "auto";
      text.style.height = `${text.scrollHeight}px`;
    }
  }

  async function preview() {
    const on = seen.hidden && !!text.value.trim();
    if (on) {
      const { html } = await call("POST", "/preview", { body: { body: text.value } }).catch(() => ({}));
      seen.replaceChildren(...(html == null ? [text.value] : sanitised(html)));
    }
    seen.hidden = !on;
    look.ariaPressed = on;
  }

  /** Ask once, gently, where the site wants it; a service that cannot say says nothing. */
  async function secondThoughts(body) {
    if (!config.second_chance || asked) return false;
    const found = await call("POST", "/second-thoughts", { body: { body, page: app.page } }).catch(() => ({}));
    if (!found.concern) return false;
    asked = true;
    const words = (found.words ?? []).map(([begin, end]) => h("mark", {}, [...body].slice(begin, end).join("")));
    complain(t("concern"), ...words.flatMap((word) => [" ", word]));
    send.textContent = t("anyway");
    return true;
  }

  text.oninput = () => {
    memory.set(draft, text.value);
    send.textContent = t(verb);
    grow();
  };
  form.onkeydown = (event) => {
    if (event.key === "Escape" && close) close();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    const body = text.value;
    if (busy) return;
    if (!body.trim()) return complain(t("empty"));
    if ([...body].length > config.body_max_characters) return complain(left.textContent);
    complain("");
    busy = form.ariaBusy = true;
    send.textContent = t("sending");
    try {
      if (await secondThoughts(body)) return;
      if (!edit && !app.me) memory.set("name", name.value.trim());
      const c = edit ? await change(app, edit.c.id, body) : await submit(app, body, app.me ? "" : name.value.trim(), to?.c.id);
      if (c.status !== "rejected") text.value = ""; // What was not accepted stays, to be written anew.
      memory.set(draft, text.value);
      seen.hidden = true;
      if (close && !text.value) form.remove();
      app.outcome(c);
    } catch (error) {
      complain(app.errorText(error));
    } finally {
      busy = form.ariaBusy = false;
      if (send.textContent === t("sending")) send.textContent = t(verb);
      grow();
    }
  };
  requestAnimationFrame(grow);
  return form;
}

async function solved(app, send) {
  try {
    return await send();
  } catch (error) {
    if (!error.extra?.challenge) throw error;
    const { solve } = await import("./more.js");
    return send(await solve(error.extra.challenge));
  }
}

const change = (app, id, body) => solved(app, (challenge) =>
  app.call("PATCH", `/comments/${id}`, { body: { body, challenge }, headers: { Prefer: "wait=5" } }));

async function submit(app, body, name, to) {
  const url = document.querySelector("link[rel=canonical]")?.href ?? location.href;
  const input = { body, title: document.title.slice(0, 300) };
  if (/^http/.test(url)) input.url = url.slice(0, 2000);
  if (name) input.author = { name };
  if (to) input.parent_id = to;
  const job = { key: newId(), input, at: Date.now() };
  try {
    return await deliver(app, job);
  } catch (error) {
    if (!isAway(error)) throw error;
    jobsOf(app, (jobs) => [...jobs, job]);
    retry(app);
    return unsent(job);
  }
}

const deliver = async (app, { key, input }) => (await solved(app, (challenge) => app.call("POST", `${app.thread}/comments`, {
  body: { ...input, challenge }, headers: { "Idempotency-Key": key, Prefer: "wait=5" },
}))).comment;

/** What waits to be sent from this page; `change` answers what shall wait from now on. */
function jobsOf(app, change) {
  const name = `unsent:${app.page}`;
  const jobs = app.memory.get(name) ?? [];
  if (change) app.memory.set(name, change(jobs));
  return jobs;
}

const unsent = ({ key, input, at }) => ({
  id: key, parent_id: input.parent_id ?? null, author: { name: input.author?.name }, body: input.body, html: null,
  created_at: new Date(at).toISOString(), status: "unsent", replies: [], reply_count: 0,
});

export function discard(app, key) {
  jobsOf(app, (jobs) => jobs.filter((job) => job.key !== key));
  app.mine.delete(key);
  app.takeAway(key);
}

/** Send what waits, one after the other; `app.tries` says how often in a row that failed. */
export async function flush(app) {
  if (app.flushing) return;
  app.flushing = true;
  clearTimeout(app.retrying);
  for (const job of jobsOf(app)) {
    if (!app.nodes.has(job.key)) app.keep(unsent(job));
    try {
      if (Date.now() - job.at > KEPT_MS) throw Object.assign(new Error(""), { status: 410 });
      const c = await deliver(app, job);
      discard(app, job.key);
      app.tries = 0;
      app.outcome(c);
    } catch (error) {
      if (isAway(error)) {
        retry(app);
        break;
      }
      app.memory.set(`draft:${app.page}:${job.input.parent_id ?? ""}`, job.input.body);
      discard(app, job.key);
      app.say(app.errorText(error));
      app.identify();
    }
  }
  app.flushing = false;
}

function retry(app) {
  app.tries = Math.min((app.tries ?? 0) + 1, 5);
  app.retrying = setTimeout(() => flush(app), 2 ** app.tries * 2000 * (0.5 + Math.random()));
}
