"use strict";
// Elements, colours and the tip beside the pointer. Texts are set as text, never as HTML.

/**
 * Makes an element. Attributes that are functions are listeners; `text` is its text.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null)} children
 * @returns {any}
 */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else if (name === "text") made.textContent = value;
    else if (name === "width") made.style.width = value;
    else if (name === "colour") made.style.setProperty("--colour", value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found;
}

/**
 * Makes a list of choices with a label.
 * @param {string} label
 * @param {[string, string][]} options values and texts
 * @param {string} chosen
 * @param {(value: string) => void} onChange
 */
function choice(label, options, chosen, onChange) {
  const list = el("select", { change: () => onChange(list.value) });
  for (const [value, text] of options) list.append(el("option", { value, text, selected: value === chosen }));
  return el("label", { class: "choice" }, el("span", { text: label }), list);
}

/** @param {string} label @param {boolean} checked @param {(checked: boolean) => void} onChange */
function check(label, checked, onChange) {
  const box = el("input", { type: "checkbox", checked, change: () => onChange(box.checked) });
  return el("label", { class: "check" }, box, label);
}

/** @type {Map<string, string>} the colours of the present theme, as they were looked up */
const colours = new Map();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => colours.clear());

/** @param {string} name a custom property of the style, without its dashes */
function colour(name) {
  let found = colours.get(name);
  if (found === undefined) {
    found = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    colours.set(name, found);
  }
  return found;
}

const PICK_COLOURS = 8;

/** The colour of the trial that was selected as the n-th. @param {number} place */
function pickColour(place) {
  return colour(`pick-${place % PICK_COLOURS}`);
}

/** The colours from the worst to the best value. */
function ramp() {
  return Array.from({ length: 9 }, (_, place) => colour(`ramp-${place}`));
}

/** @param {string} state */
function stateColour(state) {
  return colour(`state-${state}`) || colour("muted");
}

/**
 * Shows lines beside the pointer; null hides them.
 * @param {string[] | null} lines
 * @param {{clientX: number, clientY: number}} [at]
 */
function tip(lines, at) {
  const box = byId("tip");
  box.hidden = lines === null;
  if (lines === null || at === undefined) return;
  box.replaceChildren(...lines.map((line, place) => el("div", { text: line, class: place ? "" : "first" })));
  const { width, height } = box.getBoundingClientRect();
  const left = at.clientX + 14 + width > innerWidth ? Math.max(4, at.clientX - width - 14) : at.clientX + 14;
  const top = at.clientY + 14 + height > innerHeight ? Math.max(4, at.clientY - height - 14) : at.clientY + 14;
  box.style.left = `${left}px`;
  box.style.top = `${top}px`;
}

/** @param {number} count @param {string} noun */
function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** Calls a function once before the next frame, however often it is asked to. @param {() => void} call */
function batched(call) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      call();
    });
  };
}
