"""What travels is weighed, packed and announced."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.code.archive import check_size, largest_parts, pack
from pytest_sweep.executors.ray.code.files import Selection, ShippedFile
from pytest_sweep.executors.ray.code.shipping import CodeShipping
from pytest_sweep.executors.ray.options import CodeOptions
from pytest_sweep.model.events import Node
from pytest_sweep.model.resources import Resources

MB = 2**20


def files(**sizes: int) -> list[ShippedFile]:
    """Return files of so many MiB; ``__`` in a name is a slash."""
    return [ShippedFile(name.replace("__", "/"), size * MB) for name, size in sizes.items()]


class TestSize:
    def test_below_the_limit(self) -> None:
        """The sum of all sizes is returned."""
        assert check_size(files(a=1, b__c=2), 3 * MB, "why") == 3 * MB

    def test_above_the_limit(self) -> None:
        """The error says why it must travel, how large it is, what the limit is, which folders are the largest, and what to do."""
        with pytest.raises(ExecutorError) as raised:
            check_size(
                files(data__raw__a=200, data__raw__b=112, data__c=1, weights__d=90, e=1), 100 * MB, "10.0.0.2 is blind"
            )
        assert str(raised.value) == (
            "10.0.0.2 is blind, and a copy of it would have 404 MiB in 5 files; --sweep-code-limit is 100 MiB. The largest: data/raw/ "
            "(312 MiB), weights/ (90 MiB), e (1.0 MiB). Name in .gitignore or .rayignore what trials do not read, or raise the limit, or "
            "share the folder with all nodes"
        )

    def test_a_folder_of_many_parts_is_named_itself(self) -> None:
        """Where a folder's size is spread over what is in it, it is the folder that is named."""
        assert largest_parts(files(data__a__x=10, data__b__x=10, c=5)) == [("data/", 20 * MB), ("c", 5 * MB)]

    def test_five_are_named(self) -> None:
        """The largest five are named, no more."""
        assert [name for name, _ in largest_parts(files(a=1, b=2, c=3, d=4, e=5, f=6))] == ["f", "e", "d", "c", "b"]


class TestPacking:
    def test_contents_and_permissions(self, tmp_path: Path) -> None:
        """An archive has the files' bytes and whether they can be executed, and nothing that changes by itself."""
        root = tmp_path / "root"
        root.mkdir()
        (root / "run.sh").write_bytes(b"echo")
        (root / "run.sh").chmod(0o755)
        (root / "data.bin").write_bytes(bytes(3 * MB))
        first, second = tmp_path / "1.zip", tmp_path / "2.zip"
        pack(root, Selection(root).files(), first)
        (root / "run.sh").touch()
        pack(root, Selection(root).files(), second)
        assert first.read_bytes() == second.read_bytes()
        with zipfile.ZipFile(first) as archive:
            assert archive.read("data.bin") == bytes(3 * MB)
            assert stat.S_IMODE(archive.getinfo("run.sh").external_attr >> 16) == 0o755


class TestCourier:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """A rootdir with a test and results."""
        root = tmp_path / "project"
        (root / "sweep_results").mkdir(parents=True)
        (root / "sweep_results" / "run.db").write_text("x" * 5000)
        (root / "test_a.py").write_text("x" * 2048)
        return root

    @staticmethod
    def shipping(root: Path, limit: int = MB) -> CodeShipping:
        """Return one for this rootdir."""
        return CodeShipping(CodeOptions(root, root / "sweep_results", limit=limit))

    def test_a_copy_for_the_blind(self, root: Path) -> None:
        """The archive has the code without results; the note says how much went where; workers are told; nothing is left in the end."""
        shipping = self.shipping(root)
        shipping.find_blind([Node("a", "10.0.0.1", Resources())], "a")
        archive = Path(shipping.pack(["10.0.0.2"]))
        with zipfile.ZipFile(archive) as opened:
            assert opened.namelist() == ["test_a.py"]
        assert shipping.note == f"code: 2.0 KiB in 1 file shipped to 10.0.0.2, where {root} is not seen"
        assert (shipping.code.root, shipping.code.copied) == (str(root), str(root))
        shipping.close()
        assert not archive.exists()
        assert sorted(path.name for path in (root / "sweep_results").iterdir()) == ["run.db"]

    def test_the_sign(self, root: Path) -> None:
        """While it works there is a file by which workers know the rootdir, in the folder for results, made where that is absent."""
        (root / "sweep_results" / "run.db").unlink()
        (root / "sweep_results").rmdir()
        shipping = self.shipping(root)
        assert shipping.find_blind([Node("a", "10.0.0.1", Resources())], "a") == []
        assert shipping.code.is_seen()
        assert len(list((root / "sweep_results").iterdir())) == 1
        shipping.close()
        assert not shipping.code.is_seen()
        assert not (root / "sweep_results").exists()

    def test_over_the_limit(self, root: Path) -> None:
        """What is too large is refused with the nodes that want it."""
        shipping = self.shipping(root, limit=1024)
        with pytest.raises(ExecutorError) as raised:
            shipping.pack(["10.0.0.2", "10.0.0.3"])
        shipping.close()
        assert str(raised.value).startswith("10.0.0.2, 10.0.0.3 of the cluster's nodes do not see ")
        assert "--sweep-code-limit is 1.0 KiB" in str(raised.value)

    def test_a_copy_of_the_job(self, root: Path) -> None:
        """Within ``ray job submit --working-dir`` the job's own copy is used, of the folder that has its name."""
        copy = root.parent / "_ray_pkg_1234"
        (copy / "ml").mkdir(parents=True)
        shipping = self.shipping(copy / "ml")
        shipping.rely_on("gcs://_ray_pkg_1234.zip", ["10.0.0.2"])
        assert (shipping.code.root, shipping.code.copied) == (str(copy / "ml"), str(copy))
        assert "the job's working_dir is used on 10.0.0.2" in shipping.note
