"use strict";
// Which worker ran which trial, and when: a bar for each attempt.

class TimelineView {
  /** @param {State} state @param {any} stored */
  constructor(state, stored) {
    this.state = state;
    this.stored = stored;
    /** @type {Chart | null} */ this.chart = null;
    this.box = el("div", { class: "chart" });
    this.said = el("p", { class: "quiet" });
    this.legend = el("p", { class: "legend" });
    byId("timeline").replaceChildren(el("div", { class: "title" }, el("h2", { id: "timeline-title", text: "Workers" }),
      el("div", { class: "controls" }, el("button", { text: "Reset zoom", click: () => this.chart?.reset() }))), this.box, this.legend, this.said);
    state.on(["sweep", "chosen", "picks", "theme"], () => this.draw(), byId("timeline"));
    this.draw();
  }

  draw() {
    const { stored, state } = this;
    this.chart?.destroy();
    this.chart = null;
    this.box.replaceChildren();
    const count = stored.begin.length;
    if (!count) {
      this.said.textContent = "No trial was begun in this run.";
      this.legend.replaceChildren();
      return;
    }
    const workers = stored.workers.length;
    let [last, busy] = [0, 0];
    for (let at = 0; at < count; at++) {
      last = Math.max(last, stored.begin[at] + stored.took[at]);
      busy += stored.took[at];
    }
    const first = Math.min(...stored.begin.slice(0, 1), last);
    const share = last > first ? busy / ((last - first) * workers) : 1;
    this.said.textContent = `${counted(stored.of, "attempt")} on ${counted(workers, "worker")} within ${duration(last / 1000)}. ` +
      `A worker was busy ${(100 * Math.min(share, 1)).toFixed(0)} % of the time from the first start to the last end.` +
      (count < stored.of ? ` Drawn are the ${count.toLocaleString("en")} longest ones.` : "");
    this.legend.replaceChildren(...stored.states.map((/** @type {string} */ name) => mark(stateColour(name), name)));
    const colours = stored.states.map(stateColour);
    const here = state.sweeps.indexOf(state.sweep);
    this.chart = new Chart({
      box: this.box, height: Math.min(90 + 22 * workers, 460), label: this.said.textContent,
      x: { label: "since the start of the run", min: 0, max: Math.max(last / 1000, 0.001), seconds: true },
      y: { label: "", words: stored.workers, min: 0, max: Math.max(workers - 1, 0.001), down: true },
      draw: (plot, context) => this.paint(plot, context, colours, here),
      at: (plot, x, y) => this.near(plot, x, y, here),
    });
  }

  /** @param {uPlot} plot @param {CanvasRenderingContext2D} context @param {string[]} colours @param {number} here */
  paint(plot, context, colours, here) {
    const { stored, state } = this;
    const ratio = uPlot.pxRatio;
    const height = Math.max(1, Math.min(16 * ratio, 0.75 * Math.abs(plot.valToPos(1, "y", true) - plot.valToPos(0, "y", true))));
    for (let at = 0; at < stored.begin.length; at++) {
      const isHere = stored.sweep[at] === here;
      const left = plot.valToPos(stored.begin[at] / 1000, "x", true);
      const width = Math.max(plot.valToPos((stored.begin[at] + stored.took[at]) / 1000, "x", true) - left - (stored.begin.length < 2000 ? ratio : 0), ratio);
      const top = plot.valToPos(stored.worker[at], "y", true) - height / 2;
      context.globalAlpha = isHere && state.mask[stored.row[at]] ? 0.85 : 0.2;
      context.fillStyle = colours[stored.state[at]];
      context.fillRect(left, top, width, height);
      const order = isHere ? state.picks.indexOf(stored.row[at]) : -1;
      if (order < 0) continue;
      context.globalAlpha = 1;
      context.lineWidth = 3 * ratio;
      context.strokeStyle = pickColour(order);
      context.strokeRect(left, top, width, height);
    }
    context.globalAlpha = 1;
  }

  /** @param {uPlot} plot @param {number} x @param {number} y @param {number} here */
  near(plot, x, y, here) {
    const { stored, state } = this;
    const [seconds, worker] = [plot.posToVal(x, "x"), Math.round(plot.posToVal(y, "y"))];
    const slack = Math.abs(plot.posToVal(x + 2, "x") - seconds);
    for (let at = 0; at < stored.begin.length; at++) {
      const [begin, took] = [stored.begin[at] / 1000, stored.took[at] / 1000];
      if (stored.worker[at] !== worker || seconds < begin - slack || seconds > begin + took + slack) continue;
      const row = stored.row[at];
      const sweep = state.sweeps[stored.sweep[at]];
      return {
        lines: [sweep.names[row], `${stored.states[stored.state[at]]}, ${duration(took)} on ${stored.workers[worker]}${stored.number[at] > 1 ? `, attempt ${stored.number[at]}` : ""}`, `began after ${duration(begin)}`],
        ...(stored.sweep[at] === here ? { pick: () => state.pick(row) } : {}),
      };
    }
    return null;
  }
}
