"""A ledger in each kind of database there is: the same tests, the same answers.

Tables are made once for each kind, and copied: tests of how they are made want `empty_url`.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from auditor.ledger import Ledger
from tests.postgres_server import postgres

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.wide)]  # a server takes time


SERVER = {"made_database", "server_url", "empty_server_url"}


@pytest.hookimpl(tryfirst=True)  # before those that are not asked for are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a PostgreSQL server is in the wide suite."""
    for item in items:
        if SERVER & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.wide)


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite ledger with nothing in it."""
    path = tmp_path_factory.mktemp("made") / "auditor.db"
    Ledger.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def made_database() -> Iterator[str]:
    """The name of a PostgreSQL ledger with nothing in it."""
    with postgres().database() as url:
        Ledger.open(url).close()
        yield url.rpartition("/")[2]


@pytest.fixture
def file_url(made_file: Path, tmp_path: Path) -> str:
    """Of a ledger in an SQLite file."""
    shutil.copyfile(made_file, tmp_path / "auditor.db")
    return f"sqlite:///{tmp_path / 'auditor.db'}"


@pytest.fixture
def server_url(made_database: str) -> Iterator[str]:
    """Of a ledger in a database of a PostgreSQL server."""
    with postgres().database(f"TEMPLATE {made_database}") as url:
        yield url


@pytest.fixture
def empty_file_url(tmp_path: Path) -> str:
    """Of an SQLite file that is not there."""
    return f"sqlite:///{tmp_path / 'auditor.db'}"


@pytest.fixture
def empty_server_url() -> Iterator[str]:
    """Of a database of a PostgreSQL server in which there is nothing."""
    with postgres().database() as url:
        yield url


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    name = {"sqlite": "file_url", "postgresql": "server_url"}[request.param]
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest) -> str:
    name = {"sqlite": "empty_file_url", "postgresql": "empty_server_url"}[request.param]
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with closing(Ledger.open(url)) as opened:
        yield opened
