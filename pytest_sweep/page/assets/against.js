"use strict";
// What has changed since an earlier run: the verdict, paired trials, and what made them.

const STATUS_ORDER = ["newly failed", "worse", "fixed", "better", "new", "lost", "not compared", "same"];
const MOST_PAIRS = 50;

class AgainstView {
  /** @param {State} state @param {any} stored */
  constructor(state, stored) {
    this.state = state;
    this.stored = stored;
    /** @type {Chart | null} */ this.chart = null;
    this.limit = MOST_PAIRS;
    byId("against").hidden = false;
    state.on(["sweep", "chosen", "picks", "theme"], () => this.draw(), byId("against"));
    this.draw();
  }

  draw() {
    const { stored, state } = this;
    const { sweep } = state;
    this.chart?.destroy();
    this.chart = null;
    const its = stored.sweeps.find((/** @type {any} */ one) => one.id === sweep.id);
    const gone = stored.sweeps.filter((/** @type {any} */ one) => !state.sweeps.some((other) => other.id === one.id));
    const box = el("div", { class: "chart" });
    const table = el("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Trials that are not the same in both runs" });
    byId("against").replaceChildren(
      el("div", { class: "title" }, el("h2", { id: "against-title" }, `Against ${stored.name}: `, el("span", { class: `chip verdict-${stored.verdict}`, text: stored.verdict }))),
      el("ul", { class: "plain" }, ...stored.reasons.map((/** @type {string} */ text) => el("li", { class: "bad", text })), ...stored.changes.map((/** @type {string} */ text) => el("li", { text })),
        ...gone.map((/** @type {any} */ one) => el("li", { text: `The sweep ${one.id} is not in this run.` }))),
      its ? el("p", { class: "states" }, ...STATUS_ORDER.filter((name) => its.counts[name]).map((name) => el("span", { class: "state", colour: colour(`status-${name.replace(" ", "-")}`), text: `${its.counts[name].toLocaleString("en")} ${name}` })))
        : el("p", { class: "quiet", text: "This sweep was not in the earlier run." }),
      ...(its?.note ? [el("p", { class: "quiet", text: its.note })] : []),
      el("div", { class: "pair" }, box, table),
      el("p", { class: "quiet", text: stored.basis }));
    if (!its) return;
    this.drawPoints(box, its);
    this.drawTable(table, its);
  }

  /** @param {HTMLElement} box @param {any} its */
  drawPoints(box, its) {
    const { state } = this;
    const pairs = its.pairs.map((/** @type {any[]} */ pair) => ({ row: pair[0], status: pair[1], before: numberOf(pair[2]), now: numberOf(pair[3]) }))
      .filter((/** @type {any} */ pair) => Number.isFinite(pair.before) && Number.isFinite(pair.now) && state.mask[pair.row]);
    const kept = new Map(pairs.map((/** @type {any} */ pair) => [pair.row, pair]));
    const rows = sampled([...kept.keys()], MOST_SLICE_POINTS);
    if (!rows.length) return;
    const [xs, ys] = [rows.map((row) => kept.get(row).before), rows.map((row) => kept.get(row).now)];
    const span = spanOf(robust([...xs, ...ys]));
    const log = isWide(robust([...xs, ...ys]));
    const points = pointsOf({
      rows, xs, ys, picks: state.picks, colours: (row) => colour(`status-${kept.get(row).status.replace(" ", "-")}`) || colour("point"),
      lines: (row) => [state.sweep.names[row], kept.get(row).status, `${its.metric}: ${shown(kept.get(row).before, 5)}, now ${shown(kept.get(row).now, 5)}`], pick: (row) => state.pick(row),
    });
    this.chart = new Chart({
      box, height: 320, label: `${its.metric} of ${counted(rows.length, "trial")} in both runs; on the line nothing has changed.`,
      x: { label: `${its.metric} in ${cut(this.stored.name, 24)}`, log, ...span }, y: { label: `${its.metric} now`, log, ...span },
      at: points.at,
      draw: (plot, context) => {
        strokeLine(plot, context, [span.min, span.max], [span.min, span.max], 0, 2, colour("axis"), uPlot.pxRatio);
        points.draw(plot, context);
      },
    });
  }

  /** @param {HTMLElement} table @param {any} its */
  drawTable(table, its) {
    const { state } = this;
    const percent = (/** @type {number} */ before, /** @type {number} */ now) => (before && Number.isFinite(before) && Number.isFinite(now) ? (100 * (now - before)) / Math.abs(before) : NaN);
    const rows = its.pairs.map((/** @type {any[]} */ pair) => ({ row: pair[0], name: state.sweep.names[pair[0]], status: pair[1], before: pair[2], now: pair[3] }))
      .filter((/** @type {any} */ pair) => pair.status !== "same" && state.mask[pair.row]);
    rows.push(...its.lost.map((/** @type {any[]} */ pair) => ({ row: -1, name: pair[0], status: "lost", before: pair[2], now: null })));
    const size = (/** @type {any} */ pair) => Math.abs(percent(numberOf(pair.before), numberOf(pair.now))) || 0;
    rows.sort((/** @type {any} */ one, /** @type {any} */ other) => STATUS_ORDER.indexOf(one.status) - STATUS_ORDER.indexOf(other.status) || size(other) - size(one));
    const write = (/** @type {any} */ value) => (value === null ? "" : shown(numberOf(value), 5));
    const lines = rows.slice(0, this.limit).map((/** @type {any} */ pair) => {
      const change = percent(numberOf(pair.before), numberOf(pair.now));
      const name = pair.row < 0 ? el("span", { text: pair.name }) : el("button", { class: "link name", text: pair.name, click: () => state.pick(pair.row) });
      return el("tr", {}, el("th", { scope: "row", class: "name" }, name), el("td", {}, el("span", { class: "state", colour: colour(`status-${pair.status.replace(" ", "-")}`), text: pair.status })),
        el("td", { class: "number", text: write(pair.before) }), el("td", { class: "number", text: write(pair.now) }), el("td", { class: "number", text: Number.isNaN(change) ? "" : `${change > 0 ? "+" : ""}${shown(change, 3)} %` }));
    });
    if (!lines.length) {
      table.append(el("p", { class: "quiet", text: "All trials are the same in both runs." }));
      return;
    }
    table.append(el("table", {}, el("caption", { class: "quiet", text: `${lines.length} of ${counted(rows.length, "trial")} that ${rows.length === 1 ? "is" : "are"} not the same` }),
      el("thead", {}, el("tr", {}, ...["name", "status", "base", "run", "change"].map((text) => el("th", { scope: "col", text })))), el("tbody", {}, ...lines)));
  }
}
