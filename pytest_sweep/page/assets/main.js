"use strict";
// Opens the data and makes the views, the ones that are seen first before the others.

async function start() {
  const [content, curves] = await Promise.all([unpacked("data"), unpacked("curves-data")]);
  const stored = JSON.parse(new TextDecoder().decode(content));
  byId("data").remove();
  byId("curves-data").remove();
  byId("foot").textContent = `Made ${stored.run.made_text} by pytest-sweep. This file is complete by itself and loads nothing.`;
  if (!stored.sweeps.some((/** @type {any} */ sweep) => sweep.names.length)) {
    drawHead(stored.run, null);
    byId("main").hidden = byId("bar").hidden = true;
    document.body.dataset.ready = "1";
    return;
  }
  const state = new State(stored.sweeps.map((/** @type {any} */ sweep) => new Sweep(sweep, curves)));
  state.read();
  drawHead(stored.run, state);
  drawBar(state);
  const views = [
    () => stored.against && new AgainstView(state, stored.against),
    () => new CurvesView(state),
    () => new ParallelView(state),
    () => new ImportanceView(state),
    () => new SlicesView(state),
    () => new PickedView(state, stored.run, stored.root),
    () => new TableView(state),
    () => new FailuresView(state),
    () => new TimelineView(state, stored.timeline),
  ];
  for (const view of views) view();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const kind of ["theme", "sweep", "chosen"]) state.change(kind);
  });
  addEventListener("hashchange", () => {
    state.read();
    for (const kind of ["sweep", "chosen", "picks", "metric", "view", "cleared"]) state.change(kind);
  });
  addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key === "Escape") tip(null);
    if (event.key !== "/" || isTyping) return;
    event.preventDefault();
    /** @type {HTMLElement | null} */ (document.querySelector("#bar input[type=search]"))?.focus();
  });
  requestAnimationFrame(() => { document.body.dataset.ready = "1"; });
}

start().catch((error) => {
  byId("head").append(el("p", { class: "note bad", text: `This page cannot be shown: ${error}. It needs a browser of 2023 or later.` }));
  document.body.dataset.ready = "error";
  throw error;
});
