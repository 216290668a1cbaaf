"use strict";
// The data of the page: opens what is packed in it, columns of trials, and learning curves.

/** @param {string} id @returns {Promise<ArrayBuffer>} */
async function unpacked(id) {
  const text = atob(byId(id).textContent || "");
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** @param {number | string | null} value as JSON has it */
function numberOf(value) {
  if (value === null) return NaN;
  if (typeof value === "number") return value;
  return value === "nan" ? NaN : value === "inf" ? Infinity : -Infinity;
}

/** A column of a sweep: numbers, words (each written once), or texts. */
class Column {
  /** @param {any} stored */
  constructor(stored) {
    /** @type {string} */ this.name = stored.name;
    /** @type {string} param, metric or own */ this.role = stored.role;
    /** @type {"number" | "word" | "text"} */ this.kind = stored.kind;
    /** @type {string[]} */ this.ownWords = stored.words || [];
    /** @type {any[]} */ this.stored = stored.values;
    /** @type {Record<string, string>} what is no number among numbers */ this.texts = stored.texts || {};
    this.differs = stored.values.some((/** @type {any} */ value) => value !== stored.values[0]);
    this.numbers = stored.kind === "number" ? Float64Array.from(stored.values, numberOf) : new Float64Array();
    /** @type {Int32Array | null} */ this.ownCodes = stored.kind === "word" ? Int32Array.from(stored.values, (code) => (code === null ? -1 : code)) : null;
  }

  /** The words, in their order; of texts worked out when they are asked for. */
  get words() {
    if (this.kind === "text" && this.ownCodes === null) this.index();
    return this.ownWords;
  }

  /** For each row the number of its word, or -1. */
  get codes() {
    if (this.ownCodes === null) this.index();
    return /** @type {Int32Array} */ (this.ownCodes);
  }

  /** Has texts as words, too, so that they have an axis and an order. */
  index() {
    const words = this.kind === "text" ? [...new Set(this.stored.filter((text) => text !== null))].sort() : [];
    const codes = new Map(words.map((word, code) => [word, code]));
    this.ownWords = words;
    this.ownCodes = Int32Array.from(this.stored, (text) => codes.get(text) ?? -1);
  }

  /** @param {number} row */
  has(row) {
    return (this.stored[row] !== null && this.stored[row] !== undefined) || row in this.texts;
  }

  /** @param {number} row @param {number} [digits] @returns {string} */
  text(row, digits) {
    if (!this.has(row)) return "";
    if (row in this.texts) return this.texts[row];
    if (this.kind === "text") return this.stored[row];
    return this.kind === "number" ? shown(this.numbers[row], digits) : this.words[this.codes[row]];
  }

  /** What it is sorted by; words by their order. @param {number} row */
  rank(row) {
    if (!this.has(row)) return NaN;
    return this.kind === "number" ? this.numbers[row] : this.codes[row];
  }

  /** Whether its trials differ in it. */
  get varies() {
    if (this.kind === "text") return true;
    if (this.kind === "word") return this.words.length > 1 || (this.words.length === 1 && this.stored.includes(null));
    return this.differs;
  }
}

/** What every report has besides its own metrics. */
const AUTO_METRICS = ["training_iteration", "time_total_s", "time_this_iter_s", "timestamp"];

const ENDED_WELL = ["TERMINATED", "STOPPED", "CACHED"];

/** One sweep. Rows are places in its lists. */
class Sweep {
  /** @param {any} stored @param {ArrayBuffer} buffer */
  constructor(stored, buffer) {
    /** @type {string} */ this.id = stored.id;
    /** @type {string} */ this.name = stored.name;
    /** @type {[string, string][]} */ this.objectives = stored.objectives;
    /** @type {string[]} */ this.names = stored.names;
    /** @type {string[]} */ this.keys = stored.keys;
    /** @type {string[]} */ this.states = stored.states;
    /** @type {(string | null)[]} */ this.folders = stored.folders;
    /** @type {number[]} */ this.front = stored.front;
    /** @type {number[] | null} */ this.groups = stored.groups;
    /** @type {{value: number | string, row: number, trials: number} | null} */ this.best = stored.best;
    /** @type {{reason: string, text: string, rows: number[]}[]} */ this.failures = stored.failures;
    /** @type {any} */ this.stored = stored;
    this.size = this.names.length;
    this.judged = stored.judged.map((/** @type {any[]} */ values) => Float64Array.from(values, numberOf));
    this.columns = stored.columns.map((/** @type {any} */ column) => new Column(column));
    this.columns.unshift(
      new Column({ name: "state", role: "own", kind: "text", values: this.states }),
      new Column({ name: "name", role: "name", kind: "text", values: this.names }),
    );
    /** @type {Map<string, Column>} */ this.byName = new Map(this.columns.map((/** @type {Column} */ column) => [column.name, column]));
    this.curves = new Curves(stored.curves, buffer);
    this.rowOfKey = new Map(this.keys.map((key, row) => [key, row]));
  }

  /** @param {string} role @returns {Column[]} */
  ofRole(role) {
    return this.columns.filter((/** @type {Column} */ column) => column.role === role);
  }

  /** The metrics that have numbers, those that trials are judged by first. @returns {Column[]} */
  get metrics() {
    const goals = this.objectives.map(([name]) => name);
    const found = this.ofRole("metric").filter((column) => column.kind === "number");
    const order = (/** @type {Column} */ column) =>
      goals.includes(column.name) ? goals.indexOf(column.name) - 100 : AUTO_METRICS.includes(column.name) ? 100 : 0;
    return found.sort((one, other) => order(one) - order(other));
  }

  /** The metric that is looked at first; empty where nobody has reported one. */
  get firstMetric() {
    const first = this.metrics[0]?.name ?? "";
    return AUTO_METRICS.includes(first) && !this.objectives.length ? "" : first;
  }

  /** What trials have of a metric, also those that are not feasible, which are not judged. @param {string} name @returns {Float64Array} */
  valuesOf(name) {
    const [judged, column] = [this.judgedOf(name), this.byName.get(name)];
    if (!this.stored.feasible.length || !column || judged === column.numbers) return judged;
    return judged.map((value, row) => (Number.isNaN(value) && ENDED_WELL.includes(this.states[row]) ? column.numbers[row] : value));
  }

  /** What trials are judged by, where they are judged by this metric; else what they have of it. @param {string} name @returns {Float64Array} */
  judgedOf(name) {
    const place = this.objectives.findIndex(([metric]) => metric === name);
    if (place >= 0 && this.judged[place]) return this.judged[place];
    return this.byName.get(name)?.numbers ?? new Float64Array(this.size).fill(NaN);
  }

  /** Whether lower values of a metric are better, or null where that is not known. @param {string} name */
  isMin(name) {
    const goal = this.objectives.find(([metric]) => metric === name);
    return goal ? goal[1] === "min" : null;
  }

  /** The column that is meant by a name: `lr` is `config/lr`, `opt.lr` is `config/opt/lr`. @param {string} name */
  find(name) {
    const slashed = name.replaceAll(".", "/");
    const found = [name, slashed].flatMap((one) => [one, `config/${one}`, `params/${one}`]).find((one) => this.byName.has(one));
    return found === undefined ? undefined : this.byName.get(found);
  }

  /** Whether a trial does not meet the conditions of `feasible=`. @param {number} row */
  isInfeasible(row) {
    const column = this.byName.get("feasible");
    return column !== undefined && column.role === "own" && column.text(row) === "False";
  }
}

/** Learning curves, of a metric at a time; see `report/curves.py` for the format. */
class Curves {
  /** @param {any} directory @param {ArrayBuffer} buffer */
  constructor(directory, buffer) {
    this.directory = directory;
    this.buffer = buffer;
    this.at = directory.begin || 0;
    const { curves, points, timed, knots } = directory;
    this.rows = new Uint32Array(this.section(4 * curves));
    this.ranges = new Float32Array(this.section(8 * curves));
    this.steps = new Uint32Array(this.section(4 * points));
    this.timedRows = new Uint32Array(this.section(4 * timed));
    this.totals = new Float32Array(this.section(4 * timed));
    this.spans = new Uint32Array(this.section(8 * timed));
    this.values = new Uint16Array(this.section(2 * points));
    this.knots = new Uint16Array(this.section(2 * timed * knots));
    this.counts = new Uint16Array(this.section(2 * curves));
    this.scales = new Uint8Array(this.section(curves));
    this.timeOf = new Map(Array.from(this.timedRows, (row, place) => [row, place]));
    /** @type {Map<string, Drawn>} */ this.opened = new Map();
  }

  /** @param {number} length */
  section(length) {
    const begin = this.at;
    this.at += length;
    return this.buffer.slice(begin, this.at);
  }

  /** @returns {string[]} */
  get metrics() {
    return this.directory.metrics.filter((/** @type {any} */ one) => one.curves).map((/** @type {any} */ one) => one.name);
  }

  /**
   * The curves of a metric by iteration or by seconds: those of curve c are the points from starts[c] to starts[c + 1].
   * @typedef {{rows: Uint32Array, starts: Uint32Array, xs: Float64Array, ys: Float64Array, ofRow: Map<number, number>}} Drawn
   * @param {string} metric @param {boolean} byTime @returns {Drawn}
   */
  of(metric, byTime) {
    const known = this.opened.get(`${byTime}${metric}`);
    if (known) return known;
    let [curve, point] = [0, 0];
    for (const one of this.directory.metrics) {
      const end = curve + one.curves;
      if (one.name === metric) {
        const made = this.open(curve, end, point, byTime);
        this.opened.set(`${byTime}${metric}`, made);
        return made;
      }
      for (; curve < end; curve++) point += this.counts[curve];
    }
    return { rows: new Uint32Array(), starts: new Uint32Array(1), xs: new Float64Array(), ys: new Float64Array(), ofRow: new Map() };
  }

  /** @param {number} begin @param {number} end @param {number} point @param {boolean} byTime @returns {Drawn} */
  open(begin, end, point, byTime) {
    const rows = this.rows.slice(begin, end);
    const starts = new Uint32Array(rows.length + 1);
    for (let place = 0; place < rows.length; place++) starts[place + 1] = starts[place] + this.counts[begin + place];
    const xs = new Float64Array(starts[rows.length]);
    const ys = new Float64Array(starts[rows.length]);
    for (let place = 0; place < rows.length; place++) {
      const [low, high] = [this.ranges[2 * (begin + place)], this.ranges[2 * (begin + place) + 1]];
      const isLog = this.scales[begin + place] === 1;
      let iteration = 0;
      for (let at = starts[place]; at < starts[place + 1]; at++, point++) {
        iteration += this.steps[point];
        xs[at] = byTime ? this.seconds(rows[place], iteration) : iteration;
        const stored = this.values[point];
        const value = low + (stored / 65532) * (high - low);
        ys[at] = stored > 65532 ? [-Infinity, Infinity, NaN][stored - 65533] : isLog ? Math.exp(value) : value;
      }
    }
    return { rows, starts, xs, ys, ofRow: new Map(Array.from(rows, (row, place) => [row, place])) };
  }

  /** How many seconds a trial had taken at an iteration, about. @param {number} row @param {number} iteration */
  seconds(row, iteration) {
    const place = this.timeOf.get(row);
    if (place === undefined) return NaN;
    const [first, last] = [this.spans[2 * place], this.spans[2 * place + 1]];
    const count = this.directory.knots;
    const at = last > first ? Math.min(Math.max((iteration - first) / (last - first), 0), 1) * (count - 1) : count - 1;
    const low = Math.min(Math.floor(at), count - 1);
    const high = Math.min(low + 1, count - 1);
    const [one, other] = [this.knots[place * count + low], this.knots[place * count + high]];
    return (this.totals[place] * (one + (other - one) * (at - low))) / 65532;
  }
}
