"""Whole sessions of pytest with sweeps, as a user runs them."""

import pytest

# Its assertions are to be rewritten as those of test files are; registered here, before anybody can import it.
pytest.register_assert_rewrite(f"{__name__}.project")
