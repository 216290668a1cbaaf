"use strict";
// The selected trials beside each other: configuration, metrics, and why they failed.

const MOST_PICKED = 8;

class PickedView {
  /** @param {State} state @param {any} run @param {string | null} root */
  constructor(state, run, root) {
    this.state = state;
    this.run = run;
    this.root = root;
    state.on(["sweep", "picks", "theme"], () => this.draw());
    this.draw();
  }

  draw() {
    const { state } = this;
    const { sweep, picks } = state;
    const section = byId("picked");
    section.hidden = !picks.length;
    if (!picks.length) return;
    const shownRows = picks.slice(0, MOST_PICKED);
    const head = el("tr", {}, el("th", { scope: "col", text: "" }), ...shownRows.map((row, order) => el("th", { scope: "col" },
      el("i", { class: "line", colour: pickColour(order) }), el("span", { class: "name", text: sweep.names[row] }), " ",
      el("button", { class: "small", text: "×", "aria-label": `Deselect ${sweep.names[row]}`, click: () => state.pick(row) }))));
    const columns = sweep.columns.filter((/** @type {Column} */ column) => column.name !== "name" && shownRows.some((row) => column.has(row)));
    const lines = columns.map((/** @type {Column} */ column) => {
      const texts = shownRows.map((row) => column.text(row, 6));
      const differs = texts.some((text) => text !== texts[0]) && column.role === "param";
      return el("tr", { class: differs ? "differs" : "" }, el("th", { scope: "row", text: column.name }), ...texts.map((text) => el("td", { text })));
    });
    lines.push(el("tr", {}, el("th", { scope: "row", text: "files" }), ...shownRows.map((row) => el("td", {}, this.files(row)))));
    const errors = shownRows.map((row) => sweep.failures.find((group) => group.rows.includes(row)));
    if (errors.some(Boolean)) {
      lines.push(el("tr", {}, el("th", { scope: "row", text: "error" }), ...errors.map((group) => el("td", {}, group ? el("span", { class: "bad", text: group.reason }) : ""))));
    }
    section.replaceChildren(
      el("div", { class: "title" }, el("h2", { id: "picked-title", text: `${counted(picks.length, "selected trial")}` }),
        el("div", { class: "controls" }, el("button", { text: "Deselect all", click: () => { state.picks = []; state.change("picks"); } }))),
      el("div", { class: "scroll" }, el("table", { class: "beside" }, el("thead", {}, head), el("tbody", {}, ...lines))),
      el("p", { class: "quiet" }, picks.length > MOST_PICKED ? `The first ${MOST_PICKED} are shown. ` : "", "Values that differ are marked. On the command line: ",
        el("code", { text: `pytest-sweep show ${this.run.name} ${sweep.keys[shownRows[0]].slice(0, 8)} --log` })),
    );
  }

  /** @param {number} row */
  files(row) {
    const folder = this.state.sweep.folders[row];
    if (folder === null) return el("span", { class: "quiet", text: "none" });
    if (this.root === null) return el("span", { text: folder });
    return el("a", { href: `${this.root}/${encodeURIComponent(folder)}/`, text: "folder" });
  }
}
