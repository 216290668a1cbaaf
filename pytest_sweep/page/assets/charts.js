"use strict";
// Charts with axes: uPlot draws axes, zooms and follows the pointer; points and lines are drawn on its canvas by us.

/**
 * What a chart is made of.
 * @typedef {object} ChartParts
 * @property {HTMLElement} box
 * @property {number} height
 * @property {string} label what it shows, for who does not see it
 * @property {{label: string, log?: boolean, words?: string[], min: number, max: number, seconds?: boolean}} x
 * @property {{label: string, log?: boolean, words?: string[], min: number, max: number, down?: boolean}} y
 * @property {(plot: uPlot, context: CanvasRenderingContext2D) => void} draw
 * @property {(plot: uPlot, x: number, y: number) => {lines: string[], pick?: () => void} | null} at what is near a place, in pixels of the page
 */

class Chart {
  /** @param {ChartParts} parts */
  constructor(parts) {
    this.parts = parts;
    /** @type {{lines: string[], pick?: () => void} | null} */ this.near = null;
    this.plot = this.made();
    const observer = new ResizeObserver(batched(() => {
      const width = parts.box.clientWidth;
      if (width && width !== this.plot.width) this.plot.setSize({ width, height: parts.height });
    }));
    observer.observe(parts.box);
    this.observer = observer;
  }

  destroy() {
    this.observer.disconnect();
    this.plot.destroy();
  }

  made() {
    const { box, height, label, x, y, draw } = this.parts;
    const plot = new uPlot(/** @type {any} */ ({
      width: Math.max(box.clientWidth, 200), height,
      padding: [10, 12, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: true, y: true, uni: 24, setScale: true }, points: { show: false } },
      scales: { x: this.scale(x), y: { ...this.scale(y), dir: "down" in y && y.down ? -1 : 1 } },
      axes: [this.axis(x, 0), this.axis(y, 1)],
      series: [{}, { scale: "y", stroke: "transparent", paths: () => null, points: { show: false } }],
      hooks: {
        draw: [(/** @type {uPlot} */ its) => {
          const { ctx, bbox } = its;
          ctx.save();
          ctx.beginPath();
          ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
          ctx.clip();
          draw(its, ctx);
          ctx.restore();
        }],
      },
    }), [[x.min, x.max], [y.min, y.max]], box);
    const over = plot.over;
    const canvas = plot.root.querySelector("canvas");
    canvas?.setAttribute("role", "img");
    canvas?.setAttribute("aria-label", label);
    over.addEventListener("mousemove", (event) => this.hover(event));
    over.addEventListener("mouseleave", () => tip(null));
    let down = [0, 0];
    over.addEventListener("mousedown", (event) => { down = [event.clientX, event.clientY]; });
    over.addEventListener("click", (event) => {
      if (Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4) return;
      this.hover(event);
      this.near?.pick?.();
    });
    return plot;
  }

  /** @param {MouseEvent} event */
  hover(event) {
    const frame = this.plot.over.getBoundingClientRect();
    this.near = this.parts.at(this.plot, event.clientX - frame.left, event.clientY - frame.top);
    this.plot.over.style.cursor = this.near?.pick ? "pointer" : "crosshair";
    tip(this.near ? this.near.lines : null, event);
  }

  /** @param {{log?: boolean, words?: string[], min: number, max: number}} its */
  scale(its) {
    return { time: false, distr: its.log ? 3 : 1, range: (/** @type {uPlot} */ _, /** @type {number} */ low, /** @type {number} */ high) =>
      low === its.min && high === its.max ? padded(its) : [low, high] };
  }

  /** @param {{label: string, log?: boolean, words?: string[], seconds?: boolean}} its @param {number} side */
  axis(its, side) {
    const line = { stroke: colour("grid"), width: 1 };
    const common = {
      label: its.label, stroke: colour("quiet"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
      grid: line, ticks: line, labelSize: 18, space: side ? 34 : 70, ...(side ? { size: widthOfAxis(its) } : { size: 32 }),
    };
    if (its.words) {
      const words = its.words;
      return { ...common, splits: () => words.map((_, code) => code).filter((code) => code % Math.ceil(words.length / 20) === 0),
        values: (/** @type {uPlot} */ _, /** @type {number[]} */ splits) => splits.map((code) => cut(words[code] ?? "", side ? 18 : 14)) };
    }
    const write = its.seconds ? clock : (/** @type {number} */ value) => (Math.abs(value) >= 1e6 ? value.toExponential(0).replace("e+", "e") : shown(value, 4));
    return { ...common, values: (/** @type {uPlot} */ _, /** @type {(number | null)[]} */ splits) => splits.map((value) => (value === null ? "" : write(value))) };
  }

  /** Shows all again. */
  reset() {
    const { x, y } = this.parts;
    this.plot.batch(() => {
      this.plot.setScale("x", { min: x.min, max: x.max });
      this.plot.setScale("y", { min: y.min, max: y.max });
    });
  }
}

/** @param {{words?: string[]}} its */
function widthOfAxis(its) {
  return its.words ? 20 + 7 * Math.min(18, Math.max(...its.words.map((word) => word.length), 1)) : 56;
}

/** @param {string} text @param {number} length */
function cut(text, length) {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** A range with room at its ends. @param {{log?: boolean, words?: string[], min: number, max: number}} its @returns {[number, number]} */
function padded(its) {
  if (its.words) return [-0.5, Math.max(its.words.length - 0.5, 0.5)];
  if (its.log) {
    const share = its.max > its.min ? (its.max / its.min) ** 0.04 : 2;
    return [its.min / share, its.max * share];
  }
  const room = its.max > its.min ? 0.04 * (its.max - its.min) : Math.abs(its.max) * 0.1 || 0.5;
  return [its.min - room, its.max + room];
}

/**
 * Points that can be hovered and selected. Rows that are `diamonds` are drawn last and larger, as such.
 * @param {{rows: number[], xs: ArrayLike<number>, ys: ArrayLike<number>, colours: (row: number) => string, picks: number[], lines: (row: number) => string[], pick: (row: number) => void, size?: number, alpha?: number, diamonds?: Set<number>}} its
 * @returns {Pick<ChartParts, "draw" | "at">}
 */
function pointsOf(its) {
  const { rows, xs, ys } = its;
  return {
    draw(plot, context) {
      const ratio = uPlot.pxRatio;
      const size = (its.size ?? (rows.length > 3000 ? 2 : 3)) * ratio;
      context.globalAlpha = its.alpha ?? (rows.length > 3000 ? 0.5 : 0.8);
      const point = (/** @type {number} */ place, /** @type {boolean} */ isDiamond) => {
        const [x, y] = [plot.valToPos(xs[place], "x", true), plot.valToPos(ys[place], "y", true)];
        context.fillStyle = its.colours(rows[place]);
        context.beginPath();
        if (isDiamond) [[0, -2], [2, 0], [0, 2], [-2, 0]].forEach(([right, down]) => context.lineTo(x + right * size, y + down * size));
        else context.arc(x, y, size, 0, 7);
        context.fill();
      };
      const diamonds = its.diamonds ?? new Set();
      for (let place = 0; place < rows.length; place++) if (!diamonds.has(rows[place])) point(place, false);
      context.globalAlpha = 1;
      for (let place = 0; place < rows.length; place++) if (diamonds.has(rows[place])) point(place, true);
      its.picks.forEach((row, order) => {
        const place = rows.indexOf(row);
        if (place < 0) return;
        context.beginPath();
        context.arc(plot.valToPos(xs[place], "x", true), plot.valToPos(ys[place], "y", true), 6 * ratio, 0, 7);
        context.fillStyle = pickColour(order);
        context.fill();
        context.lineWidth = 2 * ratio;
        context.strokeStyle = colour("text");
        context.stroke();
      });
    },
    at(plot, x, y) {
      let [best, found] = [200, -1];
      for (let place = 0; place < rows.length; place++) {
        const away = (plot.valToPos(xs[place], "x") - x) ** 2 + (plot.valToPos(ys[place], "y") - y) ** 2;
        if (away < best) [best, found] = [away, place];
      }
      if (found < 0) return null;
      const row = rows[found];
      return { lines: its.lines(row), pick: () => its.pick(row) };
    },
  };
}

/** At most so many of these, always the same ones. @param {number[]} rows @param {number} most */
function sampled(rows, most) {
  if (rows.length <= most) return rows;
  const step = rows.length / most;
  return Array.from({ length: most }, (_, place) => rows[Math.floor(place * step)]);
}
