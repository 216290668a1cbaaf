"use strict";
// The table of trials, as text: sorted by any column, with the chosen trials only.

const ROWS_AT_ONCE = 100;
const DEFAULT_PARAMS = 6;
const DEFAULT_METRICS = 4;

class TableView {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.limit = ROWS_AT_ONCE;
    this.head = el("thead");
    this.body = el("tbody");
    this.caption = el("caption", { class: "quiet" });
    this.more = el("button", { click: () => { this.limit += 5 * ROWS_AT_ONCE; this.draw(); } });
    this.chooser = el("details", { class: "chooser" }, el("summary", { text: "Columns" }), el("div", { class: "choices" }));
    byId("trials").replaceChildren(
      el("div", { class: "title" }, el("h2", { id: "trials-title", text: "Trials" }), this.chooser),
      el("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-labelledby": "trials-title" }, el("table", { class: "trials" }, this.caption, this.head, this.body)), this.more);
    state.on(["sweep"], () => { this.limit = ROWS_AT_ONCE; this.drawChooser(); });
    state.on(["sweep", "chosen", "view", "sort"], () => this.draw(), byId("trials"));
    state.on(["picks"], () => this.mark());
    this.drawChooser();
    this.draw();
  }

  /** @returns {Column[]} */
  columns() {
    const { sweep, columns } = this.state;
    if (columns) return columns.map((name) => sweep.byName.get(name)).filter((column) => column !== undefined);
    const params = sweep.ofRole("param").filter((column) => column.varies);
    const metrics = sweep.ofRole("metric");
    const goals = sweep.metrics.filter((column) => sweep.objectives.some(([name]) => name === column.name));
    const auto = ["training_iteration", "time_total_s"];
    const others = metrics.filter((column) => !goals.includes(column) && !AUTO_METRICS.includes(column.name));
    const reason = sweep.byName.get("reason");
    const first = ["name", "best", "feasible", "state"].map((name) => sweep.byName.get(name)).filter((column) => column !== undefined && column.role !== "metric");
    return [.../** @type {Column[]} */ (first), ...goals, ...params.slice(0, DEFAULT_PARAMS),
      ...others.slice(0, Math.max(0, DEFAULT_METRICS - goals.length)), ...metrics.filter((column) => auto.includes(column.name)), ...(reason ? [reason] : [])];
  }

  drawChooser() {
    const { state } = this;
    const boxes = state.sweep.columns.map((/** @type {Column} */ column) => check(column.name, this.columns().includes(column), (checked) => {
      const now = this.columns().map((one) => one.name);
      state.columns = checked ? [...now, column.name] : now.filter((name) => name !== column.name);
      state.change("view");
    }));
    const reset = el("button", { text: "Default", click: () => { state.columns = null; state.change("view"); this.drawChooser(); } });
    this.chooser.querySelector(".choices").replaceChildren(...boxes, reset);
  }

  /** What it is sorted by, and whether the highest comes first; the best first by default. @returns {[string, boolean]} */
  order() {
    const { sort, sweep } = this.state;
    if (sort) return [sort.replace(/^-/, ""), sort.startsWith("-")];
    const goal = sweep.objectives[0];
    return goal && sweep.metrics.some((column) => column.name === goal[0]) ? [goal[0], goal[1] === "max"] : ["", false];
  }

  /** @returns {number[]} */
  sorted() {
    const { state } = this;
    const [name, isDown] = this.order();
    const column = state.sweep.byName.get(name);
    if (!column) return state.chosen;
    const goal = !state.sort && state.sweep.objectives.length ? state.sweep.judged[0] : null;
    const rank = goal ? (/** @type {number} */ row) => goal[row] : (/** @type {number} */ row) => column.rank(row);
    const finite = (/** @type {number} */ value) => (Number.isNaN(value) ? 2 : goal && !Number.isFinite(value) ? 1 : 0);
    return [...state.chosen].sort((one, other) => {
      const [a, b] = [rank(one), rank(other)];
      return finite(a) - finite(b) || (isDown ? b - a : a - b) || one - other;
    });
  }

  draw() {
    const columns = this.columns();
    const [by, isDown] = this.order();
    this.head.replaceChildren(el("tr", {}, el("th", { scope: "col", class: "pick" }, el("span", { class: "hidden", text: "select" })),
      ...columns.map((column) => el("th", { scope: "col", class: column.kind === "number" ? "number" : "", "aria-sort": column.name === by ? (isDown ? "descending" : "ascending") : null },
        el("button", { class: "sort", text: column.name, click: () => this.sortBy(column.name, by, isDown) })))));
    const rows = this.sorted();
    this.body.replaceChildren(...rows.slice(0, this.limit).map((row) => this.line(row, columns)));
    this.caption.textContent = rows.length
      ? `${Math.min(this.limit, rows.length).toLocaleString("en")} of ${counted(rows.length, "chosen trial")}${by ? `, by ${by}, the ${isDown ? "highest" : "lowest"} first${this.saysLast(rows) ? ", those that are not feasible last" : ""}` : ""}`
      : "No trial is chosen: remove a filter.";
    this.more.hidden = rows.length <= this.limit;
    this.more.textContent = `Show ${Math.min(5 * ROWS_AT_ONCE, rows.length - this.limit)} more`;
  }

  /** Whether infeasible trials, which are not judged, come last. @param {number[]} rows */
  saysLast(rows) {
    return !this.state.sort && rows.some((row) => this.state.sweep.isInfeasible(row));
  }

  /** @param {string} name @param {string} by @param {boolean} isDown */
  sortBy(name, by, isDown) {
    this.state.sort = name === by && !isDown ? `-${name}` : name;
    this.state.change("sort");
    requestAnimationFrame(() => requestAnimationFrame(() => { // The button was drawn anew: the focus stays on it.
      const buttons = [...this.head.querySelectorAll("button")];
      buttons.find((button) => button.textContent === name)?.focus();
    }));
  }

  /** @param {number} row @param {Column[]} columns */
  line(row, columns) {
    const { state } = this;
    const { sweep } = state;
    const box = el("input", { type: "checkbox", "aria-label": `Select ${sweep.names[row]}`, change: () => state.pick(row) });
    const line = el("tr", { "data-row": row, class: sweep.isInfeasible(row) ? "infeasible" : null }, el("td", { class: "pick" }, box), ...columns.map((column) => {
      if (column.name === "state") return el("td", {}, el("span", { class: "state", colour: stateColour(sweep.states[row]), text: sweep.states[row] }));
      if (column.name === "name") return el("th", { scope: "row", class: "name", text: sweep.names[row], title: `${sweep.names[row]} (${sweep.keys[row].slice(0, 8)})` });
      const text = column.text(row, 6);
      return el("td", { class: column.kind === "number" ? "number" : "word", text, title: text.length > 30 ? text : null });
    }));
    this.markLine(line);
    return line;
  }

  mark() {
    for (const line of this.body.children) this.markLine(line);
  }

  /** @param {any} line */
  markLine(line) {
    const order = this.state.picks.indexOf(Number(line.dataset.row));
    line.classList.toggle("picked", order >= 0);
    line.style.setProperty("--colour", order >= 0 ? pickColour(order) : "transparent");
    line.querySelector("input").checked = order >= 0;
  }
}
