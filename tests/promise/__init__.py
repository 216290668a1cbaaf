"""What docs/pytest.md promises, cell by cell, as tests that each executor's classes inherit: each runs real sessions on it."""

import pytest

# Their assertions are to be rewritten as those of test files are; register before they are imported.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("base", "debugging", "fixtures", "seeing", "selecting", "stopping")),
)
