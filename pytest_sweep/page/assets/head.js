"use strict";
// The head of the page: what ran, how it ended, its sweeps; and the bar in which trials are chosen.

/** @param {any} run @param {State | null} state */
function drawHead(run, state) {
  const facts = el("dl", { class: "facts" });
  for (const [name, text] of run.facts) facts.append(el("div", {}, el("dt", { text: name }), el("dd", { text })));
  const versions = Object.entries(run.versions);
  const head = byId("head");
  head.replaceChildren(...[
    el("h1", {}, el("span", { text: run.name }), " ", el("span", { class: `chip status-${run.status.split(" ")[0]}`, text: run.status })),
    facts,
    versions.length
      ? el("details", {}, el("summary", { text: versionsLine(run.versions) }),
          el("ul", { class: "versions" }, ...versions.map(([name, version]) => el("li", { text: `${name} ${version}` }))))
      : null,
    run.remark ? el("p", { class: "note bad", text: run.remark }) : null,
  ].filter((child) => child !== null));
  if (state === null) {
    head.append(el("p", { class: "note", text: run.finished === null ? "This run has no trials yet." : "This run has no trials." }));
    return;
  }
  const list = el("ul", { class: "sweeps", "aria-label": "Sweeps" });
  const draw = () => list.replaceChildren(...state.sweeps.map((sweep) => sweepCard(state, sweep)));
  head.append(list);
  state.on(["sweep", "picks"], draw);
  draw();
}

/** @param {Record<string, string>} versions */
function versionsLine(versions) {
  const first = ["python", "platform", "torch", "jax", "tensorflow", "scikit-learn", "numpy", "ray"].filter((name) => name in versions);
  const more = Object.keys(versions).length - first.length;
  return first.map((name) => `${name} ${versions[name]}`).join(", ") + (more > 0 ? ` and ${counted(more, "more package")}` : "");
}

/** @param {State} state @param {Sweep} sweep */
function sweepCard(state, sweep) {
  const { counts, total, search, scheduler, feasible, notes, average_over: folds } = sweep.stored;
  const states = el("div", { class: "states" });
  for (const [name, count] of Object.entries(counts)) {
    states.append(el("span", { class: "state", colour: stateColour(name), text: `${count.toLocaleString("en")} ${name}` }));
  }
  const bar = el("div", { class: "statebar", "aria-hidden": "true" });
  for (const [name, count] of Object.entries(counts)) bar.append(el("span", { width: `${(100 * count) / total}%`, colour: stateColour(name) }));
  const how = [
    search && `search: ${search}`, scheduler && `scheduler: ${scheduler}`, feasible.length && `feasible: ${feasible.join(" and ")}`,
    folds.length && `averages over ${folds.join(", ")}`,
  ].filter(Boolean).join("; ");
  const isChosen = state.sweep === sweep;
  const title = state.sweeps.length > 1
    ? el("button", { class: "link", "aria-pressed": isChosen, text: sweep.id, click: () => { state.use(sweep); ["sweep", "chosen", "picks", "metric"].forEach((kind) => state.change(kind)); } })
    : el("span", { text: sweep.id });
  return el("li", { class: isChosen ? "sweep chosen" : "sweep" },
    el("h2", {}, title, " ", el("small", { text: counted(total, "trial") })), bar, states,
    bestLine(state, sweep), how ? el("p", { class: "quiet", text: how }) : null,
    ...notes.map((/** @type {string} */ note) => el("p", { class: "note", text: note })),
    sweep.size < total ? el("p", { class: "note", text: `This page has ${counted(sweep.size, "trial")} of ${total.toLocaleString("en")}: the best ones, and others at random.` }) : null);
}

/** @param {State} state @param {Sweep} sweep */
function bestLine(state, sweep) {
  if (!sweep.objectives.length) return el("p", { class: "quiet", text: "The sweep has no metric: nothing is the best." });
  const goals = sweep.objectives.map(([name, mode]) => `${name} (${mode})`).join(" and ");
  if (sweep.objectives.length > 1) {
    const button = el("button", { text: "select them", click: () => { state.picks = sweep.front.slice(0, 20); state.change("picks"); } });
    return el("p", { class: "best" }, `Pareto front of ${goals}: ${frontText(sweep)} that none beats${thatMeet(sweep)} `, state.sweep === sweep && sweep.front.length ? button : null);
  }
  if (!sweep.best) return el("p", { class: "quiet", text: `No trial ended well with a finite value of ${goals}${sweep.stored.feasible.length ? ` and meets ${sweep.stored.feasible.join(" and ")}` : ""}.` });
  const { row, value, trials } = sweep.best;
  const name = trials > 1 ? `${configurationOf(sweep, row)}, the mean of ${counted(trials, "trial")}` : sweep.names[row];
  const button = el("button", { text: state.picks.includes(row) ? "selected" : "select", "aria-pressed": state.picks.includes(row), click: () => state.pick(row) });
  return el("p", { class: "best" }, "Best ", el("strong", { text: `${sweep.objectives[0][0]} = ${shown(numberOf(value))}` }), ` (${sweep.objectives[0][1]}): `,
    el("span", { class: "name", text: name }), " ", state.sweep === sweep ? button : null);
}

/** @param {Sweep} sweep */
function thatMeet(sweep) {
  const { feasible } = sweep.stored;
  return feasible.length ? `, of those that meet ${feasible.join(" and ")}` : "";
}

/** @param {Sweep} sweep */
function frontText(sweep) {
  const { groups, front } = sweep;
  const trials = counted(front.length, "trial");
  return groups ? `${counted(new Set(front.map((row) => groups[row])).size, "configuration")} (${trials})` : trials;
}

/** @param {Sweep} sweep @param {number} row */
function configurationOf(sweep, row) {
  const column = sweep.byName.get("configuration");
  return column && column.has(row) ? column.text(row) : sweep.names[row].replace(/#\d+(?=[\]-])/, "");
}

/** The bar: metric, search, what is chosen. @param {State} state */
function drawBar(state) {
  const metric = el("span", {});
  const search = el("input", {
    type: "search", placeholder: "adam  lr<0.01  state=ERROR", "aria-label": "Search trials: words, or a column, a sign and a value",
    title: "Words of a name, a state, a value or the first digits of a key; or lr<0.01, config/depth=4, state=ERROR. All of them must hold.",
    input: () => { state.query = search.value; state.change("chosen"); },
  });
  const count = el("output", { class: "count", "aria-live": "polite" });
  const unknown = el("output", { class: "bad", "aria-live": "polite" });
  const chips = el("span", { class: "chips" });
  const clear = el("button", { text: "Clear filters", click: () => state.clear() });
  const drawMetric = () => {
    const options = state.sweep.metrics.map((column) => /** @type {[string, string]} */ ([column.name, column.name]));
    if (!state.metric && options.length) options.unshift(["", "none"]);
    metric.replaceChildren(...(options.length ? [choice("Metric", options, state.metric, (value) => { state.metric = value; state.change("metric"); })] : []));
  };
  const drawChosen = () => {
    count.textContent = `${state.chosen.length.toLocaleString("en")} of ${counted(state.sweep.size, "trial")}`;
    unknown.textContent = state.unknown.length ? `There is no column ${state.unknown.join(", ")}` : "";
    clear.hidden = !state.isFiltered;
    chips.replaceChildren(...[...state.brushes].map(([name, brush]) =>
      el("button", { class: "chipped", title: "Remove this filter", "aria-label": `Remove the filter ${brushText(name, brush)}`, text: `${brushText(name, brush)} ×`, click: () => state.brush(name, null) })));
    if (document.activeElement !== search) search.value = state.query;
  };
  state.on(["sweep", "metric"], drawMetric);
  state.on(["sweep", "chosen"], drawChosen);
  state.on(["cleared"], () => { search.value = state.query; });
  byId("bar").replaceChildren(metric, search, count, unknown, chips, clear);
  drawMetric();
  drawChosen();
}

/** @param {string} name @param {Brush} brush */
function brushText(name, brush) {
  if ("words" in brush) return `${name} = ${brush.words.length > 3 ? `${brush.words.slice(0, 3).join(", ")}, …` : brush.words.join(", ")}`;
  return `${name} ${shown(brush.low, 3)} – ${shown(brush.high, 3)}`;
}
