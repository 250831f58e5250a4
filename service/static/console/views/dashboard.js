// How the site fares: volume, the machine's share, waiting times, people, and how often the machine errs.

import { get, review } from "../api.js";
import { h, replace } from "../dom.js";
import { day, num, share, span, t, word } from "../i18n.js";
import { bars, figure, intervals, stacked } from "../plots.js";
import { go } from "../router.js";
import { problemBox, select } from "../ui/form.js";

const PLOTTED = ["published", "held", "rejected", "removed"];
const isoDay = (time) => new Date(time).toISOString().slice(0, 10);

export async function dashboard(root, at) {
  const days = Number(at.query.days) || 30;
  const choice = select([7, 30, 90].map((one) => [String(one), t("days", { n: one })]), String(days), { "aria-label": t("dash.time"), onchange: () => go("dashboard", [], { days: choice.value }) });
  const place = h("div", {}, h("p", { class: "soft" }, t("loading")));
  replace(root, h("div", { class: "head" }, h("h1", {}, t("nav.dashboard")), h("div", {}, choice)), place);
  const now = Date.now();
  get(review("stats"), { from: isoDay(now - (days - 1) * 86_400_000), to: isoDay(now) }).then((stats) => drawStats(place, stats), (problem) => {
    replace(place, problem.isMissing ? h("p", { class: "empty" }, t("missing")) : problemBox(problem));
  });
}

function drawStats(place, stats) {
  const total = stats.days.reduce((sum, one) => sum + one.submitted, 0);
  const longest = [...stats.waiting].sort((a, b) => b.decided - a.decided)[0];
  const fact = (value, name) => h("div", { class: "fact" }, h("b", {}, value), h("span", { class: "soft" }, name));
  replace(place, h("div", { class: "facts" }, fact(num(total), t("dash.comments")), fact(shareOf(stats.decided.machine_share), t("dash.machine")),
    fact(longest ? seconds(longest.p50_seconds) : "–", t("dash.wait")), fact(shareOf(stats.second_opinions.share), t("dash.agreement"))),
  h("div", { class: "plots" }, volumePlot(stats.days, total), machinePlot(stats.decided), waitingPlot(stats.waiting), peoplePlot(stats.moderators), agreementPlot(stats.second_opinions), errorPlot(stats.sample)));
}

const shareOf = (value) => (value === null || value === undefined ? "–" : share(value));
const seconds = (value) => span(value, "short");
const none = (title) => h("section", { class: "panel plot" }, h("h2", {}, title), h("p", { class: "soft" }, t("dash.nothing")));
const queueName = (name) => (name === "default" || name === "escalated" ? t(`queue.${name}`) : name);

function volumePlot(days, total) {
  const title = t("dash.volume");
  if (!total) return none(title);
  const short = new Intl.DateTimeFormat(document.documentElement.lang, { day: "numeric", month: "short" });
  const rows = days.map((one) => ({ label: short.format(new Date(`${one.day}T12:00`)), parts: one }));
  const legend = h("ul", { class: "legend" }, PLOTTED.map((status) => h("li", {}, h("span", { class: `dot ${status}` }), word("status", status))));
  return figure(title, [t("dash.volume.what", { n: total }), legend], stacked(title, rows, PLOTTED, (value) => num(value)),
    [t("dash.day"), t("dash.written"), ...PLOTTED.map((status) => word("status", status))], days.map((one) => [day(`${one.day}T12:00`), num(one.submitted), ...PLOTTED.map((status) => num(one[status]))]));
}

function machinePlot({ machine, people, machine_share: part }) {
  const title = t("dash.machine.title");
  if (part === null) return none(title);
  const rows = [{ label: t("dash.by.machine"), value: machine }, { label: t("dash.by.people"), value: people, class: "held" }];
  return figure(title, t("dash.machine.what", { share: shareOf(part) }), bars(title, rows, (value) => num(value)), ["", t("dash.count")], rows.map((row) => [row.label, num(row.value)]));
}

function waitingPlot(waits) {
  const title = t("dash.waiting");
  if (!waits.length) return none(title);
  const rows = waits.map((one) => ({ label: queueName(one.queue), value: one.p50_seconds, second: one.p90_seconds, text: `${seconds(one.p50_seconds)} / ${seconds(one.p90_seconds)}` }));
  return figure(title, t("dash.waiting.what"), bars(title, rows, seconds), [t("queue.one"), t("dash.count"), t("dash.p50"), t("dash.p90")], waits.map((one) => [queueName(one.queue), num(one.decided), seconds(one.p50_seconds), seconds(one.p90_seconds)]));
}

function peoplePlot(people) {
  const title = t("dash.people");
  if (!people.length) return none(title);
  const rows = people.map((one) => ({ label: one.name ?? one.actor.slice(0, 8), value: one.decisions, actions: Object.entries(one.actions).map(([action, count]) => `${word("did", action)} ${num(count)}`).join(", ") }));
  return figure(title, t("dash.people.what"), bars(title, rows, (value) => num(value)), [t("name"), title, t("audit.details")], rows.map((row) => [row.label, num(row.value), row.actions]));
}

function agreementPlot(opinions) {
  const title = t("dash.agree.title");
  if (!opinions.of) return none(title);
  return figure(title, t("dash.agree.what", { n: opinions.of, share: shareOf(opinions.share) }), intervals(title, [{ ...opinions, label: t("dash.agreed"), value: opinions.share }], (value) => share(value, 0), 1), ...shareTable([[t("dash.agreed"), opinions]]));
}

function errorPlot(sample) {
  const title = t("dash.error");
  const rows = Object.entries(sample).filter(([, one]) => one.of).map(([name, one]) => [t(`dash.error.${name}`), one]);
  if (!rows.length) return none(title);
  return figure(title, t("dash.error.what"), intervals(title, rows.map(([label, one]) => ({ ...one, label, value: one.share })), (value) => share(value, 1)), ...shareTable(rows));
}

const shareTable = (rows) => [["", t("dash.of"), t("dash.count"), t("dash.share"), t("dash.interval")],
  rows.map(([label, one]) => [label, num(one.of), num(one.number), share(one.share, 1), `${share(one.low, 1)} – ${share(one.high, 1)}`])];
