"use strict";
// Failed trials, grouped by the last line of their errors.

const MOST_GROUPS = 20;

class FailuresView {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.all = false;
    state.on(["sweep"], () => { this.all = false; this.draw(); });
    this.draw();
  }

  draw() {
    const { state } = this;
    const { failures, names } = state.sweep;
    const section = byId("failures");
    section.hidden = !failures.length;
    if (!failures.length) return;
    const count = failures.reduce((sum, group) => sum + group.rows.length, 0);
    const groups = failures.slice(0, this.all ? failures.length : MOST_GROUPS).map((group) => el("li", {},
      el("details", {},
        el("summary", {}, el("span", { class: "count bad", text: group.rows.length.toLocaleString("en") }), " ", el("span", { class: "reason", text: group.reason })),
        el("pre", { text: group.text || "It left no message." }),
        el("p", { class: "quiet" }, group.rows.length === 1 ? "In " : "First in ", el("span", { class: "name", text: names[group.rows[0]] })),
        el("button", { text: group.rows.length > 20 ? "Select the first 20" : group.rows.length === 1 ? "Select it" : "Select them", click: () => { state.picks = group.rows.slice(0, 20); state.change("picks"); } }), " ",
        this.button(group))));
    section.replaceChildren(el("h2", { id: "failures-title", text: `Failures: ${counted(count, "trial")} for ${counted(failures.length, "reason")}` }), el("ul", { class: "failures" }, ...groups),
      failures.length > MOST_GROUPS ? el("button", { text: this.all ? "Show fewer" : `Show all ${failures.length} reasons`, click: () => { this.all = !this.all; this.draw(); } }) : "");
  }

  /** @param {{rows: number[]}} group */
  button(group) {
    const names = group.rows.map((row) => this.state.sweep.names[row]);
    return el("button", { text: "Show only them", hidden: group.rows.length > 500, click: () => { this.state.brush("name", { words: names }); byId("trials").scrollIntoView(); } });
  }
}
