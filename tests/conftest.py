"""Factories and fixtures: each factory makes one valid record; a test names what it is about."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SEED = 20260105


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side, a file stays with one worker, and all that want the MLflow server with one.

    What they set up is set up once, and the server takes seconds to start.
    """
    for item in items:
        wants_server = hasattr(getattr(item, "module", None), "running")
        item.add_marker(pytest.mark.xdist_group("mlflow" if wants_server else str(item.path)))


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A real browser."""
    from tests import browser  # noqa: PLC0415 - slow to import, and few tests need it

    with browser.started() as found:
        yield found


@pytest.fixture
def tab(chromium: "Browser") -> Iterator[Callable[..., Any]]:
    """Opens an address in it, as `tests.browser.tabs` says."""
    from tests import browser  # noqa: PLC0415 - slow to import, and few tests need it

    with browser.tabs(chromium) as opened:
        yield opened


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real weights and reference values; a skip with the reason where absent."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("AUDITOR_TEST_DATA", default))
    if not folder.is_dir():
        if os.environ.get("AUDITOR_REQUIRE_DATA"):
            pytest.fail(f"no folder of real weights at {folder}; AUDITOR_REQUIRE_DATA asks for it")
        pytest.skip(f"no folder of real weights at {folder}; set AUDITOR_TEST_DATA to it")
    return folder
