"use strict";
// One metric against a parameter or another metric, a point for each chosen trial.

const MOST_SLICE_POINTS = 10_000;

class SlicesView {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    /** @type {Chart | null} */ this.chart = null;
    this.box = el("div", { class: "chart" });
    this.controls = el("div", { class: "controls" });
    this.said = el("p", { class: "quiet" });
    this.legend = el("p", { class: "legend" });
    byId("slices").replaceChildren(el("div", { class: "title" }, el("h2", { id: "slices-title", text: "Metric by parameter" }), this.controls), this.box, this.legend, this.said);
    state.on(["sweep", "chosen", "picks", "metric", "view", "theme"], () => this.draw(), byId("slices"));
    this.draw();
  }

  draw() {
    const { state } = this;
    const { sweep } = state;
    this.chart?.destroy();
    this.chart = null;
    this.box.replaceChildren();
    this.legend.replaceChildren();
    const columns = [...sweep.ofRole("param").filter((column) => column.varies), ...sweep.metrics];
    const y = sweep.byName.get(state.slice.y) || sweep.byName.get(state.metric);
    const x = sweep.byName.get(state.slice.x) || this.defaultColumn(columns, y);
    if (!y || !x || y.kind !== "number") {
      this.controls.replaceChildren();
      this.said.textContent = y ? "There is nothing to draw it against." : "The trials have no metric that is a number.";
      return;
    }
    const tint = sweep.byName.get(state.slice.colour);
    this.drawControls(columns, x, y, tint);
    const values = sweep.valuesOf(y.name);
    const its = x.role === "metric" ? sweep.valuesOf(x.name) : x.numbers;
    const all = state.chosen.filter((row) => Number.isFinite(values[row]) && (x.kind === "number" ? Number.isFinite(its[row]) : x.codes[row] >= 0));
    const rows = sampled(all, MOST_SLICE_POINTS);
    const xs = rows.map((row) => (x.kind === "number" ? its[row] : x.codes[row] + jitter(row)));
    const ys = rows.map((row) => values[row]);
    const left = state.chosen.length - all.length;
    this.said.textContent = `${y.name} by ${x.name}: ${counted(rows.length, "trial")}` + (rows.length < all.length ? ` of ${all.length.toLocaleString("en")}` : "") +
      (left ? `; ${counted(left, "chosen trial")} without a value of both` : "") + ".";
    if (!rows.length) return;
    const kept = new Set(robust(ys));
    const [ySpan, xSpan] = [spanOf(ys.filter((value) => kept.has(value))), spanOf(xs)];
    const outside = ys.filter((value) => !kept.has(value)).length;
    if (outside) this.said.textContent += ` ${counted(outside, "value")} far off ${outside === 1 ? "is" : "are"} outside of the picture.`;
    const isLog = (/** @type {number[]} */ numbers) => isWide(numbers);
    this.chart = new Chart({
      box: this.box, height: 320, label: this.said.textContent,
      x: { label: x.name, ...(x.kind === "number" ? { log: isLog(xs) } : { words: x.words }), ...xSpan },
      y: { label: y.name, log: isLog([...kept]), ...ySpan },
      ...pointsOf({
        rows, xs, ys, picks: state.picks, colours: this.colours(tint, rows), diamonds: new Set(tint ? [] : sweep.front),
        lines: (row) => [sweep.names[row], `${x.name} ${x.text(row, 5)}`, `${y.name} ${shown(values[row], 5)}`, ...(tint ? [`${tint.name} ${tint.text(row, 5)}`] : [])],
        pick: (row) => state.pick(row),
      }),
    });
  }

  /** @param {Column[]} columns @param {Column | undefined} y */
  defaultColumn(columns, y) {
    const { sweep } = this.state;
    const goal = sweep.objectives.map(([name]) => name).find((name) => name !== y?.name);
    if (goal && sweep.byName.get(goal)?.kind === "number") return sweep.byName.get(goal);
    return importanceOf(sweep, this.state.metric, this.state.chosen)[0]?.column || columns.find((column) => column !== y);
  }

  /** @param {Column[]} columns @param {Column} x @param {Column} y @param {Column | undefined} tint */
  drawControls(columns, x, y, tint) {
    const { state } = this;
    const options = (/** @type {Column[]} */ its) => its.map((column) => /** @type {[string, string]} */ ([column.name, column.name]));
    const set = (/** @type {string} */ name) => (/** @type {string} */ value) => { state.slice[name] = value; state.change("view"); };
    this.controls.replaceChildren(
      choice("y", options(state.sweep.metrics), y.name, set("y")),
      choice("x", options(columns), x.name, set("x")),
      choice("colour", [["", state.sweep.front.length ? "Pareto front" : "none"], ["state", "state"], ...options(columns)], tint?.name ?? "", set("colour")),
      el("button", { text: "Reset zoom", click: () => this.chart?.reset() }),
    );
  }

  /** @param {Column | undefined} tint @param {number[]} rows @returns {(row: number) => string} */
  colours(tint, rows) {
    const plain = colour("point");
    if (!tint) {
      const front = new Set(this.state.sweep.front);
      if (!front.size) return () => plain;
      const [best, other] = [colour("front"), colour("axis")];
      this.legend.replaceChildren(mark(best, "Pareto front (diamonds)"), mark(other, "others"));
      return (row) => (front.has(row) ? best : other);
    }
    if (tint.name === "state") {
      const states = new Map([...new Set(rows.map((row) => this.state.sweep.states[row]))].map((state) => [state, stateColour(state)]));
      this.legend.replaceChildren(...[...states].map(([state, its]) => mark(its, state)));
      return (row) => states.get(this.state.sweep.states[row]) || plain;
    }
    if (tint.kind !== "number" && tint.words.length <= PICK_COLOURS) {
      const its = tint.words.map((_, code) => pickColour(code));
      this.legend.replaceChildren(...tint.words.map((word, code) => mark(its[code], cut(word, 30))));
      return (row) => its[tint.codes[row]] || plain;
    }
    const [axis, colours] = [axisOf(tint, rows), ramp()];
    this.legend.replaceChildren(...axis.ticks.map(([place, text]) => mark(colours[Math.round(Math.min(Math.max(place, 0), 1) * 8)], text)));
    return (row) => { const place = axis.place(row); return Number.isNaN(place) ? plain : colours[Math.round(Math.min(Math.max(place, 0), 1) * 8)]; };
  }
}

/** @param {string} its @param {string} text */
function mark(its, text) {
  return el("span", {}, el("i", { class: "dot", colour: its }), text);
}

/** A shift that keeps points of one word apart, always the same one. @param {number} row */
function jitter(row) {
  return (((row * 2654435761) >>> 8) % 1000) / 1000 * 0.5 - 0.25;
}

/** @param {number[]} values */
function spanOf(values) {
  let [min, max] = [Infinity, -Infinity];
  for (const value of values) [min, max] = [Math.min(min, value), Math.max(max, value)];
  return { min, max };
}
