// Who works here: signed in with a password, or by an API token that stays in this tab.

import { admin, auth, call, get, ifThere, post, review } from "./api.js";
import { emit, forgetAll, prefs, tab } from "./store.js";

export const session = { kind: null, name: "", actor: null, role: null, account: null, sites: [], site: null, desk: null };
const EMPTY_DESK = { name: "", reasons: [{ code: "other", text: "" }], words: [], blur: true, undo_seconds: 300 };

/** What a person chose in this browser; somebody else who works here chooses anew. */
export const own = {
  get: (name, otherwise) => prefs.get(`${name}.${session.actor}`, otherwise),
  set: (name, value) => prefs.set(`${name}.${session.actor}`, value),
};

export const isAdmin = () => session.role === "admin";

/** Find out who is signed in; false when nobody is. */
export async function resume() {
  const kept = tab.get("token");
  try {
    if (kept) return await useToken(kept.token, kept.site);
    return await useSession(await get("/v1/session"));
  } catch (problem) {
    if (problem.isPassing) throw problem;
    auth.token = null;
    return false;
  }
}

/** Sign in with address and password; a Problem `session.code_required` asks for `code` too. */
export async function signIn(email, password, code) {
  auth.token = null;
  tab.set("token", null);
  return useSession(await post("/v1/session", code ? { email, password, code } : { email, password }));
}

/** Work with an API token on a site. */
export async function useToken(token, site) {
  Object.assign(auth, { token, site });
  Object.assign(session, { kind: "token", account: null, name: "", sites: [] });
  const me = site ? await ifThere(get(review("me"))) : null;
  if (!site || me?.role === "admin") {
    const admitted = await ifThere(get("/v1/admin/sites"), { sites: [] });
    session.sites = admitted.sites.map(({ slug, name }) => ({ slug, name, role: "admin" }));
  }
  const slug = site || session.sites[0]?.slug;
  if (!session.sites.some((one) => one.slug === slug)) session.sites.unshift({ slug, name: slug, role: "moderator" });
  await chooseSite(slug, me);
  tab.set("token", { token, site: slug });
  return true;
}

async function useSession(view) {
  auth.csrf = view.csrf_token;
  const everywhere = view.roles.some((role) => role.site === null);
  const named = view.roles.filter((role) => role.site !== null);
  const isAnyAdmin = view.roles.some((role) => role.role === "admin");
  const known = isAnyAdmin ? (await ifThere(get("/v1/admin/sites"), { sites: [] })).sites : [];
  const nameOf = (slug) => known.find((one) => one.slug === slug)?.name ?? slug;
  const sites = everywhere
    ? known.map(({ slug, name }) => ({ slug, name, role: "admin" }))
    : named.map(({ site, role }) => ({ slug: site, name: nameOf(site), role }));
  Object.assign(session, { kind: "session", account: view, name: view.name, sites });
  const last = prefs.get("site");
  const first = sites.find((one) => one.slug === last) ?? sites[0];
  if (first) await chooseSite(first.slug);
  else session.site = null;
  return true;
}

/** Go to work on a site: its reasons, and what one may do there. */
export async function chooseSite(slug, known = null) {
  auth.site = slug;
  const [desk, me, queue] = await Promise.all([
    ifThere(get(review("desk"))), known ?? ifThere(get(review("me"))), get(review("queue")),
  ]);
  const found = session.sites.find((one) => one.slug === slug);
  Object.assign(session, {
    site: slug, desk: { ...EMPTY_DESK, ...desk }, actor: me?.actor ?? null, commenterId: me?.commenter_id ?? null,
    role: me?.role ?? found?.role ?? "moderator", queue,
  });
  session.name = me?.name || session.name;
  if (found && desk) found.name = desk.name;
  prefs.set("site", slug);
  if (session.kind === "token") tab.set("token", { token: auth.token, site: slug });
  emit("site", slug);
}

export async function signOut() {
  if (session.kind === "session") await call("DELETE", "/v1/session").catch(() => null);
  forgetAll();
  Object.assign(auth, { token: null, csrf: null, site: null });
  Object.assign(session, { kind: null, site: null, role: null, sites: [], account: null, actor: null });
}

/** The administration of the site, where the role may read it. */
export const readSite = () => get(admin());
