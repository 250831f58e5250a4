// Plots made by hand as SVG: each has a title that is read out, and the same figures as a table below.

import { h, s } from "./dom.js";
import { t } from "./i18n.js";
import { table } from "./ui/form.js";

const WIDE = 460;
const HIGH = 190;
const PAD = { left: 40, right: 8, top: 12, bottom: 24 };

/** A plot in its panel: heading, picture, what it says in a sentence, and the table. */
export function figure(title, summary, picture, heads, rows) {
  return h("figure", { class: "panel plot" }, h("figcaption", {}, h("h2", {}, title), h("p", { class: "soft" }, summary)), picture,
    h("details", {}, h("summary", {}, t("plot.table")), table(title, heads, rows, { hidden: true })));
}

const chart = (label, children, high = HIGH) => s("svg", { viewBox: `0 0 ${WIDE} ${high}`, role: "img", "aria-label": label }, children);

function scale(most, high = HIGH) {
  const top = niceAbove(most);
  return { top, y: (value) => high - PAD.bottom - (value / top) * (high - PAD.top - PAD.bottom) };
}

function niceAbove(value) {
  if (value <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 5, 10].map((one) => one * size).find((one) => one >= value);
}

const grid = ({ top, y }, format) => [0, 0.5, 1].map((part) => [
  s("line", { class: "axis", x1: PAD.left, x2: WIDE - PAD.right, y1: y(top * part), y2: y(top * part) }),
  s("text", { x: PAD.left - 6, y: y(top * part) + 4, "text-anchor": "end" }, format(top * part)),
]);

const columns = (count) => {
  const step = (WIDE - PAD.left - PAD.right) / Math.max(1, count);
  return { step, x: (place) => PAD.left + place * step, every: Math.max(1, Math.ceil(count / 7)) };
};

/** Stacked bars: `rows` of `{label, parts: {name: value}}`, drawn in the order of `names`. */
export function stacked(label, rows, names, format) {
  const total = (row) => names.reduce((sum, name) => sum + (row.parts[name] ?? 0), 0);
  const axis = scale(Math.max(0, ...rows.map(total)));
  const { step, x, every } = columns(rows.length);
  return chart(label, [grid(axis, format), rows.map((row, place) => {
    let below = 0;
    return [
      names.map((name) => {
        const value = row.parts[name] ?? 0;
        const bar = s("rect", { class: name, x: x(place) + step * 0.12, width: step * 0.76, y: axis.y(below + value), height: Math.max(0, axis.y(below) - axis.y(below + value)) }, s("title", {}, `${row.label} ${name}: ${value}`));
        below += value;
        return value > 0 && bar;
      }),
      place % every === 0 && s("text", { x: x(place) + step / 2, y: HIGH - 8, "text-anchor": "middle" }, row.label),
    ];
  })]);
}

/** Lying bars with the value at the end; `second` draws a longer one behind. */
export function bars(label, rows, format) {
  const high = rows.length * 30 + 8;
  const most = Math.max(1e-9, ...rows.map((row) => Math.max(row.value, row.second ?? 0)));
  const width = (value) => (value / most) * (WIDE - 236);
  return chart(label, rows.map((row, place) => [
    s("text", { x: 116, y: place * 30 + 21, "text-anchor": "end" }, row.label.slice(0, 18)),
    row.second !== undefined && s("rect", { class: "second", x: 124, y: place * 30 + 8, width: width(row.second), height: 18, rx: 3, opacity: 0.45 }),
    s("rect", { class: row.class ?? "fill", x: 124, y: place * 30 + 8, width: Math.max(1, width(row.value)), height: 18, rx: 3 }),
    s("text", { class: "value", x: 130 + width(Math.max(row.value, row.second ?? 0)), y: place * 30 + 21 }, row.text ?? format(row.value)),
  ]), high);
}

/** Shares with their interval: a dot where the share is, a line from the lowest to the highest that fit. */
export function intervals(label, rows, format, least = 0.01) {
  const most = Math.min(1, niceAbove(Math.max(least, ...rows.map((row) => row.high))));
  const x = (value) => 150 + (value / most) * (WIDE - 165);
  const high = rows.length * 40 + 30;
  return chart(label, [[0, 0.5, 1].map((part) => [s("line", { class: "axis", x1: x(most * part), x2: x(most * part), y1: 6, y2: high - 22 }),
    s("text", { x: x(most * part), y: high - 6, "text-anchor": "middle" }, format(most * part))]),
  rows.map((row, place) => {
    const y = place * 40 + 26;
    return [s("text", { x: 140, y: y + 4, "text-anchor": "end" }, row.label), row.value !== null && [
      s("line", { class: "range", x1: x(row.low), x2: x(Math.min(most, row.high)), y1: y, y2: y }),
      s("circle", { class: "fill", cx: x(row.value), cy: y, r: 5 }), s("text", { class: "value", x: x(row.value), y: y - 10, "text-anchor": "middle" }, format(row.value))]];
  })], high);
}
