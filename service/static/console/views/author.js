// An author: what became of their comments, restrictions, colleagues' notes, and the form for a restriction.

import { drop, get, ifThere, patch, post, review } from "../api.js";
import { h, replace } from "../dom.js";
import { ago, share, stamp, t, word } from "../i18n.js";
import { go } from "../router.js";
import { session } from "../session.js";
import { countBar } from "../ui/card.js";
import { reasonName, reasons } from "../ui/choose.js";
import { area, button, field, form, input, pages, problemBox, select } from "../ui/form.js";
import { commentRow } from "./browse.js";

export async function oneAuthor(root, at) {
  const [id] = at.parts;
  const path = (...parts) => review("commenters", id, ...parts);
  const side = h("div", {});
  try {
    const profile = await get(path());
    replace(root, h("h1", {}, profile.name || t("nameless")), h("div", { class: "columns" },
      h("section", { "aria-label": t("author.comments") }, filter(id, at), writtenBy(path, at)), side));
    replace(side, about(profile, path), await restrictions(path), await notes(path));
  } catch (problem) {
    replace(root, h("h1", {}, t("author")), problemBox(problem));
  }
}

function filter(id, at) {
  const choice = select([["", t("any")], ...["published", "held", "rejected", "removed"].map((one) => [one, word("status", one)])], at.query.status ?? "",
    { onchange: () => go("author", [id], { status: choice.value }) });
  return h("div", { class: "toolbar" }, field(t("search.status"), choice));
}

const writtenBy = (path, at) => pages(async (after) => {
  const { comments, next } = await get(path("comments"), { status: at.query.status, after });
  return { items: comments, next };
}, (comment) => commentRow(comment));

function about(profile, path) {
  const trusted = h("input", { type: "checkbox", checked: profile.trusted, onchange: async () => {
    await patch(path(), { trusted: trusted.checked }).catch(() => { trusted.checked = !trusted.checked; });
  } });
  return h("section", { class: "panel" }, h("h2", {}, t("author")),
    h("p", { class: "row" }, h("span", { class: "tag" }, t(profile.kind === "guest" ? "guest" : "signed")), profile.verified && h("span", { class: "tag kind" }, t("verified")),
      (profile.badges ?? []).map((badge) => h("span", { class: "tag" }, badge))),
    profile.first_seen_at && h("p", { class: "soft" }, t("since", { time: ago(profile.first_seen_at) })), countBar(profile.comments ?? {}),
    profile.rejected_share !== null && profile.rejected_share !== undefined && h("p", { class: "soft tiny" }, t("author.rejected", { share: share(profile.rejected_share) })),
    h("label", { class: "check" }, trusted, t("author.trusted")));
}

async function restrictions(path) {
  const place = h("section", { class: "panel" });
  const draw = async () => {
    const { sanctions } = await get(path("sanctions"));
    replace(place, h("h2", {}, t("sanctions")), sanctions.length ? h("ul", {}, sanctions.map((one) => sanctionRow(one, path, draw))) : h("p", { class: "soft" }, t("sanctions.none")),
      h("details", {}, h("summary", {}, t("sanction.new")), sanctionForm(path, draw)));
  };
  await draw();
  return place;
}

const sanctionName = (kind) => t(kind === "suspension" ? "suspension" : `sanction.${kind}`);

function sanctionRow(one, path, draw) {
  const lift = async (restore) => { await post(path("sanctions", one.id, "lift"), { restore }); await draw(); };
  return h("li", {}, h("p", {}, h("b", {}, sanctionName(one.kind)), " ", h("span", { class: one.in_force ? "tag late" : "tag" }, t(one.in_force ? "in_force" : "over")),
    h("span", { class: "soft" }, ` ${reasonName(one.reason)}, ${ago(one.created_at)}${one.until ? `, ${t("until", { time: stamp(one.until) })}` : ""}`), one.note && h("q", {}, one.note)),
  one.in_force && h("div", { class: "row" }, button(t("lift"), () => lift(false), "small"), one.taken_down > 0 && button(t("lift.restore", { n: one.taken_down }), () => lift(true), "small")));
}

function sanctionForm(path, draw) {
  const kind = select(["suspension", "pre_moderation", "ban"].map((one) => [one, sanctionName(one)]), "suspension");
  const days = input({ type: "number", min: "1", max: "365", value: "7" });
  const reason = select(reasons().map((one) => [one.code, reasonName(one.code)]), "other");
  const note = area({ rows: "2", maxlength: "2000" });
  const hours = input({ type: "number", min: "0", max: "168", value: "0" });
  const daysField = field(t("sanction.days"), days);
  kind.addEventListener("change", () => { daysField.hidden = kind.value === "ban"; });
  return form([field(t("sanction.kind"), kind), daysField, field(t("reason"), reason), field(t("note"), note), field(t("sanction.hours"), hours)], t("sanction.impose"), async () => {
    const wanted = { kind: kind.value, reason: reason.value };
    if (kind.value !== "ban" && Number(days.value)) wanted.until = new Date(Date.now() + Number(days.value) * 86_400_000).toISOString();
    if (note.value.trim()) wanted.note = note.value.trim();
    if (Number(hours.value)) wanted.reject_hours = Number(hours.value);
    await post(path("sanctions"), wanted);
    await draw();
  }, { kind: "reject" });
}

async function notes(path) {
  const place = h("section", { class: "panel" });
  const text = area({ rows: "2", maxlength: "2000" });
  const draw = async () => {
    const found = await ifThere(get(path("notes")));
    place.hidden = !found;
    if (!found) return;
    replace(place, h("h2", {}, t("notes")), h("ul", {}, found.notes.map((one) => h("li", {}, h("p", {}, one.text, " ", h("small", {}, `${one.name ?? ""} ${ago(one.created_at)}`),
      (session.role === "admin" || one.actor === session.actor) && button(t("remove"), async () => { await drop(path("notes", one.id)); await draw(); }, "quiet small"))))),
    form([field(t("notes.new"), text)], t("add"), async () => {
      await post(path("notes"), { text: text.value.trim() });
      text.value = "";
      await draw();
    }, { kind: "" }));
  };
  await draw();
  return place;
}
