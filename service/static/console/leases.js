// The hand: items claimed ahead under leases, so that the next card is there at once. A lease is renewed while
// somebody works, given back on leaving, and claimed again when it ended.

import { auth, headers, post, review } from "./api.js";
import { emit, on, prefs, tab } from "./store.js";

export const AHEAD = 4;
const IDLE_MS = 10 * 60_000;
export const hand = { items: [], at: 0, wanted: AHEAD, scope: {}, isFilling: false, isPaused: false, isEmpty: false };
export const leaseSeconds = () => prefs.get("lease_seconds", 120);

let filling = null;
let active = Date.now();
let generation = 0;
let returning = null;
const owed = []; // What could not be given back because the session had ended.
// Claims by their secrets: those that are under way, and until when those are named whose answers never came. What such
// a one took is taken up by the next claim; it would wait for nobody until its lease ended.
const underWay = new Set();
const lost = new Map();
const LOST_MS = 30_000; // Longer than a claim may be on its way.
const away = new Set(); // Decided or skipped here: never shown again, whatever a late claim answers.

export const current = () => hand.items[hand.at] ?? null;
export const secondsLeft = (item) => (item.until - Date.now()) / 1000;
const changed = () => emit("hand");

/** Claim until the hand is as full as wanted; calls beside it wait for the same claim. */
export function fill() {
  filling ??= claimMissing().finally(() => { filling = null; });
  return filling;
}

async function claimMissing() {
  const missing = hand.wanted - hand.items.length;
  if (missing <= 0 || hand.isPaused || !auth.site) return;
  const mine = generation;
  hand.isFilling = true;
  try {
    await returning;
    const items = await claim(Math.min(50, missing), hand.scope);
    if (mine !== generation) return void items.forEach((item) => giveBack(item));
    const fresh = items.filter((item) => !away.has(item.item_id) && !hand.items.some((one) => one.item_id === item.item_id));
    hand.items.push(...fresh);
    hand.isEmpty = !hand.items.length;
    hand.failed = null;
  } catch (problem) {
    hand.failed = problem;
  } finally {
    hand.isFilling = false;
    changed();
  }
}

/** Take items under a lease; its end is told by our own clock, counted from before the question. */
export async function claim(limit, { queue, filter } = {}) {
  const body = { limit, lease_seconds: leaseSeconds() };
  if (queue) body.queue = queue;
  if (filter && Object.keys(filter).length) body.filter = filter;
  const asked = Date.now();
  for (const [secret, until] of lost) if (until < asked) lost.delete(secret);
  if (lost.size) body.left = [...lost.keys()].slice(-10);
  body.hand = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(24)))).replaceAll("+", "-").replaceAll("/", "_");
  underWay.add(body.hand);
  try {
    const { items } = await post(review("claims"), body);
    return items.map((item) => held(item, asked));
  } catch (problem) {
    if (problem.isPassing) lost.set(body.hand, Date.now() + LOST_MS);
    throw problem;
  } finally {
    underWay.delete(body.hand);
  }
}

/** Take over what the page before in this tab did not hear of. Kept by a page that goes alone, so that a copy of a tab has none. */
function takeOver() {
  for (const secret of tab.get("lost", [])) lost.set(secret, Date.now() + LOST_MS);
  tab.set("lost", null);
}

export const held = (item, since = Date.now()) => ({ ...item, site: auth.site, until: since + leaseSeconds() * 1000 });

/** Take items out of the hand; the place is kept, so that the next one comes into view. */
export function take(itemIds) {
  for (const id of itemIds) {
    away.add(id);
    const place = hand.items.findIndex((item) => item.item_id === id);
    if (place < 0) continue;
    hand.items.splice(place, 1);
    if (place < hand.at) hand.at -= 1;
  }
  hand.at = Math.max(0, Math.min(hand.at, hand.items.length - 1));
  changed();
}

/** Put items in view, as the first of the hand. */
export function putBack(items) {
  for (const item of items) away.delete(item.item_id);
  if (!isWatched) return void items.forEach((item) => giveBack(item)); // Nobody looks: a card in this hand would wait for nobody.
  const ids = new Set(items.map((item) => item.item_id));
  hand.items = [...items, ...hand.items.filter((item) => !ids.has(item.item_id))];
  hand.at = 0;
  hand.isEmpty = false;
  changed();
}

export function move(by) {
  const next = Math.max(0, Math.min(hand.items.length - 1, hand.at + by));
  if (next === hand.at) return false;
  hand.at = next;
  changed();
  return true;
}

/** Give everything back and claim in another queue, by another filter, or more at once. */
export async function scopeTo(scope, wanted = AHEAD) {
  generation += 1;
  Object.assign(hand, { scope, wanted });
  await releaseAll();
  await filling;
  await fill();
}

async function giveBack(item, keepalive = false) {
  const path = `/v1/review/${item.site}/items/${item.item_id}/release`;
  const sent = { ...headers("POST"), "Content-Type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers: sent, body: JSON.stringify({ lease: item.lease.token }), keepalive }).catch(() => null);
  if (answer?.status === 401) owed.push(item);
}

export async function releaseAll({ keepalive = false } = {}) {
  const items = hand.items.splice(0);
  hand.at = 0;
  if (items.length) changed();
  await Promise.all(items.map((item) => giveBack(item, keepalive)));
}

/** "Not me": the item goes back, and this service remembers not to offer it again. */
export async function skip(item) {
  take([item.item_id]);
  const lease = { lease: item.lease.token };
  try {
    await post(review("items", item.item_id, "skip"), lease);
  } catch (problem) {
    if (!problem.isMissing) throw problem;
    await giveBack(item);
  } finally {
    fill();
  }
}

export async function escalate(item, note) {
  await post(review("items", item.item_id, "escalate"), { lease: item.lease.token, ...(note ? { note } : {}) });
  take([item.item_id]);
  fill();
}

async function renew(item) {
  const asked = Date.now();
  try {
    item.lease = await post(review("items", item.item_id, "renew"), { lease: item.lease.token, lease_seconds: leaseSeconds() });
    item.until = asked + leaseSeconds() * 1000;
  } catch (problem) {
    // Without an answer the lease runs on; only a refusal says that it has ended.
    if (!problem.isPassing) item.until = Math.min(item.until, Date.now());
  }
}

/** Claim again what ended: what comes back stays in view with what was written; the rest is said to be gone. */
async function claimAgain(ended) {
  const shown = current();
  for (const item of ended) hand.items.splice(hand.items.indexOf(item), 1);
  hand.at = Math.max(0, Math.min(hand.at, hand.items.length - 1));
  emit("lease-ended", { item: ended.includes(shown) ? shown : null });
  await filling;
  await fill();
  if (!ended.includes(shown)) return;
  const place = hand.items.findIndex((item) => item.item_id === shown.item_id);
  if (place >= 0) hand.at = place;
  emit("lease-again", { item: shown, isBack: place >= 0 });
  changed();
}

let isBeating = false;

async function beat() {
  if (isBeating || !auth.site || !hand.items.length) return;
  isBeating = true;
  try {
    if (Date.now() - active > IDLE_MS) {
      hand.isPaused = true;
      await releaseAll();
      changed();
      return;
    }
    const due = hand.items.filter((item) => secondsLeft(item) < leaseSeconds() * 0.6);
    await Promise.all(due.map(renew));
    const ended = hand.items.filter((item) => secondsLeft(item) <= 0);
    if (ended.length) await claimAgain(ended);
  } finally {
    isBeating = false;
  }
}

export function goOn() {
  active = Date.now();
  hand.isPaused = false;
  return fill();
}

/** Keep the leases of this tab alive while it is open. */
export function startHand() {
  takeOver();
  setInterval(beat, 1000);
  setInterval(() => { if (!document.hidden && hand.items.length < hand.wanted && isWatched) fill(); }, 5000);
  for (const name of ["keydown", "pointerdown"]) addEventListener(name, () => { active = Date.now(); }, { passive: true });
  addEventListener("pagehide", () => {
    tab.set("left_at", current()?.item_id ?? null);
    tab.set("lost", [...lost.keys(), ...underWay]);
    releaseAll({ keepalive: true });
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    takeOver();
    if (isWatched) fill();
  });
  on("site", () => { returning = Promise.all(owed.splice(0).map((item) => giveBack(item))); });
  on("opened", () => { if (isWatched && hand.items.length < hand.wanted) fill(); });
}

let isWatched = false;
/** Views that show the hand say so; the others do not claim. */
export function watch(is) {
  isWatched = is;
  if (is) return;
  generation += 1; // What is being claimed goes back when it comes.
  releaseAll();
}
