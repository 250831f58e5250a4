// Decisions on their way: kept in this tab until the service has answered, so that a refresh or a lost connection
// neither loses nor doubles one. A retry that meets its own decision is done.

import { call, get, ifThere, review } from "./api.js";
import { claim, fill, hand, held, putBack, take } from "./leases.js";
import { session } from "./session.js";
import { emit, on, tab } from "./store.js";
import { isHard } from "./ui/card.js";

export const acts = tab.get("acts", []).map((act) => (act.state === "sending" ? { ...act, state: "queued", isRetry: true } : act));
const KEPT = 30;
const FINAL_MS = 60_000;
const GLIMPSE = 48;
let pumping = null;
let patience = 0;
let timer = null;

const save = () => {
  acts.splice(0, Math.max(0, acts.length - KEPT));
  tab.set("acts", acts);
  emit("acts");
};

// In one tab several persons may sign in after each other, and nobody sends what another decided.
const isMine = (act) => (act.actor ?? session.actor) === session.actor;
const isWaiting = (act) => isMine(act) && (act.state === "queued" || act.state === "sending");
export const waiting = () => acts.filter(isWaiting);
/** The newest act that can still be undone, or one that never can and that nobody was told of yet. */
export const undoable = () =>
  acts.findLast((act) => isWaiting(act) || (isMine(act) && (act.state === "final" || (act.state === "done" && act.act_id)) && left(act) > 0));
export const left = (act) => (act.undo_until ? (new Date(act.undo_until) - Date.now()) / 1000 : session.desk?.undo_seconds ?? 300);

/** How a comment begins, to tell which one an act was about. */
const glimpse = (item) => ({
  name: item.comment.author?.name, body: [...(item.comment.body ?? "")].slice(0, GLIMPSE).join(""), spans: item.spans?.filter((one) => one.end <= GLIMPSE),
  isHard: isHard(item),
});

const newAct = (items, wanted, more) => ({
  id: crypto.randomUUID?.() ?? String(Math.random()), site: session.site, actor: session.actor, at: Date.now(), wanted, items, count: items.length,
  kind: items[0].kind, about: items.length === 1 ? glimpse(items[0]) : null, ...more,
});

/** Note a skip or an escalation, which cannot be taken back; undoing does not reach past it unasked. */
export function noteFinal(item, action, sent) {
  const act = newAct([item], { action }, { state: "final", items: [], undo_until: new Date(Date.now() + FINAL_MS).toISOString() });
  acts.push(act);
  save();
  return sent.catch((problem) => {
    dismiss(act);
    throw problem;
  });
}

/** Decide items at once: out of the hand now, sent as soon as it can be; its draft is kept until it has arrived. */
export function decide(items, wanted, draft = items[0].item_id) {
  const act = newAct(items, wanted, { state: "queued", draft });
  acts.push(act);
  take(items.map((item) => item.item_id));
  save();
  pump();
  fill();
  return act;
}

/** Send what waits, one after the other, in the order in which it was decided. */
export function pump() {
  clearTimeout(timer);
  pumping ??= sendAll().finally(() => { pumping = null; });
  return pumping;
}

async function sendAll() {
  for (let act = next(); act; act = next()) {
    act.state = "sending";
    save();
    try {
      await send(act);
      patience = 0;
    } catch (problem) {
      if (!problem.isPassing && problem.status !== 401) {
        fail(act, problem);
        continue;
      }
      Object.assign(act, { state: "queued", isRetry: true });
      save();
      patience = Math.min(10_000, Math.max(problem.retryAfter * 1000, patience * 2, 1000));
      if (problem.status !== 401) timer = setTimeout(pump, patience);
      return;
    }
    if (act.isUnwanted) await undo(act);
  }
}

const next = () => waiting().find((act) => act.state === "queued");

async function send(act) {
  const path = (...parts) => `/v1/review/${act.site}/${parts.join("/")}`;
  if (act.items.length > 1) return sendMany(act, path("decisions"));
  const [item] = act.items;
  const body = { lease: item.lease.token, revision: item.revision, ...act.wanted };
  const answer = await call("POST", path("items", item.item_id, "decision"), { body }).catch((problem) => settle(act, problem));
  finish(act, answer?.decision?.act_id ?? answer?.act_id, answer?.undo_until);
  return null;
}

function finish(act, actId, undoUntil, note) {
  Object.assign(act, { state: "done", act_id: actId ?? null, undo_until: undoUntil ?? null, note });
  act.comments = act.items.map((item) => item.comment.id);
  tab.set(`draft.${act.draft}`, null);
  act.items = act.items.map((item) => ({ item_id: item.item_id }));
  save();
  emit("decided", act);
}

/** What a refusal means: a decision of one's own that arrived before, a colleague's, a lease that ended, a new text. */
async function settle(act, problem) {
  const [item] = act.items;
  if (problem.code === "item.decided" || (problem.code === "lease.expired" && act.isRetry)) {
    const own = await findOwn(act, item);
    if (own) return { decision: own };
    if (problem.code === "item.decided") throw problem;
  }
  if (problem.code === "lease.expired" && !act.isAgain) {
    act.isAgain = true;
    const again = await claimOne(item);
    if (again) {
      act.items = [again];
      emit("lease-again", { item: again, isBack: true });
      const body = { lease: again.lease.token, revision: item.revision, ...act.wanted };
      return call("POST", `/v1/review/${act.site}/items/${item.item_id}/decision`, { body });
    }
  }
  throw problem;
}

async function findOwn(act, item) {
  const { decisions } = await get(`/v1/review/${act.site}/comments/${item.comment.id}/decisions`);
  const last = decisions.findLast((one) => one.actor_kind === "moderator" && one.revision === item.revision);
  const isMine = last && (!session.actor || last.actor === session.actor);
  return isMine && last.action === act.wanted.action && new Date(last.created_at) > act.at - 60_000 ? last : null;
}

async function claimOne(item) {
  const found = await claim(20, item.author_record ? { filter: { commenter_id: item.author_record.commenter_id } } : {})
    .catch((problem) => (problem.isPassing ? Promise.reject(problem) : claim(20)));
  const again = found.find((one) => one.item_id === item.item_id);
  const others = found.filter((one) => one !== again && !hand.items.some((had) => had.item_id === one.item_id));
  hand.items.push(...others);
  emit("hand");
  return again;
}

async function sendMany(act, path) {
  const items = act.items.map(({ item_id, lease, revision }) => ({ item_id, lease: lease.token, revision }));
  let answer;
  try {
    answer = await call("POST", path, { body: { items, ...act.wanted } });
  } catch (problem) {
    if (!problem.isMissing) throw problem;
    return splitUp(act);
  }
  const own = new Set();
  for (const refused of answer.failed) {
    const item = act.items.find((one) => one.item_id === refused.item_id);
    if (act.isRetry && item && (await findOwn(act, item))) own.add(refused.item_id);
  }
  act.failed = answer.failed.filter((one) => !own.has(one.item_id));
  act.count = act.items.length - act.failed.length;
  finish(act, answer.act_id, answer.undo_until);
  return null;
}

/** A service that decides one at a time gets them one at a time. */
function splitUp(act) {
  const place = acts.indexOf(act);
  acts.splice(place, 1, ...act.items.map((item, number) => ({ ...act, id: `${act.id}-${number}`, items: [item], count: 1, state: "queued" })));
  save();
}

function fail(act, problem) {
  Object.assign(act, { state: "failed", code: problem.code });
  save();
  emit("decision-failed", { act, problem });
}

/** Take an act back: before it was sent here, afterwards by the service, which claims the items again. */
export async function undo(act = undoable()) {
  if (!act) return null;
  if (act.state === "queued" && !act.isRetry) {
    act.state = "undone";
    putBack(act.items);
    save();
    return { undone: act.count };
  }
  if (act.state !== "done") {
    act.isUnwanted = true; // It is on its way: taken back as soon as it arrived.
    return { undone: act.count };
  }
  const answer = await call("POST", `/v1/review/${act.site}/acts/${act.act_id}/undo`, { body: {} });
  act.state = "undone";
  if (act.site === session.site) putBack(answer.items.map((item) => held(item)));
  save();
  emit("undone", { act, answer });
  return answer;
}

/** Forget an act that failed, once somebody has read why. */
export function dismiss(act) {
  const place = acts.indexOf(act);
  if (place >= 0) acts.splice(place, 1);
  save();
}

export function startDecisions() {
  on("reachable", (is) => { if (is) pump(); });
  on("site", pump);
  addEventListener("online", () => pump());
  addEventListener("beforeunload", (event) => { if (waiting().some((act) => act.isRetry)) event.preventDefault(); });
  if (waiting().length) pump();
}

export const decisionsOf = (commentId) => ifThere(get(review("comments", commentId, "decisions")), { decisions: [] });
