"""Which run is meant by a word, the tags, and how the command ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_sweep import list_runs, load_results
from pytest_sweep.cli.main import COMMANDS, main
from pytest_sweep.errors import StoreError
from pytest_sweep.results.tags import Tags
from pytest_sweep.store import DATABASE, RunReader, last_run
from tests.support.runs import BEGAN, begin_run, command, make_run

OLD = Path(__file__).parents[1] / "store_0_1_0" / "2026-11-26_06-12-04_5gnt"


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """Three runs, the newest first."""
    return [make_run(tmp_path, now=BEGAN + 100 * n) for n in (2, 1, 0)]


class TestRuns:
    def test_words(self, tmp_path: Path, three: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
        """A run is found by its name, a part of it, its age, a tag and its path."""
        command("tag", three[2].name, "baseline", results=tmp_path)
        monkeypatch.chdir(tmp_path)
        for word, folder in {
            "last": three[0],
            "last~0": three[0],
            "last~2": three[2],
            three[1].name: three[1],
            three[1].name[-4:]: three[1],
            "baseline": three[2],
            str(three[1]): three[1],
            f"./{three[1].name}": three[1],
            f"{three[1].name}/{DATABASE}": three[1],
        }.items():
            assert command("path", word, results=tmp_path) == (0, f"{folder}\n", ""), word

    def test_a_lost_database(self, tmp_path: Path, three: list[Path]) -> None:
        """No older run is ever taken for one whose database was deleted; one that was killed before it had any is passed over."""
        begun = tmp_path / "9999-01-01_00-00-00_0000"
        begun.mkdir()
        (begun / "nothing_stored").touch()
        assert command("path", results=tmp_path).out == f"{three[0]}\n"
        (three[1] / DATABASE).unlink()
        assert command("path", results=tmp_path).out == f"{three[0]}\n"
        for word in ("last~1", three[1].name, three[1].name[-4:]):
            done = command("path", word, results=tmp_path)
            assert (done.status, done.out) == (3, ""), word
            assert f"the run {three[1].name} has no database any more" in done.err
        assert command("path", three[2].name, results=tmp_path).status == 0
        assert f"the run {three[1].name} has no database any more" in command("ls", results=tmp_path).err

    @pytest.mark.parametrize("how", ["deleted", "emptied", "link"])
    @pytest.mark.parametrize("take", ["command", "load_results", "resume"])
    def test_nothing_is_left_of_the_last_run(self, tmp_path: Path, three: list[Path], how: str, take: str) -> None:
        """A finished run of which nothing is left is an error that names it, for the command, `load_results` and a resume alike."""
        newest, database = three[0], three[0] / DATABASE
        if how == "deleted":
            database.unlink()
        elif how == "emptied":
            database.write_bytes(b"")
        else:
            shutil.rmtree(newest)
            newest.symlink_to(tmp_path / "gone")
        said = "" if take != "command" else command("show", results=tmp_path).err
        if take == "load_results":
            with pytest.raises(StoreError) as caught:
                load_results(dir=tmp_path)
            said = str(caught.value)
        elif take == "resume":
            with pytest.raises(StoreError) as caught:
                RunReader(last_run(tmp_path).folder or tmp_path).run()
            said = str(caught.value)
        assert newest.name in said
        texts = {
            "deleted": "has no database any more",
            "emptied": "nothing of what the run had stored can be read",
            "link": "is a link to",
        }
        assert texts[how] in said
        assert "name the run that is meant" in said

    def test_a_killed_run_without_its_log(self, tmp_path: Path, three: list[Path]) -> None:
        """Where the write-ahead log of a killed run was deleted, one sentence says so, whoever reads the run."""
        (three[0] / DATABASE).write_bytes(b"")
        (three[0] / "running").write_text(
            "process 1 on nowhere, since 2023-11-14 22:13:20 UTC\n           7 transactions\n"
        )
        said = "nothing of what the run had stored can be read: the last 7 of its transactions are lost, since its write-ahead log was"
        for arguments in (["ls"], ["show"], ["compare"], ["export"], ["show", three[0].name]):
            assert said in command(*arguments, results=tmp_path).err, arguments
        assert said in (list_runs(tmp_path)[0].note or "")
        for read in (
            lambda: load_results(dir=tmp_path),
            lambda: RunReader(last_run(tmp_path).folder or tmp_path).run(),
        ):
            with pytest.raises(StoreError, match="the last 7 of its transactions are lost"):
                read()
        assert command("prune", "--keep", "0", "--yes", results=tmp_path).status == 0
        assert three[0].exists()

    def test_without_a_word_it_is_the_last(self, tmp_path: Path, three: list[Path]) -> None:
        """The newest run is the default."""
        assert command("path", results=tmp_path).out == f"{three[0]}\n"

    @pytest.mark.parametrize(
        ("word", "status", "text"),
        [
            ("nix", 3, "there is no run 'nix' in"),
            ("last~3", 3, "there are 3 runs"),
            ("running", 3, "no run in"),
            ("./nix", 3, "there is no run in './nix'"),
            ("20", 2, "3 runs have '20' in their name"),
            ("", 3, "there is no run ''"),
            ("a\0b", 3, "there is no run"),
            ("\x1b[31m", 3, "there is no run"),
        ],
    )
    @pytest.mark.usefixtures("three")
    def test_none_or_several(self, tmp_path: Path, word: str, status: int, text: str) -> None:
        """What names no run ends with 3, what names several with 2; the sentence goes to stderr, without escapes."""
        done = command("path", word, results=tmp_path)
        assert (done.status, done.out) == (status, "")
        assert text in done.err
        assert done.err.rstrip("\n").isprintable()

    def test_running(self, tmp_path: Path) -> None:
        """The run that goes on is found; two of them are not one."""
        make_run(tmp_path)
        store = begin_run(tmp_path, now=BEGAN + 5)
        assert command("path", "running", results=tmp_path).out == f"{store.path}\n"
        other = begin_run(tmp_path, now=BEGAN + 6)
        done = command("path", "running", results=tmp_path)
        assert done.status == 2
        assert store.path.name in done.err
        store.close()
        other.close()

    def test_no_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a folder for results the status is 3, for one that is not there 2."""
        monkeypatch.chdir(tmp_path)
        assert command("ls").status == 3
        assert "--dir" in command("ls").err
        assert command("ls", results=tmp_path / "nix").status == 2
        (tmp_path / "pytest.ini").write_text("[pytest]\nsweep_dir = here\n")
        folder = make_run(tmp_path / "here")
        assert command("path", "last").out == f"{folder}\n"

    def test_damaged_and_other_versions(self, tmp_path: Path) -> None:
        """A run that cannot be read is listed with a note, shown with status 3, and hides no other."""
        good = make_run(tmp_path, now=BEGAN)
        bad = make_run(tmp_path, now=BEGAN + 50)
        (bad / DATABASE).write_bytes(b"no database at all")
        shutil.copytree(OLD, tmp_path / "old")
        done = command("ls", results=tmp_path)
        assert done.status == 0
        assert all(folder.name in done.out for folder in (good, bad, tmp_path / "old"))
        assert "unreadable" in done.out
        assert str(bad) in done.err
        assert command("show", bad.name, results=tmp_path).status == 3
        assert command("show", "old", results=tmp_path).status == 0


class TestTags:
    def test_give_move_and_take_away(self, tmp_path: Path, three: list[Path]) -> None:
        """A tag names one run; giving it to another moves it."""
        assert command("tag", "last", "best", results=tmp_path) == (0, "", f"{three[0].name} is tagged best\n")
        done = command("tag", "last~1", "best", results=tmp_path)
        assert done.err == f"{three[1].name} is tagged best, and {three[0].name} is not any more\n"
        assert command("tag", "--json", results=tmp_path).json["tags"] == [{"tag": "best", "run": three[1].name}]
        assert command("tag", "--delete", "best", results=tmp_path).status == 0
        assert command("tag", "--delete", "best", results=tmp_path).status == 3
        assert command("path", "best", results=tmp_path).status == 3

    def test_a_tag_like_a_name(self, tmp_path: Path, three: list[Path]) -> None:
        """The name of a run cannot be a tag; a tag that is a part of another name goes before that, which is said."""
        for name in (three[1].name, "2026-01-01_00-00-00_aaaa"):
            assert command("tag", "last", name, results=tmp_path).status == 2
        part = three[1].name[-4:]
        assert (
            f"{part} is also a part of the name {three[1].name}" in command("tag", "last", part, results=tmp_path).err
        )
        assert command("path", part, results=tmp_path).out == f"{three[0]}\n"

    @pytest.mark.parametrize(
        "tag", ["last", "last~1", "running", "RUNNING", "a/b", "..", "a b", "\x1b", "", "-x", "a" * 101, "ä"]
    )
    @pytest.mark.usefixtures("three")
    def test_what_cannot_be_a_tag(self, tmp_path: Path, tag: str) -> None:
        """Words that mean something else, and characters that a shell or a terminal takes for others."""
        assert command("tag", "last", "--", tag, results=tmp_path).status == 2

    @pytest.mark.parametrize("text", ["{", "[]", '{"tags": 3}', '{"tags": {"a": 1}}', "\xff"])
    def test_a_damaged_file(self, tmp_path: Path, three: list[Path], text: str) -> None:
        """It is said which file it is; runs can be shown all the same, and a tag is not given."""
        (tmp_path / "tags.json").write_text(text, encoding="latin-1")
        assert "tags.json" in command("tag", results=tmp_path).err
        assert command("tag", "last", "best", results=tmp_path).status == 4
        assert command("show", three[0].name, results=tmp_path).status == 0
        assert three[0].name in command("ls", results=tmp_path).out
        assert command("prune", "--keep", 0, "--yes", results=tmp_path).status == 4
        assert all(folder.is_dir() for folder in three)
        assert (tmp_path / "tags.json").read_text(encoding="latin-1") == text

    @pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes there")
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path, three: list[Path]) -> None:
        """A file of tags that is a named pipe is damaged like any other."""
        os.mkfifo(tmp_path / "tags.json")
        assert command("tag", results=tmp_path).status == 4
        assert three[0].name in command("ls", results=tmp_path).out

    def test_many_at_once(self, tmp_path: Path, three: list[Path]) -> None:
        """Tags that are given at the same time are all there."""
        threads = [threading.Thread(target=Tags(tmp_path).add, args=(f"t{n}", three[0].name)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Tags(tmp_path).of(three[0].name) == sorted(f"t{n}" for n in range(20))

    def test_a_link_is_replaced(self, tmp_path: Path, three: list[Path]) -> None:
        """A file of tags that is a link is not written through."""
        other = tmp_path / "other.json"
        other.write_text('{"tags": {}}')
        (tmp_path / "tags.json").symlink_to(other)
        assert command("tag", three[0].name, "x", results=tmp_path).status == 0
        assert other.read_text() == '{"tags": {}}'
        assert Tags(tmp_path).read() == {"x": three[0].name}

    def test_a_run_that_is_gone(self, tmp_path: Path, three: list[Path]) -> None:
        """A tag of a run that was deleted is listed with a note, and names no run."""
        command("tag", three[0].name, "x", results=tmp_path)
        shutil.rmtree(three[0])
        assert "not there any more" in command("tag", results=tmp_path).out
        assert command("path", "x", results=tmp_path).status == 3


class TestEnds:
    @pytest.mark.parametrize(
        "arguments",
        [
            [], ["nix"], ["ls", "--nix"], ["ls", "--limit", "-1"], ["ls", "--where", "lr ="], ["ls", "--where", "nix > 1"],
            ["ls", "--sort", "nix"], ["ls", "--columns", ","], ["show", "last", "--log"], ["tag", "last"], ["prune"],
            ["prune", "--older-than", "never"], ["export", "--format", "parquet"], ["export", "-o", "x.doc"], ["compare", "--metric", "x"],
        ],
    )  # fmt: skip
    @pytest.mark.usefixtures("three")
    def test_usage(self, tmp_path: Path, arguments: list[str]) -> None:
        """A wrong command line ends with 2, with something on stderr and nothing on stdout."""
        done = command(*arguments, results=tmp_path if arguments else None)
        assert (done.status, done.out) == (2, "")
        assert done.err

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help(self, name: str) -> None:
        """Each sub-command has its help."""
        done = command(name, "--help")
        assert done.status == 0
        assert "--dir" in done.out
        assert name in command("--help").out

    def test_version(self) -> None:
        """The version is that of the package."""
        assert command("--version").out.startswith("pytest-sweep 0.")

    def test_a_defect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What nobody expected is a traceback on stderr and status 4, not the 1 of a comparison."""

        def fail(*_: object) -> int:
            raise ZeroDivisionError

        monkeypatch.setattr("pytest_sweep.cli.main._run", fail)
        done = command("ls")
        assert (done.status, done.out) == (4, "")
        assert "ZeroDivisionError" in done.err

    @pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
    @pytest.mark.parametrize("arguments", [["show", "--json"], ["show", "--limit", "0"], ["export"]])
    def test_a_broken_pipe(self, tmp_path: Path, arguments: list[str]) -> None:
        """Where the reader ends early, as head does, the command ends silently."""
        make_run(tmp_path, [0.5] * 1000)  # More than a pipe holds.
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest_sweep.cli", *arguments, "--dir", str(tmp_path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(60) == 141

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send there")
    def test_ctrl_c(self, tmp_path: Path) -> None:
        """An interrupt ends the command with 130, without a traceback."""
        make_run(tmp_path)
        code = (
            "import os, signal, sys\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "import pytest_sweep.cli.commands.ls as ls\n"
            "ls.run = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"
            "from pytest_sweep.cli.main import main\n"
            "sys.exit(main(sys.argv[1:]))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "ls", "--dir", str(tmp_path)], capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, b"", b"")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is full")
    @pytest.mark.parametrize("arguments", [["ls"], ["export"]])
    def test_a_full_disk(self, tmp_path: Path, arguments: list[str]) -> None:
        """Where stdout cannot be written to, the command fails, and says so."""
        make_run(tmp_path, [0.5] * 100)
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "pytest_sweep.cli", *arguments, "--dir", str(tmp_path)],
                stdout=full, stderr=subprocess.PIPE, timeout=60, check=False,
            )  # fmt: skip
        assert done.returncode == 4
        assert done.stderr.startswith(b"pytest-sweep: the output cannot be written: No space left")


class TestCompletion:
    def complete(self, line: str, folder: Path) -> list[str]:
        """Return what argcomplete offers for a line."""
        output = folder / "completions"
        environ = {
            **os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9", "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(output),
        }  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "pytest_sweep.cli"],
            env=environ,
            cwd=folder,
            timeout=60,
            check=False,
            capture_output=True,
        )
        return [word.strip() for word in output.read_text().split("\n")]

    def test_names(self, tmp_path: Path) -> None:
        """Sub-commands, options, runs, tags and trials are completed."""
        pytest.importorskip("argcomplete")
        folder = make_run(tmp_path / "sweep_results", [0.5])
        Tags(folder.parent).add("baseline", folder.name)
        assert set(COMMANDS) <= set(self.complete("pytest-sweep ", tmp_path))
        assert "--where" in self.complete("pytest-sweep ls --wh", tmp_path)
        assert {"last", "running", "baseline", folder.name} <= set(self.complete("pytest-sweep show ", tmp_path))
        assert self.complete("pytest-sweep show base", tmp_path) == ["baseline"]
        assert any("train" in word for word in self.complete("pytest-sweep show last t", tmp_path))

    def test_no_files(self, tmp_path: Path) -> None:
        """Files and folders are completed only where a path is expected."""
        pytest.importorskip("argcomplete")
        make_run(tmp_path / "sweep_results", [0.5])
        (tmp_path / "afile").touch()
        assert self.complete("pytest-sweep show a", tmp_path) == [""]
        assert self.complete("pytest-sweep ls --where a", tmp_path) == [""]
        assert self.complete("pytest-sweep export -o a", tmp_path) == ["afile"]
        assert self.complete("pytest-sweep show ./", tmp_path) == ["./sweep_results/"]


def test_main_takes_the_streams_of_the_process(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Without streams, stdout and stderr are those of the process."""
    make_run(tmp_path)
    assert main(["ls", "--json", "--dir", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["command"] == "ls"
