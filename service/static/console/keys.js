// Single keys as commands: never while somebody writes, never by a key held down, never with a modifier.

import { isTyping } from "./dom.js";
import { prefs } from "./store.js";

const layers = [];

/** Let a map of keys count until the answer is called; a `modal` one keeps those beneath it from being asked. */
export function useKeys(map, { modal = false } = {}) {
  const layer = { map, modal };
  layers.push(layer);
  return () => {
    const place = layers.indexOf(layer);
    if (place >= 0) layers.splice(place, 1);
  };
}

export const areOn = () => prefs.get("keys", true);

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.shiftKey && /^\p{L}$/u.test(event.key)) return;
  const isEscape = event.key === "Escape";
  if (!isEscape && (isTyping(event.target) || !areOn())) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  for (const layer of [...layers].reverse()) {
    const act = layer.map[key];
    if (act && act(event) !== false) {
      event.preventDefault();
      return;
    }
    if (layer.modal) return;
  }
});
