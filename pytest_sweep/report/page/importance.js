"use strict";
// How much of the differences between trials each parameter explains alone, next to what chance would reach.

const BINS = 8;
const MOST_SHOWN = 15;

/**
 * @typedef {{column: Column, share: number, noise: number, groups: number}} Importance
 * share: of the variance of the ranks of the metric, bias-corrected (epsilon squared); noise: what chance stays below in 95 of 100 cases
 */

/** @param {Sweep} sweep @param {string} metric @param {number[]} rows @returns {Importance[]} the most important one first */
function importanceOf(sweep, metric, rows) {
  const values = sweep.valuesOf(metric);
  const known = rows.filter((row) => Number.isFinite(values[row]));
  if (known.length < 3) return [];
  const order = ranks(Float64Array.from(known, (row) => values[row]));
  const found = [];
  for (const column of sweep.ofRole("param")) {
    if (!column.varies) continue;
    const { codes, count } = binned(column, known);
    if (count < 2 || count >= known.length) continue;
    found.push({ column, groups: count, ...explained(order, codes, count) });
  }
  return found.sort((one, other) => other.share - one.share);
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
  return 1 - explained(order, Int32Array.from(known, (row) => codes.get(groups[row])), codes.size).share;
}

/** The group of each row: its value where they are few, else one of eight equally large ranges. @param {Column} column @param {number[]} rows */
function binned(column, rows) {
  const values = rows.map((row) => column.rank(row));
  const distinct = [...new Set(values.filter((value) => !Number.isNaN(value)))];
  const hasNone = values.some(Number.isNaN);
  if (distinct.length <= 12 || column.kind !== "number") {
    const places = new Map(distinct.map((value, code) => [value, code]));
    return { codes: Int32Array.from(values, (value) => places.get(value) ?? distinct.length), count: distinct.length + (hasNone ? 1 : 0) };
  }
  const there = values.filter((value) => !Number.isNaN(value));
  const order = ranks(there);
  let at = 0;
  const codes = Int32Array.from(values, (value) => (Number.isNaN(value) ? BINS : Math.min(BINS - 1, Math.floor(((order[at++] - 0.5) / there.length) * BINS))));
  const used = [...new Set(codes)].sort((one, other) => one - other);
  const places = new Map(used.map((code, place) => [code, place]));
  return { codes: codes.map((code) => places.get(code) ?? 0), count: used.length };
}

/** @param {Float64Array} values @param {Int32Array} codes @param {number} groups @returns {{share: number, noise: number}} */
function explained(values, codes, groups) {
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
  return { share: corrected((within - total ** 2 / count) / all), noise: corrected(chiSquared95(groups - 1) / (count - 1)) };
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
    state.on(["sweep", "chosen", "metric", "theme"], batched(() => this.draw()));
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
      ? `Share of the differences of ${state.metric} (of its ranks, among ${counted(state.chosen.length, "chosen trial")}) that a parameter explains alone. ` +
        "The mark is what chance stays below in 95 of 100 cases: a shorter bar says nothing. Effects that only two parameters have together are not seen, " +
        "and where a searcher chose the values it tried good ones more often." +
        (noise === null ? "" : " What differs between replicates, nothing explains.")
      : "There is nothing to explain: it takes three trials with a value, and a parameter that takes several.";
  }

  /** @param {string} name @param {number} share @param {number | null} noise @param {Importance | null} its */
  bar(name, share, noise, its) {
    const percent = (/** @type {number} */ part) => `${(100 * part).toFixed(part < 0.0995 ? 1 : 0)} %`;
    const isNoise = noise === null || share <= noise;
    const bar = el("span", { class: "bar" }, el("span", { class: isNoise ? "fill noise" : "fill", width: percent(Math.min(share, 1)) }));
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
