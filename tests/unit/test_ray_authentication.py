"""When tokens are turned on for Ray."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.cluster.authentication import HINT, turn_on


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "for monkeypatch to restore")
    monkeypatch.delenv("RAY_AUTH_MODE")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))


def test_a_ray_of_our_own_is_closed() -> None:
    """A local Ray is started with tokens, whether there is one already or not."""
    assert turn_on(None) == ""
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_what_the_user_says_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A RAY_AUTH_MODE that is set is not touched."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert turn_on(None) == turn_on("127.0.0.1:6379") == ""
    assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_a_token_is_used_for_a_cluster(tmp_path: Path) -> None:
    """Where there is a token it is used, and the hint says so, since the cluster may want none."""
    (tmp_path / "token").write_text("secret")
    assert turn_on("127.0.0.1:6379") == HINT
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_without_a_token_a_cluster_is_tried_without() -> None:
    """Where there is no token none is used."""
    assert turn_on("127.0.0.1:6379") == ""
    assert "RAY_AUTH_MODE" not in os.environ


def test_a_mode_without_a_token_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tokens are asked for and there is none, the error says where to put it; Ray would end the process."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(
        ExecutorError, match=r"127.0.0.1:6379 wants a token that we do not have: put the cluster's token into"
    ):
        turn_on("127.0.0.1:6379")
