// What a site's rules are: the policy, its words and reasons, how it reviews, the site itself.

import { admin, get, patch, post, put } from "../api.js";
import { h, replace } from "../dom.js";
import { num, score, t, word } from "../i18n.js";
import { href } from "../router.js";
import { chooseSite, session } from "../session.js";
import { tab } from "../store.js";
import { area, button, field, form, input, select, showProblem } from "../ui/form.js";

// The policy: thresholds as a form, the whole as JSON, and what a change would have done to the last comments.
export async function showPolicy(place) {
  const view = await get(admin("policy"));
  const draft = tab.get("policy");
  const isDraft = draft?.site === session.site && draft.version === view.version;
  const policy = isDraft ? draft.policy : structuredClone(view.policy);
  const unsaved = h("p", { class: "note", hidden: !isDraft }, t("policy.unsaved"), " ", button(t("policy.discard"), () => { tab.set("policy", null); showPolicy(place); }, "small"));
  const json = area({ class: "input mono", rows: "24", spellcheck: "false" });
  const write = () => { json.value = JSON.stringify(policy, null, 2); };
  const show = () => {
    write();
    tab.set("policy", { site: session.site, version: view.version, policy });
    unsaved.hidden = false;
  };
  const rules = h("div", {});
  const preview = h("div", { "aria-live": "polite" });
  const drawRules = () => replace(rules, policy.rules.map((rule) => ruleRow(rule, policy, show, drawRules)));
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  json.addEventListener("change", () => {
    problem.hidden = true;
    try {
      const read = JSON.parse(json.value);
      for (const key of Object.keys(policy)) delete policy[key];
      Object.assign(policy, read);
      drawRules();
      show();
    } catch (error) {
      showProblem(problem, error);
    }
  });
  write();
  drawRules();
  const mode = select(["model-first", "pre-moderation", "post-moderation"].map((one) => [one, t(`mode.${one}`)]), policy.mode, { onchange: () => { policy.mode = mode.value; show(); } });
  const failure = select(["wait", "hold", "publish"].map((one) => [one, t(`failure.${one}`)]), policy.on_scorer_failure, { onchange: () => { policy.on_scorer_failure = failure.value; show(); } });
  replace(place, h("p", { class: "soft" }, t("policy.version"), " ", h("code", {}, view.version), ` · ${policy.model}`), unsaved,
    h("div", { class: "panel" }, h("div", { class: "split" }, field(t("policy.mode"), mode), field(t("policy.failure"), failure)), h("h2", {}, t("policy.rules")), rules,
      h("details", {}, h("summary", {}, t("policy.json")), field(t("policy.json.what"), json), problem)),
    h("div", { class: "panel" }, form([preview], t("policy.save"), async () => {
      const saved = await put(admin("policy"), policy);
      tab.set("policy", null);
      await showPolicy(place);
      return t("policy.saved", { version: saved.version });
    }, { extra: button(t("policy.preview"), (event) => seePreview(preview, policy, event.target)) })));
}

function ruleRow(rule, policy, show, draw) {
  const outcome = select([["hold", t("outcome.hold")], ["reject", t("outcome.reject")]], rule.outcome, { "aria-label": t("policy.outcome"), onchange: () => { rule.outcome = outcome.value; show(); } });
  return h("div", { class: "rule" }, h("span", {}, h("b", {}, rule.id), h("small", {}, ` ${word("reason", rule.reason ?? "other")}`)), outcome,
    h("div", { class: "conditions" }, rule.when.map((one) => condition(one, rule, show))),
    button(t("remove"), () => { policy.rules.splice(policy.rules.indexOf(rule), 1); show(); draw(); }, "quiet small"));
}

function condition(one, rule, show) {
  const name = one.attribute ? word("attribute", one.attribute) : word("signal", one.signal);
  const side = one.at_most !== undefined && one.at_most !== null ? "at_most" : "at_least";
  if (one.any) return h("span", { class: "condition" }, name);
  const label = `${rule.id}: ${name}`;
  const exact = input({ type: "number", step: one.attribute ? "0.01" : "any", value: String(one[side]), "aria-label": label });
  const slider = one.attribute && h("input", { type: "range", min: "0", max: "1", step: "0.01", value: String(one[side]), "aria-label": label });
  const set = (value) => {
    one[side] = Number(value);
    exact.value = value;
    if (slider) slider.value = value;
    show();
  };
  exact.addEventListener("input", () => set(exact.value));
  slider?.addEventListener("input", () => set(slider.value));
  return h("span", { class: "condition" }, `${name} ${side === "at_least" ? "≥" : "≤"}`, slider, exact);
}

async function seePreview(place, policy, asking) {
  asking.disabled = true;
  replace(place, h("p", { class: "soft" }, t("loading")));
  try {
    const found = await post(admin("policy", "preview"), policy);
    const counts = (side) => t("preview.counts", { published: num(side.publish), held: num(side.hold), rejected: num(side.reject) });
    replace(place, h("p", {}, h("b", {}, t("preview.after", { n: found.of })), " ", counts(found.after)), h("p", { class: "soft" }, t("preview.before"), " ", counts(found.before)),
      found.changed.length ? [h("h2", {}, t("preview.changed", { n: found.changed_count })), h("ul", { class: "list" }, found.changed.map(changedRow))] : h("p", {}, t("preview.same")));
  } catch (problem) {
    replace(place);
    const box = h("div", { class: "problem", role: "alert" });
    if (problem.isMissing) box.textContent = t("missing");
    else showProblem(box, problem);
    place.append(box);
  } finally {
    asking.disabled = false;
  }
}

const changedRow = (one) => h("li", {}, h("p", {}, one.excerpt), h("div", { class: "row soft" }, h("span", {}, h("span", { class: `dot ${one.before}` }), t(`outcome.${one.before}`), " → ", h("span", { class: `dot ${one.after}` }), t(`outcome.${one.after}`)),
  (one.causes ?? []).slice(0, 2).map((cause) => h("span", {}, `${word(cause.kind, cause.name)} ${cause.value === null || cause.value === undefined ? "" : score(cause.value)}`)),
  h("a", { href: href("comment", [one.comment_id]) }, t("comment.open"))));

// The words that a site looks at first: one a line, found as whole words and through disguises.
export async function showWords(place) {
  const { policy } = await get(admin("policy"));
  const words = area({ rows: "16", spellcheck: "false", value: (policy.words ?? []).join("\n") });
  const rule = policy.rules.some((one) => one.when.some((condition) => condition.signal === "words"));
  replace(place, h("div", { class: "panel" }, h("p", { class: "soft" }, t("words.what")), !rule && h("p", { class: "note" }, t("words.norule")),
    form([field(t("settings.words"), words, t("one.a.line"))], t("save"), async () => {
      policy.words = [...new Set(words.value.split("\n").map((one) => one.trim()).filter(Boolean))];
      await put(admin("policy"), policy);
      return t("words.saved", { n: policy.words.length });
    })));
}

// The reasons of a site: a code that stays, and the sentence that the author reads.
export async function showReasons(place) {
  const { policy } = await get(admin("policy"));
  const rows = h("div", {});
  const row = (one) => {
    const line = h("div", { class: "pair" }, input({ value: one.code, "aria-label": t("reason.code"), pattern: "[a-z0-9_\\-]+", readonly: Boolean(one.code) }), area({ rows: "1", value: one.text, "aria-label": t("reason.text") }),
      button(t("remove"), () => line.remove(), "quiet small"));
    return line;
  };
  rows.append(...policy.reasons.map(row));
  const read = () => [...rows.children].map((line) => ({ code: line.children[0].value.trim(), text: line.children[1].value.trim() })).filter((one) => one.code);
  replace(place, h("div", { class: "panel" }, h("p", { class: "soft" }, t("reasons.what")),
    form([rows], t("save"), async () => {
      policy.reasons = read();
      await put(admin("policy"), policy);
      await chooseSite(session.site);
      return t("saved");
    }, { extra: button(t("add"), () => { rows.append(row({ code: "", text: "" })); rows.lastChild.children[0].focus(); }) })));
}

// The site itself: its name, its question, where it embeds comments, and the switch for an emergency.
export async function showSite(place) {
  const site = await get(admin());
  const name = input({ value: site.name });
  const prompt = input({ value: site.prompt });
  const origins = area({ rows: "3", value: site.allowed_origins.join("\n") });
  const guests = h("input", { type: "checkbox", checked: site.guests_allowed });
  const second = h("input", { type: "checkbox", checked: site.second_chance });
  const reaction = input({ value: site.reaction ?? "", maxlength: "20" });
  replace(place, emergency(place, site), h("section", { class: "panel" }, form([field(t("site.name"), name), field(t("site.prompt"), prompt), field(t("site.origins"), origins, t("one.a.line")), field(t("site.reaction"), reaction),
    h("label", { class: "check" }, guests, t("site.guests")), h("label", { class: "check" }, second, t("site.second"))], t("save"), async () => {
    await patch(admin(), { name: name.value, prompt: prompt.value, guests_allowed: guests.checked, second_chance: second.checked, reaction: reaction.value.trim() || null, allowed_origins: origins.value.split(/\s+/).filter(Boolean) });
    return t("saved");
  })));
}

function emergency(place, site) {
  const is = site.emergency_pre_moderation;
  return h("section", { class: "panel" }, h("h2", {}, t("emergency")), h("p", { class: is ? "problem" : "soft" }, t(is ? "emergency.on" : "emergency.off")),
    button(t(is ? "emergency.end" : "emergency.begin"), async () => { await patch(admin(), { emergency_pre_moderation: !is }); await showSite(place); }, is ? "" : "reject"));
}

// How the site reviews: what is looked at first, in which queues, how fast, and how much of it twice.
const LISTS = ["kinds", "rules", "attributes", "languages", "trust", "pages"];

export async function showReview(place) {
  const settings = await get(admin("review"));
  const number = (value, props = {}) => input({ type: "number", min: "0", step: "any", value: String(value), ...props });
  const weights = Object.fromEntries(Object.entries(settings.priority).map(([name, value]) => [name, number(value, { max: "10", step: "0.1" })]));
  const fields = {
    service_level_seconds: number(settings.service_level_seconds / 60), undo_seconds: number(settings.undo_seconds), sample_share: number(settings.sample_share * 100, { max: "100" }),
    second_opinion_share: number(settings.second_opinion_share * 100, { max: "100" }), reports_hold_from: number(settings.reports_hold_from), appeal_days: number(settings.appeal_days),
  };
  const blur = h("input", { type: "checkbox", checked: settings.blur });
  const redress = area({ rows: "2", maxlength: "1000", required: true, value: settings.redress });
  const queues = h("div", {}, settings.queues.map(queueBox));
  replace(place, form([
    h("section", { class: "panel" }, h("h2", {}, t("review.priority")), h("p", { class: "soft" }, t("review.priority.what")), h("div", { class: "split" }, Object.entries(weights).map(([name, one]) => field(word("priority", name), one)))),
    h("section", { class: "panel" }, h("h2", {}, t("queues")), h("p", { class: "soft" }, t("review.queues.what")), queues, button(t("review.queue.add"), () => queues.append(queueBox({ name: "", title: "", when: {} })))),
    h("section", { class: "panel" }, h("h2", {}, t("review.rest")), h("div", { class: "split" }, Object.entries(fields).map(([name, one]) => field(t(`review.${name}`), one))), field(t("review.redress"), redress), h("label", { class: "check" }, blur, t("review.blur"))),
  ], t("save"), async () => {
    const read = (name) => Number(fields[name].value);
    await put(admin("review"), {
      ...settings, priority: Object.fromEntries(Object.entries(weights).map(([name, one]) => [name, Number(one.value)])), queues: [...queues.children].map((box) => box.read()).filter((one) => one.name),
      service_level_seconds: Math.round(read("service_level_seconds") * 60), undo_seconds: read("undo_seconds"), sample_share: read("sample_share") / 100, second_opinion_share: read("second_opinion_share") / 100,
      reports_hold_from: read("reports_hold_from"), appeal_days: read("appeal_days"), blur: blur.checked, redress: redress.value.trim(),
    });
    return t("saved");
  }));
}

function queueBox(queue) {
  const name = input({ value: queue.name, pattern: "[a-z0-9\\-]+" });
  const title = input({ value: queue.title });
  const level = input({ type: "number", min: "1", value: queue.service_level_seconds ? String(queue.service_level_seconds / 60) : "" });
  const lists = Object.fromEntries(LISTS.map((one) => [one, input({ value: (queue.when?.[one] ?? []).join(", ") })]));
  const box = h("fieldset", { class: "panel" }, h("legend", {}, queue.title || t("review.queue.new")),
    h("div", { class: "split" }, field(t("review.queue.name"), name), field(t("review.queue.title"), title), field(t("review.service_level_seconds"), level)),
    h("div", { class: "split" }, LISTS.map((one) => field(t(`review.when.${one}`), lists[one]))), button(t("remove"), () => box.remove(), "small"));
  box.read = () => {
    const when = Object.fromEntries(LISTS.map((one) => [one, lists[one].value.split(",").map((part) => part.trim()).filter(Boolean)]).filter(([, list]) => list.length));
    return { name: name.value.trim(), title: title.value.trim() || name.value.trim(), when, ...(level.value ? { service_level_seconds: Math.round(Number(level.value) * 60) } : {}) };
  };
  return box;
}
