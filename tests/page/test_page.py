"""What the report page does in a browser: brush, sort, search, select, keep it in the URL, dark and narrow, for any run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_sweep.model import Sweep
from pytest_sweep.model.events import TrialReported, TrialStarted
from pytest_sweep.model.study import Objective
from pytest_sweep.page.build import build, write
from tests.support.runs import BEGAN, begin_run, ended, make_run, trial

OpenPage = Callable[..., Any]
HOSTILE = "</script><img src=x onerror=alert(1)><!--"


def brush(opened: Any, axis: int, axes: int, low: float, high: float) -> None:
    """Drag along an axis of the parallel coordinates, from one share of its height to another."""
    opened.page.locator("#parallel canvas").scroll_into_view_if_needed()
    box = opened.page.locator("#parallel canvas").bounding_box()
    x = box["x"] + 48 + axis * (box["width"] - 96) / (axes - 1)
    bottom, height = box["y"] + box["height"] - 34, box["height"] - 68
    opened.page.mouse.move(x, bottom - low * height)
    opened.page.mouse.down()
    opened.page.mouse.move(x, bottom - high * height, steps=4)
    opened.page.mouse.up()


class TestMany:
    def test_it_is_small_and_quick(self, page_of_many: Path, open_page: OpenPage) -> None:
        """A page of 2,000 trials has less than 1.5 MB, and says what it shows."""
        assert page_of_many.stat().st_size < 1.5e6
        opened = open_page(page_of_many)
        assert opened.page.evaluate("performance.now()") < 20_000
        assert "2,000 of 2,000 trials" in opened.text("#bar")
        assert "the median and the ranges of half" in opened.text("#curves")
        assert len(opened.rows(1)) == 100

    def test_brush_search_and_clear(self, page_of_many: Path, open_page: OpenPage) -> None:
        """A brush and words of the search choose trials, in all views and in the URL; a click on the axis removes the brush."""
        opened = open_page(page_of_many)
        brush(opened, 0, 6, 0.3, 0.6)
        opened.page.wait_for_selector(".chipped", timeout=30_000)
        chosen = int(opened.text(".count").split(" of")[0].replace(",", ""))
        assert 400 < chosen < 800
        assert "brush=" in opened.hash()
        assert all(float(text) < 0.03 for text in opened.column("config/lr"))
        opened.page.fill("#bar input[type=search]", "adam config/depth=6")
        opened.until(".count", "of 2,000")
        fewer = int(opened.text(".count").split(" of")[0].replace(",", ""))
        opened.until("#trials caption", f"of {fewer} chosen trial")
        assert 0 < fewer < chosen / 4
        assert set(opened.column("config/optimizer")) == {"adam"}
        assert set(opened.column("config/depth")) == {"6"}
        brush(opened, 0, 6, 0.9, 0.9)
        opened.page.wait_for_selector(".chipped", state="detached", timeout=30_000)
        opened.page.click("text=Clear filters")
        opened.until(".count", "2,000 of 2,000")
        assert opened.hash() == ""

    def test_brush_of_words(self, page_of_many: Path, open_page: OpenPage) -> None:
        """A brush over an axis of words takes those that it covers."""
        opened = open_page(page_of_many)
        brush(opened, 2, 6, 0.9, 1.05)
        opened.until(".chipped", "config/optimizer = sgd")
        opened.until("#trials caption", "chosen trials")
        assert set(opened.column("config/optimizer")) == {"sgd"}

    def test_sort_by_keyboard(self, page_of_many: Path, open_page: OpenPage) -> None:
        """The best come first; Enter on the head of a column sorts by it, and once more the other way, with the focus where it was."""
        opened = open_page(page_of_many)
        losses = [float(text) for text in opened.column("loss")]
        assert losses == sorted(losses)
        button = opened.page.locator("#trials thead button", has_text="config/lr")
        button.focus()
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_selector("#trials th[aria-sort=ascending] >> text=config/lr", timeout=30_000)
        rates = [float(text) for text in opened.column("config/lr")]
        assert rates == sorted(rates)
        opened.page.wait_for_selector("#trials thead button:focus", timeout=30_000)
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_selector("#trials th[aria-sort=descending] >> text=config/lr", timeout=30_000)
        rates = [float(text) for text in opened.column("config/lr")]
        assert rates == sorted(rates, reverse=True)
        assert "sort=-config%2Flr" in opened.hash()

    def test_the_hash_restores_it(self, page_of_many: Path, open_page: OpenPage) -> None:
        """Selection, filters, order, axis and colours are the same in a second page with the same URL, in dark mode and narrow."""
        first = open_page(page_of_many)
        first.page.locator("#trials tbody input").nth(1).focus()
        first.page.keyboard.press("Space")
        first.until("#picked h2", "1 selected trial")
        first.page.fill("#bar input[type=search]", "rmsprop")
        first.page.select_option("#curves .choice:nth-of-type(2) select", "time")
        first.page.locator("#trials thead button", has_text="config/depth").click()
        first.page.wait_for_selector("#trials th[aria-sort=ascending] >> text=config/depth", timeout=30_000)
        second = open_page(page_of_many, first.hash(), width=400, dark=True)
        assert second.hash() == first.hash()
        for selector in (".count", "#picked thead .name", "#trials caption", "#curves-said"):
            assert second.text(selector) == first.text(selector)
        assert second.page.input_value("#bar input[type=search]") == "rmsprop"
        assert second.page.input_value("#curves .choice:nth-of-type(2) select") == "time"
        background = "getComputedStyle(document.body).backgroundColor"
        assert second.page.evaluate(background) != first.page.evaluate(background)

    def test_a_hash_that_makes_no_sense(self, page_of_many: Path, open_page: OpenPage) -> None:
        """What a hash says that is not there is left out."""
        opened = open_page(
            page_of_many,
            "#pick=zz,0&brush=[1]&brush=x&metric=none&sort=-none&columns=3&sweep=%00&slice.x=no&axes=[%22no%22]",
        )
        assert "2,000 of 2,000" in opened.text(".count")

    def test_failures(self, page_of_many: Path, open_page: OpenPage) -> None:
        """Failures are grouped by error; a group shows the whole error, and selects its trials."""
        opened = open_page(page_of_many)
        opened.page.locator("#failures summary").first.click()
        assert "Traceback (most recent call last)" in opened.text("#failures pre >> nth=0")
        opened.page.locator("#failures button", has_text="Show only them").first.click()
        opened.until(".chipped", "name =")
        opened.until("#trials caption", "chosen trials")
        assert set(opened.column("state")) == {"ERROR"}

    def test_the_theme_changes_while_it_is_open(self, page_of_many: Path, open_page: OpenPage) -> None:
        """Pictures are drawn anew where the system turns dark."""
        opened = open_page(page_of_many)
        canvas = "document.querySelector('#curves canvas').toDataURL().length + document.querySelector('#parallel canvas').toDataURL()"
        before = opened.page.evaluate(canvas)
        opened.page.emulate_media(color_scheme="dark")
        for _ in range(50):
            if opened.page.evaluate(canvas) != before:
                break
            opened.page.wait_for_timeout(100)
        assert opened.page.evaluate(canvas) != before


class TestFew:
    def test_everything_is_text_too(self, page_of_few: Path, open_page: OpenPage) -> None:
        """The table is a table with heads and a caption, each picture says what it shows, and each control has a name."""
        opened = open_page(page_of_few)
        page = opened.page
        assert page.locator("#trials table caption").count() == 1
        assert page.locator("#trials thead th[scope=col]").count() > 5
        assert page.locator("#trials tbody th[scope=row]").count() == 45
        labels = page.eval_on_selector_all(
            "canvas", "all => all.map(c => [c.getAttribute('role'), c.getAttribute('aria-label')])"
        )
        assert len(labels) >= 5
        assert all(role == "img" and label for role, label in labels)
        nameless = page.eval_on_selector_all(
            "button, input, select",
            "all => all.filter(e => !(e.textContent || e.ariaLabel || e.closest('label')?.textContent)).length",
        )
        assert nameless == 0
        assert page.eval_on_selector_all("[tabindex]", "all => all.filter(e => e.tabIndex > 0).length") == 0

    def test_against(self, page_of_few: Path, open_page: OpenPage) -> None:
        """With another run the page has the verdict, the pairs, what is new, and what made them."""
        opened = open_page(page_of_few)
        text = opened.text("#against")
        assert "worse" in text
        assert "15 new" in text
        assert "Seed: 0, now 1" in text
        opened.page.locator("#against tbody button").first.click()
        opened.until("#picked h2", "1 selected trial")

    def test_a_click_on_a_curve_selects_it(self, page_of_few: Path, open_page: OpenPage) -> None:
        """The pointer on a learning curve says which trial it is, and a click selects that; a drag zooms in."""
        opened = open_page(page_of_few)
        page = opened.page
        page.locator("#curves .u-over").scroll_into_view_if_needed()
        box = page.locator("#curves .u-over").bounding_box()
        x = box["x"] + box["width"] * 0.5
        for step in range(100):
            page.mouse.move(x, box["y"] + box["height"] * step / 100)
            if page.locator("#tip").is_visible():
                break
        assert "iteration" in opened.text("#tip")
        page.mouse.down()
        page.mouse.up()
        opened.until("#picked h2", "1 selected trial")
        assert "pick=" in opened.hash()

    def test_it_fits(self, page_of_few: Path, open_page: OpenPage) -> None:
        """At 400 pixels nothing is wider than the window."""
        opened = open_page(page_of_few, width=400)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 400


def odd_runs(folder: Path) -> dict[str, Path]:
    """Return runs that pages are seldom made of, by what is odd about them."""
    pareto = Sweep("a.py::t", "t", "loss", "min", objectives=(Objective("loss", "min"), Objective("size", "max")))
    hostile = Sweep(f"a.py::{HOSTILE}", HOSTILE, HOSTILE, "min")
    values = [math.nan, math.inf, -math.inf, 0.5, 10**400, None, "text", True, 1e-300, 1e300]
    wide = {f"p{number}": number for number in range(300)}
    return {
        "empty": make_run(folder, (), trials=[]),
        "one": make_run(folder, [0.5]),
        "no metric": make_run(folder, [{}], trials=[trial(0, Sweep("a.py::t", "t"))]),
        "odd": make_run(folder, [{"loss": value} for value in values] + [None]),
        "nan": make_run(folder, [{"loss": math.nan}] * 5),
        "alike": make_run(folder, [{"loss": 1}] * 30),
        "wide": make_run(folder, [0.5, 0.2, 0.1], trials=[trial(n, config={**wide, "p1": n}) for n in range(3)]),
        "pareto": make_run(folder, [{"loss": n, "size": n % 3} for n in range(9)], trials=[trial(n, pareto) for n in range(9)]),
        "hostile": make_run(
            folder, (), trials=[trial(n, hostile, {HOSTILE: HOSTILE, "n": n}) for n in range(3)], versions={HOSTILE: HOSTILE},
            events=[*ended(trial(0).key, {HOSTILE: 1.0}), *ended(trial(1).key, {HOSTILE: HOSTILE}), *ended(trial(2).key, None)],
        ),
        "not feasible": make_run(
            folder, [{"loss": n, "size": n} for n in range(9)],
            trials=[trial(n, Sweep("a.py::t", "t", "loss", "min", feasible=("size > 5",))) for n in range(9)],
        ),
        "several": make_run(folder, [0.5, {"loss": 1}], trials=[trial(0), trial(1, Sweep("a.py::other", "other", "loss", "max"))]),
    }  # fmt: skip


def test_any_run(tmp_path: Path, open_page: OpenPage) -> None:
    """Whatever a run holds, its page is drawn without an error, in both widths, and what is not there is said."""
    texts = {}
    for number, (name, folder) in enumerate(odd_runs(tmp_path).items()):
        target = tmp_path / f"{name}.html"
        write(build(folder, target=target), target)
        opened = open_page(target, width=400 if number % 2 else 1280)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= (400 if number % 2 else 1280)
        texts[name] = opened.text("body")
        if name == "several":
            opened.page.click(".sweeps button >> text=a.py::other")
            opened.until(".sweep.chosen", "a.py::other")
    assert "This run has no trials." in texts["empty"]
    assert "The sweep has no metric" in texts["no metric"]
    assert "No trial ended well with a finite value" in texts["nan"]
    assert "Pareto front of loss (min) and size (max)" in texts["pareto"]
    assert HOSTILE in texts["hostile"]
    assert "Best loss = 6 (min)" in texts["not feasible"]
    assert "loss by config/lr: 9 trials." in texts["not feasible"]
    assert "Show all 300 parameters" not in texts["wide"]


def test_a_run_that_goes_on(tmp_path: Path, open_page: OpenPage) -> None:
    """Of a run that goes on, the page has what runs and what waits."""
    store = begin_run(tmp_path, [0.5], trials=[trial(number) for number in range(4)])
    key = trial(1).key
    store.record(
        [
            TrialStarted(key, 1, BEGAN, "host:2"),
            *(TrialReported(key, 1, {"loss": 1 / n, "training_iteration": n}) for n in (1, 2)),
        ]
    )
    target = tmp_path / "page.html"
    write(build(store.path, target=target), target)
    store.close()
    text = open_page(target).text("body")
    assert "running" in text
    assert "2 PENDING" in text
    assert "Each line is a trial: 2 learning curves of loss." in text


def test_infeasible_trials(tmp_path: Path, open_page: OpenPage) -> None:
    """They are marked, come last and are found; names in the search may have dots, and one that no column has is said."""
    goals = (Objective("accuracy", "max"), Objective("params", "min"))
    sweep = Sweep("a.py::t", "t", "accuracy", "max", varying=("opt.lr",), objectives=goals, feasible=("params < 5000",))
    values = [{"accuracy": 0.7, "params": 10}, {"accuracy": 0.9, "params": 9000}, {"accuracy": 0.8, "params": 20}]
    trials = [trial(number, sweep, {"opt": {"lr": 10.0**-number}}) for number in range(3)]
    write(build(make_run(tmp_path, values, trials=trials)), tmp_path / "page.html")
    opened = open_page(tmp_path / "page.html")
    search = "#bar input[type=search]"
    assert opened.column("accuracy") == ["0.8", "0.7", "0.9"]
    assert opened.column("feasible") == ["True", "True", "False"]
    assert opened.column("best") == ["True", "True", "False"]
    assert len(opened.page.query_selector_all("#trials tr.infeasible")) == 1
    assert "by accuracy, the highest first, those that are not feasible last" in opened.text("#trials caption")
    assert "2 trials that none beats, of those that meet params < 5000" in opened.text(".best")
    for words, count in (
        ("feasible=True", 2),
        ("opt.lr<0.5", 2),
        ("opt/lr<0.05", 1),
        ("config.opt.lr<0.5 feasible=False", 1),
    ):
        opened.page.fill(search, words)
        opened.until(".count", f"{count} of 3")
        assert "no column" not in opened.text("#bar")
    assert "Pareto front (diamonds)" in opened.text("#slices .legend")
    opened.page.fill(search, "opt.rate<0.5")
    opened.until("#bar", "There is no column opt.rate")
    opened.page.fill(search, "t[lr=1")  # A name may have such a sign in it.
    opened.until(".count", "1 of 3")
    assert "no column" not in opened.text("#bar")
