// What the modules tell each other, and what the browser remembers.

const listeners = new Map();

/** Hear of something until the answer is called. */
export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(listener);
  return () => listeners.get(name).delete(listener);
}

export function emit(name, detail) {
  for (const listener of [...(listeners.get(name) ?? [])]) listener(detail);
}

const memory = (area) => ({
  get(name, otherwise = null) {
    try { return JSON.parse(area().getItem(`colloquy.console.${name}`)) ?? otherwise; } catch { return otherwise; }
  },
  set(name, value) {
    try {
      if (value === null || value === undefined) area().removeItem(`colloquy.console.${name}`);
      else area().setItem(`colloquy.console.${name}`, JSON.stringify(value));
    } catch { /* A browser that refuses just forgets. */ }
  },
});

/** Of this tab: it survives a refresh and ends with the tab. */
export const tab = memory(() => sessionStorage);
/** Of this browser: how somebody likes to work, never what readers wrote. */
export const prefs = memory(() => localStorage);

/** Forget what belongs to somebody who signs out. */
export function forgetAll() {
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith("colloquy.console.")) sessionStorage.removeItem(key);
  } catch { /* Nothing was kept then. */ }
}
