"use strict";
// Learning curves: quantile bands of the chosen trials, or each of them where they are few, with the selected ones on top.

const FEW_CURVES = 60;
const GRID = 100;
const GRID_OF_MANY = 60;

class CurvesView {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    /** @type {Chart | null} */ this.chart = null;
    /** @type {boolean | null} */ this.log = null;
    this.metric = "";
    this.box = el("div", { class: "chart" });
    this.controls = el("div", { class: "controls" });
    this.said = el("p", { class: "quiet", id: "curves-said" });
    this.legend = el("p", { class: "legend" });
    byId("curves").replaceChildren(el("div", { class: "title" }, el("h2", { id: "curves-title", text: "Learning curves" }), this.controls), this.box, this.legend, this.said);
    state.on(["sweep"], () => { this.metric = ""; this.log = null; });
    state.on(["sweep", "chosen", "picks", "metric", "view", "theme"], () => this.draw(), byId("curves"));
    this.draw();
  }

  draw() {
    const { state } = this;
    const { curves } = state.sweep;
    const metrics = curves.metrics;
    this.chart?.destroy();
    this.chart = null;
    this.legend.replaceChildren();
    if (!metrics.length || curves.directory.longest < 2) {
      this.controls.replaceChildren();
      this.box.replaceChildren();
      this.said.textContent = metrics.length ? "No trial has reported more than once." : "No trial has reported a number.";
      return;
    }
    const metric = metrics.includes(this.metric) ? this.metric : metrics.includes(state.metric) ? state.metric : metrics[0];
    const drawn = curves.of(metric, state.byTime);
    /** @type {number[]} */ const places = [];
    for (let place = 0; place < drawn.rows.length; place++) if (state.mask[drawn.rows[place]]) places.push(place);
    const picks = state.picks.flatMap((row, order) => (drawn.ofRow.has(row) ? [{ row, order, place: /** @type {number} */ (drawn.ofRow.get(row)) }] : []));
    const isFew = places.length <= FEW_CURVES;
    const bands = isFew ? null : bandsOf(drawn, places);
    const limits = limitsOf(drawn, places, picks.map((one) => one.place), bands);
    const log = (this.log ?? isWide(limits.sample)) && limits.low > 0;
    this.drawControls(metrics, metric, log, limits.low > 0);
    this.box.replaceChildren();
    if (!Number.isFinite(limits.first)) {
      this.said.textContent = places.length ? `No chosen trial has a finite value of ${metric}.` : "No chosen trial has a learning curve.";
      return;
    }
    this.say(metric, places.length, bands);
    this.legend.append(...this.legends(bands !== null, picks));
    this.chart = new Chart({
      box: this.box, height: 340, label: this.said.textContent || "",
      x: { label: state.byTime ? "time_total_s" : "training_iteration", min: limits.first, max: limits.last, seconds: state.byTime },
      y: { label: metric, log, min: limits.low, max: limits.high },
      draw: (plot, context) => this.paint(plot, context, drawn, places, picks, bands),
      at: (plot, x, y) => this.near(plot, x, y, drawn, isFew ? places : picks.map((one) => one.place), bands, metric),
    });
  }

  /** @param {string[]} metrics @param {string} metric @param {boolean} log @param {boolean} canLog */
  drawControls(metrics, metric, log, canLog) {
    const { state } = this;
    this.controls.replaceChildren(
      choice("of", metrics.map((name) => [name, name]), metric, (value) => { this.metric = value; this.log = null; this.draw(); }),
      choice("by", [["iteration", "iteration"], ["time", "time"]], state.byTime ? "time" : "iteration", (value) => { state.byTime = value === "time"; state.change("view"); }),
      canLog ? check("log", log, (checked) => { this.log = checked; this.draw(); }) : "",
      el("button", { text: "Reset zoom", title: "Drag to zoom in", click: () => this.chart?.reset() }),
    );
  }

  /** @param {string} metric @param {number} count @param {Bands | null} bands */
  say(metric, count, bands) {
    const { directory } = this.state.sweep.curves;
    const missing = directory.of - directory.trials;
    const part = directory.trials < directory.of && missing ? ` ${counted(directory.trials, "trial")} of ${directory.of.toLocaleString("en")} ${directory.trials === 1 ? "has" : "have"} curves here.` : "";
    const what = bands === null ? `Each line is a trial: ${counted(count, "learning curve")} of ${metric}.`
      : `${metric} of ${counted(count, "trial")}: the median and the ranges of half and of 90 % of those that got that far.` +
        ` Its median is ${shown(bands.mid[0], 4)} at first and ${shown(bands.mid[bands.xs.length - 1], 4)} at last.`;
    this.said.textContent = what + part + (directory.longest >= directory.most ? ` Curves are thinned out to ${directory.most} points.` : "");
  }

  /** @param {boolean} hasBands @param {{row: number, order: number}[]} picks */
  legends(hasBands, picks) {
    const mark = (/** @type {string} */ kind, /** @type {string} */ text) => el("span", {}, el("i", { class: kind }), text);
    const bands = hasBands ? [mark("median", "median"), mark("half", "25–75 %"), mark("most", "5–95 %")] : [];
    return [...bands, ...picks.slice(0, 12).map(({ row, order }) =>
      el("span", {}, el("i", { class: "line", colour: pickColour(order) }), cut(this.state.sweep.names[row], 60)))];
  }

  /** @param {uPlot} plot @param {CanvasRenderingContext2D} context @param {Drawn} drawn @param {number[]} places @param {{place: number, order: number}[]} picks @param {Bands | null} bands */
  paint(plot, context, drawn, places, picks, bands) {
    const ratio = uPlot.pxRatio;
    context.lineJoin = "round";
    if (bands) {
      fillBand(plot, context, bands.xs, bands.least, bands.most, colour("band-most"));
      fillBand(plot, context, bands.xs, bands.low, bands.high, colour("band-half"));
      strokeLine(plot, context, bands.xs, bands.mid, 0, bands.xs.length, colour("median"), 2 * ratio);
    } else {
      context.globalAlpha = places.length > 12 || picks.length ? 0.45 : 0.85;
      for (const place of places) strokeLine(plot, context, drawn.xs, drawn.ys, drawn.starts[place], drawn.starts[place + 1], colour("median"), 1.25 * ratio);
      context.globalAlpha = 1;
    }
    for (const { place, order } of picks) strokeLine(plot, context, drawn.xs, drawn.ys, drawn.starts[place], drawn.starts[place + 1], pickColour(order), 2.5 * ratio);
  }

  /** @param {uPlot} plot @param {number} x @param {number} y @param {Drawn} drawn @param {number[]} places @param {Bands | null} bands @param {string} metric */
  near(plot, x, y, drawn, places, bands, metric) {
    const { state } = this;
    const write = (/** @type {number} */ at) => (state.byTime ? duration(at) : `iteration ${shown(Math.round(at))}`);
    let [best, found, row] = [400, -1, -1];
    for (const place of places) {
      for (let at = drawn.starts[place]; at < drawn.starts[place + 1]; at++) {
        const away = (plot.valToPos(drawn.xs[at], "x") - x) ** 2 + (plot.valToPos(drawn.ys[at], "y") - y) ** 2;
        if (away < best) [best, found, row] = [away, at, drawn.rows[place]];
      }
    }
    if (found >= 0) {
      return { lines: [state.sweep.names[row], `${write(drawn.xs[found])}: ${metric} ${shown(drawn.ys[found], 4)}`, state.sweep.states[row]], pick: () => state.pick(row) };
    }
    if (!bands) return null;
    const at = nearest(bands.xs, plot.posToVal(x, "x"));
    return { lines: [write(bands.xs[at]), `median ${shown(bands.mid[at], 4)}`, `half ${shown(bands.low[at], 4)} – ${shown(bands.high[at], 4)}`,
      `90 % ${shown(bands.least[at], 4)} – ${shown(bands.most[at], 4)}`, counted(bands.counts[at], "trial")] };
  }
}

/**
 * Quantiles of curves at evenly spread places.
 * @typedef {{xs: Float64Array, least: Float64Array, low: Float64Array, mid: Float64Array, high: Float64Array, most: Float64Array, counts: Uint32Array}} Bands
 * @param {Drawn} drawn @param {number[]} places @returns {Bands | null}
 */
function bandsOf(drawn, places) {
  let [first, last] = [Infinity, -Infinity];
  for (const place of places) {
    first = Math.min(first, drawn.xs[drawn.starts[place]] || 0);
    last = Math.max(last, drawn.xs[drawn.starts[place + 1] - 1] || 0);
  }
  if (!(last > first)) return null;
  const most = places.length > 5000 ? GRID_OF_MANY : GRID;
  const count = Number.isInteger(last - first) ? Math.min(last - first + 1, most) : most;
  const make = () => new Float64Array(count).fill(NaN);
  /** @type {Bands} */
  const bands = { xs: make(), least: make(), low: make(), mid: make(), high: make(), most: make(), counts: new Uint32Array(count) };
  const at = Uint32Array.from(places, (place) => drawn.starts[place]);
  const values = new Float64Array(places.length);
  for (let step = 0; step < count; step++) {
    const x = (bands.xs[step] = first + ((last - first) * step) / (count - 1));
    let filled = 0;
    for (let number = 0; number < places.length; number++) {
      const end = drawn.starts[places[number] + 1] - 1;
      while (at[number] < end && drawn.xs[at[number] + 1] <= x) at[number]++;
      const value = between(drawn, at[number], end, x);
      if (!Number.isNaN(value)) values[filled++] = value;
    }
    const sorted = values.subarray(0, filled).sort();
    bands.counts[step] = filled;
    bands.least[step] = quantile(sorted, 0.05);
    bands.low[step] = quantile(sorted, 0.25);
    bands.mid[step] = quantile(sorted, 0.5);
    bands.high[step] = quantile(sorted, 0.75);
    bands.most[step] = quantile(sorted, 0.95);
  }
  return bands;
}

/** The value of a curve at x; NaN before its first point and after its last one. @param {Drawn} drawn @param {number} at @param {number} end @param {number} x */
function between(drawn, at, end, x) {
  const { xs, ys } = drawn;
  const slack = 1e-9 * Math.abs(x);
  if (x < xs[at] - slack || (at === end && x > xs[at] + slack)) return NaN;
  if (at === end || xs[at + 1] <= xs[at]) return ys[at];
  return ys[at] + ((ys[at + 1] - ys[at]) * (x - xs[at])) / (xs[at + 1] - xs[at]);
}

/** @param {Drawn} drawn @param {number[]} places @param {number[]} picked @param {Bands | null} bands */
function limitsOf(drawn, places, picked, bands) {
  let [first, last] = [Infinity, -Infinity];
  /** @type {number[]} */ const sample = [];
  const add = (/** @type {number} */ place, /** @type {number} */ stride) => {
    for (let at = drawn.starts[place]; at < drawn.starts[place + 1]; at++) {
      if (Number.isNaN(drawn.xs[at])) continue;
      first = Math.min(first, drawn.xs[at]);
      last = Math.max(last, drawn.xs[at]);
      if (Number.isFinite(drawn.ys[at]) && (at - drawn.starts[place]) % stride === 0) sample.push(drawn.ys[at]);
    }
  };
  for (const place of places) add(place, places.length > 500 ? 7 : 1);
  for (const place of picked) add(place, 1);
  const finite = bands ? [...bands.least, ...bands.most].filter(Number.isFinite) : robust(sample);
  for (const place of picked) for (let at = drawn.starts[place]; bands && at < drawn.starts[place + 1]; at++) if (Number.isFinite(drawn.ys[at])) finite.push(drawn.ys[at]);
  let [low, high] = [Infinity, -Infinity];
  for (const value of finite) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!Number.isFinite(low)) first = NaN;
  return { first, last, low, high, sample: finite };
}

/** Leaves out the few values that would press all others into a line. @param {number[]} values */
function robust(values) {
  const sorted = Float64Array.from(values).sort();
  const [low, high] = [quantile(sorted, 0.02), quantile(sorted, 0.98)];
  const room = 3 * (high - low);
  return room > 0 ? values.filter((value) => value >= low - room && value <= high + room) : values;
}

/** @param {ArrayLike<number>} sorted @param {number} value */
function nearest(sorted, value) {
  let found = 0;
  for (let place = 1; place < sorted.length; place++) if (Math.abs(sorted[place] - value) < Math.abs(sorted[found] - value)) found = place;
  return found;
}

/** @param {uPlot} plot @param {CanvasRenderingContext2D} context @param {ArrayLike<number>} xs @param {ArrayLike<number>} ys @param {number} begin @param {number} end @param {string} stroke @param {number} width */
function strokeLine(plot, context, xs, ys, begin, end, stroke, width) {
  context.strokeStyle = context.fillStyle = stroke;
  context.lineWidth = width;
  const line = new Path2D(), dots = new Path2D();
  const isThere = (/** @type {number} */ at) => at >= begin && at < end && Number.isFinite(ys[at]) && !Number.isNaN(xs[at]);
  for (let at = begin; at < end; at++) {
    if (!isThere(at)) continue;
    const [x, y] = [plot.valToPos(xs[at], "x", true), plot.valToPos(ys[at], "y", true)];
    if (isThere(at - 1)) line.lineTo(x, y);
    else if (isThere(at + 1)) line.moveTo(x, y);
    else { // A value between two that are not finite has no line.
      dots.moveTo(x, y);
      dots.arc(x, y, 1.5 * width, 0, 7);
    }
  }
  context.stroke(line);
  context.fill(dots);
}

/** @param {uPlot} plot @param {CanvasRenderingContext2D} context @param {Float64Array} xs @param {Float64Array} low @param {Float64Array} high @param {string} fill */
function fillBand(plot, context, xs, low, high, fill) {
  const there = Array.from(xs, (_, at) => at).filter((at) => Number.isFinite(low[at]) && Number.isFinite(high[at]));
  context.beginPath();
  for (const at of there) context.lineTo(plot.valToPos(xs[at], "x", true), plot.valToPos(high[at], "y", true));
  for (const at of there.reverse()) context.lineTo(plot.valToPos(xs[at], "x", true), plot.valToPos(low[at], "y", true));
  context.fillStyle = fill;
  context.fill();
}
