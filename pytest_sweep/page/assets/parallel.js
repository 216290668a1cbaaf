"use strict";
// Parallel coordinates on a canvas of our own: a line for each trial, and brushes on the axes.

const MOST_LINES = 3000;
const MOST_FAINT = 1000;
const DEFAULT_AXES = 8;
const AXIS_TOP = 34;
const AXIS_BOTTOM = 34;
const NONE_GAP = 22;
const LEAST_WIDTH = 96;

class ParallelView {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.height = 330;
    this.canvas = el("canvas", { role: "img", tabindex: "-1" });
    this.frame = el("div", { class: "scroll" }, this.canvas);
    this.said = el("p", { class: "quiet" });
    this.controls = el("div", { class: "controls" });
    this.chooser = el("details", { class: "chooser" }, el("summary", { text: "Axes" }), el("div", { class: "choices" }));
    this.form = el("details", { class: "chooser" }, el("summary", { text: "Filter by keyboard" }), el("div", { class: "choices" }));
    /** @type {Axis[]} */ this.axes = [];
    /** @type {{axis: Axis, from: number, to: number} | null} */ this.drag = null;
    byId("parallel").replaceChildren(el("div", { class: "title" }, el("h2", { id: "parallel-title", text: "Parallel coordinates" }), this.chooser, this.form), this.frame, this.said);
    this.canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => this.begin(event));
    this.canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.move(event));
    this.canvas.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => this.end(event));
    this.canvas.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
    this.canvas.addEventListener("pointerleave", () => tip(null));
    new ResizeObserver(batched(() => this.draw())).observe(this.frame);
    state.on(["sweep", "metric"], () => this.choose());
    state.on(["chosen", "picks", "theme"], () => this.draw(), byId("parallel"));
    this.choose();
  }

  /** Decides which axes there are: what is chosen, or the most important parameters, and the metrics that trials are judged by. */
  choose() {
    const { state } = this;
    const { sweep } = state;
    const every = Array.from({ length: sweep.size }, (_, row) => row);
    const candidates = [...sweep.ofRole("param"), ...sweep.metrics].filter((column) => column.varies || column.name === state.metric);
    let names = state.axes;
    if (names === null) {
      const params = sweep.ofRole("param").filter((column) => column.varies);
      const important = importanceOf(sweep, state.metric, every).map((one) => one.column.name);
      const kept = params.length <= DEFAULT_AXES ? params.map((column) => column.name)
        : [...important, ...params.map((column) => column.name)].filter((name, at, all) => all.indexOf(name) === at).slice(0, DEFAULT_AXES);
      const goals = sweep.objectives.map(([name]) => name).filter((name) => name !== state.metric && sweep.byName.get(name)?.kind === "number");
      names = [...kept, ...goals, ...(state.metric ? [state.metric] : [])];
    }
    const columns = names.map((name) => sweep.byName.get(name)).filter((column) => column !== undefined);
    this.axes = columns.map((column) => axisOf(column, every));
    this.drawChooser(candidates, names);
    this.drawForm();
    this.draw();
  }

  /** @param {Column[]} candidates @param {string[]} names */
  drawChooser(candidates, names) {
    const boxes = candidates.map((column) => check(column.name, names.includes(column.name), (checked) => {
      const now = this.axes.map((axis) => axis.column.name);
      this.state.axes = checked ? [...now, column.name] : now.filter((name) => name !== column.name);
      this.state.change("view");
      this.choose();
    }));
    const reset = el("button", { text: "Default", click: () => { this.state.axes = null; this.state.change("view"); this.choose(); } });
    this.chooser.querySelector(".choices").replaceChildren(...boxes, reset);
  }

  drawForm() {
    const columns = this.axes.map((axis) => axis.column);
    let column = columns[0];
    const place = el("span", {});
    const fields = () => {
      if (!column) return;
      if (column.kind !== "number") {
        place.replaceChildren(...column.words.slice(0, 50).map((word) => check(word, false, () => {
          const words = [...place.querySelectorAll("input")].flatMap((/** @type {HTMLInputElement} */ box, at) => (box.checked ? [column.words[at]] : []));
          this.state.brush(column.name, words.length ? { words } : null);
        })));
        return;
      }
      const inputs = ["from", "to"].map((text) => el("input", { type: "text", inputmode: "decimal", size: 8, "aria-label": `${text}, of ${column.name}`, placeholder: text }));
      const set = () => {
        const [low, high] = inputs.map((input, at) => (input.value.trim() === "" ? (at ? Infinity : -Infinity) : Number(input.value)));
        if (!Number.isNaN(low) && !Number.isNaN(high)) this.state.brush(column.name, { low: Math.max(low, -1e308), high: Math.min(high, 1e308) });
      };
      place.replaceChildren(...inputs, el("button", { text: "Set", click: set }));
    };
    const list = choice("Column", columns.map((one) => [one.name, one.name]), column?.name ?? "", (name) => { column = /** @type {Column} */ (columns.find((one) => one.name === name)); fields(); });
    fields();
    this.form.querySelector(".choices").replaceChildren(list, place);
  }

  /** Where the axes are. */
  layout() {
    const wanted = Math.max(this.frame.clientWidth, this.axes.length * LEAST_WIDTH);
    const side = 48;
    const step = this.axes.length > 1 ? (wanted - 2 * side) / (this.axes.length - 1) : 0;
    return { width: wanted, xs: this.axes.map((_, at) => (this.axes.length > 1 ? side + at * step : wanted / 2)), top: AXIS_TOP, bottom: this.height - AXIS_BOTTOM };
  }

  draw() {
    const { state, canvas } = this;
    this.frame.hidden = this.axes.length < 2;
    if (this.frame.hidden) {
      this.said.textContent = "Nothing takes several values: there are no axes to draw.";
      return;
    }
    const { width, xs, top, bottom } = this.layout();
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(this.height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${this.height}px`;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.scale(ratio, ratio);
    context.clearRect(0, 0, width, this.height);
    const y = (/** @type {number} */ place) => (Number.isNaN(place) || place < -0.001 || place > 1.001 ? bottom + NONE_GAP : bottom - place * (bottom - top));
    const path = (/** @type {number} */ row) => {
      this.axes.forEach((axis, at) => (at ? context.lineTo(xs[at], y(axis.place(row))) : context.moveTo(xs[at], y(axis.place(row)))));
    };
    this.paintFaint(context, path);
    const drawn = this.paintChosen(context, path);
    state.picks.forEach((row, order) => {
      context.beginPath();
      path(row);
      context.lineWidth = 2.5;
      context.strokeStyle = pickColour(order);
      context.stroke();
    });
    this.axes.forEach((axis, at) => this.paintAxis(context, axis, xs[at], top, bottom));
    this.say(drawn);
  }

  /** @param {CanvasRenderingContext2D} context @param {(row: number) => void} path */
  paintFaint(context, path) {
    const { state } = this;
    if (state.chosen.length === state.sweep.size) return;
    const rest = [];
    for (let row = 0; row < state.sweep.size; row++) if (!state.mask[row]) rest.push(row);
    context.strokeStyle = colour("faint");
    context.lineWidth = 1;
    context.beginPath();
    for (const row of sampled(rest, MOST_FAINT)) path(row);
    context.stroke();
  }

  /** @param {CanvasRenderingContext2D} context @param {(row: number) => void} path */
  paintChosen(context, path) {
    const { state } = this;
    const drawn = sampled(state.chosen, MOST_LINES);
    const colours = ramp();
    const values = state.sweep.judgedOf(state.metric);
    const known = drawn.filter((row) => Number.isFinite(values[row]));
    const order = ranks(Float64Array.from(known, (row) => values[row]));
    const isMin = state.sweep.isMin(state.metric);
    /** @type {number[][]} */ const groups = colours.map(() => []);
    known.forEach((row, at) => {
      const share = known.length > 1 ? (order[at] - 1) / (known.length - 1) : 1;
      groups[Math.round((isMin && known.length > 1 ? 1 - share : share) * (colours.length - 1))].push(row);
    });
    context.lineWidth = drawn.length > 500 ? 1 : 1.4;
    context.globalAlpha = drawn.length > 1500 ? 0.25 : drawn.length > 300 ? 0.45 : 0.8;
    context.strokeStyle = colour("none");
    context.beginPath();
    for (const row of drawn) if (!Number.isFinite(values[row])) path(row);
    context.stroke();
    groups.forEach((rows, at) => {
      context.strokeStyle = colours[at];
      if (at === colours.length - 1) context.globalAlpha = Math.min(1, context.globalAlpha * 2);
      context.beginPath();
      for (const row of rows) path(row);
      context.stroke();
    });
    context.globalAlpha = 1;
    return drawn.length;
  }

  /** @param {CanvasRenderingContext2D} context @param {Axis} axis @param {number} x @param {number} top @param {number} bottom */
  paintAxis(context, axis, x, top, bottom) {
    const brush = this.brushOf(axis);
    context.font = "12px system-ui, sans-serif";
    context.strokeStyle = colour("axis");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, bottom);
    context.stroke();
    if (brush) {
      const [from, to] = brush.map((place) => bottom - Math.min(Math.max(place, -0.02), 1.02) * (bottom - top));
      context.fillStyle = colour("brush");
      context.fillRect(x - 8, to, 16, Math.max(from - to, 2));
      context.strokeStyle = colour("accent");
      context.strokeRect(x - 8, to, 16, Math.max(from - to, 2));
    }
    context.textAlign = "center";
    context.fillStyle = colour("text");
    context.font = "600 12px system-ui, sans-serif";
    const room = Math.max(12, Math.floor((this.layout().width / this.axes.length) / 7));
    context.fillText(cut(axis.column.name.replace(/^config\//, ""), room), x, 14);
    context.font = "11px system-ui, sans-serif";
    context.lineWidth = 3;
    context.strokeStyle = colour("panel");
    for (const [place, text] of axis.ticks) {
      const at = bottom - place * (bottom - top);
      context.strokeText(cut(text, 14), x, at + 4);
      context.fillText(cut(text, 14), x, at + 4);
    }
    if (this.state.sweep.size <= 20_000 && this.hasNone(axis)) {
      context.fillStyle = colour("quiet");
      context.strokeText("none", x, bottom + NONE_GAP + 4);
      context.fillText("none", x, bottom + NONE_GAP + 4);
    }
  }

  /** @param {Axis} axis */
  hasNone(axis) {
    for (let row = 0; row < this.state.sweep.size; row++) if (Number.isNaN(axis.place(row))) return true;
    return false;
  }

  /** Where the brush of an axis begins and ends. @param {Axis} axis @returns {[number, number] | null} */
  brushOf(axis) {
    if (this.drag && this.drag.axis === axis) return [Math.min(this.drag.from, this.drag.to), Math.max(this.drag.from, this.drag.to)];
    const brush = this.state.brushes.get(axis.column.name);
    if (!brush) return null;
    const last = Math.max(axis.column.words.length - 1, 1);
    if ("words" in brush) {
      const places = brush.words.map((word) => axis.column.words.indexOf(word)).filter((place) => place >= 0).map((place) => place / last);
      return places.length ? [Math.min(...places) - 0.02, Math.max(...places) + 0.02] : null;
    }
    let [low, high] = [0, 1];
    const invert = (/** @type {number} */ wanted) => { // The scale is monotonous: halve until it is found.
      [low, high] = [-0.1, 1.1];
      for (let step = 0; step < 50; step++) {
        const middle = (low + high) / 2;
        if (axis.value(middle) < wanted) low = middle;
        else high = middle;
      }
      return low;
    };
    return [invert(brush.low), invert(brush.high)];
  }

  /** @param {PointerEvent} event */
  placeOf(event) {
    const frame = this.canvas.getBoundingClientRect();
    const { xs, top, bottom } = this.layout();
    const x = event.clientX - frame.left;
    let found = 0;
    xs.forEach((one, at) => { if (Math.abs(one - x) < Math.abs(xs[found] - x)) found = at; });
    const near = this.axes.length > 0 && Math.abs(xs[found] - x) < 22;
    return { axis: near ? this.axes[found] : null, place: (bottom - (event.clientY - frame.top)) / (bottom - top), x, y: event.clientY - frame.top };
  }

  /** @param {PointerEvent} event */
  begin(event) {
    const { axis, place } = this.placeOf(event);
    if (!axis || event.button !== 0) return;
    this.drag = { axis, from: place, to: place };
    this.canvas.setPointerCapture(event.pointerId);
    tip(null);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const { axis, place, x, y } = this.placeOf(event);
    if (this.drag) {
      this.drag.to = place;
      this.draw();
      return;
    }
    this.canvas.style.cursor = axis ? "ns-resize" : "default";
    const row = axis ? -1 : this.rowAt(x, y);
    tip(row < 0 ? null : [this.state.sweep.names[row], `${this.state.metric} ${shown(this.state.sweep.valuesOf(this.state.metric)[row], 5)}`], event);
  }

  /** @param {PointerEvent} event */
  end(event) {
    const { drag } = this;
    this.drag = null;
    const { x, y, axis } = this.placeOf(event);
    if (!drag) {
      const row = axis ? -1 : this.rowAt(x, y);
      if (row >= 0) this.state.pick(row);
      return;
    }
    const [low, high] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    const { column } = drag.axis;
    if (high - low < 0.015) {
      this.state.brush(column.name, null); // A click removes it.
    } else if (column.kind === "number") {
      this.state.brush(column.name, { low: Number(drag.axis.value(low).toPrecision(6)), high: Number(drag.axis.value(high).toPrecision(6)) });
    } else {
      const last = Math.max(column.words.length - 1, 1);
      const words = column.words.filter((_, code) => { const at = column.words.length === 1 ? 0.5 : code / last; return at >= low - 0.03 && at <= high + 0.03; });
      this.state.brush(column.name, words.length ? { words } : null);
    }
    this.draw();
  }

  /** The chosen trial whose line is nearest; -1 for none. @param {number} x @param {number} y */
  rowAt(x, y) {
    const { xs, top, bottom } = this.layout();
    const right = xs.findIndex((one) => one > x);
    if (right < 1) return -1;
    const share = (x - xs[right - 1]) / (xs[right] - xs[right - 1]);
    let [best, found] = [6, -1];
    for (const row of sampled(this.state.chosen, MOST_LINES)) {
      const [one, other] = [this.axes[right - 1].place(row), this.axes[right].place(row)];
      const away = Math.abs(bottom - (one + (other - one) * share) * (bottom - top) - y);
      if (away < best) [best, found] = [away, row];
    }
    return found;
  }

  /** @param {number} drawn */
  say(drawn) {
    const { state } = this;
    const part = drawn < state.chosen.length ? `${drawn.toLocaleString("en")} of the ${counted(state.chosen.length, "chosen trial")} are drawn` : `${counted(drawn, "trial")}`;
    const left = state.sweep.ofRole("param").filter((column) => column.varies).length - this.axes.filter((axis) => axis.column.role === "param").length;
    const text = `${part}, each a line${state.metric ? `; the darker, the ${state.sweep.isMin(state.metric) === null ? "higher" : "better"} its ${state.metric}` : ""}. Drag along an axis to choose a range, click it to remove that.` +
      (left > 0 ? ` ${counted(left, "parameter")} more under Axes.` : "");
    this.said.textContent = document.documentElement && matchMedia("(prefers-color-scheme: dark)").matches ? text.replace("darker", "brighter") : text;
    this.canvas.setAttribute("aria-label", `Parallel coordinates of ${this.axes.map((axis) => axis.column.name).join(", ")}. ${part}.`);
  }
}
