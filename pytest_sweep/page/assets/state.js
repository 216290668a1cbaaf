"use strict";
// What is chosen and selected: one state for all views, kept in the URL's hash. Draws nothing.

/**
 * A range of a column: numbers from low to high, or words.
 * @typedef {{low: number, high: number} | {words: string[]}} Brush
 */

class State {
  /** @param {Sweep[]} sweeps */
  constructor(sweeps) {
    this.sweeps = sweeps;
    this.sweep = sweeps[0];
    this.metric = "";
    this.byTime = false;
    this.query = "";
    /** @type {Map<string, Brush>} */ this.brushes = new Map();
    /** @type {number[]} */ this.picks = [];
    this.sort = "";
    /** @type {string[] | null} */ this.columns = null;
    /** @type {string[] | null} */ this.axes = null;
    /** @type {Record<string, string>} */ this.slice = { x: "", y: "", colour: "" };
    this.mask = new Uint8Array();
    /** @type {string[]} what the search compares, and no column is called */ this.unknown = [];
    /** @type {number[]} the rows that are chosen, in their order */ this.chosen = [];
    /** @type {Map<string, (() => void)[]>} */ this.listeners = new Map();
    /** @type {Set<string>} */ this.changed = new Set();
    this.tell = batched(() => this.flush());
    /** @type {Map<() => void, HTMLElement>} */ this.places = new Map();
    /** @type {Set<() => void>} what is drawn later, since nobody sees it now */ this.waiting = new Set();
    this.timer = 0;
    this.use(this.sweep);
  }

  /**
   * Has `call` called when one of these has changed: sweep, chosen, picks, metric, view. What is not to be seen is drawn after what is.
   * @param {string[]} kinds @param {() => void} call @param {HTMLElement} [place] where it draws
   */
  on(kinds, call, place) {
    if (place) this.places.set(call, place);
    for (const kind of kinds) this.listeners.set(kind, [...(this.listeners.get(kind) || []), call]);
  }

  /** @param {string} kind */
  change(kind) {
    if (kind === "chosen") this.choose();
    this.changed.add(kind);
    this.tell();
  }

  flush() {
    const calls = new Set([...this.changed].flatMap((kind) => this.listeners.get(kind) || []));
    this.changed.clear();
    this.write();
    for (const call of calls) {
      const place = this.places.get(call)?.getBoundingClientRect();
      if (place && (place.bottom < 0 || place.top > innerHeight)) this.waiting.add(call);
      else {
        this.waiting.delete(call);
        call();
      }
    }
    this.later();
  }

  later() {
    if (!this.waiting.size || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      const [call] = this.waiting;
      this.waiting.delete(call);
      call();
      this.later();
    });
  }

  /** @param {Sweep} sweep */
  use(sweep) {
    this.sweep = sweep;
    this.metric = sweep.firstMetric;
    this.brushes.clear();
    this.picks = [];
    this.sort = "";
    this.columns = this.axes = null;
    this.slice = { x: "", y: "", colour: "" };
    this.choose();
  }

  choose() {
    const { sweep } = this;
    this.mask = new Uint8Array(sweep.size).fill(1);
    for (const [name, brush] of this.brushes) {
      const column = sweep.byName.get(name);
      if (!column) continue;
      const wanted = "words" in brush ? new Set(brush.words) : null;
      for (let row = 0; row < sweep.size; row++) {
        if (this.mask[row] && !isWithin(column, row, brush, wanted)) this.mask[row] = 0;
      }
    }
    for (const test of this.tests()) {
      for (let row = 0; row < sweep.size; row++) if (this.mask[row] && !test(row)) this.mask[row] = 0;
    }
    this.chosen = [];
    for (let row = 0; row < sweep.size; row++) if (this.mask[row]) this.chosen.push(row);
  }

  /** What the words of the search say: `adam`, `lr<0.01`, `state=ERROR`. @returns {((row: number) => boolean)[]} */
  tests() {
    const { sweep } = this;
    this.unknown = [];
    return this.query.split(/\s+/).filter(Boolean).map((word) => {
      const match = /^([^<>=]+)(<=|>=|<|>|=)(.+)$/.exec(word);
      const column = match && sweep.find(match[1]);
      if (match && column) return comparison(column, match[2], match[3]);
      const text = word.toLowerCase();
      const others = sweep.columns.filter((/** @type {Column} */ one) => one.kind === "word");
      const test = (/** @type {number} */ row) =>
        sweep.names[row].toLowerCase().includes(text) || sweep.keys[row].startsWith(text) ||
        sweep.states[row].toLowerCase().includes(text) || others.some((/** @type {Column} */ one) => one.text(row).toLowerCase().includes(text));
      if (match && !sweep.names.some((_, row) => test(row))) this.unknown.push(match[1]);
      return test;
    });
  }

  /** Selects a trial, or no more. @param {number} row */
  pick(row) {
    this.picks = this.picks.includes(row) ? this.picks.filter((one) => one !== row) : [...this.picks, row];
    this.change("picks");
  }

  /** @param {string} name @param {Brush | null} brush */
  brush(name, brush) {
    if (brush === null) this.brushes.delete(name);
    else this.brushes.set(name, brush);
    this.change("chosen");
  }

  get isFiltered() {
    return this.brushes.size > 0 || this.query.trim() !== "";
  }

  clear() {
    this.brushes.clear();
    this.query = "";
    this.change("chosen");
    this.change("cleared");
  }

  // The hash

  write() {
    const parts = new URLSearchParams();
    if (this.sweep !== this.sweeps[0]) parts.set("sweep", this.sweep.id);
    if (this.metric !== this.sweep.firstMetric) parts.set("metric", this.metric);
    if (this.byTime) parts.set("x", "time");
    if (this.query.trim()) parts.set("q", this.query.trim());
    for (const [name, brush] of this.brushes) {
      parts.append("brush", JSON.stringify("words" in brush ? [name, brush.words] : [name, brush.low, brush.high]));
    }
    if (this.picks.length) parts.set("pick", this.picks.map((row) => this.sweep.keys[row]).join(","));
    if (this.sort) parts.set("sort", this.sort);
    if (this.columns) parts.set("columns", JSON.stringify(this.columns));
    if (this.axes) parts.set("axes", JSON.stringify(this.axes));
    for (const [name, value] of Object.entries(this.slice)) if (value) parts.set(`slice.${name}`, value);
    const hash = parts.toString();
    if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  /** Takes what the hash says; what makes no sense is left out. */
  read() {
    const parts = new URLSearchParams(location.hash.slice(1));
    this.use(this.sweeps.find((one) => one.id === parts.get("sweep")) || this.sweeps[0]);
    const { sweep } = this;
    const metric = parts.get("metric");
    if (metric && sweep.metrics.some((one) => one.name === metric)) this.metric = metric;
    this.byTime = parts.get("x") === "time";
    this.query = parts.get("q") || "";
    for (const text of parts.getAll("brush")) {
      const [name, low, high] = parsed(text) || [];
      if (!sweep.byName.has(name)) continue;
      if (Array.isArray(low)) this.brushes.set(name, { words: low.map(String) });
      else if (typeof low === "number" && typeof high === "number") this.brushes.set(name, { low, high });
    }
    this.picks = (parts.get("pick") || "").split(",").map((key) => sweep.rowOfKey.get(key) ?? -1).filter((row) => row >= 0);
    this.sort = parts.get("sort") || "";
    this.columns = names(parts.get("columns"), sweep);
    this.axes = names(parts.get("axes"), sweep);
    for (const name of Object.keys(this.slice)) {
      const value = parts.get(`slice.${name}`) || "";
      if (sweep.byName.has(value)) this.slice[name] = value;
    }
    this.choose();
  }
}

/** @param {Column} column @param {number} row @param {Brush} brush @param {Set<string> | null} wanted */
function isWithin(column, row, brush, wanted) {
  if (!("low" in brush)) return wanted !== null && column.has(row) && wanted.has(column.text(row));
  const value = column.rank(row);
  return value >= brush.low && value <= brush.high;
}

/** @param {Column} column @param {string} sign @param {string} text @returns {(row: number) => boolean} */
function comparison(column, sign, text) {
  const wanted = Number(text);
  if (sign === "=") {
    return (row) => column.has(row) && (column.text(row, 9) === text || (column.kind === "number" && column.numbers[row] === wanted));
  }
  if (column.kind !== "number" || Number.isNaN(wanted)) return () => false;
  const values = column.numbers;
  if (sign === "<") return (row) => values[row] < wanted;
  if (sign === ">") return (row) => values[row] > wanted;
  return sign === "<=" ? (row) => values[row] <= wanted : (row) => values[row] >= wanted;
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** @param {string | null} text @param {Sweep} sweep @returns {string[] | null} */
function names(text, sweep) {
  const found = text === null ? null : parsed(text);
  return Array.isArray(found) ? found.filter((name) => sweep.byName.has(name)) : null;
}
