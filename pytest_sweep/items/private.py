"""All private names of pytest in use, each with what it is for. No other module may use one.

pytest has no public way to do these things. When a new pytest drops a name, ``tests/unit/test_items_private.py`` says which one, and
what it was needed for.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

import pytest
from _pytest.config import create_terminal_writer
from _pytest.debugging import pytestPDB
from _pytest.fixtures import FuncFixtureInfo
from _pytest.junitxml import xml_key
from _pytest.skipping import evaluate_skip_marks
from _pytest.warnings import catch_warnings_for_item

ATTRIBUTES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "pytest.Module": {
            "_genfunctions": "generate the items of a function whose name does not match python_functions"
        },
        "pytest.Function": {
            "_fixtureinfo": "know which fixtures an item uses",
            "_request": "know which fixtures an item has asked for while it ran",
        },
        "pytest.Metafunc": {"_calls": "give a trial the driver's values of a stacked parametrize"},
        "FixtureDef": {"_finalizers": "know whether a fixture has something to tear down"},
        "callspec": {"_idlist": "give a trial the driver's id, and tell its parts"},
        "pytest.FixtureRequest": {"_pyfuncitem": "know the item that a fixture is set up for"},
        "pytest.Session": {
            "_fixturemanager": "find the shared fixtures of a session",
            "_setupstate": "tear fixtures down when the next item does not share them",
        },
        "pytest.Config": {"_tmp_path_factory": "know the folder for temporary folders"},
        "pytest.Cache": {"_cachedir": "leave pytest's cache behind when code is shipped to nodes"},
        "terminal reporter": {"_tw": "silence the terminal of a worker's session"},
        "terminal writer": {"_file": "erase the lines below pytest's output before it is written to"},
        "logging plugin": {
            "_log_cli_enabled": "send live logs to the driver",
            "log_cli_handler": "send live logs to the driver",
            "log_file_handler": "send what is for --log-file to the driver",
            "report_handler": "keep the log of a trial whose process dies",
        },
        "capture manager": {"_global_capturing": "keep the output of a trial whose process dies"},
        "pytest.Item": {
            "_report_sections": "keep the output of a trial that is interrupted, and forget that of one that has been reported"
        },
        "pytest.TestReport": {"_to_json": "make reports for a fake executor as a worker would"},
        "lfplugin": {"lastfailed": "keep a failure for --lf where the trial is cut off later"},
        "pytestPDB": {"_init_pdb": "stop at the first line of a body, for --trace"},
    }
)
"""The private attributes by the object that has them, each with what we need it to do."""


def generate_functions(
    collector: pytest.Module | pytest.Class, name: str, function: Callable[..., Any]
) -> list[pytest.Function]:
    """Return the items of `function`, whatever its name, through ``pytest_generate_tests`` as for any test."""
    return list(collector._genfunctions(name, function))


def calls(metafunc: pytest.Metafunc) -> list[Any]:
    """Return the calls that a function is parametrized with by now; each has ``params``, ``marks`` and ``id``."""
    return list(metafunc._calls)


def set_calls(metafunc: pytest.Metafunc, chosen: Sequence[Any]) -> None:
    """Parametrize a function with these calls, and no others."""
    metafunc._calls[:] = chosen


def changed_call(call: Any, ident: str, params: Mapping[str, Any]) -> Any:
    """Return a call with another id, and with other values of `params`."""
    return dataclasses.replace(
        call, params={**call.params, **params}, indices=dict(call.indices), _idlist=[ident], marks=list(call.marks)
    )


def id_parts(item: pytest.Function) -> list[str]:
    """Return the parts of an item's id, one for each time that its function is parametrized."""
    return list(item.callspec._idlist)


def add_suite_property(config: pytest.Config, name: str, value: str) -> None:
    """Add a property of the whole test suite to the junit file, if one is written."""
    xml = config.stash.get(xml_key, None)
    if xml is not None:
        xml.add_global_property(name, value)


def fixture_info(item: pytest.Function) -> FuncFixtureInfo:
    """Return which fixtures an item uses, and what their names stand for."""
    return item._fixtureinfo


def request_of(item: pytest.Function) -> pytest.FixtureRequest:
    """Return the request of an item that runs."""
    request: pytest.FixtureRequest = item._request
    return request


def asked_fixtures(request: pytest.FixtureRequest) -> list[str]:
    """Return the names of the fixtures that were asked for while an item ran, with ``getfixturevalue``."""
    # Those that were known beforehand come first.
    return request.fixturenames[len(request._pyfuncitem.fixturenames) :]


def lone_fixture_info(name: str, chain: Sequence[pytest.FixtureDef[Any]]) -> FuncFixtureInfo:
    """Return the fixtures of an item that uses the fixture `name` and no other, not those with autouse either."""
    return FuncFixtureInfo((name,), (name,), [name], {name: chain})


def fixture_chain(node: pytest.Module | pytest.Class | pytest.Function, name: str) -> list[pytest.FixtureDef[Any]]:
    """Return the fixtures of this name that `node` sees, the one that counts last."""
    return list(node.session._fixturemanager.getfixturedefs(name, node) or ())


def fixture_definitions(session: pytest.Session) -> list[pytest.FixtureDef[Any]]:
    """Return all fixtures that a session knows."""
    manager: Any = session._fixturemanager
    if hasattr(manager, "_get_all_fixture_defs"):
        return list(manager._get_all_fixture_defs())
    return [one for several in manager._arg2fixturedefs.values() for one in several]  # Before pytest 9.1.


def count_finalizers(definition: pytest.FixtureDef[Any]) -> int:
    """Return how many things are to be done when a fixture is torn down."""
    return len(definition._finalizers)


def tear_down_to(session: pytest.Session, item: pytest.Item | None) -> None:
    """Tear down what `item`, the next one, does not need; all if it is None."""
    session._setupstate.teardown_exact(item)


def recorded_warnings(item: pytest.Item) -> AbstractContextManager[None]:
    """Return a context in which warnings are recorded as those of `item`."""
    return catch_warnings_for_item(config=item.config, ihook=item.ihook, when="runtest", item=item)


def is_skipped_by_marks(item: pytest.Item) -> bool:
    """Say whether the marks ``skip`` and ``skipif`` skip an item now; a condition that is an error does not: the item shows it."""
    try:
        return evaluate_skip_marks(item) is not None
    except pytest.fail.Exception:
        return False


@contextmanager
def keeping_failures(config: pytest.Config) -> Iterator[None]:
    """Let reports in the block take nothing off what ``--lf`` will run."""
    plugin = config.pluginmanager.get_plugin("lfplugin")  # Not there with -p no:cacheprovider.
    before = {} if plugin is None else dict(plugin.lastfailed)
    yield
    if plugin is not None:
        plugin.lastfailed.update(before)


def temporary_root(config: pytest.Config) -> Path:
    """Return the folder in which the temporary folders of a session are, which is made if it is not there."""
    root: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    return root


def cache_folder(config: pytest.Config) -> Path | None:
    """Return the folder of pytest's cache; None with ``-p no:cacheprovider``."""
    cache: pytest.Cache | None = getattr(config, "cache", None)
    return None if cache is None else Path(cache._cachedir)


def terminal_writer(config: pytest.Config, file: TextIO) -> Any:
    """Return a writer of terminal text into `file`, as the configuration wants it."""
    return create_terminal_writer(config, file)


def set_terminal(reporter: Any, config: pytest.Config, file: TextIO) -> None:
    """Have a terminal reporter write into `file`."""
    reporter._tw = terminal_writer(config, file)


def writer_file(writer: Any) -> Any:
    """Return the file that a terminal writer writes into."""
    return writer._file


def set_writer_file(writer: Any, file: Any) -> None:
    """Have a terminal writer write into `file`."""
    writer._file = file


def set_live_log(plugin: Any, stream: object) -> None:
    """Have pytest's logging plugin write live logs (``log_cli``) into `stream`, where they are turned on."""
    if plugin._log_cli_enabled():
        plugin.log_cli_handler.stream = stream


def set_log_file(plugin: Any, stream: Any) -> None:
    """Have pytest's logging plugin write what is for ``--log-file`` into `stream`, and close the file it has opened."""
    plugin.log_file_handler.setStream(stream).close()


def write_log_file(plugin: Any, text: str) -> None:
    """Write formatted text into the file of ``--log-file``."""
    plugin.log_file_handler.stream.write(text)
    plugin.log_file_handler.flush()


def capture_in_files(manager: Any, stdout: int, stderr: int) -> None:
    """Have pytest's capture keep the output in these files, in the place of its own files or of memory; not with ``-s``."""
    capturing = manager._global_capturing
    for capture, descriptor in ((capturing.out, stdout), (capturing.err, stderr)):
        kept = getattr(capture, "tmpfile", None)
        if kept is None:
            continue
        if not hasattr(capture, "targetfd_save"):  # --capture=sys and tee-sys
            _copy_writes(kept, descriptor)
            continue
        os.dup2(descriptor, kept.fileno(), inheritable=False)
        if capture._state == "started":
            os.dup2(descriptor, capture.targetfd)


def _copy_writes(stream: Any, descriptor: int) -> None:
    """Have what is written to a stream written to a file, too, which is emptied with the stream."""
    write, truncate = stream.write, stream.truncate

    def write_both(text: str) -> Any:
        with suppress(OSError, TypeError, AttributeError):
            os.write(descriptor, text.encode("utf-8", "backslashreplace"))
        return write(text)

    def truncate_both(*size: int) -> Any:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
        return truncate(*size)

    stream.write, stream.truncate = write_both, truncate_both


def collect_log_in(plugin: Any, made: Callable[[], StringIO]) -> None:
    """Have pytest's logging plugin collect the log of each phase of an item in a stream that `made` returns."""
    handler = plugin.report_handler
    reset = handler.reset

    def reset_to_ours() -> None:
        reset()
        handler.stream = made()

    handler.reset = reset_to_ours


def captured_sections(item: pytest.Item) -> list[tuple[str, str]]:
    """Return what was captured of an item so far, of the phases that have ended or were left by an exception: names and contents."""
    return [(f"Captured {name} {when}", content) for when, name, content in item._report_sections]


def forget_sections(item: pytest.Item) -> None:
    """Forget what was captured of an item: its reports have it, and the item may live as long as the session."""
    item._report_sections.clear()


def report_as_data(report: pytest.TestReport) -> dict[str, Any]:
    """Return a report as pytest serializes it, without the hook that needs a configuration."""
    return {**report._to_json(), "$report_type": "TestReport"}


def call_in_debugger(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call `function` in pytest's debugger, which stops at its first line."""
    return pytestPDB._init_pdb("runcall").runcall(function, **arguments)  # type: ignore[no-untyped-call]
