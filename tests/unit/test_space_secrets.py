"""Secrets reach the trial and are shown nowhere."""

from __future__ import annotations

import pickle

import cloudpickle
import pytest

from pytest_sweep import secret
from pytest_sweep.space import displayable
from pytest_sweep.space.canonical import identity_text
from pytest_sweep.space.display import shown
from pytest_sweep.space.naming import label_part

PASSWORD = "hunter2-hunter2"


def test_it_shows_its_name() -> None:
    """Whatever is made of a configuration to be read, stored or told apart has the name, and never the text."""
    value = secret(PASSWORD, name="api")
    for text in (
        repr(value),
        str(value),
        f"{value}",
        repr({"token": [value]}),
        str(displayable({"token": value})),
        shown(value),
    ):
        assert "api" in text
        assert PASSWORD not in text
    assert PASSWORD not in label_part("token", value)


def test_it_reaches_the_trial() -> None:
    """The text is there for who asks for it, in another process too."""
    assert pickle.loads(pickle.dumps(secret(PASSWORD))).get_secret_value() == PASSWORD
    assert cloudpickle.loads(cloudpickle.dumps(secret(PASSWORD))) == secret(PASSWORD)


def test_its_name_is_its_identity() -> None:
    """A changed password is the same trial; secrets of other names are other trials."""
    assert identity_text({"token": secret("a", "x")}) == identity_text({"token": secret("b", "x")})
    assert identity_text(secret("a", "x")) != identity_text(secret("a", "y"))


def test_equality() -> None:
    """Secrets are equal if their texts are, and equal to no plain text."""
    assert secret("a", "x") == secret("a", "y")
    assert secret("a") != secret("b")
    assert secret("a") != "a"
    assert len({secret("a"), secret("a"), secret("b")}) == 2


@pytest.mark.parametrize("value", [5, None, b"x"])
def test_what_is_no_secret(value: object) -> None:
    """Only texts can be secret: others would have to be shown somehow."""
    with pytest.raises(TypeError, match="takes two texts"):
        secret(value)  # type: ignore[arg-type]
