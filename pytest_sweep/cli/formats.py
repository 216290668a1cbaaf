"""The formats of exported files: csv, jsonl, parquet. Each writes rows of the same columns, one at a time."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from pytest_sweep.cli.strict_json import NAN, json_line, strict
from pytest_sweep.errors import MissingExtraError
from pytest_sweep.model.exact_json import MOST_BITS
from pytest_sweep.model.metrics import free_name

Row = Mapping[str, Any]

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""The format that is meant by the end of a file's name."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How texts begin that a spreadsheet may take for a formula, and run."""

_BATCH = 10_000


def write_csv(out: TextIO, columns: Sequence[str], rows: Iterable[Row], *, raw: bool = False) -> None:
    """Write rows as csv, the names of the columns first.

    None is an empty cell; lists and dicts are JSON; other numbers than finite ones are ``nan``, ``inf``, ``-inf``, as pandas reads them.

    Args:
        out: where to.
        columns: the names of the columns.
        rows: the rows.
        raw: whether texts that a spreadsheet may take for a formula are left as they are; else they get an apostrophe before them.
    """
    plain = csv.writer(out, lineterminator="\n")
    # A carriage return alone is not quoted by Python, and ends a line for whoever reads it.
    quoting = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for values in itertools.chain([columns], ([row.get(column) for column in columns] for row in rows)):
        cells = [_csv_cell(value, raw) for value in values]
        (quoting if any("\r" in cell for cell in cells) else plain).writerow(cells)


def write_jsonl(out: TextIO, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows as JSON, one a line. Numbers that JSON has not are null, and an entry ``nan`` says where they are."""
    nan = free_name(NAN, columns, "trial/")
    out.writelines(f"{json_line({column: row.get(column) for column in columns}, nan)}\n" for row in rows)


def write_parquet(path: Path, columns: Sequence[str], rows: Callable[[], Iterable[Row]]) -> None:
    """Write rows as a Parquet file. Columns of numbers and of booleans have their type; all others are texts, lists and dicts JSON.

    Args:
        path: where to.
        columns: the names of the columns.
        rows: returns the rows; called twice, since a column's type depends on all of them.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", "--format parquet") from error
    kinds = _kinds(columns, rows())
    of_kind = {bool: pyarrow.bool_(), int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    table = pyarrow.schema([(column, of_kind[kinds[column]]) for column in columns])
    waiting = iter(rows())
    with parquet.ParquetWriter(path, table) as writer:
        while batch := list(islice(waiting, _BATCH)):
            values = [
                pyarrow.array([_of_kind(row.get(column), kinds[column]) for row in batch], table.field(column).type)
                for column in columns
            ]
            writer.write_table(pyarrow.Table.from_arrays(values, schema=table))


def _csv_cell(value: Any, raw: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value if raw or not value.startswith(_FORMULA) else f"'{value}"
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return hex(value)  # Python writes no more than 4,300 digits.
    if isinstance(value, (bool, int, float)):
        return repr(value)
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(strict(value, "", []), ensure_ascii=False)


def _kinds(columns: Sequence[str], rows: Iterable[Row]) -> dict[str, type]:
    found: dict[str, set[type]] = {column: set() for column in columns}
    for row in rows:
        for column, kinds in found.items():
            value = row.get(column)
            if value is not None:
                is_large = type(value) is int and not -(2**63) <= value < 2**63
                kinds.add(str if is_large else type(value) if type(value) in (bool, int, float) else str)
    return {column: _common(kinds) for column, kinds in found.items()}


def _common(kinds: set[type]) -> type:
    if kinds == {int, float}:
        return float
    return kinds.pop() if len(kinds) == 1 else str


def _of_kind(value: Any, kind: type) -> Any:
    if value is None or (kind is not str and kind is not float):
        return value
    if kind is float:
        return float(value)
    text = value if isinstance(value, str) else _json(value)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
