"""Sees to it that workers on any node have the driver's code. Lives in the conductor's thread; asks Ray only through `sharing`."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.code.archive import check_size, pack
from pytest_sweep.executors.ray.code.files import Selection
from pytest_sweep.executors.ray.code.visibility import ask_nodes, temporary_sign
from pytest_sweep.executors.ray.options import CodeOptions
from pytest_sweep.model.events import Node
from pytest_sweep.sizes import size_words
from pytest_sweep.wire.code import Code, Sign

ANSWER_SECONDS = 60.0
"""How long nodes may take to say whether they see the rootdir: a process must start there, on a busy node in half a minute."""


class CodeShipping:
    """Leaves a sign in the rootdir, asks the nodes whether they see it, and packs a copy for those that do not.

    The sign stays there as long as the run lasts: workers look for it themselves, on nodes that join later, too.

    Args:
        options: what may be shipped.

    Attributes:
        code: what workers are to be told.
        note: what people are to be told; "" where there is nothing to tell.
    """

    def __init__(self, options: CodeOptions) -> None:
        self.note = ""
        self._options = options
        self._leftovers = contextlib.ExitStack()
        self._blind: list[str] = []
        self._silent: list[str] = []
        self.code = Code(str(options.root))

    def find_blind(self, nodes: Sequence[Node], own: str) -> list[str]:
        """Leave the sign and return the addresses of the nodes that do not see it; those that do not answer count as such.

        Args:
            nodes: of the cluster.
            own: the id of the driver's own, which is not asked: a busy one might not answer in time.
        """
        sign = self._leave_sign()
        self.code = Code(str(self._options.root), sign)
        others = [node for node in nodes if node.id != own]
        if sign is None or not others:
            return []
        blind, silent = ask_nodes(others, sign, ANSWER_SECONDS)
        self._silent = sorted({node.address for node in silent})
        self._blind = sorted({node.address for node in (*blind, *silent)})
        return self._blind

    def known_blind(self, folder: Path) -> Sequence[str] | None:
        """Return the addresses of the nodes that do not see `folder`, if they have been asked; None where they have not."""
        sign = self.code.sign
        return self._blind if sign is not None and Path(sign.path).parent == folder else None

    def pack(self, blind: Sequence[str]) -> str:
        """Return the path of an archive with all that travels to the nodes at these addresses; it is there until `close`.

        Raises:
            ExecutorError: it is too large, or cannot be read.
        """
        root = self._options.root
        who = ", ".join(blind)
        why = f"{who} of the cluster's nodes {'does' if len(blind) == 1 else 'do'} not see {root}"
        if self._silent:
            why += f" ({', '.join(self._silent)} did not answer within {ANSWER_SECONDS:g} s)"
        selection = Selection(root, (self._options.results, *self._options.left_out), self._options.include)
        target = Path(self._leftovers.enter_context(tempfile.TemporaryDirectory(prefix="pytest-sweep-")), "code.zip")
        try:
            files = selection.files()
            size = check_size(files, self._options.limit, why)
            pack(root, files, target)
        except (OSError, UnicodeError) as error:
            raise ExecutorError(f"{why}, and it cannot be copied: {error}") from error
        self._tell(f"{size_words(size)} in {len(files)} file{'' if len(files) == 1 else 's'} shipped to {who}", root)
        self.code = Code(str(root), self.code.sign, str(root))
        return str(target)

    def rely_on(self, package: str, blind: Sequence[str]) -> None:
        """Take note that Ray gives all workers a copy already, of a folder that somebody else has packed as `package`.

        So it is with ``ray job submit --working-dir``: the driver itself runs in such a copy, which has the package's name.
        """
        root = self._options.root
        name = package.rpartition("/")[2].partition(".")[0]
        folder = next((folder for folder in (root, *root.parents) if folder.name == name), root)
        self._tell(f"the job's working_dir is used on {', '.join(blind)}", root)
        self.code = Code(str(root), self.code.sign, str(folder))

    def close(self) -> None:
        """Remove the sign and the archive."""
        self._leftovers.close()

    def _tell(self, what: str, root: Path) -> None:
        self.note = f"code: {what}, where {root} is not seen"

    def _leave_sign(self) -> Sign | None:
        root, results = self._options.root, self._options.results
        for folder in (results, root) if results.resolve().is_relative_to(root.resolve()) else (root,):
            if not folder.exists():
                self._leftovers.callback(_remove_empty, folder)
            with contextlib.suppress(OSError):
                return self._leftovers.enter_context(temporary_sign(folder))
        # Nothing can be written there: a file of the user's must do, which nobody will change then.
        with contextlib.suppress(OSError, StopIteration):
            return Sign.of(str(next(path for path in sorted(root.rglob("*.py")) if path.is_file())))
        return None


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # It is not empty, as it should be.
        folder.rmdir()
