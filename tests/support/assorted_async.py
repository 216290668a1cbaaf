"""The asynchronous test file of the assorted suite, `tests.support.assorted_suite`, for where pytest-asyncio is installed."""

from __future__ import annotations

ITEMS = 9

INI = """asyncio_default_fixture_loop_scope = function
"""

ASYNC = """
import asyncio
import pytest
import pytest_asyncio
from kind import each, report

@pytest_asyncio.fixture
async def served(plain):
    await asyncio.sleep(0)
    print("served")
    yield plain
    await asyncio.sleep(0)
    print("closed")

@pytest_asyncio.fixture
async def refused():
    raise RuntimeError("cannot be served")
    yield

@pytest_asyncio.fixture
async def unclosed():
    yield 1
    raise RuntimeError("cannot be closed")

@pytest.mark.asyncio
@each(1, 2)
async def test_async_passes(n, served):
    print("asked by", n)
    await asyncio.sleep(0.01)
    report({"n": n})
    assert served == 4

@pytest.mark.asyncio
@each(1)
async def test_async_fails(n, served):
    answer = await asyncio.sleep(0, result=n)
    assert answer == 2, "the wrong answer"

@pytest.mark.asyncio
@each(1)
async def test_async_raises_in_a_task(n):
    async def task():
        raise ValueError("in the task")
    await asyncio.gather(task(), asyncio.sleep(0))

@pytest.mark.asyncio
@each(1)
async def test_async_skips(n):
    pytest.skip("not today")

@pytest.mark.asyncio
@pytest.mark.xfail(reason="not yet")
@each(1)
async def test_async_xfails(n):
    assert False

@pytest.mark.asyncio
@each(1)
async def test_async_setup(n, refused):
    pass

@pytest.mark.asyncio
@each(1)
async def test_async_teardown(n, unclosed):
    pass

@pytest.mark.asyncio
@each(1)
async def test_async_is_slow(n):
    await asyncio.sleep(0)
    raise TimeoutError("too slow")
"""
