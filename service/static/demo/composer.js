// A form for a comment, a reply or an edit: it keeps what was written until the service has it.

import { memory, newUuid } from "./api.js";

/** `send` gets {body, name, key} and answers the comment; what it throws is shown beside the form. */
export function composer({ label, verb, body = "", named = true, draft = null, send, cancel = null }) {
  const form = document.getElementById("composer").content.cloneNode(true).querySelector("form");
  const part = (selector) => form.querySelector(selector);
  const { name: nameInput, body: text } = form.elements;
  const problem = part(".problem");
  let attempt = null; // One Idempotency-Key for each text, so that a retry never becomes a second comment.
  part(".body-label").textContent = label;
  part(".primary").textContent = verb;
  part(".name-field").hidden = !named;
  part(".cancel").hidden = !cancel;
  part(".cancel").addEventListener("click", cancel);
  problem.id = `problem-${newUuid()}`;
  text.setAttribute("aria-describedby", problem.id);
  text.value = body || (draft && memory.get(draft)) || "";
  nameInput.value = memory.get("name") ?? "";
  if (draft) text.addEventListener("input", () => memory.set(draft, text.value));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancel?.();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  function complain(message, field = null) {
    problem.textContent = message;
    problem.hidden = !message;
    for (const one of [nameInput, text]) one.setAttribute("aria-invalid", one === field);
    field?.focus();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy) return;
    const name = nameInput.value.trim();
    const content = JSON.stringify([name, text.value]);
    if (attempt?.content !== content) attempt = { content, key: newUuid() };
    complain("");
    form.ariaBusy = "true";
    part(".primary").textContent = "Sending …";
    try {
      if (!text.value.trim()) throw Object.assign(new Error("Write something first."), { fields: ["body"] });
      if (named) memory.set("name", name);
      const comment = await send({ body: text.value, name, key: attempt.key });
      attempt = null;
      if (comment.status !== "rejected") text.value = ""; // What was not accepted stays, to be written anew.
      if (draft) memory.set(draft, text.value);
    } catch (error) {
      const field = { body: text, name: nameInput }[(error.fields?.[0] ?? "").split(".").pop()];
      complain(error.message, field);
    } finally {
      form.ariaBusy = null;
      part(".primary").textContent = verb;
    }
  });
  return form;
}
