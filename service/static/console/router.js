// Addresses behind the hash: `#/name/part?query`, so that every view can be linked to and gone back from.

const views = new Map();
let leave = null;
let mounted = 0;

/** Name a view: `mount(root, {parts, query})` shows it and answers what to do on leaving. */
export const route = (name, mount) => views.set(name, mount);

export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...parts] = path.split("/").map((part) => decodeURIComponent(part));
  return { name, parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

export const href = (name, parts = [], query = {}) => {
  const wanted = Object.entries(query).filter(([, value]) => value);
  const path = [name, ...parts].map((part) => encodeURIComponent(part)).join("/");
  return `#/${path}${wanted.length ? `?${new URLSearchParams(wanted)}` : ""}`;
};

export const go = (name, parts, query) => { location.hash = href(name, parts, query); };

/** Put the view of the address in place; the last wish wins where several are loading. */
export async function show(root, otherwise) {
  const number = ++mounted;
  const at = here();
  leave?.();
  leave = null;
  root.replaceChildren();
  const next = (await (views.get(at.name) ?? views.get(otherwise))(root, at)) ?? null;
  // Who went on meanwhile is not held up by a view that came too late.
  if (number === mounted) leave = next;
  else next?.();
}

export function leaveView() {
  mounted += 1;
  leave?.();
  leave = null;
}
