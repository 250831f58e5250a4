// Elements without innerHTML: whatever a reader wrote becomes a text node and never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("p", {class: "note", onclick}, "text", node, [more], null)`. */
export function h(name, props, ...children) {
  return build(document.createElement(name), props, children);
}

/** The same for SVG. */
export function s(name, props, ...children) {
  return build(document.createElementNS(SVG, name), props, children);
}

function build(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "indeterminate") element[name] = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "vars") for (const [one, set] of Object.entries(value)) element.style.setProperty(one, set);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
}

/** Put other children in the place of those that are there. */
export function replace(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
  return parent;
}

let counter = 0;

/** An id that nothing else on the page has. */
export const newId = (prefix = "e") => `${prefix}-${++counter}`;

/** Say something to who cannot see it; the same words twice are said twice. */
export function announce(text) {
  const place = document.getElementById("announcer");
  place.textContent = place.textContent === text ? `${text}\u00a0` : text;
}

/** Somebody is writing here, so that letters are text and no commands. */
export function isTyping(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "submit", "range"].includes(target.type);
}
