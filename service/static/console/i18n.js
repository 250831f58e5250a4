// Words and numbers in the reader's language; a message that is missing shows its key.

import { prefs } from "./store.js";

export const LANGUAGES = { en: "English", de: "Deutsch" };
let words = {};
let locale = "en";
let plurals = new Intl.PluralRules("en");

export async function loadLanguage() {
  const wanted = [prefs.get("language"), ...navigator.languages.map((one) => one.slice(0, 2))];
  const language = wanted.find((one) => one in LANGUAGES) ?? "en";
  words = (await import(`./i18n/${language}.js`)).default;
  locale = navigator.languages.find((one) => one.startsWith(language)) ?? language;
  plurals = new Intl.PluralRules(language);
  document.documentElement.lang = language;
  return language;
}

/** A message, `{name}` replaced by values; `n` chooses between one and other. */
export function t(key, values = {}) {
  let message = words[key] ?? key;
  if (typeof message === "object") message = message[plurals.select(values.n)] ?? message.other;
  return message.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? num(value) : value;
  });
}

/** A word for a code, or the code itself where there is none. */
export const word = (group, code) => words[`${group}.${code}`] ?? String(code ?? "").replaceAll(/[_-]/g, " ");
export const has = (key) => key in words;

export const num = (value, digits = 0) =>
  new Intl.NumberFormat(locale, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
export const score = (value) => num(value, 2);
export const share = (value, digits = 0) =>
  new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: digits }).format(value);
export const stamp = (time) =>
  new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
export const day = (time, style = "medium") => new Intl.DateTimeFormat(locale, { dateStyle: style }).format(new Date(time));

const UNITS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
/** The largest unit of which there is one, two of months and years: "last year" may be a week ago. */
const unitOf = (seconds) => UNITS.find(([, one]) => Math.abs(seconds) >= (one > 86_400 ? 2 * one : one)) ?? UNITS.at(-1);

/** How long: "3 minutes", of two units at most one. */
export function span(seconds, style = "long") {
  const [unit, size] = unitOf(seconds);
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: style, maximumFractionDigits: 0 })
    .format(Math.max(0, Math.round(seconds / size)));
}

/** How long ago: "3 minutes ago". */
export function ago(time) {
  const seconds = (new Date(time) - Date.now()) / 1000;
  const [unit, size] = unitOf(seconds);
  return new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(Math.round(seconds / size), unit);
}

/** A clock that counts down: 1:07. */
export const clock = (seconds) =>
  `${Math.floor(Math.max(0, seconds) / 60)}:${String(Math.floor(Math.max(0, seconds) % 60)).padStart(2, "0")}`;
