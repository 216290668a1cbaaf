"""How a change of a sweep's code is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_sweep.model.code import Used
from pytest_sweep.model.source import FixtureSource, Source

SWEEP = "test_models.py::TestIt::train"
FIXTURE = {"data": FixtureSource("d", "conftest.py")}
OLD = Source("f", "m", {"a": FixtureSource("1")})
"""As 0.1.0 has stored it."""


def source(function: str = "f", *, packages: Mapping[str, str] | None = None, **files: str | None) -> Source:
    """Return a source whose files are ``test_models.py`` and `files`."""
    named = {"test_models.py": "m", **{f"{name}.py": digest for name, digest in files.items()}}
    return Source(function, "test_models.py", FIXTURE, named, {"python": "3.11.7", **(packages or {})})


class Today:
    """What the files say today that today's sweep is not known to use."""

    def file(self, key: str, like: str) -> str | None:
        """Know two files, one of them in part."""
        return {"lazy.py": "l", "conftest.py": "rest:c" if like.startswith("rest:") else "c"}.get(key)

    def fixture(self, name: str) -> FixtureSource | None:
        """Know a fixture."""
        return FixtureSource("d", "conftest.py") if name == "dyn" else None

    def of_version_0_1(self) -> Source:
        """Return the same code as 0.1.0 has seen it."""
        return OLD


class TestChanges:
    @pytest.mark.parametrize(
        ("then", "now", "changes"),
        [
            (source(), source(), []),
            (source(helper="h"), source(helper="H"), ["helper.py has changed"]),
            (source("f"), source("F", test_models="M"), [f"{SWEEP} has changed"]),
            (source(), source(test_models="M"), ["test_models.py has changed"]),
            (source(), source(new="n"), ["new.py is new"]),
            (source(old="o"), source(), ["old.py is gone"]),
            (source(edited=None), source(edited="e"), ["edited.py was edited while it ran, so that its source then is not known"]),
            (source(gone="g"), source(gone=None), ["gone.py is gone"]),
            (source(a="1", b="1"), source(a="2", b="2"), ["a.py has changed", "b.py has changed"]),
            (source(packages={"numpy": "1.0"}), source(packages={"numpy": "2.0"}), ["numpy 1.0 is now 2.0"]),
            (source(), source(packages={"numpy": "2.0"}), ["numpy 2.0 is new"]),
            (source(packages={"numpy": "2.0"}), source(), ["numpy 2.0 is gone"]),
            (source(), source(packages={"python": "3.13.0"}, other="x"), ["Python 3.11.7 is now 3.13.0"]),
            (source(), replace(source(), function=None), [f"the source of {SWEEP} is not known"]),
            (Source.of(None), source(), [f"the source of {SWEEP} is not known"]),
        ],
    )  # fmt: skip
    def test_they_are_named(self, then: Source, now: Source, changes: list[str]) -> None:
        """Each change is named for what it is; what is not known is no match, not even of itself."""
        assert now.changes_since(then, SWEEP) == changes

    @pytest.mark.parametrize(
        ("then", "now", "changes"),
        [
            ({"a": ("2", "conftest.py")}, {"a": ("2", "conftest.py")}, []),
            ({"a": ("1", "conftest.py")}, {"a": ("2", "conftest.py")}, ["the fixture a in conftest.py has changed"]),
            ({"a": ("1", "b/conftest.py")}, {"a": ("1", "conftest.py")}, ["the fixture a is now in conftest.py"]),
            ({"a": ("1", "conftest.py")}, {"b": ("1", "conftest.py")}, ["the fixture a is gone", "the fixture b is new"]),
            ({"a": (None, "")}, {"a": (None, "")}, ["the source of the fixture a is not known"]),
        ],
    )  # fmt: skip
    def test_fixtures(
        self,
        then: dict[str, tuple[str | None, str]],
        now: dict[str, tuple[str | None, str]],
        changes: list[str],
    ) -> None:
        """A fixture is named with the file that it is in."""
        one, two = (
            replace(source(), fixtures={name: FixtureSource(*values) for name, values in its.items()})
            for its in (then, now)
        )
        assert two.changes_since(one, SWEEP) == changes

    @pytest.mark.parametrize(
        ("used", "changes"),
        [
            (Used((("lazy.py", "l"),)), []),
            (Used((("lazy.py", "L"),)), ["lazy.py has changed"]),
            (Used((("absent.py", "a"),)), ["absent.py is gone"]),
            (Used((("conftest.py", "rest:c"),)), []),
            (Used((("conftest.py", "c"),)), []),
            (Used((("conftest.py", "rest:x"),)), ["conftest.py has changed"]),
            (Used((), (("dyn", "d", "conftest.py"),)), []),
            (Used((), (("dyn", "D", "conftest.py"),)), ["the fixture dyn in conftest.py has changed"]),
            (Used((), (("lost", "l", "conftest.py"),)), ["the fixture lost is gone"]),
        ],
    )
    def test_what_a_trial_has_used_is_read_today(self, used: Used, changes: list[str]) -> None:
        """What a trial has used beyond what is known of its sweep is compared with what it says today."""
        now = replace(source(), today=Today())
        assert now.changes_since(source().with_used(used), SWEEP) == changes

    @pytest.mark.parametrize(
        ("then", "changes"),
        [
            (OLD, []),
            (Source("F", "M", OLD.fixtures), [f"{SWEEP} has changed"]),
            (Source("f", "M", OLD.fixtures), ["test_models.py has changed"]),
            (Source("f", "m", {"a": FixtureSource("2")}), ["the fixture a or its file has changed"]),
        ],
    )
    def test_version_0_1(self, then: Source, changes: list[str]) -> None:
        """What 0.1.0 has stored is compared as 0.1.0 did it."""
        assert then.is_partial
        assert replace(source(), today=Today()).changes_since(then, SWEEP) == changes

    def test_what_is_compared(self) -> None:
        """It is said in words: function, module, files, fixtures and packages."""
        many: dict[str, str | None] = {f"f{number:02}": "x" for number in range(12)}
        assert source().compared(SWEEP) == "function, module test_models.py, fixture data, Python 3.11.7"
        text = replace(source(), files={f"{name}.py": digest for name, digest in many.items()}).compared(SWEEP)
        assert text.startswith("function, module test_models.py, files f00.py, f01.py,")
        assert "f07.py, and 4 more, fixture data" in text

    def test_stored_and_read(self) -> None:
        """It comes back as it was, also from what 0.1.0 has stored."""
        now = source(helper=None)
        assert Source.of(now.as_dict()) == now
        assert Source.of({"function": "f", "module": "m", "fixtures": {"a": "1"}}) == OLD
