"use strict";
// Numbers: how they are written, ranks, quantiles, and the scale of an axis.

/** @param {number} value @param {number} [digits] significant ones */
function shown(value, digits = 6) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e15) ? value.toExponential(digits - 1) : value.toPrecision(digits);
  return text.includes("e") ? text.replace(/\.?0+e/, "e").replace("e+", "e") : text.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

/** @param {number} seconds */
function duration(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${shown(seconds, 3)} s`;
  const minutes = Math.floor(seconds / 60);
  const two = (/** @type {number} */ part) => String(Math.floor(part)).padStart(2, "0");
  if (minutes < 60) return `${minutes}:${two(seconds % 60)} min`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)} h`;
}

/** A time on an axis: `1:05`, `2:00:00`. @param {number} seconds */
function clock(seconds) {
  return seconds < 60 ? (seconds === 0 ? "0" : duration(seconds)) : duration(seconds).replace(/ .*/, "");
}

/** @param {ArrayLike<number>} sorted ascending @param {number} share */
function quantile(sorted, share) {
  if (!sorted.length) return NaN;
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** Ranks from 1, equal values have the mean of theirs. @param {ArrayLike<number>} values @returns {Float64Array} */
function ranks(values) {
  const order = Uint32Array.from({ length: values.length }, (_, place) => place);
  order.sort((one, other) => values[one] - values[other]);
  const found = new Float64Array(values.length);
  for (let begin = 0; begin < order.length; ) {
    let end = begin + 1;
    while (end < order.length && values[order[end]] === values[order[begin]]) end++;
    for (let place = begin; place < end; place++) found[order[place]] = (begin + end + 1) / 2;
    begin = end;
  }
  return found;
}

/** The value that a normal number exceeds with a probability below a half; after Abramowitz and Stegun, 26.2.23. @param {number} probability */
function normalTail(probability) {
  const t = Math.sqrt(-2 * Math.log(probability));
  return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
}

/** The value that a chi-squared number exceeds with this probability; after Wilson and Hilferty. @param {number} freedom @param {number} probability */
function chiSquaredTail(freedom, probability) {
  const part = 2 / (9 * freedom);
  return freedom * (1 - part + normalTail(probability) * Math.sqrt(part)) ** 3;
}

/** @param {ArrayLike<number>} finite */
function isWide(finite) {
  let low = Infinity;
  let high = -Infinity;
  for (let at = 0; at < finite.length; at++) {
    const value = finite[at];
    if (value <= 0) return false;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high / low >= 100 && high / low < 1e60; // uPlot draws no more decades.
}

/**
 * The axis of a column: where a value is, from 0 to 1, and what is written at which place.
 * @typedef {object} Axis
 * @property {Column} column
 * @property {boolean} log
 * @property {(row: number) => number} place NaN where a trial has no finite value
 * @property {(place: number) => number} value what is at a place; of words their number
 * @property {[number, string][]} ticks
 */

/** @param {Column} column @param {ArrayLike<number>} rows whose values it spans @returns {Axis} */
function axisOf(column, rows) {
  if (column.kind !== "number") return wordAxis(column);
  const all = new Float64Array(rows.length);
  let filled = 0;
  for (let place = 0; place < rows.length; place++) {
    const value = column.numbers[rows[place]];
    if (Number.isFinite(value)) all[filled++] = value;
  }
  const finite = all.subarray(0, filled).sort();
  const log = isWide(finite);
  const map = log ? Math.log10 : (/** @type {number} */ value) => value;
  let low = map(finite.length ? finite[0] : 0);
  let high = map(finite.length ? finite[finite.length - 1] : 1);
  if (high - low < 1e-12 * Math.max(1, Math.abs(low))) [low, high] = [low - 0.5, high + 0.5];
  const place = (/** @type {number} */ value) => (map(value) - low) / (high - low);
  const value = (/** @type {number} */ at) => (log ? 10 ** (low + at * (high - low)) : low + at * (high - low));
  /** @type {number[]} */ const distinct = [];
  for (let at = 0; at < finite.length && distinct.length < 9; at++) if (!at || finite[at] !== finite[at - 1]) distinct.push(finite[at]);
  const marks = distinct.length <= 8 ? distinct : [0, 0.25, 0.5, 0.75, 1].map(value);
  return {
    column, log, value,
    place: (row) => place(column.numbers[row]),
    ticks: marks.map((mark) => [place(mark), shown(mark, 3)]),
  };
}

/** @param {Column} column @returns {Axis} */
function wordAxis(column) {
  const last = Math.max(column.words.length - 1, 1);
  const step = Math.ceil(column.words.length / 12);
  return {
    column, log: false,
    place: (row) => (column.codes[row] < 0 ? NaN : column.words.length === 1 ? 0.5 : column.codes[row] / last),
    value: (place) => place * last,
    ticks: column.words.map((word, code) => /** @type {[number, string]} */ ([column.words.length === 1 ? 0.5 : code / last, word]))
      .filter((_, code) => code % step === 0),
  };
}
