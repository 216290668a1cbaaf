"use strict";
// How much of the differences between trials each parameter explains alone, next to what chance would reach.

const BINS = 8;
const MOST_SHOWN = 15;
const MOST_COUNTED = 20_000;

/**
 * @typedef {{column: Column, share: number, noise: number, groups: number}} Importance
 * share: of the variance of the ranks of the metric, bias-corrected (epsilon squared); noise: what none of so many parameters without effect
 * reaches in 95 of 100 cases
 */

/** What was worked out last: several views ask for the same. @type {{sweep: Sweep | null, metric: string, rows: number[], found: Importance[]}} */
const lastImportance = { sweep: null, metric: "", rows: [], found: [] };

/** @param {Sweep} sweep @param {string} metric @param {number[]} rows @returns {Importance[]} the most important one first */
function importanceOf(sweep, metric, rows) {
  const last = lastImportance;
  const isSame = last.sweep === sweep && last.metric === metric && (last.rows === rows || (rows.length === sweep.size && last.rows.length === sweep.size));
  if (!isSame) Object.assign(last, { sweep, metric, rows, found: workedOut(sweep, metric, rows) });
  return last.found;
}

/** @param {Sweep} sweep @param {string} metric @param {number[]} rows @returns {Importance[]} */
function workedOut(sweep, metric, rows) {
  const { known, values } = configurations(sweep, metric, sampled(rows, MOST_COUNTED));
  if (known.length < 3) return [];
  const order = ranks(values);
  const parted = sweep.ofRole("param").filter((column) => column.varies).map((column) => ({ column, ...binned(column, known) }));
  const usable = parted.filter(({ count }) => count > 1 && count < known.length);
  const found = usable.map(({ column, codes, count }) => ({ column, groups: count, ...explained(order, codes, count, usable.length) }));
  return found.sort((one, other) => other.share - one.share);
}

/**
 * Of each configuration its first trial and the mean of its replicates, which do not count as so many observations.
 * @param {Sweep} sweep @param {string} metric @param {number[]} rows @returns {{known: number[], values: Float64Array}}
 */
function configurations(sweep, metric, rows) {
  const all = sweep.valuesOf(metric);
  const finite = rows.filter((row) => Number.isFinite(all[row]));
  const { groups } = sweep;
  if (!groups) return { known: finite, values: Float64Array.from(finite, (row) => all[row]) };
  /** @type {Map<number, {row: number, sum: number, count: number}>} */ const means = new Map();
  for (const row of finite) {
    const one = means.get(groups[row]) || { row, sum: 0, count: 0 };
    means.set(groups[row], { row: one.row, sum: one.sum + all[row], count: one.count + 1 });
  }
  return { known: Array.from(means.values(), (one) => one.row), values: Float64Array.from(means.values(), (one) => one.sum / one.count) };
}

/** How much of the differences is between replicates, which nothing but chance tells apart; null without replicates. @param {Sweep} sweep @param {string} metric @param {number[]} rows */
function noiseOf(sweep, metric, rows) {
  const { groups } = sweep;
  if (!groups) return null;
  const values = sweep.valuesOf(metric);
  const sizes = new Map();
  for (const row of rows) if (Number.isFinite(values[row])) sizes.set(groups[row], (sizes.get(groups[row]) || 0) + 1);
  const known = rows.filter((row) => Number.isFinite(values[row]) && sizes.get(groups[row]) > 1);
  const codes = new Map();
  for (const row of known) if (!codes.has(groups[row])) codes.set(groups[row], codes.size);
  if (codes.size < 2) return null;
  const order = ranks(Float64Array.from(known, (row) => values[row]));
  return 1 - explained(order, Int32Array.from(known, (row) => codes.get(groups[row])), codes.size, 1).share;
}

/** The group of each row: its value where they are few, else one of up to eight equally large ranges. @param {Column} column @param {number[]} rows */
function binned(column, rows) {
  const values = rows.map((row) => column.rank(row));
  const distinct = [...new Set(values.filter((value) => !Number.isNaN(value)))];
  const hasNone = values.some(Number.isNaN);
  const most = Math.max(2, Math.min(BINS, Math.floor(rows.length / 3)));
  if (distinct.length <= Math.max(most, Math.min(12, rows.length / 3)) || column.kind !== "number") {
    const places = new Map(distinct.map((value, code) => [value, code]));
    return { codes: Int32Array.from(values, (value) => places.get(value) ?? distinct.length), count: distinct.length + (hasNone ? 1 : 0) };
  }
  const there = values.filter((value) => !Number.isNaN(value));
  const order = ranks(there);
  let at = 0;
  const codes = Int32Array.from(values, (value) => (Number.isNaN(value) ? most : Math.min(most - 1, Math.floor(((order[at++] - 0.5) / there.length) * most))));
  const used = [...new Set(codes)].sort((one, other) => one - other);
  const places = new Map(used.map((code, place) => [code, place]));
  return { codes: codes.map((code) => places.get(code) ?? 0), count: used.length };
}

/** @param {Float64Array} values @param {Int32Array} codes @param {number} groups @param {number} tests how many are looked at @returns {{share: number, noise: number}} */
function explained(values, codes, groups, tests) {
  const count = values.length;
  const [sums, sizes] = [new Float64Array(groups), new Float64Array(groups)];
  let [total, squares] = [0, 0];
  for (let place = 0; place < count; place++) {
    sums[codes[place]] += values[place];
    sizes[codes[place]]++;
    total += values[place];
    squares += values[place] ** 2;
  }
  const all = squares - total ** 2 / count;
  if (all <= 0 || groups >= count) return { share: 0, noise: 0 };
  let within = 0;
  for (let group = 0; group < groups; group++) if (sizes[group]) within += sums[group] ** 2 / sizes[group];
  const corrected = (/** @type {number} */ share) => Math.max(0, 1 - ((1 - Math.min(share, 1)) * (count - 1)) / (count - groups));
  return { share: corrected((within - total ** 2 / count) / all), noise: corrected(chiSquaredTail(groups - 1, 0.05 / tests) / (count - 1)) };
}

class ImportanceView {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.all = false;
    this.list = el("ol", { class: "bars" });
    this.said = el("p", { class: "quiet" });
    this.more = el("button", { click: () => { this.all = !this.all; this.draw(); } });
    byId("importance").replaceChildren(el("div", { class: "title" }, el("h2", { id: "importance-title", text: "Importance of parameters" })), this.list, this.more, this.said);
    state.on(["sweep", "chosen", "metric", "theme"], () => this.draw(), byId("importance"));
    this.draw();
  }

  draw() {
    const { state } = this;
    const found = importanceOf(state.sweep, state.metric, state.chosen);
    const noise = noiseOf(state.sweep, state.metric, state.chosen);
    const drawn = found.slice(0, this.all ? found.length : MOST_SHOWN);
    this.list.replaceChildren(...drawn.map((one) => this.bar(one.column.name, one.share, one.noise, one)), ...(noise === null ? [] : [this.bar("noise between replicates", noise, null, null)]));
    this.more.hidden = found.length <= MOST_SHOWN;
    this.more.textContent = this.all ? "Show fewer" : `Show all ${found.length} parameters`;
    this.said.textContent = found.length
      ? `Share of the differences of ${state.metric} (of its ranks, among ${counted(Math.min(state.chosen.length, MOST_COUNTED), "chosen trial")}${state.chosen.length > MOST_COUNTED ? ` of ${state.chosen.length.toLocaleString("en")}` : ""}) that a parameter explains alone. ` +
        `The mark is what chance alone reaches in 1 of 20 cases, with ${counted(found.length, "parameter")}: a shorter bar says nothing. Effects that only two parameters have together are not seen, ` +
        "and where a searcher chose the values it tried good ones more often." +
        (noise === null ? "" : " What differs between replicates, nothing explains.")
      : "There is nothing to explain: it takes three trials with a value, and a parameter that takes several.";
  }

  /** @param {string} name @param {number} share @param {number | null} noise @param {Importance | null} its */
  bar(name, share, noise, its) {
    const percent = (/** @type {number} */ part) => `${(100 * part).toFixed(part < 0.0995 ? 1 : 0)} %`;
    const isNoise = noise === null || share <= noise;
    const bar = el("span", { class: "bar" }, el("span", { class: isNoise ? "fill noise" : "fill", width: `${100 * Math.min(share, 1)}%` }));
    if (noise !== null) bar.append(this.mark(noise));
    const label = its === null ? el("span", { class: "name", text: name })
      : el("button", { class: "link name", text: name, title: `Show ${this.state.metric} by ${name}`, click: () => { this.state.slice.x = name; this.state.change("view"); byId("slices").scrollIntoView({ block: "nearest" }); } });
    return el("li", {}, label, bar, el("span", { class: "number", text: percent(share), title: noise === null ? "" : `chance: up to ${percent(noise)}` }),
      noise === null ? null : el("span", { class: "hidden", text: isNoise ? `, no more than chance (${percent(noise)})` : `, chance: ${percent(noise)}` }));
  }

  /** @param {number} share */
  mark(share) {
    const made = el("i", { class: "mark" });
    made.style.left = `${Math.min(100 * share, 100)}%`;
    return made;
  }
}
