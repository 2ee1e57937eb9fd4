"""The reference tool, started once for all suites that ask it."""

from collections.abc import Iterator

import pytest

from tests.reference.client import PYTHON, Reference


@pytest.fixture(scope="session")
def reference() -> Iterator[Reference]:
    """The tool in a child process; a skip with the reason where its environment is absent."""
    if not PYTHON.exists():
        pytest.skip(f"no environment of the reference tool at {PYTHON.parent}; run make reference")
    with Reference() as child:
        yield child
